"""`rpm-cloud backup` and `rpm-cloud restore`: the database as a file, whether it would come back, and back from it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from rpm import drills, trouble
from rpm.calling import installation_plan
from rpm.errors import RpmError
from rpm.settings import Settings, read_settings
from rpm.store import backup, replays, restore
from rpm.store.contents import NotTheSame
from rpm.store.migrate import open_current, pending, upgrade
from rpm.store.programs import ProgramFailed

#: What was tried failed, where 2 says that it was asked for wrongly.
FAILED: Final = 1

Verify = Annotated[
    bool, typer.Option("--verify", help="Restore FILE beside the database, compare every row, and drop it again")
]


def back_up(
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Where to; in a folder it is named by the time")],
    verify: Verify = False,
) -> int:
    """Write the database at RPM_DSN to a file, with a manifest beside it; or, with --verify, prove that one comes back.

    It holds everything of every practice, readable by its owner alone. Status 1: it failed, or differs.
    """
    settings = read_settings().require("dsn")
    if verify:
        return _drill(settings, file)
    now = datetime.now(UTC)
    target = file / f"rpm-{now:%Y%m%dT%H%M%SZ}.dump" if file.is_dir() else file
    try:
        manifest = backup.take(settings.dsn, target, now=now)
    except ProgramFailed as error:
        return _failed(error)
    print(
        f"{target}: {manifest.rows} rows of {len(manifest.tables)} tables at revision {manifest.revision},"
        f" {manifest.dump_bytes} bytes; its manifest is {backup.manifest_of(target).name}"
    )
    return 0


def _drill(settings: Settings, file: Path) -> int:
    # Before the drill: a plan that cannot be read must not stand between its failure and those who are told.
    plan = installation_plan(settings.escalation_file)
    database = open_current(settings.dsn)
    try:
        try:
            manifest = restore.drill(settings.dsn, file)
        except (ProgramFailed, NotTheSame) as error:
            now = database.clock()
            with database.transaction() as connection:
                failed = f"The restore drill failed: {error}"
                drills.tell(connection, failed, plan=plan, now=now, quiet_for=trouble.NOT_QUIET)
            return _failed(error)
        now = database.clock()
        with database.transaction() as connection:
            drills.went_well(connection, taken_at=manifest.taken_at, rows=manifest.rows, now=now)
    finally:
        database.close()
    print(
        f"{file} was restored and is what was backed up at {manifest.taken_at:%Y-%m-%d %H:%M} UTC: {manifest.rows} rows"
    )
    return 0


def bring_back(
    file: Annotated[Path, typer.Argument(help="What `rpm-cloud backup` wrote; its manifest stands beside it")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where the database is not empty: it is kept under another name")
    ] = False,
) -> int:
    """Make a backup the database at RPM_DSN, a superuser's for this: compare it, put it in place, ask every gateway again.

    Status 1: it failed or differs, and everything is as it was.
    """
    settings = read_settings().require("dsn")
    try:
        manifest, kept = restore.restore(settings.dsn, file, replace=replace, now=datetime.now(UTC))
    except (ProgramFailed, NotTheSame) as error:
        return _failed(error)
    print(f"The database is what was backed up at {manifest.taken_at:%Y-%m-%d %H:%M} UTC: {manifest.rows} rows.")
    if kept is not None:
        print(f"What was there is kept as the database {kept}: drop it when nobody needs it any more.")
    if pending(settings.dsn):
        done = upgrade(restore.as_owner(settings.dsn, manifest))
        print(f"Migrated from {done.before} to revision {done.after}.")
    database = open_current(settings.dsn)
    try:
        now = database.clock()
        with database.transaction() as connection:
            asked = replays.after_restore(connection, taken_at=manifest.taken_at, now=now)
    finally:
        database.close()
    print(
        f"{asked} gateways are asked to send again what they still have: `rpm-cloud ask list GATEWAY --as …` shows answers."
        f"\nNot in it is what people did since then: acknowledged and closed alerts, minutes, claims, corrections, devices and"
        f" boxes given out, accounts and certificates made or withdrawn. Everybody signs in anew."
    )
    return 0


def _failed(error: RpmError) -> int:
    typer.echo(f"rpm-cloud: {error}", err=True)
    return FAILED


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("backup")(back_up)
    app.command("restore")(bring_back)
