"""What the database knows of what a batch of readings mentions: practices, devices, their users, earlier weights."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rpm.ingest.admit import UNCLAIMED, Known, Quality
from rpm.ingest.attribution import Assignment, Device
from rpm.ingest.plausibility import WEIGHT_MEDIAN_OVER, Weighing
from rpm.ingest.shape import AReading
from rpm.store.arrays import word_array
from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.codes import BY_NAME, UNIT_BY_NUMBER
from schemas.quantity import converted

_SQL = load("known")
_WEIGHT: Final = BY_NAME["body_weight"].number
#: Weights are looked up for readings at most this old; an older one is taken without comparison.
_HISTORY_MAX: Final = timedelta(days=366)


def known_of(
    connection: Connection, readings: Iterable[tuple[str, AReading]], *, gateways: Iterable[str] = (), now: datetime
) -> Known:
    """What the database knows of these (gateway, reading) pairs: practices, devices, their users, earlier weights.

    `gateways`: more of which the practice is wanted. In a pipeline it comes with what was asked before it.
    """
    pairs = list(readings)
    practices, found = _look(connection, pairs, sorted({gateway_id for gateway_id, _ in pairs} | set(gateways)))
    devices: dict[tuple[int, str], Device] = {}
    assignments: dict[int, list[Assignment]] = {}
    for row in found:
        device = Device(row["id"], row["practice_id"], row["address"], row["single_person"], row["serial"])
        devices[device.practice_id, device.address] = device
        users = assignments.setdefault(device.id, [])
        if row["assignment_id"] is not None:
            users.append(
                Assignment(
                    row["user_slot"],
                    row["patient_id"],
                    row["starts_at"],
                    row["ends_at"],
                    row["pending"],
                    row["wiped_at"],
                )
            )
    patients: set[int] = set()
    times: list[datetime] = []
    for gateway_id, reading in pairs:
        if "body_weight" in reading.quantities and gateway_id in practices:
            device = devices.get((practices[gateway_id], reading.device.address))
            users = assignments.get(device.id, []) if device else []
            patients.update(user.patient_id for user in users)
            times.append(reading.measured_at)
    weighings = _weighings(connection, patients, times, now=now) if patients else {}
    return Known(practices, devices, assignments, weighings)


def _look(
    connection: Connection, pairs: Sequence[tuple[str, AReading]], senders: Sequence[str]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Whose these gateways are, and their practices' devices of these addresses: a row for each of a device's users.

    Whoever claims a gateway nobody has, or confirms or refuses a use, waits for this transaction: they find all that is
    held for want of their word. What they did before it had their rows is looked at again.
    """
    heard = {(gateway_id, reading.device.address) for gateway_id, reading in pairs}
    named = {
        "senders": word_array(gateway_id for gateway_id, _ in heard),
        "addresses": word_array(address for _, address in heard),
    }
    locked: set[str | int] = set()
    while True:
        # Both are on their way before the first is waited for.
        gateways = connection.execute(_SQL["gateways_of"], {"gateways": senders})
        devices = connection.execute(_SQL["devices_of"], named)
        practices: dict[str, int] = {row["id"]: row["practice_id"] for row in gateways}
        found = devices.fetchall()
        unclaimed = {gateway_id for gateway_id, practice_id in practices.items() if practice_id == UNCLAIMED} - locked
        pending: set[int] = {row["assignment_id"] for row in found if row["pending"]} - locked
        if unclaimed:
            connection.execute(_SQL["lock_unclaimed"], {"gateways": sorted(unclaimed)})
        elif pending:
            connection.execute(_SQL["lock_pending"], {"assignments": sorted(pending)})
        else:
            return practices, found
        locked |= unclaimed or pending


def _weighings(
    connection: Connection, patients: Collection[int], times: Sequence[datetime], *, now: datetime
) -> dict[int, list[Weighing]]:
    """Weights of the days before each of `times`; times that no reading can have are left out of the bound."""
    sane = [instant for instant in times if abs(instant - now) < _HISTORY_MAX]
    if not sane:
        return {}
    rows = connection.execute(
        _SQL["weighings_of"],
        {
            "patients": sorted(patients),
            "code": _WEIGHT,
            "since": min(sane) - WEIGHT_MEDIAN_OVER,
            "until": max(sane),
            "void": int(Quality.VOID),
        },
    )
    weighings: dict[int, list[Weighing]] = {}
    for row in rows:
        weight_kg = converted(row["value"], UNIT_BY_NUMBER[row["unit"]], "kg")
        weighings.setdefault(row["patient_id"], []).append(Weighing(row["measured_at"], weight_kg))
    return weighings
