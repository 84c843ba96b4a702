"""What goes wrong with a radio, and which of bleak's errors says so."""

from typing import Final

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
)

from gateway.errors import GatewayError


class RadioFault(GatewayError):
    """The adapter or its driver refused: scanning or connecting did not work, for a reason of its own."""


class AdapterAbsent(RadioFault):
    """There is no adapter, or nobody to ask for one: the stick is out, its driver or bluetoothd has not started yet."""


class NotConnectable(RadioFault):
    """A device that was heard could not be connected to."""


class PairingFailed(RadioFault):
    """A device and this radio did not agree on a bond: a wrong passkey, none where one is asked for, or a lost bond."""


#: What drivers say of it: our virtual one, and BlueZ's D-Bus errors (AuthenticationFailed, …Canceled, …Rejected, …Timeout).
_OF_PAIRING: Final = ("pairing failed", "while pairing", "org.bluez.Error.Authentication")


def fault(error: Exception, what: str, otherwise: type[RadioFault]) -> RadioFault:
    """What failed, as PairingFailed where drivers say so, and else as `otherwise`."""
    of_pairing = any(words in str(error) for words in _OF_PAIRING)
    return (PairingFailed if of_pairing else otherwise)(f"{what}: {type(error).__name__}")


#: What drivers say where the link is gone and they do not know it yet; the last of an adapter that was pulled out.
_OF_A_DROP: Final = ("org.bluez.Error.NotConnected", "Not connected", "org.freedesktop.DBus.Error.UnknownObject")


def is_drop(error: Exception) -> bool:
    """Whether a driver's answer to a request says that there is no connection any more."""
    return any(words in str(error) for words in _OF_A_DROP)


#: What the message bus answers for a bluetoothd that does not run, and BlueZ for an adapter that has just gone.
_ABSENT: Final = {
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.UnknownObject",
}


def scan_fault(error: Exception) -> RadioFault:
    """Why scanning did not start, in words that say what to look at."""
    if isinstance(error, BleakBluetoothNotAvailableError):
        if error.reason is BleakBluetoothNotAvailableReason.POWERED_OFF:
            return RadioFault("cannot scan: the adapter is switched off")
        return AdapterAbsent("cannot scan: this machine has no Bluetooth adapter, or its driver has not started")
    if isinstance(error, BleakDBusError) and error.dbus_error in _ABSENT:
        return AdapterAbsent("cannot scan: bluetoothd does not run, or lost its adapter: systemctl status bluetooth")
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return AdapterAbsent("cannot scan: nobody answers where the radio should: the message bus, or its port")
    if isinstance(error, KeyError) and error.args == ("Roles",):
        # bleak takes this property of Adapter1 for granted. It is there, so the ladder may switch it off and on.
        return RadioFault(
            "cannot scan: the adapter does not say what it can do: its driver has not started, or is too old"
        )
    return RadioFault(f"cannot scan: {type(error).__name__}")
