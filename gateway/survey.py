"""What is in the air around a box, for whoever installs it: which devices, of what use, and is this home's among them.

Listens and never connects: connecting to a neighbour's cuff may erase its memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from devices import gatt
from devices.catalogue import Seen, Standing, Verdict, judge
from gateway.enrolment import Enrolled, Enrolment
from gateway.radio import Heard
from gateway.settings import Device
from schemas.codes import Kind

#: Kept at most: phones change their addresses, and a house has many. The one not heard for longest goes.
FOUND_MAX: Final = 200
#: What a device that advertises this service measures. A scale may name either of two.
KIND_OF: Final = {
    gatt.BLOOD_PRESSURE_SERVICE: Kind.BLOOD_PRESSURE,
    gatt.WEIGHT_SCALE_SERVICE: Kind.BODY_WEIGHT,
    gatt.BODY_COMPOSITION_SERVICE: Kind.BODY_WEIGHT,
    gatt.GLUCOSE_SERVICE: Kind.GLUCOSE,
    gatt.OXIMETER_SERVICE: Kind.OXYGEN_SATURATION,
    gatt.THERMOMETER_SERVICE: Kind.BODY_TEMPERATURE,
}
LIMITED_DISCOVERABLE: Final = 0x01
GENERAL_DISCOVERABLE: Final = 0x02


class Pairing(StrEnum):
    """Whether a device would pair with a stranger now, as far as its advertisement tells."""

    #: It can be found for a short time: somebody holds its button.
    YES = "yes"
    #: It can always be found: it may pair, and it may want its button held.
    PERHAPS = "perhaps"
    #: It wants only those it knows to answer.
    NO = "no"
    UNKNOWN = "unknown"


def pairing(flags: int | None) -> Pairing:
    """What the Flags of an advertisement say (Core Specification, volume 3, part C, 9.2: the discoverable modes)."""
    if flags is None:
        return Pairing.UNKNOWN
    if flags & LIMITED_DISCOVERABLE:
        return Pairing.YES
    return Pairing.PERHAPS if flags & GENERAL_DISCOVERABLE else Pairing.NO


@dataclass(frozen=True, slots=True)
class Found:
    """One device in the air. `kinds` is what it may measure, by the services it names; `rssi_dbm` as last heard."""

    address: str
    name: str | None
    services: frozenset[str]
    rssi_dbm: int
    pairing: Pairing
    verdict: Verdict
    enrolled: Enrolled | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it may measure; empty where its advertisement does not tell."""
        return tuple(sorted({KIND_OF[service] for service in self.services if service in KIND_OF}))

    @property
    def matters(self) -> bool:
        """Whether an installer wants to see it: of this home, readable, or known and of no use."""
        return self.enrolled is not None or self.verdict.standing is not Standing.UNKNOWN

    @property
    def advice(self) -> str:
        """One line for whoever installs it: what can be had of it, and how this model is."""
        row = self.verdict.row
        remark = f": {row.remark}" if row is not None and row.remark else ""
        if self.verdict.standing is Standing.UNSUPPORTED:
            return f"cannot be read: {self.verdict.reason}{remark}"
        if self.verdict.standing is Standing.READ:
            return f"can be read{remark or '; no known model, read by the book'}"
        return f"{self.verdict.reason}{remark}"


class Survey:
    """Everything heard so far, one entry for each address."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment
        self._heard: dict[str, Heard] = {}

    def hear(self, heard: Heard) -> None:
        """Add an advertisement to what the same device said before: its name may come in one and its services in another."""
        before = self._heard.pop(heard.address, None)
        if before is not None:
            heard = replace(
                heard,
                name=heard.name or before.name,
                services=heard.services | before.services,
                company_ids=heard.company_ids | before.company_ids,
                flags=before.flags if heard.flags is None else heard.flags,
            )
        elif len(self._heard) >= FOUND_MAX:
            del self._heard[next(iter(self._heard))]
        self._heard[heard.address] = heard

    def find(self, address: str) -> Found | None:
        """The device with this address, if it was heard."""
        heard = self._heard.get(address.upper())
        return None if heard is None else self._found(heard)

    def found(self) -> list[Found]:
        """Every device: this home's first, then what can be read, then the rest; the strongest first in each."""
        return sorted((self._found(heard) for heard in self._heard.values()), key=_rank)

    def _found(self, heard: Heard) -> Found:
        return Found(
            address=heard.address,
            name=heard.name,
            services=heard.services,
            rssi_dbm=heard.rssi_dbm,
            pairing=pairing(heard.flags),
            verdict=judge(Seen(name=heard.name, services=heard.services, company_ids=heard.company_ids)),
            enrolled=self._enrolment.find(heard.address),
        )


def not_heard(devices: Iterable[Device], found: Iterable[Found]) -> list[Device]:
    """Devices of this home that were not in the air: they sleep, or are out of reach."""
    heard = {each.address for each in found}
    return [device for device in devices if device.address not in heard]


def _rank(found: Found) -> tuple[bool, int, int, str]:
    standings = (Standing.READ, Standing.UNSUPPORTED, Standing.UNKNOWN)
    return (found.enrolled is None, standings.index(found.verdict.standing), -found.rssi_dbm, found.address)
