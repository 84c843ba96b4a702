"""Who belongs to this home: a gateway connects to the devices enrolled to it and to no other.

Connecting to a neighbour's cuff may erase its memory: a cuff deletes what it believes it has delivered.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.settings import Device
from schemas.codes import Kind


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device of this home. `slot` is its place in the settings, counted from 1: all that a log line says of it."""

    slot: int
    address: str
    kind: Kind
    label: str
    #: Six digits for pairing, where the device asks for them.
    passkey: str | None = field(default=None, repr=False)
    #: (user index, PIN) of those whose readings a device with a User Data Service may hand over.
    consents: tuple[tuple[int, int], ...] = field(default=(), repr=False)


class Enrolment:
    """The devices of this home by address."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self._by_address = {
            device.address: Enrolled(
                slot,
                device.address,
                device.kind,
                device.label,
                passkey=device.passkey.get_secret_value() if device.passkey else None,
                consents=tuple((each.user, int(each.pin.get_secret_value())) for each in device.consent),
            )
            for slot, device in enumerate(devices, start=1)
        }

    def find(self, address: str) -> Enrolled | None:
        """The enrolled device with this address, or None: then it is somebody else's and is left alone."""
        return self._by_address.get(address.upper())

    def passkey_of(self, address: str) -> str | None:
        """The six digits on the label of a device of this home; None where it has none, or is not of this home."""
        enrolled = self.find(address)
        return None if enrolled is None else enrolled.passkey

    def __len__(self) -> int:
        return len(self._by_address)
