"""The guard beside the broker: lets in whom the database names, and cuts off whom it revoked, within a minute (F5).

The order is the whole point, and was measured. A client that is only disabled comes back by its certificate and goes on;
a new list of revoked certificates alone leaves the live session. So: the list is written and the broker told to read it
(SIGHUP), then the session is ended (disableClient), then its rights go (deleteClient, deleteRole).

Everything to do is a row, so nothing is lost while the broker or the database is away: the next turn finds it. On every
new connection all accounts are compared, for the broker may have lost its file or been restored from a backup.
"""

import os
import signal
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509

from rpm.broker.changes import differences, let_in, throw_out
from rpm.broker.control import Control
from rpm.broker.tls import Identity
from rpm.errors import UserError
from rpm.identity.authority import Kind, vouched
from rpm.identity.revocation import Standing, standing
from rpm.outage import GUARD
from rpm.store import heartbeats, revocations
from rpm.store.database import Database

STAGE: Final = GUARD
BEAT_EVERY_S: Final = 5.0
#: New gateways told to the broker in one turn.
GRANTS_AT_ONCE: Final = 100
#: Mosquitto reads its lists in the turn of its loop after the signal; its answer to a command shows that turns go by.
TURNS_AFTER_SIGNAL: Final = 3
COMPLAIN_EVERY_S: Final = 3600.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Turned:
    """How much there was to do in a turn."""

    done: int
    more: bool = False


class Guard:
    """One broker's guard. `turn` is called every second; it raises BrokerAway and DatabaseUnavailable, and bears both."""

    def __init__(
        self, database: Database, folder: Path, *, host: str, port: int, identity: Identity, pid_file: Path
    ) -> None:
        self._database = database
        self._folder = folder
        self._host, self._port, self._identity = host, port, identity
        self._pid_file = pid_file
        self._control: Control | None = None
        self._complained_at = -COMPLAIN_EVERY_S
        self._beat_at = -BEAT_EVERY_S
        self._authorities = {kind: _certificate(folder / f"{kind}.crt") for kind in Kind}

    def turn(self, now: datetime) -> Turned:
        """Fetch, signal, cut off, let in."""
        self._complain(now)
        written = self._fetch_lists()
        if written:
            self._signal()
        control, fresh = self._connected()
        if fresh:
            # It may have started between our writing and our signal.
            self._signal()
            self._compare(control, now)
        done = written + self._cut(control, now) + self._let_in(control, now)
        self._beat(now)
        return Turned(done)

    def close(self) -> None:
        """Leave the broker."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def _fetch_lists(self) -> int:
        """Write the newest list of each authority beside the broker; how many were new."""
        written = 0
        for kind in Kind:
            with self._database.transaction() as connection:
                found = revocations.newest_list(connection, kind)
            if found is None:
                _log.error("revocation_list_never_made", authority=kind)
                continue
            newest, kept = x509.load_pem_x509_crl(found[1].encode()), self.kept(kind)
            if kept is not None and newest.last_update_utc <= kept.last_update_utc:
                continue
            if not vouched(newest, self._authorities[kind]):
                # A broker with a list it cannot check refuses everybody: the one it has is better.
                _log.critical("revocation_list_not_ours", authority=kind)
                continue
            _write(self._list_file(kind), found[1])
            written += 1
            _log.info("revocation_list_written", authority=kind, number=found[0].number, count=len(newest))
        return written

    def kept(self, kind: Kind) -> x509.CertificateRevocationList | None:
        """The list that lies beside the broker."""
        try:
            return x509.load_pem_x509_crl(self._list_file(kind).read_bytes())
        except (OSError, ValueError):
            return None

    def _list_file(self, kind: Kind) -> Path:
        return self._folder / f"{kind}.crl"

    def _signal(self) -> None:
        """Have the broker read its lists. One that does not run reads them when it starts."""
        try:
            pid = int(self._pid_file.read_text("utf-8"))
            # After a kill -9 the file names a process that is gone, or by now another's.
            if b"mosquitto" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                return
            os.kill(pid, signal.SIGHUP)
        except (OSError, ValueError):
            _log.warning("broker_not_signalled", pid_file=str(self._pid_file))

    def _connected(self) -> tuple[Control, bool]:
        if self._control is not None and self._control.connected:
            return self._control, False
        self.close()
        self._control = Control(self._host, self._port, self._identity)
        _log.info("guard_connected")
        return self._control, True

    def _compare(self, control: Control, now: datetime) -> None:
        with self._database.transaction() as connection:
            accounts = revocations.accounts(connection, now=now)
        commands = differences(accounts, control.clients(), control.roles())
        if commands:
            _log.warning("broker_accounts_differed", count=len(commands))
            self._tell(control, commands)

    def _cut(self, control: Control, now: datetime) -> int:
        done = 0
        for kind in Kind:
            kept = self.kept(kind)
            if kept is None:
                continue
            with self._database.transaction() as connection:
                waiting = revocations.to_cut(connection, kind, [entry.serial_number for entry in kept])
                accounts = revocations.accounts(connection, now=now, names=list(waiting))
            if not accounts:
                continue
            for _ in range(TURNS_AFTER_SIGNAL):
                control.tell([{"command": "getDefaultACLAccess"}])
            for account in accounts:
                # A name that another box has by now is let in again, when whoever had it is out.
                if self._tell(control, [*throw_out(account), *(let_in(account) if account.may else [])]):
                    with self._database.transaction() as connection:
                        revocations.mark_cut(connection, waiting[account.name], now=now)
                    _log.info("gateway_cut_off", name=account.name)
                    done += 1
        return done

    def _let_in(self, control: Control, now: datetime) -> int:
        with self._database.transaction() as connection:
            names = revocations.to_grant(connection, limit=GRANTS_AT_ONCE, now=now)
            accounts = revocations.accounts(connection, now=now, names=names)
        told = [each.name for each in accounts if each.may and self._tell(control, let_in(each))]
        if told:
            with self._database.transaction() as connection:
                revocations.mark_granted(connection, told, now=now)
            _log.info("gateways_let_in", count=len(told))
        return len(told)

    def _tell(self, control: Control, commands: list[dict[str, object]]) -> bool:
        wrong = control.tell(commands)
        for sentence in wrong:
            _log.error("broker_refuses", said=sentence)
        return not wrong

    def _complain(self, now: datetime) -> None:
        """Say it while there is time: a broker whose list has expired refuses everybody (F6)."""
        for kind in Kind:
            kept = self.kept(kind)
            ends = kept.next_update_utc if kept else None
            if ends is None or standing(ends, now=now) is Standing.FRESH:
                continue
            if time.monotonic() - self._complained_at >= COMPLAIN_EVERY_S:
                self._complained_at = time.monotonic()
                _log.critical("revocation_list_ending", authority=kind, ends_at=ends.isoformat())

    def _beat(self, now: datetime) -> None:
        if time.monotonic() - self._beat_at < BEAT_EVERY_S:
            return
        self._beat_at = time.monotonic()
        with self._database.transaction() as connection:
            heartbeats.beat(connection, STAGE, now=now)


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} holds no certificate: `rpm-cloud broker make` writes it") from error


def _write(path: Path, text: str) -> None:
    """Whole or not at all, on the disk, and for the broker to read."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(0o644)
    new.replace(path)
