"""Which clocks a reading passed, and by which of them it stands where it does. Pure."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rpm.store.charts import Point
from rpm.web.formats import give_or_take
from schemas.reading import TimeSource

#: By what a reading's time was had, for people.
BY_CLOCK: Final = {
    TimeSource.DEVICE_CORRECTED: "by the device’s clock, moved by its offset to the gateway’s",
    TimeSource.DEVICE: "by the device’s clock, which could not be checked",
    TimeSource.GATEWAY: "the moment the gateway received it: the device gave no usable time",
    TimeSource.ESTIMATED: "estimated: the gateway’s own clock was not set",
}
#: The same in a word or two, for the line below a chart.
_USED: Final = {
    TimeSource.DEVICE_CORRECTED: "device’s clock, corrected",
    TimeSource.DEVICE: "device’s clock, not checked",
    TimeSource.GATEWAY: "gateway’s clock",
    TimeSource.ESTIMATED: "estimated",
}


def clocks(reading: Point, zone: str) -> str:
    """The clocks in one line: `Device 10:00:02, offset +3 s, gateway 10:00:05 EDT, here 10:00:09 EDT. Used: device’s clock, corrected.`.

    Gateway and server in `zone`, the device as it said; a day only where it is not the day of the measurement.
    """
    day = reading.measured_at.astimezone(ZoneInfo(zone)).date()

    def local(instant: datetime) -> str:
        at = instant.astimezone(ZoneInfo(zone))
        return f"{at:%H:%M:%S %Z}" if at.date() == day else f"{at.day} {at:%b %Y %H:%M:%S %Z}"

    told = reading.device_time
    said = "none" if told is None else told[11:] if told[:10] == str(day) else told.replace("T", " ")
    offset = "not read" if reading.clock_offset_s is None else f"{reading.clock_offset_s:+.0f} s"
    doubt = "" if reading.uncertainty_s is None else f", within {give_or_take(reading.uncertainty_s)} either way"
    return (
        f"Device {said}, offset {offset}, gateway {local(reading.received_at)}, here {local(reading.admitted_at)}."
        f" Used: {_USED[TimeSource(reading.time_source)]}{doubt}."
    )
