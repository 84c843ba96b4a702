"""`rpm-cloud rebuild`: every reading made again from the bytes it came in, and compared."""

from typing import Annotated

import typer

from rpm.errors import UserError
from rpm.rebuild import rebuild, told
from rpm.settings import read_settings
from rpm.store import rebuilding
from rpm.store.database import Database
from rpm.store.migrate import require_current, upgrade


def run(
    from_raw: Annotated[
        bool, typer.Option("--from-raw", help="From the raw archive; there is nothing else yet")
    ] = False,
    into: Annotated[
        str,
        typer.Option(help="DSN of an empty database; without it, one is made beside the one at RPM_DSN: NAME_rebuilt"),
    ] = "",
    compare: Annotated[
        bool, typer.Option("--compare", help="Print rows and sum of each table, of both; status 1 where they differ")
    ] = False,
) -> int:
    """Make every reading again, from the messages as they came and what was decided about them, into another database.

    RPM_DSN is only read, as it is at one instant. Compared are messages, deliveries, readings, values, newest values, held
    readings, corrections and roll-ups. Alerts, calls, minutes, bills and the record of who saw what are not rebuilt: they
    are what people and clocks did, and do not follow from a message.
    """
    if not from_raw:
        raise UserError("say from what: rpm-cloud rebuild --from-raw")
    dsn = read_settings().require("dsn").dsn
    require_current(dsn)
    target_dsn = into or rebuilding.make_beside(dsn)
    upgrade(target_dsn)
    target = Database(target_dsn, size_max=2).open()
    try:
        rebuilt = rebuild(dsn, target)
    finally:
        target.close()
    for line in told(rebuilt):
        print(line)
    if not compare:
        return 0
    for table, before in rebuilt.before.items():
        after = rebuilt.after[table]
        mark = "same" if before == after else "DIFFERENT"
        print(f"{table:12} {before.rows:>10} rows {before.sum:>24}  {after.rows:>10} rows {after.sum:>24}  {mark}")
    return 1 if rebuilt.differences else 0


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("rebuild")(run)
