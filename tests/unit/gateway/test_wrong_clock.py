"""What a box hears while its clock is wrong: kept, waiting, dated when the time is known, and named as if it had always been.

Method: real frames through the real outbox and intake, and a machine whose clocks go as the test says.
"""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.procedures import Ending, Frame, SessionFacts
from gateway.clock import Clock
from gateway.health import PatientState, patient_state
from gateway.intake import facts_text, settle_session, settle_unfinished
from gateway.outbox import Outbox
from schemas.reading import Reading, TimeSource
from tests.unit.gateway.frames import CUFF, PLAIN_PRESSURE, open_outbox
from tests.unit.gateway.test_clock import HOUR, TO_1970, TRUE, Box, fresh
from tests.unit.gateway.test_intake import METER, glucose

NEW_YORK = ZoneInfo("America/New_York")
#: 120/80 mmHg at 2026-11-28 04:00:00 by the cuff (flags 02), which is TRUE in New York.
DATED_PRESSURE = bytes.fromhex("02780050005d00ea070b1c040000")


def hear(
    outbox: Outbox, box: Box, clock: Clock, *data: bytes, offset_s: float | None = None, address: str = CUFF
) -> None:
    """A session of one frame a second, settled as the watch does."""
    facts = facts_text(SessionFacts(clock_offset_s=offset_s))
    number = outbox.begin_session(address=address, facts=facts, now=clock.utc_now())
    for each in data:
        box.passes(timedelta(seconds=1))
        outbox.keep(number, Frame("2A35", each, clock.utc_now()))
    settle_session(outbox, number, zone=NEW_YORK, now=clock.utc_now(), ending=Ending.HUNG_UP, when=clock.when)


def readings(outbox: Outbox, clock: Clock) -> list[Reading]:
    settle_unfinished(outbox, zone=NEW_YORK, now=clock.utc_now(), when=clock.when)
    due = outbox.due(now=clock.utc_now(), limit=99)
    return [Reading.model_validate_json(row.body) for row in sorted(due, key=lambda row: row.seq)]


