"""What tests of settling share: a clinic with two homes, messages as they come, and plain SQL to look with.

The pipeline's own queries take no part in the proof.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from rpm.ingest.receipts import Settlement
from rpm.ingest.unpack import Message
from rpm.store.database import Database
from rpm.store.gateways import register_gateway
from schemas.codes import Kind
from schemas.reading import Reading
from tests.support.clinic import Clinic, Person
from tests.support.readings import batch, pressure

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
GATEWAY, OTHER_GATEWAY = "gw-home-a", "gw-home-b"


def two_homes(database: Database) -> Clinic:
    """A clinic to which both gateways are registered."""
    made = Clinic(database, now=NOW)
    with database.transaction() as connection:
        for gateway_id in (GATEWAY, OTHER_GATEWAY):
            register_gateway(connection, gateway_id, practice_id=made.practice_id, label="Home", now=NOW)
    return made


def home_with_a_cuff(database: Database, *, now: datetime) -> str:
    """A patient whose box may send; the address of the cuff there."""
    clinic = Clinic(database, now=now)
    with database.transaction() as connection:
        register_gateway(connection, GATEWAY, practice_id=clinic.practice_id, label="Home", now=now)
    return cuff_of(clinic.patient("Maria", "Alvarez"))


def confirmed_red(cuff: str, *, now: datetime) -> dict[int, Reading]:
    """A red and the second one that confirms it, by sequence number: a single one would wait."""
    return {seq: pressure(192, 101, now - timedelta(minutes=3 - seq), address=cuff) for seq in (1, 2)}


def cuff_of(person: Person) -> str:
    return person.devices[Kind.BLOOD_PRESSURE][1]


def message_of(*readings: Reading, gateway_id: str = GATEWAY, first_seq: int = 1) -> Message:
    return Message(*batch(gateway_id, *readings, first_seq=first_seq))


def rows_of(database: Database, statement: str, *values: Any) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.execute(statement.encode(), values).fetchall()


def count_of(database: Database, table: str) -> int:
    return rows_of(database, f"select count(*) as n from {table}")[0]["n"]


def outcomes_of(settlements: list[Settlement]) -> dict[int, str]:
    return {each.seq: each.outcome.value for each in settlements}
