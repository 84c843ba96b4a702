"""Arrays as PostgreSQL reads them, for statements that take thousands of elements.

psycopg writes a list element by element in Python, which was a fifth of what ingest costs; this is one join. Only for
what needs no quotation marks in an array: numbers, names of readings, instants. Texts stay lists.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID


def array(values: Iterable[float | UUID | datetime]) -> str:
    """`{1,2,3}`, to be cast in the statement: `%(numbers)s::bigint[]`. Floats are exact, instants bear their offset."""
    return "{" + ",".join(map(str, values)) + "}"
