"""Named SQL: `queries/*.sql` hold one sentence and one statement per name.

    -- insert_keys
    -- Claim the names of these readings; returns only those nobody had claimed before.
    insert into reading_key ...

A statement never says now(): it takes %(now)s. Tests PREPARE every statement against the migrated schema.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- ([a-z][a-z0-9_]*)$", re.MULTILINE)


class UnknownQuery(LookupError):
    """No statement of that name stands in the file."""


@cache
def load(aggregate: str) -> Mapping[str, bytes]:
    """The statements of `queries/{aggregate}.sql` by name, as bytes: psycopg takes those without asking for a literal.

    Raises UnknownQuery on a name that stands twice, and FileNotFoundError where there is no such file.
    """
    text = (files("rpm.store") / "queries" / f"{aggregate}.sql").read_text("utf-8")
    statements: dict[str, bytes] = {}
    parts = _NAME.split(text)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in statements:
            raise UnknownQuery(f"{aggregate}.sql names {name} twice")
        statements[name] = body.strip().removesuffix(";").encode()
    return MappingProxyType(statements)
