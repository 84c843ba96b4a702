"""One home whose cuff shows a dangerous pressure every hour, for ever: a proof from the air to a person's pocket (F67)."""

from typing import Final

from schemas.ids import normal_address

#: As in `rpm-cloud synthetic set-up`; both can be told another.
ADDRESS: Final = "C0:00:00:00:5E:01"
EVERY_S: Final = 3600.0
HCI_PORT: Final = 6490
#: Beyond the urgent limit of any rule for blood pressure, and within what a cuff can show.
RED: Final = '{do = "measure", systolic = 221, diastolic = 131, mean = 161, pulse = 88}'
#: One pressure out of range waits to be repeated; then the mean of the two calls.
REPEAT_AFTER_S: Final = 60.0


def synthetic_scenario(
    *, address: str = ADDRESS, every_s: float = EVERY_S, hci_port: int = HCI_PORT, after_s: float = 30.0
) -> str:
    """The scenario's TOML. ValueError where the address is none."""
    repeat_after_s = min(REPEAT_AFTER_S, every_s / 2)
    return f"""\
# The synthetic patient's home: a red reading every {every_s:g} s, repeated after {repeat_after_s:g} s. Made by `python -m devices.virtual scenario --synthetic`.
[[home]]
name = "synthetic"
hci_port = {hci_port}
time_zone = "Etc/UTC"

[[home.device]]
name = "cuff"
model = "cuff"
address = "{normal_address(address)}"
manufacturer = "Synthetic"

[[home.device.play]]
after_s = {after_s:g}
every_s = {every_s:g}
command = {RED}

[[home.device.play]]
after_s = {after_s + repeat_after_s:g}
every_s = {every_s:g}
command = {RED}
"""
