"""`rpm-cloud patient`: one patient's record, written out in full, or let go of."""

import hashlib
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from rpm.access import Actor, Role
from rpm.acting import As, acting, patient_of, signed_in
from rpm.audit import Action, record
from rpm.errors import UserError
from rpm.store import purge
from rpm.store import record as records
from rpm.store.database import Connection, Database
from rpm.store.patients import Patient
from schemas.codes import BY_NAME, UNIT_NUMBER

people = typer.Typer(help="One patient's record: export it in full, or purge it.", no_args_is_help=True)

Whose = Annotated[UUID, typer.Argument(metavar="PATIENT", help="The patient's id, as in the address of the page")]
ADMINS: Final = frozenset({Role.ADMIN})
#: How long a purge waits for those who began before it.
OLDER_S_MAX: Final = 120.0
LOOK_EVERY_S: Final = 0.2
READ_ME: Final = """\
One patient's record. Each .jsonl file is a table, a JSON object to a line; times are instants with their offset.
manifest.json has the number of lines and the SHA-256 of each file. Quantities and units of observation.jsonl are numbers:
codes.json says what they mean. `raw` are the device's own bytes (hexadecimal), as the Bluetooth SIG's specifications read them.
"""


@people.command()
def export(
    patient: Whose,
    username: As,
    to: Annotated[Path, typer.Option(help="The file to write: a zip archive; it must not exist")],
) -> None:
    """Write everything of one patient into a file. It holds health data: keep it accordingly."""
    part = to.with_name(f".{to.name}.part")
    if to.exists():
        raise UserError(f"{to} is there already: an export overwrites nothing")
    try:
        with acting(username, ADMINS) as (connection, actor, now):
            found = patient_of(connection, actor, patient)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                files = _write(
                    connection, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED), actor, found, now.isoformat()
                )
            record(connection, actor, Action.RECORD_EXPORTED, now=now, patient_id=found.patient_id)
        part.rename(to)
    except OSError as error:
        raise UserError(f"cannot write {to}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    readings = files["reading.jsonl"]["lines"]
    print(f"{to}: {readings} readings, {sum(one['lines'] for one in files.values())} lines in {len(files)} files")


def _write(connection: Connection, archive: zipfile.ZipFile, actor: Actor, patient: Patient, at: str) -> dict[str, Any]:
    files: dict[str, Any] = {}
    with archive:
        for table in records.TABLES:
            digest, count = hashlib.sha256(), 0
            with archive.open(f"{table}.jsonl", "w") as entry:
                for line in records.lines(
                    connection, table, practice_id=actor.practice_id, patient_id=patient.patient_id
                ):
                    data = f"{line}\n".encode()
                    entry.write(data)
                    digest.update(data)
                    count += 1
            files[f"{table}.jsonl"] = {"lines": count, "sha256": digest.hexdigest()}
        codes = {
            "codes": {code.number: {"name": name, "loinc": code.loinc} for name, code in BY_NAME.items()},
            "units": {number: unit for unit, number in UNIT_NUMBER.items()},
        }
        manifest = {"format": 1, "exported_at": at, "patient": str(patient.public_id), "files": files}
        archive.writestr("codes.json", json.dumps(codes, indent=2))
        archive.writestr("README.txt", READ_ME)
        archive.writestr("manifest.json", json.dumps(manifest, indent=2))
    return files


@people.command("purge")
def purge_record(
    patient: Whose,
    username: As,
    why: Annotated[str, typer.Option("--why", help="Why, for whoever looks later")],
    certain: Annotated[bool, typer.Option("--yes", help="Do it. It cannot be taken back: export first")] = False,
) -> None:
    """Let go of all that was measured and said of one patient, but not of what a bill rests on; print a certificate.

    It stays: name and birth date, consent and order, minutes, closed months, who saw what, and that a device's reading came
    on a day. Backups that were made before hold the rest until you delete them.
    """
    if not why.strip():
        raise UserError("--why: say why")
    with signed_in(username, ADMINS) as (database, actor):
        now = database.clock()
        with database.transaction() as connection:
            found = patient_of(connection, actor, patient)
            if not certain:
                raise UserError(f"this cannot be taken back: export {found.public_id} first, then say --yes")
            number = purge.begin(connection, found.patient_id, reason=why.strip(), actor=actor, now=now)
        _wait_for_older(database, number)
        with database.transaction() as connection:
            certificate = purge.finish(connection, found.patient_id, actor=actor, now=now)
    print(json.dumps({"patient": str(found.public_id), "why": why.strip(), **certificate}, indent=2))


def _wait_for_older(database: Database, number: int) -> None:
    """Until whoever may still believe that the devices are the patient's has ended."""
    deadline = time.monotonic() + OLDER_S_MAX
    while time.monotonic() < deadline:
        with database.transaction() as connection:
            if purge.seen_by_all(connection, number):
                return
        time.sleep(LOOK_EVERY_S)
    raise UserError("the patient's devices are taken away, but older work is still under way: say the same again later")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(people, name="patient")
