"""The schema as the database has it, written as SQL that makes it again: `schema.sql` is this text of a migrated database.

Read it to know where the migrations lead. A test compares it with a migrated database, and with one made from it.

    python -m rpm.store.schema > rpm/store/schema.sql
"""

import sys

from rpm.settings import read_settings
from rpm.store.database import Connection, Database
from rpm.store.queries import load

_SQL = load("schema")
_HEAD = "-- Generated from a migrated database (python -m rpm.store.schema). Do not edit: write a migration.\n"
#: A role is the server's, and no part of a database: another one of this server may have made it.
_ROLE = """do $$ begin
    if not exists (select from pg_roles where rolname = 'rpm_practice') then create role rpm_practice nologin; end if;
end $$;"""


def describe(connection: Connection) -> str:
    """The schema as SQL statements, in an order in which they can be executed."""
    parts = [_HEAD, _ROLE]
    parts += [f"create schema {row['name']};" for row in connection.execute(_SQL["schemas"], {})]
    parts += [f"create extension if not exists {row['name']};" for row in connection.execute(_SQL["extensions"])]
    parts += [f"{row['definition'].rstrip()};" for row in connection.execute(_SQL["functions"])]
    links: list[str] = []
    late: list[str] = []
    hypertables = {row["name"]: row for row in connection.execute(_SQL["hypertables"])}
    for table in connection.execute(_SQL["tables"]).fetchall():
        asked, name = {"table": table["id"]}, table["name"]
        lines = [row["definition"] for row in connection.execute(_SQL["columns"], asked)]
        for row in connection.execute(_SQL["constraints"], asked):
            if row["foreign_key"]:
                links.append(f"alter table {name} add constraint {row['name']} {row['definition']};")
            else:
                lines.append(f"constraint {row['name']} {row['definition']}")
        body = ",\n    ".join(lines)
        parts.append(f"create table {name} (\n    {body}\n);")
        if name in hypertables:
            dimension = hypertables[name]
            parts.append(
                f"select create_hypertable('{name}', by_range('{dimension['column']}', interval"
                f" '{dimension['interval']}'), create_default_indexes => false);"
            )
        late += [f"{row['definition']};" for row in connection.execute(_SQL["indexes"], asked)]
        late += [f"{row['definition']};" for row in connection.execute(_SQL["triggers"], asked)]
    for row in connection.execute(_SQL["views"], {}).fetchall():
        late.append(f"{row['definition']};")
        for query in ("view_defaults", "triggers"):
            late += [f"{each['definition']};" for each in connection.execute(_SQL[query], {"table": row["id"]})]
    late += [f"{row['definition']};" for query in ("policies", "grants") for row in connection.execute(_SQL[query], {})]
    return "\n\n".join([*parts, *links, *late]) + "\n"


def main() -> None:
    """Print the schema of the database at RPM_DSN."""
    database = Database(read_settings().require("dsn").dsn).open()
    try:
        with database.transaction() as connection:
            sys.stdout.write(describe(connection))
    finally:
        database.close()


if __name__ == "__main__":
    main()
