"""What the cloud asks of this gateway: send again, have the person measure again, have them call.

Each request has an expiry and is answered by events that bear its id; the cloud asks again until it hears one, so the same
request twice is answered twice and done once. What is open survives the program: it is kept in a small file.

    replay          replaying (how many rows)
    measure_again   request_shown, then request_done or request_expired
    call_us         request_shown, then request_expired
    withdraw        request_done; of what it names request_withdrawn
    anything else   request_unknown
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from gateway.errors import OutboxFailed
from gateway.intake import Fresh
from gateway.outbox import Outbox
from gateway.small_file import read_json, write_json
from schemas.codes import Kind
from schemas.messages import Event, EventName, Request, RequestKind

log = structlog.get_logger()

#: Requests open at one time: more than these many people in one home are not asked at once.
OPEN_MAX: Final = 20
#: Answers remembered, for the cloud that did not hear them.
ANSWERED_MAX: Final = 100
#: Nobody is asked for longer than this, whatever the request says: a box that begs for a year is unplugged.
LASTING_MAX: Final = timedelta(days=7)
#: A reading measured this long before the request was, still answers it: the cloud's clock and ours may differ.
BEFORE_MAX: Final = timedelta(seconds=30)
#: The numbers an outbox row can have.
SEQ_MIN: Final = 1
SEQ_MAX: Final = 2**63 - 1
ID_CHARACTERS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what has become of it. `answer` is the event told last; it is open while that is "shown"."""

    id: str
    kind: RequestKind
    asked_at: float
    expires_at: float
    #: Of measure_again: what to measure, and whose place on the device (None: anybody's).
    measure: Kind | None = None
    user_slot: int | None = None
    answer: EventName = EventName.REQUEST_SHOWN

    @property
    def open(self) -> bool:
        """Whether it is still shown to the person at home."""
        return self.answer is EventName.REQUEST_SHOWN


