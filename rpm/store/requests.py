"""What gateways are asked: by whom, until when, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rpm.errors import UserError
from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.messages import Event, EventName, Request, RequestKind

_SQL = load("requests")

#: Published again after 5 s, 10 s … 5 min, until the gateway answers or the request ends.
AGAIN_FIRST_S: Final = 5.0
AGAIN_MAX_S: Final = 300.0
#: A gateway says itself that a request ended; one that is silent is not waited for longer than this.
SILENT_AFTER: Final = timedelta(minutes=5)
LIST_MAX: Final = 50
#: Fewer than a gateway keeps open at one time (20): what it has no room for it answers with "unknown".
OPEN_MAX: Final = 10

#: What an answer makes of a request.
STATES: Final = {
    EventName.REQUEST_SHOWN: "shown",
    EventName.REQUEST_DONE: "done",
    EventName.REPLAYING: "done",
    EventName.REQUEST_EXPIRED: "expired",
    EventName.REQUEST_UNKNOWN: "unknown",
    EventName.REQUEST_WITHDRAWN: "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `state`: asked, sent, shown, done, expired, withdrawn or unknown (the gateway cannot do it)."""

    id: UUID
    gateway_id: str
    kind: str
    arguments: dict[str, Any]
    asked_at: datetime
    expires_at: datetime
    state: str
    sends: int
    answered_at: datetime | None
    asked_by: str


class AskedAlready(UserError):
    """The same is being asked of this box."""

    def __init__(self) -> None:
        super().__init__("this is being asked already: wait for the answer")


def ask(
    connection: Connection,
    gateway_id: str,
    kind: RequestKind,
    arguments: Mapping[str, str | int],
    *,
    practice_id: int,
    staff_id: int | None,
    patient_id: int | None = None,
    expires_at: datetime,
    now: datetime,
) -> UUID:
    """Write a request down, to be published at once. `patient_id`: whom it is about, where it is about somebody.

    `staff_id` None: nobody asks but this program itself.
    AskedAlready where the same is being asked; UserError where the practice has no such gateway, or asks for more than a
    box can show.
    """
    asked = {
        "gateway_id": gateway_id, "kind": kind, "arguments": Jsonb(dict(arguments)), "practice_id": practice_id,
        "staff_id": staff_id, "patient_id": patient_id, "expires_at": expires_at, "now": now,
    }  # fmt: skip
    connection.execute(_SQL["lock"], asked)
    waiting = connection.execute(_SQL["open"], asked).fetchall()
    if any(each["kind"] == kind and each["arguments"] == dict(arguments) for each in waiting):
        raise AskedAlready
    if len(waiting) >= OPEN_MAX:
        raise UserError(f"{len(waiting)} things are being asked of this box already: wait until they end")
    row = connection.execute(_SQL["ask"], asked).fetchone()
    if row is None:
        raise UserError(f"there is no gateway {gateway_id}: `rpm-cloud gateway list` shows them")
    return row["id"]


def withdraw(connection: Connection, request_id: UUID, *, practice_id: int, now: datetime) -> None:
    """Take back what is not answered yet: it is not sent again, and a gateway that may have heard it is told."""
    which = {"id": request_id, "practice_id": practice_id, "now": now}
    row = connection.execute(_SQL["withdraw"], which).fetchone()
    if row is not None and row["sends"] and row["expires_at"] > now:
        told = {
            "gateway_id": row["gateway_id"], "kind": RequestKind.WITHDRAW, "practice_id": practice_id, "staff_id": None,
            "arguments": Jsonb({"request_id": str(request_id)}), "patient_id": row["patient_id"],
            "expires_at": row["expires_at"], "now": now,
        }  # fmt: skip
        connection.execute(_SQL["ask"], told)


def claim(connection: Connection, *, now: datetime, limit: int) -> list[Request]:
    """Requests to publish now, marked as sent: publish them once this is committed."""
    asked = {"now": now, "limit": limit, "first_s": AGAIN_FIRST_S, "max_s": AGAIN_MAX_S}
    return [
        Request(
            gateway_id=row["gateway_id"],
            request_id=str(row["id"]),
            kind=row["kind"],
            expires_at=row["expires_at"],
            arguments=row["arguments"],
        )
        for row in connection.execute(_SQL["claim"], asked)
    ]


def answer(connection: Connection, event: Event, *, now: datetime) -> bool:
    """Note what a gateway answered; False where the event answers nothing that is known and open."""
    state = STATES.get(event.name)  # pyright: ignore[reportArgumentType, reportCallIssue] - an unknown name finds nothing
    if state is None or event.request_id is None:
        return False
    try:
        request_id = UUID(event.request_id)
    except ValueError:
        return False
    noted = {"id": request_id, "gateway_id": event.gateway_id, "state": state, "now": now}
    return connection.execute(_SQL["answer"], noted).rowcount > 0


def say_again(connection: Connection, gateway_id: str, *, now: datetime) -> None:
    """The gateway has just connected: what it has not answered goes out at once."""
    connection.execute(_SQL["say_again"], {"gateway_id": gateway_id, "now": now})


def expire(connection: Connection, *, now: datetime) -> int:
    """End the requests nobody answered; how many."""
    return connection.execute(_SQL["expire"], {"before": now - SILENT_AFTER}).rowcount


def list_requests(connection: Connection, gateway_id: str, *, practice_id: int) -> list[Asked]:
    """The newest LIST_MAX requests to a gateway of this practice."""
    asked = {"gateway_id": gateway_id, "practice_id": practice_id, "limit": LIST_MAX}
    with connection.cursor(row_factory=class_row(Asked)) as cursor:
        return cursor.execute(_SQL["list"], asked).fetchall()


def about_patient(connection: Connection, patient_id: int, *, practice_id: int, since: datetime) -> list[Asked]:
    """What was asked of a patient at home since then, the newest first, LIST_MAX at most."""
    asked = {"patient_id": patient_id, "practice_id": practice_id, "since": since, "limit": LIST_MAX}
    with connection.cursor(row_factory=class_row(Asked)) as cursor:
        return cursor.execute(_SQL["about_patient"], asked).fetchall()
