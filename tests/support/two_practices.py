"""Two practices with one row of everything, made from the schema itself: a table that comes later is in it without a word.

Every number, name and key of a practice's rows is the practice's own number, so that each row refers to the others of its
practice and to no other's; and whatever holds that number somewhere is that practice's, wherever it turns up.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb
from psycopg.types.range import TimestamptzRange

from rpm.store.database import Connection

OURS, THEIRS = 700_001, 800_001
DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
#: What the schema's checks demand and no rule below gives.
SAID: Final[dict[str, dict[str, Any]]] = {
    # Needs one of the two.
    "rota_override": {"who": None},
    # Whose a stored reading is, whose it is not: named where they may be null.
    "alert": {"patient_id": None, "held_id": None},
    "audit": {"patient_id": None, "staff_id": None},
    "held": {"patient_id": None, "device_id": None, "gateway_id": None, "reading_id": None, "epoch": None, "seq": None},
    "gateway_request": {"patient_id": None, "asked_by": None},
    "gateway_claim": {},
    "device": {"gateway_id": None},
    "notification": {},
    # A pregnancy has no value.
    "patient_fact": {"kind": "pregnancy", "value": None, "unit": None},
}
_COLUMNS = """
select relname as table, attname as column, format_type(atttypid, atttypmod) as type, attnotnull as needed,
    atthasdef or attidentity <> '' as given, attidentity = 'a' as numbered, attnum as place
from pg_class join pg_attribute on attrelid = pg_class.oid
where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'alembic_version' and attnum > 0
    and not attisdropped
order by relname, attnum
"""
_CHECKS = """
select conrelid::regclass::text as table, pg_get_constraintdef(oid) as said from pg_constraint
where contype = 'c' and connamespace = 'public'::regnamespace
"""


def value(type_name: str, number: int, *, column: str = "", place: int = 0) -> Any:
    """A value of that type which is recognisable as practice `number`'s, where the type has room for it."""
    if type_name.endswith("[]"):
        return [value(type_name.removesuffix("[]"), number, column=column, place=place)]
    match type_name:
        case "text":
            return "UTC" if "time_zone" in column else f"x{number}"
        case "uuid":
            return UUID(int=number)
        case "timestamp with time zone":
            return DAY + timedelta(minutes=place)
        case "tstzrange":
            return TimestamptzRange(DAY, None)
        case "bytea":
            return str(number).encode().rjust(32)
        case "jsonb":
            return Jsonb({"of": number})
        case _:
            plain = {
                "bigint": number, "integer": number, "smallint": 1, "double precision": 1.0, "numeric": 1, "boolean": True,
                "date": date(2026, 1, 1), "xid8": None, "interval": timedelta(days=1),
            }  # fmt: skip
            return plain.get(type_name, f"x{number}")


def tables(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every table of ours with its columns."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(_COLUMNS).fetchall():
        found.setdefault(row["table"], []).append(row)
    return found


def fill(connection: Connection) -> None:
    """One row of every table for each of the two."""
    # Whom a row refers to is there once all of them are: foreign keys and triggers have no say until then.
    connection.execute("set local session_replication_role = replica")
    words = _words(connection)
    for table, columns in tables(connection).items():
        for number in (OURS, THEIRS):
            said = SAID.get(table, {})
            row: dict[str, Any] = {}
            for each in columns:
                name = each["column"]
                if name in said or name == "id" or (each["needed"] and not each["given"]):
                    made = value(each["type"], number, column=name, place=each["place"])
                    row[name] = words.get((table, name), made)
                elif each["type"] == "uuid" and each["needed"]:
                    row[name] = UUID(int=number)
            connection.execute(
                sql.SQL("insert into public.{} ({}) overriding system value values ({})").format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(map(sql.Placeholder, row)),
                ),
                row,
            )
    connection.execute("set local session_replication_role = origin")


def _words(connection: Connection) -> dict[tuple[str, str], str]:
    """The first word that a column may be, of those a check names."""
    found: dict[tuple[str, str], str] = {}
    for row in connection.execute(_CHECKS).fetchall():
        for name, word in re.findall(r"\((\w+) = ANY \(ARRAY\['([^']*)'", row["said"]):
            found[row["table"], name] = word
    return found


def is_in(number: int, found: Any) -> bool:
    """Whether something, or anything in it, is of practice `number`."""
    match found:
        case bool() | None | float() | datetime() | date():
            return False
        case int():
            return found == number
        case UUID():
            return found.int == number
        case dict():
            return is_in(number, list(cast(dict[str, Any], found).values()))
        case list() | tuple():
            return any(is_in(number, each) for each in cast(Iterable[Any], found))
        case bytes():
            return str(number).encode() in found
        case _:
            return str(number) in str(found)