class Requests:
    """The requests of one gateway. `measures` are the kinds its devices measure; `on_change`: what is shown changes."""

    def __init__(
        self,
        *,
        gateway_id: str,
        outbox: Outbox,
        file: Path,
        measures: Iterable[Kind],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._gateway_id = gateway_id
        self._outbox = outbox
        self._file = file
        self._measures = frozenset(measures)
        self._on_change = on_change
        self._asked = self._kept()

    @property
    def due(self) -> bool:
        """Whether somebody at home is asked to measure."""
        return any(each.open and each.kind is RequestKind.MEASURE_AGAIN for each in self._asked.values())

    @property
    def called(self) -> bool:
        """Whether somebody at home is asked to call."""
        return any(each.open and each.kind is RequestKind.CALL_US for each in self._asked.values())

    def receive(self, payload: bytes, *, now: datetime) -> None:
        """A message of the topic /requests."""
        try:
            request = Request.model_validate_json(payload)
        except ValidationError as error:
            log.error("request_unreadable", problems=error.error_count())
            return
        if request.gateway_id != self._gateway_id or not 0 < len(request.request_id) <= ID_CHARACTERS_MAX:
            log.error("request_not_ours")
            return
        known = self._asked.get(request.request_id)
        if known is not None:
            self._tell(known.id, known.answer, now=now)
        elif request.expires_at <= now:
            self._tell(request.request_id, EventName.REQUEST_EXPIRED, now=now)
        elif request.kind == RequestKind.WITHDRAW:
            self._withdraw(request, now=now)
        elif request.kind == RequestKind.REPLAY:
            self._replay(request, now=now)
        elif (asked := self._understood(request, now=now)) is None:
            self._tell(request.request_id, EventName.REQUEST_UNKNOWN, now=now)
        else:
            self._keep(asked)
            self._tell(asked.id, asked.answer, now=now)

    def measured(self, readings: Iterable[Fresh], *, now: datetime) -> None:
        """New readings were kept: which requests do they answer? A person asked is not answered by the spouse's reading."""
        for reading in readings:
            for asked in tuple(self._asked.values()):
                if (
                    asked.open
                    and asked.measure is reading.kind
                    and asked.user_slot in {None, reading.user_slot}
                    and reading.measured_at >= datetime.fromtimestamp(asked.asked_at, UTC) - BEFORE_MAX
                ):
                    self._answer(asked, EventName.REQUEST_DONE, now=now)

    def look(self, *, now: datetime) -> None:
        """End what has expired."""
        for asked in tuple(self._asked.values()):
            if asked.open and asked.expires_at <= now.timestamp():
                self._answer(asked, EventName.REQUEST_EXPIRED, now=now)

    def _understood(self, request: Request, *, now: datetime) -> Asked | None:
        """What is asked of the person, or None: unknown, not to be had here, or one too many."""
        expires_at = min(request.expires_at, now + LASTING_MAX).timestamp()
        if sum(each.open for each in self._asked.values()) >= OPEN_MAX:
            return None
        if request.kind == RequestKind.CALL_US:
            return Asked(request.request_id, RequestKind.CALL_US, now.timestamp(), expires_at)
        slot, wanted = request.arguments.get("user_slot"), request.arguments.get("kind")
        if (
            request.kind != RequestKind.MEASURE_AGAIN
            or wanted not in self._measures
            or not (slot is None or isinstance(slot, int))
        ):
            return None
        asked = Asked(request.request_id, RequestKind.MEASURE_AGAIN, now.timestamp(), expires_at)
        return replace(asked, measure=Kind(wanted), user_slot=slot)

    def _replay(self, request: Request, *, now: datetime) -> None:
        from_seq, to_seq = request.arguments.get("from_seq"), request.arguments.get("to_seq", SEQ_MAX)
        if request.arguments.get("epoch") != self._outbox.epoch:
            # A cloud that was restored cannot know of an outbox that began since: it says from where it wants such a one.
            from_seq, to_seq = request.arguments.get("other_epochs_from"), SEQ_MAX
        if isinstance(from_seq, int) and isinstance(to_seq, int) and SEQ_MIN <= from_seq <= to_seq <= SEQ_MAX:
            count = self._outbox.replay(request.request_id, from_seq=from_seq, to_seq=to_seq, now=now)
            self._tell(request.request_id, EventName.REPLAYING, now=now, value=float(count))
        else:
            self._tell(request.request_id, EventName.REQUEST_UNKNOWN, now=now)

    def _withdraw(self, request: Request, *, now: datetime) -> None:
        named = request.arguments.get("request_id")
        if not isinstance(named, str) or not 0 < len(named) <= ID_CHARACTERS_MAX:
            self._tell(request.request_id, EventName.REQUEST_UNKNOWN, now=now)
            return
        known = self._asked.get(named)
        if known is None:
            # It may be on its way still, and is answered then as if it had been shown.
            known = Asked(named, RequestKind.MEASURE_AGAIN, now.timestamp(), request.expires_at.timestamp())
        if known.open:
            self._answer(known, EventName.REQUEST_WITHDRAWN, now=now)
        done = Asked(request.request_id, RequestKind.WITHDRAW, now.timestamp(), request.expires_at.timestamp())
        self._answer(done, EventName.REQUEST_DONE, now=now)

    def _answer(self, asked: Asked, answer: EventName, *, now: datetime) -> None:
        self._keep(replace(asked, answer=answer))
        self._tell(asked.id, answer, now=now)

    def _tell(self, request_id: str, name: EventName, *, now: datetime, value: float | None = None) -> None:
        log.info("request_answered", request=request_id, answer=name)
        self._outbox.add_event(
            Event(gateway_id=self._gateway_id, at=now, name=name, value=value, request_id=request_id)
        )
        self._on_change()

    def _keep(self, asked: Asked) -> None:
        # Asked last, kept last: the oldest answers are forgotten first, and open ones never.
        self._asked.pop(asked.id, None)
        self._asked[asked.id] = asked
        answered = [each.id for each in self._asked.values() if not each.open]
        for old in answered[: max(len(answered) - ANSWERED_MAX, 0)]:
            del self._asked[old]
        if not write_json(self._file, [asdict(each) for each in self._asked.values()]):
            raise OutboxFailed("the open requests cannot be written: the disk is full or failing")

    def _kept(self) -> dict[str, Asked]:
        try:
            found = _ASKED.validate_python(read_json(self._file) or [])
        except (OSError, ValueError) as error:
            log.warning("requests_unreadable", error=type(error).__name__)
            return {}
        return {each.id: each for each in found}


_ASKED: Final = TypeAdapter(list[Asked])
