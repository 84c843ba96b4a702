"""Arrays as PostgreSQL reads them, for statements that take thousands of elements.

psycopg writes a list element by element in Python, which was a fifth of what ingest costs; this is one join. Only for
what needs no quotation marks in an array: numbers, names of readings, instants, and words of letters, digits, colons and
hyphens (gateways, addresses, epochs, outcomes, days). Other texts stay lists.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID


def array(values: Iterable[float | datetime]) -> str:
    """`{1,2,3}`, to be cast in the statement: `%(numbers)s::bigint[]`. Floats are exact, instants bear their offset."""
    return "{" + ",".join(map(str, values)) + "}"


def word_array(values: Iterable[str]) -> str:
    """The same of words that a pattern keeps free of commas, braces, quotation marks and spaces, and that are not NULL."""
    return "{" + ",".join(values) + "}"


def name_array(values: Iterable[UUID | None]) -> str:
    """The same of readings' names. Without hyphens: PostgreSQL takes them so, and they take a third of the time to write."""
    return "{" + ",".join(["NULL" if name is None else name.hex for name in values]) + "}"
