"""The outbox against a model of it: whatever happens in whatever order, no row is lost and none settles by itself.

The model remembers every reading that was kept and every receipt that came. Crashes are reopenings without a close; the
cap is small, so that evictions happen. After every step each reading is in exactly one place: waiting, receipted, purged
after its receipt, or counted in a gap record.
"""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.outbox import Outbox
from schemas.messages import Event, Receipt
from tests.unit.gateway.frames import (
    CUFF,
    FACTS,
    GATEWAY,
    KEY,
    MEGABYTE,
    NOON,
    Encryption,
    frame,
    open_outbox,
    peek,
    row,
)

RING = timedelta(days=7)
BIG_BODY = 6_000


class OutboxMachine(RuleBasedStateMachine):
    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-machine-"))
        self.now = NOON
        self.outbox = open_outbox(self.folder, bytes_max=MEGABYTE)
        self.kept = 0
        self.frames = 0
        self.events = 0
        self.receipted: set[int] = set()
        self.sent: set[int] = set()
        self.open_session: int | None = None

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.folder)

    @rule(frames=st.integers(1, 30), big=st.booleans())
    def session(self, *, frames: int, big: bool) -> None:
        session = self.outbox.begin_session(address=CUFF, facts=FACTS, now=self.now)
        rows = [row(self.kept + n, body_bytes=BIG_BODY if big else 40) for n in range(frames)]
        for n in range(frames):
            self.outbox.keep(session, frame(n))
        assert self.outbox.finish_session(session, rows, now=self.now).new == frames
        self.kept += frames

    @rule()
    def repeat_the_last_reading(self) -> None:
        waiting = self.outbox.due(now=self.now + timedelta(days=9999), limit=1)
        if waiting and waiting[0].seq == self.kept:
            session = self.outbox.begin_session(address=CUFF, facts=FACTS, now=self.now)
            assert self.outbox.finish_session(session, [row(self.kept - 1)], now=self.now).repeated == 1

    @rule(wait_s=st.floats(1, 300), limit=st.integers(1, 50))
    def send(self, wait_s: float, limit: int) -> None:
        due = self.outbox.due(now=self.now, limit=limit)
        self.outbox.mark_sent([(found.seq, self.now + timedelta(seconds=wait_s)) for found in due], now=self.now)
        self.sent |= {found.seq for found in due}

    @rule(data=st.data())
    def receipt(self, data: st.DataObject) -> None:
        """The cloud names rows it committed, some twice, and one that was never sent."""
        waiting = self._seqs("state < 2") & self.sent
        named = data.draw(st.sets(st.sampled_from(sorted(waiting)))) if waiting else set[int]()
        never_sent = sorted(self._seqs("state < 2") - self.sent)[:1]
        message = Receipt(gateway_id=GATEWAY, epoch=self.outbox.epoch, stored=(*named, *never_sent))
        assert self.outbox.settle(message, now=self.now) == len(named)
        self.receipted |= named

    @rule()
    def crash(self) -> None:
        """The process goes without a word; the next one opens the same file."""
        self.outbox.close()
        self.outbox = open_outbox(self.folder, bytes_max=MEGABYTE)

    @rule(hours=st.integers(1, 100))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.outbox.purge(now=self.now, ring=RING)

    @rule()
    def telemetry(self) -> None:
        self.outbox.add_event(Event(gateway_id=GATEWAY, at=self.now, name="signal", value=1.0))

    @rule()
    def reconnect(self) -> None:
        self.outbox.hasten(now=self.now, within_s=5)

    @invariant()
    def every_reading_is_somewhere(self) -> None:
        if not hasattr(self, "outbox"):
            return
        stats = self.outbox.stats(now=self.now)
        waiting, ring = self._seqs("state < 2"), self._seqs("state = 2")
        assert ring <= self.receipted, "a row settled without a receipt"
        assert len(waiting) == stats.depth
        gone = set(range(1, self.kept + 1)) - waiting - self.receipted
        assert len(gone) == stats.dropped == sum(gap.readings for gap in self.outbox.gaps())
        for gap in self.outbox.gaps():
            assert gap.readings <= gap.last_seq - gap.first_seq + 1
        in_gaps = {seq for gap in self.outbox.gaps() for seq in range(gap.first_seq, gap.last_seq + 1)}
        assert gone <= in_gaps, "a reading was dropped outside any gap record"
        assert (self.folder / "outbox.sqlite3").stat().st_size <= MEGABYTE

    def _seqs(self, where: str) -> set[int]:
        connection = peek(self.folder)
        try:
            return {seq for (seq,) in connection.execute(f"select seq from row where {where}")}
        finally:
            connection.close()


OutboxMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class EncryptedOutboxMachine(OutboxMachine):
    """The same, encrypted."""

    @initialize()
    def make(self) -> None:
        Encryption.key = KEY
        super().make()

    def teardown(self) -> None:
        super().teardown()
        Encryption.key = None


EncryptedOutboxMachine.TestCase.settings = settings(
    max_examples=10, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
test_nor_in_an_encrypted_outbox = EncryptedOutboxMachine.TestCase
test_whatever_happens_no_reading_is_lost_and_none_settles_by_itself = OutboxMachine.TestCase


def test_the_machine_can_see_a_loss(tmp_path: Path) -> None:
    """The invariant fails on an outbox from which a row was taken behind its back."""
    machine = OutboxMachine()
    machine.make()
    machine.session(frames=3, big=False)
    machine.every_reading_is_somewhere()
    machine.outbox._connection.execute("delete from row where seq = 2")
    try:
        machine.every_reading_is_somewhere()
    except AssertionError:
        seen = True
    else:
        seen = False
    machine.teardown()
    assert seen
    assert isinstance(machine.outbox, Outbox)
    assert not list(tmp_path.iterdir())
