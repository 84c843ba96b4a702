"""What one box's outbox hands on to the next: what the cloud has not confirmed, and how far each device was read.

Receipted rows stay behind: the cloud has them. The next box's outbox has an epoch of its own, so its numbers begin anew
and are nobody else's (L18); a reading's name does not depend on either, so one that was sent before is stored once (D1).
"""

from datetime import datetime
from typing import Any, Final

from gateway.errors import OutboxRefused
from gateway.outbox.outbox import Outbox

#: In the order in which they refer to each other, with the columns that travel.
TABLES: Final = {
    "boot": "*",
    "session": "*",
    "frame": "*",
    "row": "form, name, context, body, received_us",
    "device": "*",
}
Carried = dict[str, list[dict[str, Any]]]
_BYTES: Final = "bytes:"


def carried(outbox: Outbox) -> Carried:
    """Everything as JSON can hold it; blobs as hex."""
    return {table: _rows(outbox, table, columns) for table, columns in TABLES.items()}


def take_over(outbox: Outbox, what: Carried, *, now: datetime) -> int:
    """Put it into an outbox that was just made, in one transaction; how many readings that were.

    OutboxRefused where this outbox has something of its own already, or does not know what it is given.
    """
    store = outbox._store  # noqa: SLF001 - of this package
    if any(store.one(f"select exists (select 1 from {table})") for table in TABLES):  # noqa: S608 - our own names
        raise OutboxRefused("this box has readings of its own: import into a new one")
    with store.writing(now=now):
        for table in TABLES:
            known = {name for _, name, *_ in store.all(f"pragma table_info({table})")}
            for row in what.get(table, []):
                if not set(row) <= known:
                    raise OutboxRefused("the export was written by a newer rpm-gateway")
                names = ", ".join(row)
                places = ", ".join(f":{name}" for name in row)
                values = {name: _out_of_json(value) for name, value in row.items()}
                store.connection.execute(f"insert into {table}({names}) values ({places})", values)  # noqa: S608 - checked
    return len(what.get("row", []))


def _rows(outbox: Outbox, table: str, columns: str) -> list[dict[str, Any]]:
    store = outbox._store  # noqa: SLF001 - of this package
    names = (
        [name for _, name, *_ in store.all(f"pragma table_info({table})")] if columns == "*" else columns.split(", ")
    )
    where = " where state < 2 order by seq" if table == "row" else ""
    found = store.all(f"select {', '.join(names)} from {table}{where}")  # noqa: S608 - our own names
    return [{name: _into_json(value) for name, value in zip(names, row, strict=True)} for row in found]


def _into_json(value: Any) -> Any:
    return _BYTES + value.hex() if isinstance(value, bytes) else value


def _out_of_json(value: Any) -> Any:
    return bytes.fromhex(value.removeprefix(_BYTES)) if isinstance(value, str) and value.startswith(_BYTES) else value
