"""Known models: which one a device is, may its clock be set, where does it leave the standard, can it be read at all.

A device is looked up by what it says of itself in its Device Information Service, or else by the name it advertises. One
that is not listed, or says nothing, gets STANDARD: read by the book, and nothing written to it but what the book needs.

    model = find(manufacturer, model_number, name)                        # how to speak to it
    verdict = judge(Seen(name=…, services=…, company_ids=…))              # in a scan: is there any use in it
    verdict = judge(Seen(…, characteristics=link.characteristics))        # connected: the same, for certain
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devices import gatt
from devices.catalogue_rows import CATALOGUE, NOTHING_FOUND
from devices.model import STANDARD, ClockRule, Model, Support

__all__ = [
    "CATALOGUE",
    "NOTHING_FOUND",
    "STANDARD",
    "ClockRule",
    "Model",
    "Seen",
    "Standing",
    "Support",
    "Verdict",
    "find",
    "judge",
]

#: Advertised by devices whose measurements become readings …
SERVICES_READ: Final = frozenset(
    {
        gatt.BLOOD_PRESSURE_SERVICE,
        gatt.WEIGHT_SCALE_SERVICE,
        gatt.BODY_COMPOSITION_SERVICE,
        gatt.GLUCOSE_SERVICE,
        gatt.OXIMETER_SERVICE,
        gatt.THERMOMETER_SERVICE,
    }
)
#: … and where those measurements are.
CHARACTERISTICS_READ: Final = frozenset(
    {
        gatt.BLOOD_PRESSURE_MEASUREMENT,
        gatt.WEIGHT_MEASUREMENT,
        gatt.BODY_COMPOSITION,
        gatt.GLUCOSE_MEASUREMENT,
        gatt.OXIMETER_SPOT,
        gatt.TEMPERATURE_MEASUREMENT,
    }
)


class Standing(StrEnum):
    """What can be had of a device."""

    #: It offers a standard measurement: it is read, whether or not it is listed.
    READ = "read"
    #: It is known, or once connected seen, to offer nothing that this program reads.
    UNSUPPORTED = "unsupported"
    #: Its advertisement does not tell.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that is known of a device. UUIDs as `gatt.short_uuid` writes them; `characteristics` None before a connection."""

    name: str | None = None
    services: frozenset[str] = frozenset()
    company_ids: frozenset[int] = frozenset()
    manufacturer: str | None = None
    model: str | None = None
    characteristics: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`called` is what to call the device before people; `reason` is one line for whoever installs it."""

    standing: Standing
    called: str
    reason: str
    row: Model | None = None


def find(manufacturer: str | None, model: str | None, name: str | None = None) -> Model:
    """The row of a device that calls itself so, or STANDARD. What it advertises counts where it does not tell its model."""
    if manufacturer or model:
        for row in CATALOGUE:
            if row.models and _begins(manufacturer, (row.manufacturer,)) and _begins(model or "", row.models):
                return row
    return next((row for row in CATALOGUE if _begins(name, row.names)), STANDARD)


def judge(seen: Seen) -> Verdict:
    """Whether readings can be had of a device, as far as can be told."""
    row = _named(seen)
    called = " ".join(part for part in (seen.manufacturer, seen.model) if part) or (
        row.id if row is not None else "unknown model"
    )
    if row is not None and row.misuses_standard:
        return Verdict(Standing.UNSUPPORTED, called, "puts values of its vendor's own into a standard's place", row)
    offered, read = (
        (seen.services, SERVICES_READ) if seen.characteristics is None else (seen.characteristics, CHARACTERISTICS_READ)
    )
    if offered & read:
        return Verdict(Standing.READ, called, "offers a standard measurement", row)
    if _has_vendor_service(row, seen.services) or (row is not None and row.support is Support.VENDOR):
        return Verdict(Standing.UNSUPPORTED, called, "speaks its vendor's own protocol", row)
    if seen.characteristics is not None:
        return Verdict(Standing.UNSUPPORTED, called, "offers no standard measurement that is read here", row)
    return Verdict(Standing.UNKNOWN, called, "does not advertise what it measures", row)


def _named(seen: Seen) -> Model | None:
    """The row of a device: what it says of itself first, then its vendor's services, its name, its vendor."""
    told = find(seen.manufacturer, seen.model)
    if told is not STANDARD:
        return told
    by_service = (row for row in CATALOGUE if _has_vendor_service(row, seen.services))
    by_name = (row for row in CATALOGUE if _begins(seen.name, row.names))
    by_company = (row for row in CATALOGUE if set(row.company_ids) & seen.company_ids)
    return next((row for rows in (by_service, by_name, by_company) for row in rows), None)


def _has_vendor_service(row: Model | None, services: Iterable[str]) -> bool:
    return row is not None and any(_begins(service, row.vendor_services) for service in services)


def _begins(text: str | None, beginnings: tuple[str, ...]) -> bool:
    return text is not None and text.strip().casefold().startswith(tuple(each.casefold() for each in beginnings))
