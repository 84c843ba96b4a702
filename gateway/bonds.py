"""What to do about a device that will not pair, and who a device said it was. Decisions; the watch acts on them."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

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
    """The serial number each address gave, in a file: another device may stand behind an enrolled address one day."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._serials = _read(path)

    def is_another(self, address: str, serial: str | None) -> bool:
        """Whether this address gave another serial number before; the new one is remembered. One that says none says nothing."""
        if serial is None:
            return False
        before = self._serials.get(address)
        if before != serial:
            self._serials = dict(list((self._serials | {address: serial}).items())[-KNOWN_MAX:])
            write_json(self._path, self._serials)
        return before not in {None, serial}


def _read(path: Path) -> dict[str, str]:
    try:
        found = read_json(path)
    except (ValueError, OSError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in cast("dict[str, Any]", found).items() if isinstance(value, str)}
