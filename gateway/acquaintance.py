"""What is news about a device beside its readings: its battery, whether and by what it is read, what it offers in vain. Pure."""

from dataclasses import dataclass

from devices import not_decoded
from devices.catalogue import Seen, Standing, judge
from devices.procedures import SessionFacts
from schemas.messages import EventName


@dataclass(frozen=True, slots=True)
class News:
    """One event to tell."""

    name: EventName
    value: float | str


class Acquaintances:
    """What was told of each device, by its slot, since this program started: nothing is told twice in a row."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, EventName], float | str] = {}

    def news(
        self,
        slot: int,
        facts: SessionFacts,
        *,
        services: frozenset[str],
        characteristics: frozenset[str],
        company_ids: frozenset[int] = frozenset(),
    ) -> list[News]:
        """What a connection showed that was not told before."""
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
        return new
