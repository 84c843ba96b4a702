"""The demonstration's scenario: three homes of a practice, whose people go on where their history ends.

Real clocks: everybody measures every minute or two, and within the first two minutes one has a blood pressure of
192/118, one has gained 4 lb since yesterday, and one a glucose of 48 mg/dL. The third home also replays what real devices
were heard to say.
"""

from typing import Any, Final

HOMES: Final = ("a", "b", "c")
HCI_PORT_FIRST: Final = 6402

_Play = dict[str, Any]
#: virtual kind → what its people do, in seconds after the air is ready.
_CUFF: Final[dict[str, list[_Play]]] = {
    "a": [
        {"after_s": 8, "every_s": 90, "act": "ordinary"},
        {"after_s": 40, "every_s": 900, "times": 2, "act": "crisis"},
    ],
    "b": [{"after_s": 25, "every_s": 180, "act": "double"}],
    "c": [{"after_s": 18, "every_s": 110, "act": "ordinary"}],
}
_METER: Final[list[_Play]] = [
    {"after_s": 12, "every_s": 100, "act": "ordinary"},
    {"after_s": 100, "every_s": 900, "times": 2, "act": "low_glucose"},
]
#: By user slot: the second person of the shared scale is the one whose weight jumps.
_SCALE: Final[dict[int | None, list[_Play]]] = {
    None: [{"after_s": 30, "every_s": 150, "act": "ordinary"}],
    1: [{"after_s": 15, "every_s": 150, "act": "ordinary"}],
    2: [{"after_s": 70, "every_s": 300, "act": "weight_gain"}],
}


def demo_scenario(practice: dict[str, Any], *, hci_port: int = HCI_PORT_FIRST) -> str:
    """The scenario's TOML, for a practice of at least its first four people. Home n has its controller at hci_port + n."""
    patients = {patient["key"]: patient for patient in practice["patients"]}
    lines = [
        f"# Made from practice seed {practice['seed']}, whose history ends where this begins ({practice['until']}).",
        f"seed = {practice['seed']}",
    ]
    for number, home in enumerate(HOMES):
        devices = [device for device in practice["devices"] if device["home"] == home]
        owners = [patients[owner["patient"]] for device in devices for owner in device["owners"]]
        zone = owners[0]["time_zone"] if owners else practice["practice_time_zone"]
        port = hci_port + number if hci_port else 0
        lines += ["", "[[home]]", f'name = "{home}"', f"hci_port = {port}", f'time_zone = "{zone}"']
        for device in devices:
            lines += _device(device, home, practice["readings"])
    return "\n".join(lines) + "\n"


def _device(device: dict[str, Any], home: str, readings: list[dict[str, Any]]) -> list[str]:
    captured = device.get("capture")
    lines = [
        "",
        "[[home.device]]",
        f'name = "{device["virtual"] if captured is None else f"captured_{captured}"}"',
        f'model = "{device["virtual"]}"',
        f'address = "{device["address"]}"',
    ]
    if captured is not None:
        return [*lines, 'clock = "none"', f'capture = "{captured}"']
    lines += [f'manufacturer = "{device["manufacturer"]}"', f'product = "{device["model"]}"']
    lines += [f'serial = "{device["serial"]}"']
    for owner in device["owners"]:
        said = [
            reading
            for reading in readings
            if (reading["device"], reading["patient"]) == (device["address"], owner["patient"])
            and reading["oddity"] is None
        ]
        for play in _plays(device["virtual"], home, owner["user_slot"]):
            usual = _usual(device["virtual"], said, owner["user_slot"])
            lines += ["[[home.device.play]]", *(f"{key} = {_toml(value)}" for key, value in play.items())]
            lines.append("usual = {" + ", ".join(f"{key} = {_toml(value)}" for key, value in usual.items()) + "}")
    return lines


def _plays(virtual: str, home: str, user_slot: int | None) -> list[_Play]:
    if virtual == "cuff":
        return _CUFF[home]
    return _METER if virtual == "meter" else _SCALE[user_slot]


def _usual(virtual: str, said: list[dict[str, Any]], user_slot: int | None) -> dict[str, Any]:
    """What is usual at the end of the history."""
    last = said[-1]["quantities"]
    if virtual == "cuff":
        names = {"systolic": "systolic", "diastolic": "diastolic", "pulse": "pulse_rate"}
        return {key: round(last[name]["value"]) for key, name in names.items()}
    if virtual == "meter":
        fasting = [reading for reading in said if reading["context"].get("meal") == "fasting"][-1]
        glucose = fasting["quantities"]["glucose"]
        return {"glucose": glucose["value"], "unit": glucose["unit"]}
    weight = last["body_weight"]
    slot = {} if user_slot is None else {"user_slot": user_slot}
    return {"weight": weight["value"], "unit": "lb" if weight["unit"] == "[lb_av]" else "kg", **slot}


def _toml(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
