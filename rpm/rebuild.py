"""Make every reading again from the bytes it came in, by the code that made it, and hold the two against each other (F34).

    archive ──in order──▶ settled: the messages, at the instant they were taken in ──settle──▶ readings, held
                        │ decided: what was registered, released, claimed, corrected then
    ──roll up──▶ the same tables

Nothing of what people and clocks did besides follows from a message: alerts, calls, minutes, bills and the record of who saw
what are in a backup, and not in here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from rpm.access import Actor, Role
from rpm.errors import UserError
from rpm.ingest import replay
from rpm.ingest.batch import settle
from rpm.ingest.reasons import CLAIMED_ALONE
from rpm.jobs import rollup
from rpm.store import corrections, held, rebuilding
from rpm.store.contents import Table, differences
from rpm.store.database import Connection, Database
from rpm.store.rebuilding import Change, Decided, Reach, Settled

#: What a person decides by looking at one held reading; the rest of what happens to one is put as it was.
_ADMITTED: Final = frozenset({"released", "claimed", "replayed"})


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did. `left_out`: decisions on readings that came by no message that is kept."""

    reach: Reach
    settlements: int
    messages: int
    decisions: int
    left_out: int
    before: Mapping[str, Table]
    after: Mapping[str, Table]

    @property
    def differences(self) -> list[str]:
        """In what the rebuilt database is not the one it was made of."""
        return list(differences(dict(self.before), dict(self.after)))


def rebuild(source_dsn: str, target: Database) -> Rebuilt:
    """Rebuild the database at `source_dsn` into `target`, which is migrated and empty. UserError where it is not empty."""
    with rebuilding.reading(source_dsn) as source:
        with target.transaction() as connection:
            rebuilding.require_empty(connection)
            rebuilding.take_over(source, connection)
        counts = _Counts()
        for step in rebuilding.steps(source):
            if isinstance(step, Settled):
                settle(target, step.messages, number=step.number, now=step.at)
                counts.settlements += 1
                counts.messages += len(step.messages)
            else:
                counts.decisions += 1
                counts.left_out += _decide(target, step)
        while rollup.run_once(target).more:
            pass
        with rebuilding.reading(target.dsn) as made:
            after = rebuilding.contents(made)
        return Rebuilt(
            rebuilding.reach(source), counts.settlements, counts.messages, counts.decisions, counts.left_out,
            rebuilding.contents(source), after,
        )  # fmt: skip


@dataclass(slots=True)
class _Counts:
    settlements: int = 0
    messages: int = 0
    decisions: int = 0
    left_out: int = 0


def _decide(target: Database, decided: Decided) -> int:
    """Decide once more what was decided in one transaction; how much of it was on readings that are not here."""
    left_out = 0
    with target.transaction() as connection:
        claimed: list[tuple[Change, dict[str, Any]]] = []
        for change in decided.changes:
            if change.relation == "correction":
                left_out += not _correct(connection, change)
            elif _is_admission(change):
                row = rebuilding.take_held(connection, change)
                if row is None:
                    left_out += 1
                elif _of(change)["state"] == "claimed":
                    claimed.append((change, row))
                else:
                    _let_in(connection, change, row)
            else:
                rebuilding.put(connection, change)
        _claim(connection, claimed)
    return left_out


def _let_in(connection: Connection, change: Change, row: dict[str, Any]) -> None:
    """Release a held reading once more, or take it in again as it was taken in then."""
    actor, now = _who_and_when(change, "decided")
    if _of(change)["state"] == "replayed":
        replay.try_row(connection, row, actor=actor, why="", now=now)
        rebuilding.put(connection, change)
    else:
        held.release(connection, row["id"], actor=actor, note=_of(change)["decision"] or "", now=now)


def _is_admission(change: Change) -> bool:
    """Whether a person let a held reading in; one that came again and was let in by that is let in by that again."""
    after = change.after
    return change.relation == "held" and after is not None and after["state"] in _ADMITTED and bool(after["decided_by"])


def _claim(connection: Connection, claimed: list[tuple[Change, dict[str, Any]]]) -> None:
    """Admit what one claim, confirmation or registration admitted, all of it compared with what was stored before."""
    if not claimed:
        return
    change = claimed[0][0]
    actor, now = _who_and_when(change, "decided")
    alone = change.before is not None and change.before["reason"] in CLAIMED_ALONE
    held.admit_again(
        connection,
        [row for _, row in claimed],
        claimed_for=_of(change)["patient_id"] if alone else None,
        actor=actor,
        note=_of(change)["decision"] or "",
        now=now,
    )


def _correct(connection: Connection, change: Change) -> bool:
    """Correct a stored reading once more; whether it is here."""
    after = _of(change)
    actor, now = _who_and_when(change, "corrected")
    facts: dict[str, Any] = {"reason": after["reason"], "actor": actor, "now": now}
    reading_id = UUID(after["reading_id"])
    if not corrections.is_stored(connection, reading_id, practice_id=actor.practice_id):
        return False
    match after["kind"]:
        case "void":
            corrections.void(connection, reading_id, **facts)
        case "restore":
            corrections.restore(connection, reading_id, **facts)
        case "move":
            corrections.move(connection, reading_id, patient_id=after["patient_after"], **facts)
        case other:
            raise UserError(f"this version does not know how a reading is corrected by {other!r}")
    return True


def _of(change: Change) -> Mapping[str, Any]:
    assert change.after is not None
    return change.after


def _who_and_when(change: Change, verb: str) -> tuple[Actor, datetime]:
    """Who decided, and when: they may do again what they did."""
    after = _of(change)
    actor = Actor(after[f"{verb}_by"], after["practice_id"], Role.ADMIN, "")
    return actor, datetime.fromisoformat(after[f"{verb}_at"])


def told(rebuilt: Rebuilt) -> Iterator[str]:
    """What a person is told of a rebuild, in lines."""
    yield (
        f"{rebuilt.messages} messages of {rebuilt.settlements} settlements and {rebuilt.decisions} decisions were gone"
        " through again."
    )
    if rebuilt.reach.without or rebuilt.left_out:
        since = f"{rebuilt.reach.since:%Y-%m-%d %H:%M} UTC" if rebuilt.reach.since else "never"
        yield (
            f"Messages are kept since {since}: {rebuilt.reach.without} readings came by none that still is, and"
            f" {rebuilt.left_out} decisions are on such readings. They cannot be rebuilt."
        )
