"""What is news about a device beside its readings: its battery, whether and by what it is read, what it offers in vain. Pure."""

import math
from dataclasses import dataclass
from typing import Final

from devices import not_decoded
from devices.catalogue import Seen, Standing, judge
from devices.procedures import SessionFacts
from schemas.messages import EventName

#: A device's clock shows whole seconds.
CLOCK_CHANGE_S: Final = 2.0
CLOCK_AGAIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class News:
    """One event to tell."""

    name: EventName
    value: float | str


class Acquaintances:
    """What was told of each device, by its slot, since this program started: nothing is told twice in a row."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, EventName], float | str] = {}
        #: What a device's clock was off when last told, and when that was (loop seconds).
        self._clocks: dict[int, tuple[float, float]] = {}

    def news(
        self,
        slot: int,
        facts: SessionFacts,
        *,
        services: frozenset[str],
        characteristics: frozenset[str],
        company_ids: frozenset[int] = frozenset(),
        now_s: float | None = None,
    ) -> list[News]:
        """What a connection showed that was not told before. `now_s`: loop seconds; None while our own clock is wrong.

        A clock's offset is told at every connection, as a series: but some devices are met every few seconds for as long as
        they lie on the table, and then once a minute will do while it stays as it is.
        """
        verdict = judge(
            Seen(
                name=facts.name,
                services=services,
                company_ids=company_ids,
                manufacturer=facts.manufacturer,
                model=facts.model,
                characteristics=characteristics,
            )
        )
        shown: list[News] = []
        if verdict.standing is Standing.UNSUPPORTED:
            shown.append(News(EventName.DEVICE_UNSUPPORTED, verdict.called))
        elif verdict.row is None:
            # Read all the same: a standard service is enough. That nobody knows its habits is worth knowing when readings fail.
            firmware = facts.firmware or "unknown"
            shown.append(News(EventName.DEVICE_UNLISTED, f"{verdict.called}, firmware {firmware}"))
        if facts.battery_percent is not None:
            shown.append(News(EventName.DEVICE_BATTERY, facts.battery_percent))
        unread = ", ".join(what for _, what in not_decoded.offered(characteristics))
        if unread:
            shown.append(News(EventName.NOT_DECODED, unread))
        new = [each for each in shown if self._told.get((slot, each.name)) != each.value]
        self._told |= {(slot, each.name): each.value for each in new}
        offset_s = facts.clock_offset_s
        if offset_s is not None and now_s is not None:
            told_s, at_s = self._clocks.get(slot, (math.inf, 0.0))
            if abs(told_s - offset_s) >= CLOCK_CHANGE_S or now_s - at_s >= CLOCK_AGAIN_S:
                self._clocks[slot] = offset_s, now_s
                new.append(News(EventName.DEVICE_CLOCK, round(offset_s, 1)))
        return new
