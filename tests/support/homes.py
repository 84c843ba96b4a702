"""A clinic's boxes and what they say, through ingest's own door, in a few words."""

from datetime import datetime, timedelta
from typing import Any

from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from schemas.messages import Channel, Event, Status, StatusKind, topic
from tests.support.clinic import Clinic
from tests.support.clock import SettableClock
from tests.support.readings import batch, pressure


class Homes:
    """The clinic's boxes, and what they say."""

    def __init__(self, clinic: Clinic, clock: SettableClock) -> None:
        self.clinic, self.clock = clinic, clock
        self._seq = 0

    def box(self, name: str, label: str) -> str:
        with self.clinic.database.transaction() as connection:
            connection.execute(
                "insert into gateway (id, practice_id, label, created_at) values (%s, %s, %s, 'epoch')",
                [name, self.clinic.practice_id, label],
            )
        return name

    def says(self, gateway_id: str = "", *, minutes_ago: float = 0, **facts: Any) -> None:
        gateway_id, at = gateway_id or self.clinic.gateway_id, self.clock() - timedelta(minutes=minutes_ago)
        told: dict[str, Any] = {
            "version": "1.2",
            "adapter": "bluez",
            "uptime_s": 9000.0,
            "clock": "synchronised",
            **facts,
        }
        status = Status(gateway_id=gateway_id, kind=StatusKind.HEARTBEAT, sent_at=at, **told)
        self._settle(topic(gateway_id, Channel.STATUS), status.model_dump_json().encode(), at)

    def tells(
        self,
        name: str,
        value: str | float | None = None,
        *,
        address: str | None = None,
        days_ago: float = 0,
        **more: Any,
    ) -> None:
        at = self.clock() - timedelta(days=days_ago)
        event = Event(gateway_id=self.clinic.gateway_id, at=at, name=name, address=address, value=value, **more)
        self._settle(topic(self.clinic.gateway_id, Channel.EVENTS), event.model_dump_json().encode(), at)

    def measures(self, address: str, *, days_ago: float = 0) -> None:
        at = self.clock() - timedelta(days=days_ago)
        self._seq += 1
        self._settle(*batch(self.clinic.gateway_id, pressure(142, 88, at, address=address), first_seq=self._seq), at)

    def _settle(self, name: str, payload: bytes, at: datetime) -> None:
        settle(self.clinic.database, [Message(name, payload)], now=at)
