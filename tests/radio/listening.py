"""A home with the gateway's own watch in it: what it hears, keeps, tells and logs, over the virtual radio.

Beside `household`, which has sessions one by one, this is the program as it runs: the scan, connecting on sight, pairing,
the outbox. Only the broker is not there.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import structlog
from structlog.typing import EventDict

from devices.virtual.bleak_backend import BumbleControl
from devices.virtual.peripheral import Peripheral
from gateway.bonds import KnownDevices
from gateway.enrolment import Enrolment
from gateway.outbox import Form, Outbox
from gateway.radio import Radio, VirtualControl
from gateway.recovery import Recovery
from gateway.settings import Consent, Device
from gateway.watch import Watch
from schemas.codes import Kind
from schemas.messages import Event, EventName
from schemas.reading import Reading
from tests.radio.household import NEW_YORK, Household, now, until

GATEWAY = "gw-home-a"
#: A watch that met nothing waits before it meets the device again; here it is in more of a hurry.
AGAIN_FIRST_S = 0.2
KEPT_S_MAX = 30.0


class Listening:
    """What a watch came to: `kinds` and `consents` are what its settings say of each device, by address."""

    def __init__(self, home: Household, outbox: Outbox, logged: list[EventDict]) -> None:
        self.home = home
        self.outbox = outbox
        self.logged = logged
        self.watch: Watch

    @property
    def readings(self) -> list[Reading]:
        return [Reading.model_validate(body) for form, body in self._rows() if form is Form.READING]

    @property
    def held(self) -> list[dict[str, Any]]:
        """Frames nothing was made of, each with its reason."""
        return [body for form, body in self._rows() if form is Form.UNDECODED]

    @property
    def events(self) -> list[Event]:
        return [Event.model_validate_json(row.body) for row in self.outbox.events(limit=1000)]

    def told(self, name: EventName) -> list[float | str | None]:
        return [event.value for event in self.events if event.name == name]

    def log_of(self, name: str) -> list[EventDict]:
        return [line for line in self.logged if line["event"] == name]

    @property
    def sessions_ended(self) -> int:
        return len(self.log_of("session_ended"))

    async def until_kept(self, readings: int, held: int = 0) -> None:
        await until(lambda: len(self.readings) >= readings and len(self.held) >= held, within_s=KEPT_S_MAX)
        await self.until_idle()

    async def until_idle(self) -> None:
        await until(lambda: self.watch.sessions == 0, within_s=KEPT_S_MAX)

    async def until_sessions(self, sessions: int) -> None:
        await until(lambda: self.sessions_ended >= sessions, within_s=KEPT_S_MAX)
        await self.until_idle()

    def _rows(self) -> list[tuple[Form, Any]]:
        """In the order they were kept; what is due is sent newest first."""
        rows = sorted(self.outbox.due(now=now(), limit=1000), key=lambda row: row.seq)
        return [(row.form, json.loads(row.body)) for row in rows]


@contextlib.asynccontextmanager
async def listening(
    home: Household,
    *devices: Peripheral,
    kind: Kind = Kind.BLOOD_PRESSURE,
    passkey: str | None = None,
    consents: Sequence[tuple[int, str]] = (),
    folder: Path | None = None,
) -> AsyncGenerator[Listening]:
    """The gateway of this home, enrolled to these devices. `folder`: where another one before it kept its things."""
    folder = folder or home.ledger_folder
    consent = tuple(Consent.model_validate({"user": user, "pin": pin}) for user, pin in consents)
    enrolment = Enrolment(_settings(devices, kind, passkey, consent))
    home.adapter.passkey_of = enrolment.passkey_of
    control = VirtualControl(BumbleControl())
    radio = Radio(
        scanner_backend=home.radio._scanner_backend,
        client_backend=home.radio._client_backend,
        name="bumble",
        control=control,
    )
    outbox = Outbox.open(folder / "outbox.sqlite3", bytes_max=8 << 20, gateway_id=GATEWAY)
    with structlog.testing.capture_logs() as logged, mock.patch("gateway.watch.AGAIN_FIRST_S", AGAIN_FIRST_S):
        found = Listening(home, outbox, logged)
        found.watch = Watch(
            gateway_id=GATEWAY,
            radio=radio,
            enrolment=enrolment,
            outbox=outbox,
            recovery=Recovery(
                control=control, memory_file=folder / "radio.json", tell=lambda _step: None, may_restart=False
            ),
            zone=NEW_YORK,
            utc_now=now,
            on_change=lambda: None,
            known=KnownDevices(folder / "known.json"),
        )
        stop = asyncio.Event()
        running = asyncio.create_task(found.watch.run(stop))
        try:
            yield found
        finally:
            stop.set()
            await asyncio.wait_for(running, KEPT_S_MAX)
            outbox.close()


def _settings(
    devices: Iterable[Peripheral], kind: Kind, passkey: str | None, consent: tuple[Consent, ...]
) -> list[Device]:
    return [
        Device.model_validate(
            {
                "address": device.identity.address,
                "kind": kind,
                "label": device.label,
                "passkey": passkey,
                "consent": consent,
            }
        )
        for device in devices
    ]
