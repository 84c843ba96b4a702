"""What to do about a device that will not pair, and who a device said it was. Decisions; the watch acts on them."""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from gateway.small_file import read_json, write_json

#: After so many refusals in a row our bond is deleted: the device has perhaps lost its own. Not after the first, for a link
#: that drops while it pairs looks the same.
FORGET_AFTER: Final = 2
#: After so many the passkey is wrong, or missing: a person has to look, and the device is let alone …
TRIES_MAX: Final = 4
#: … for so long. Its readings wait in its memory.
REST_S: Final = 3600.0
#: Devices remembered; a home has a handful.
KNOWN_MAX: Final = 64


class Refused(StrEnum):
    """What follows from one more refusal to pair."""

    AGAIN = "try_again"
    FORGET = "forget_the_bond_and_try_again"
    REST = "a_person_has_to_look"


class Bonds:
    """How often each device, by its slot, refused to pair since it last did."""

    def __init__(self) -> None:
        self._refusals: dict[int, int] = {}
        self._told: set[int] = set()

    def refused(self, slot: int) -> Refused:
        """One more refusal; what follows."""
        refusals = self._refusals[slot] = self._refusals.get(slot, 0) + 1
        if refusals < TRIES_MAX:
            return Refused.FORGET if refusals == FORGET_AFTER else Refused.AGAIN
        # The count stays: after the rest there is one try, not four.
        return Refused.REST

    def first_rest(self, slot: int) -> bool:
        """Whether nobody was told yet that this device does not pair."""
        new = slot not in self._told
        self._told.add(slot)
        return new

    def paired(self, slot: int) -> bool:
        """It talks; whether it had to be paired anew for that."""
        self._told.discard(slot)
        return self._refusals.pop(slot, 0) >= FORGET_AFTER


class KnownDevices:
    """What each address said of itself before, in a file: another device may stand behind an enrolled address one day.

    Its serial number, its firmware, and the record up to which it was read, as a digest: a meter that was reset gives
    that number to another record.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _read(path)

    def is_another(self, address: str, serial: str | None) -> bool:
        """Whether this address gave another serial number before; the new one is remembered. None says nothing."""
        if serial is None:
            return False
        before = self._known.get(address, {}).get("serial")
        if before != serial:
            self._remember(
                address, {"serial": serial} if before is not None else {"serial": serial, **self._of(address)}
            )
        return before not in {None, serial}

    def has_new_firmware(self, address: str, firmware: str | None) -> bool:
        """Whether this device's firmware is not the one it had before; the new one is remembered. None says nothing."""
        before = self._of(address).get("firmware")
        if firmware is None or firmware == before:
            return False
        self._remember(address, self._of(address) | {"firmware": firmware})
        return before is not None

    def remember_last(self, address: str, sequence: int, frame: bytes) -> None:
        """Up to this record the device was read."""
        self._remember(address, self._of(address) | {"last": str(sequence), "digest": _digest(frame)})

    def is_last(self, address: str, sequence: int | None) -> Callable[[bytes], bool] | None:
        """Whether a frame is the record with this number that was read; None where that record is not remembered."""
        known = self._of(address)
        digest = known.get("digest")
        if digest is None or known.get("last") != str(sequence):
            return None
        return lambda frame: _digest(frame) == digest

    def _of(self, address: str) -> dict[str, str]:
        return self._known.get(address, {})

    def _remember(self, address: str, facts: dict[str, str]) -> None:
        kept = {key: value for key, value in self._known.items() if key != address}
        self._known = dict(list((kept | {address: facts}).items())[-KNOWN_MAX:])
        # A disk that refuses costs a question more at the next session.
        write_json(self._path, self._known)


def _digest(frame: bytes) -> str:
    return hashlib.sha256(frame).hexdigest()


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        return TypeAdapter(dict[str, dict[str, str]]).validate_python(read_json(path) or {})
    except (ValueError, OSError):
        return {}
