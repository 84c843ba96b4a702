"""Known models, as rows: what may be done to them, and where they leave the standard.

A device is looked up by what it says of itself in its Device Information Service. One that is not listed, or says
nothing, gets STANDARD: read by the book, and nothing written to it but what the book needs. Rows come from the published
work named in `source`; none was tried on a physical device here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devices import beurer

#: A frame of a characteristic, in the layout of the standard.
StandardForm = Callable[[str, bytes], bytes]


def _as_sent(_characteristic: str, data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True)
class Model:
    """One row. Manufacturer and models are beginnings of the strings 0x2A29 and 0x2A24, whatever their case."""

    manufacturer: str
    models: tuple[str, ...]
    #: Why we believe the rest of the row.
    source: str
    #: What a person in the home, or the next engineer, should know.
    remark: str = ""
    #: The vendor's own software writes this clock; without that knowledge a clock is read, never written.
    may_set_clock: bool = False
    #: How long to wait after the connection before the first subscription.
    settle_s: float = 0.0
    #: Brings a frame to the standard's layout; MalformedFrame where it cannot be.
    standard_form: StandardForm = _as_sent


STANDARD: Final = Model(manufacturer="", models=(), source="Blood Pressure, Weight Scale and Glucose Profiles")

CATALOGUE: Final[tuple[Model, ...]] = (
    Model(
        manufacturer="A&D",
        models=("UA-651BLE",),
        source="LivecareBluetoothSDK AD_BP_UA_651BLE.java: Date Time within 0x1810 written before the subscription",
        remark="sends stored readings, oldest first, then hangs up; readings of an unset clock bear no time",
        may_set_clock=True,
    ),
    Model(
        manufacturer="Omron",
        models=("BP5150", "X4 Smart", "X2 Smart+"),
        source="eigger/hass-omron issues 7, 20, 91; weliem/blessed-android BluetoothHandler.java",
        remark="deletes readings once transferred; its clock wants writing after a first notification: not done here",
    ),
    Model(
        manufacturer="Beurer",
        models=("BM48", "BM59", "BM85"),
        source="derdilla/blood-pressure-monitor-fl ble_read_cubit.dart and its two captured frames",
        remark="pulse rate and status are big-endian, a user byte comes unannounced; only BM85 frames were seen",
        settle_s=0.1,
        standard_form=beurer.standard_form,
    ),
    Model(
        manufacturer="Roche",
        models=("929", "Accu-Chek"),
        source="NightscoutFoundation/xDrip issue 208; weliem/blessed-android issue 35",
        remark="pairs with the passkey on its label; may hang up at once",
    ),
)


def find(manufacturer: str | None, model: str | None) -> Model:
    """The row of a device that calls itself so, or STANDARD."""
    maker, name = (manufacturer or "").strip().casefold(), (model or "").strip().casefold()
    for row in CATALOGUE:
        if maker.startswith(row.manufacturer.casefold()) and name.startswith(tuple(m.casefold() for m in row.models)):
            return row
    return STANDARD