def test_a_reading_of_1970_is_kept_and_waits_and_has_the_right_time_in_the_end(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    box = fresh(wrong_by=TO_1970)
    clock = box.boot(outbox, "one")
    hear(outbox, box, clock, PLAIN_PRESSURE, PLAIN_PRESSURE)
    assert readings(outbox, clock) == []
    stats = outbox.stats(now=clock.utc_now())
    assert (stats.depth, stats.frames) == (0, 2)
    shown = patient_state(scanning=True, sessions=0, stats=stats, last_receipt_at=None, now=clock.utc_now())
    assert shown.state is PatientState.KEPT
    box.passes(HOUR)
    box.wrong_by, box.vouched = timedelta(), True
    first, second = readings(outbox, clock)
    assert [first.measured_at, second.measured_at] == [TRUE + timedelta(seconds=n) for n in (1, 2)]
    assert first.received_at == first.measured_at
    assert (first.time_source, first.uncertainty_s) == (TimeSource.GATEWAY, None)
    assert first.backfill is False, "it was measured an hour ago, and heard then"
    assert first.reading_id == first.derived_id() != second.reading_id


def test_a_name_does_not_depend_on_how_its_time_was_had(tmp_path: Path) -> None:
    """The same evening, dated exactly and estimated after a reboot: other times, the same names."""
    names: list[set[object]] = []
    for exact in (True, False):
        outbox = open_outbox(tmp_path / str(exact))
        box = fresh(wrong_by=TO_1970)
        clock = box.boot(outbox, "one")
        hear(outbox, box, clock, PLAIN_PRESSURE, PLAIN_PRESSURE)
        if exact:
            box.wrong_by, box.vouched = timedelta(), True
        else:
            later = Box(TRUE + 5 * HOUR, TRUE + 5 * HOUR, vouched=True)
            clock = later.boot(outbox, "two")
        found = readings(outbox, clock)
        assert {reading.time_source for reading in found} == {TimeSource.GATEWAY if exact else TimeSource.ESTIMATED}
        assert all(reading.reading_id == reading.derived_id() for reading in found)
        names.append({reading.reading_id for reading in found})
    assert names[0] == names[1]
    assert len(names[0]) == 2


def test_a_boot_that_never_knew_the_time_is_estimated_between_its_neighbours(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    known = fresh(vouched=True)
    known.boot(outbox, "known").note()
    dark = Box(TRUE + 2 * HOUR, TRUE + 2 * HOUR, wrong_by=TO_1970 + 2 * HOUR)
    clock = dark.boot(outbox, "dark")
    hear(outbox, dark, clock, PLAIN_PRESSURE)
    clock.note()
    heard_at = dark.now
    after = Box(TRUE + 6 * HOUR, TRUE + 6 * HOUR, vouched=True)
    (found,) = readings(outbox, after.boot(outbox, "after"))
    assert found.time_source is TimeSource.ESTIMATED
    assert found.uncertainty_s == pytest.approx(3 * 3600, abs=5)
    assert abs(found.measured_at - heard_at) <= timedelta(seconds=found.uncertainty_s or 0)
    assert found.measured_at == found.received_at
    assert found.backfill
    assert found.measured_at < after.now


def test_a_cuff_whose_own_clock_is_coherent_is_the_better_witness(tmp_path: Path) -> None:
    """Its clock stood within the bounds: what it says is taken, as of any clock that could not be checked."""
    outbox = open_outbox(tmp_path)
    fresh(vouched=True).boot(outbox, "known").note()
    dark = Box(TRUE - timedelta(seconds=30), TRUE, wrong_by=TO_1970)
    clock = dark.boot(outbox, "dark")
    # The cuff is right; by this box's clock it is half a century ahead.
    local = clock.utc_now().astimezone(NEW_YORK).replace(tzinfo=None)
    offset_s = (local - TRUE.astimezone(NEW_YORK).replace(tzinfo=None)).total_seconds()
    hear(outbox, dark, clock, DATED_PRESSURE, offset_s=offset_s)
    after = Box(TRUE + 6 * HOUR, TRUE + 6 * HOUR, vouched=True)
    (found,) = readings(outbox, after.boot(outbox, "after"))
    assert (found.measured_at, found.time_source) == (TRUE, TimeSource.DEVICE)


@pytest.mark.parametrize("cuff_is_behind_s", [0, 2220, -10_800, 86_400, 848_821_830])
def test_a_devices_offset_is_moved_with_the_clock_it_was_measured_by(tmp_path: Path, cuff_is_behind_s: int) -> None:
    outbox = open_outbox(tmp_path)
    box = fresh(wrong_by=TO_1970)
    clock = box.boot(outbox, "one")
    local = clock.utc_now().astimezone(NEW_YORK).replace(tzinfo=None)
    cuff = TRUE.astimezone(NEW_YORK).replace(tzinfo=None) - timedelta(seconds=cuff_is_behind_s)
    hear(outbox, box, clock, _pressure_at(cuff), offset_s=(local - cuff).total_seconds())
    box.wrong_by, box.vouched = timedelta(), True
    (found,) = readings(outbox, clock)
    assert found.clock_offset_s == pytest.approx(cuff_is_behind_s, abs=1)
    if abs(cuff_is_behind_s) < 86_401:
        assert found.time_source is TimeSource.DEVICE_CORRECTED
    assert abs(found.measured_at - TRUE) <= timedelta(seconds=1)


def _pressure_at(wall: datetime) -> bytes:
    return (
        DATED_PRESSURE[:7]
        + wall.year.to_bytes(2, "little")
        + bytes([wall.month, wall.day, wall.hour, wall.minute, wall.second])
    )


def test_a_meter_is_not_asked_again_for_what_waits(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    clock = fresh(wrong_by=TO_1970).boot(outbox, "one")
    number = outbox.begin_session(address=METER, facts=facts_text(SessionFacts()), now=clock.utc_now())
    for each in (1, 2, 5):
        outbox.keep(number, glucose(each))
    settle_session(outbox, number, zone=NEW_YORK, now=clock.utc_now(), ending=Ending.COMPLETE, when=clock.when)
    assert outbox.last_sequence(METER) == 5
    assert outbox.stats(now=clock.utc_now()).frames == 3
    assert outbox.events(limit=9) == [], "the gap in its numbers waits for its time, too"
    assert outbox.stats(now=clock.utc_now()).events == 1


#: Both changes of summer time in the United States in 2026, and the days around them.
_CHANGES = st.sampled_from([datetime(2026, 3, 8, 7), datetime(2026, 11, 1, 6)])  # noqa: DTZ001


@given(change=_CHANGES, before_s=st.integers(-7200, 7200), waits_s=st.integers(0, 14_400), behind_s=st.integers(-9, 9))
def test_a_wrong_clock_and_a_change_of_summer_time(
    change: datetime, before_s: int, waits_s: int, behind_s: int
) -> None:
    """T3: heard on one side of the change, the clock set on the other: right to the second all the same."""
    from tempfile import TemporaryDirectory

    true = change.replace(tzinfo=TRUE.tzinfo) + timedelta(seconds=before_s)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.clock.NOT_BEFORE", datetime(2026, 1, 1, tzinfo=TRUE.tzinfo))
        outbox = open_outbox(Path(folder))
        box = Box(true, true, wrong_by=timedelta(days=20_000))
        clock = box.boot(outbox, "one")
        cuff = true.astimezone(NEW_YORK).replace(tzinfo=None) - timedelta(seconds=behind_s)
        local = clock.utc_now().astimezone(NEW_YORK).replace(tzinfo=None)
        hear(outbox, box, clock, _pressure_at(cuff), offset_s=(local - cuff).total_seconds())
        box.passes(timedelta(seconds=waits_s))
        box.wrong_by, box.vouched = timedelta(), True
        (found,) = readings(outbox, clock)
        outbox.close()
    assert found.measured_at == true
    assert found.time_source is TimeSource.DEVICE_CORRECTED
