"""Whether a test reading says that a device stands at the right home (A5). Pure: the reading and the words in, the reason out.

A kit can go to the wrong home: then everything it measures is somebody else's. So the first reading of a newly assigned
device is confirmed by who knows: the patient on the phone, who reads the number off the display (it is not shown to the
nurse, who would only nod at it), or a second member of staff, never who assigned the device.
"""

from enum import StrEnum
from typing import Final

from schemas.codes import BY_NAME, REQUIRED, UNIT_LABEL
from schemas.reading import Reading

#: What a person types is a number of a display: never longer.
SAID_LENGTH_MAX: Final = 12


class How(StrEnum):
    """Who confirms it. The names are kept in the database: add, never rename."""

    PATIENT = "patient"
    SECOND_PERSON = "second person"


def asked_for(reading: Reading) -> str | None:
    """What the patient is asked to read from the display: `systolic in mmHg`; None where the device gave no number."""
    name = REQUIRED[reading.kind][0]
    quantity = reading.quantities.get(name)
    if quantity is None or quantity.value is None:
        return None
    return f"{BY_NAME[name].label} in {UNIT_LABEL.get(quantity.unit, quantity.unit)}"


def refusal(reading: Reading, *, how: How, said: str, assigned_by: int | None, confirmed_by: int) -> str | None:
    """Why this does not confirm the device, in words for who tried; None where it does."""
    if how is How.SECOND_PERSON:
        if assigned_by == confirmed_by:
            return "you assigned this device yourself: somebody else has to confirm it, or the patient on the phone"
        return None
    if asked_for(reading) is None:
        return "this reading has no number that the patient could read out: ask for another measurement"
    number = _number(said)
    if number is None:
        return "type the number that the patient reads off the display"
    name = REQUIRED[reading.kind][0]
    quantity = reading.quantities[name]
    assert quantity.value is not None
    decimals = BY_NAME[name].decimals.get(quantity.unit, 1)
    if abs(number - quantity.value) > 0.5 * 10**-decimals:
        return (
            "this is not what the device measured: it may stand at another home. Ask for another measurement, and refuse"
            " the device if that differs too"
        )
    return None


def _number(said: str) -> float | None:
    text = said.strip().replace(",", ".")
    try:
        number = float(text[:SAID_LENGTH_MAX])
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
