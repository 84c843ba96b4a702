"""What a suggestion whose a held reading is stands on: loaded in one bounded statement, of the actor's practice alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from rpm.access import Actor
from rpm.ingest.admit import Quality
from rpm.store.database import Connection
from rpm.store.holding import Held
from rpm.store.queries import load
from rpm.suggestion import PEOPLE_MAX, USUAL_WITHIN, Measured, Suggestion, User, suggest
from schemas.codes import BY_NAME, BY_NUMBER, UNIT_BY_NUMBER
from schemas.messages import ReadingItem
from schemas.quantity import converted
from schemas.reading import Reading

_SQL = load("suggestions")
#: At most so many held readings are looked at in one go; a list says nothing of those after.
ASKED_MAX: Final = 25
#: Of each person and value, the nearest in time: two months of one a day tell what is usual as well as more would.
VALUES_MAX: Final = 60
#: Voided is nobody's; a value whose clock is in doubt says nothing of the time of day.
_NOT_THESE: Final = int(Quality.VOID | Quality.CLOCK_DOUBTED)


@dataclass(slots=True)
class _Person:
    row: dict[str, Any]
    usual: dict[str, list[Measured]] = field(default_factory=dict)


def suggestions(connection: Connection, found: Sequence[Held], *, actor: Actor) -> dict[int, Suggestion]:
    """Whose the claimable ones of these held readings may be, by their number; of the first ASKED_MAX of them."""
    asked: dict[int, Reading] = {}
    for each in found:
        reading = _reading(each) if each.claimable and each.practice_id == actor.practice_id else None
        if reading is not None and len(asked) < ASKED_MAX:
            asked[each.id] = reading
    if not asked:
        return {}
    people = _people(connection, asked, actor)
    return {
        number: suggest(reading, [_user(each) for each in people[number].values()]) for number, reading in asked.items()
    }


def _reading(one: Held) -> Reading | None:
    try:
        return ReadingItem.model_validate(one.item).reading
    except ValidationError:
        return None


def _people(connection: Connection, asked: dict[int, Reading], actor: Actor) -> dict[int, dict[int, _Person]]:
    """Held number → patient → what is known of them, in the units of the reading that is asked about."""
    wanted = [(number, name) for number, reading in asked.items() for name in reading.quantities if name in BY_NAME]
    rows = connection.execute(
        _SQL["users"],
        {
            "held": [number for number, _ in wanted],
            "codes": [BY_NAME[name].number for _, name in wanted],
            "practice_id": actor.practice_id,
            "within": USUAL_WITHIN,
            "people": PEOPLE_MAX + 1,
            "values": VALUES_MAX,
            "not_these": _NOT_THESE,
        },
    )
    people: dict[int, dict[int, _Person]] = {number: {} for number in asked}
    for row in rows:
        person = people[row["held_id"]].setdefault(row["patient_id"], _Person(row))
        code = BY_NUMBER[row["code"]]
        unit = asked[row["held_id"]].quantities[code.name].unit
        if row["instants"] is None or unit not in code.units:
            continue
        person.usual[code.name] = [
            Measured(at, converted(amount, UNIT_BY_NUMBER[stored], unit))
            for at, amount, stored in zip(row["instants"], row["amounts"], row["units"], strict=True)
        ]
    return people


def _user(person: _Person) -> User:
    row = person.row
    name = f"{row['family_name']}, {row['given_name']}"
    return User(
        row["patient_id"],
        row["public_id"],
        name,
        row["birth_date"],
        row["time_zone"],
        frozenset(row["slots"]),
        person.usual,
    )
