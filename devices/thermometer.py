"""Temperature Measurement, 0x2A1C (Health Thermometer Service; layout in the GATT Specification Supplement).

flags u8: 0 degrees Fahrenheit (else Celsius), 1 time stamp, 2 temperature type; then the temperature as a FLOAT, then what
the flags announce, in their order. Reserved flag bits are ignored.
"""

from dataclasses import dataclass
from typing import Final, Self

from devices import description
from devices.date_time import DateTime
from devices.encoding import Cursor, MedicalFloat, float_to_bytes
from devices.measurement import Measurement, quantity
from schemas.codes import Kind

_FAHRENHEIT, _TIME, _TYPE = (1 << bit for bit in range(3))

#: Where on the body (Temperature Type, after IEEE 11073-10408).
_SITES: Final = {
    1: "armpit",
    2: "body",
    3: "ear",
    4: "finger",
    5: "gastrointestinal_tract",
    6: "mouth",
    7: "rectum",
    8: "toe",
    9: "tympanum",
}


@dataclass(frozen=True, slots=True)
class TemperatureMeasurement:
    """One temperature, in °C, or °F where `fahrenheit`. `site` is the raw Temperature Type."""

    temperature: MedicalFloat
    fahrenheit: bool = False
    time_stamp: DateTime | None = None
    site: int | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "temperature measurement")
        flags = cursor.uint8("flags")
        found = cls(
            temperature=cursor.float("temperature"),
            fahrenheit=bool(flags & _FAHRENHEIT),
            time_stamp=cursor.date_time("time stamp") if flags & _TIME else None,
            site=cursor.uint8("temperature type") if flags & _TYPE else None,
        )
        cursor.end()
        return found

    def __bytes__(self) -> bytes:
        flags, optional = _FAHRENHEIT if self.fahrenheit else 0, b""
        if self.time_stamp is not None:
            flags, optional = flags | _TIME, optional + bytes(self.time_stamp)
        if self.site is not None:
            flags, optional = flags | _TYPE, optional + bytes([self.site])
        return bytes([flags]) + float_to_bytes(self.temperature) + optional

    def measurement(self) -> Measurement:
        """In the words of the product."""
        site = {} if self.site is None else {"body_site": _SITES.get(self.site, f"reserved_{self.site}")}
        return Measurement(
            kind=Kind.BODY_TEMPERATURE,
            quantities={"body_temperature": quantity(self.temperature, "[degF]" if self.fahrenheit else "Cel")},
            device_time=None if self.time_stamp is None else self.time_stamp.text(),
            context=site,
        )

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        return description.measured(self.measurement(), self.time_stamp)
