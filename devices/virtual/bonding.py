"""How a device pairs: with anybody who asks, or with whoever types the code on its display."""

from collections.abc import Callable

from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate
from typing_extensions import override


class _Display(PairingDelegate):
    """Shows one fixed code, as a label under the battery lid does."""

    def __init__(self, passkey: int | None) -> None:
        silent, shown = PairingDelegate.NO_OUTPUT_NO_INPUT, PairingDelegate.DISPLAY_OUTPUT_ONLY
        super().__init__(silent if passkey is None else shown)
        self._passkey = passkey

    @override
    async def confirm(self, auto: bool = False) -> bool:
        # Asked where no code is typed: a device with a code wants one.
        return self._passkey is None

    @override
    async def generate_passkey(self) -> int:
        return await super().generate_passkey() if self._passkey is None else self._passkey


def pairing_config_factory(passkey: int | None) -> Callable[[Connection], PairingConfig]:
    """LE Secure Connections with a bond; a passkey where the device has one, else Just Works."""

    def configure(_connection: Connection) -> PairingConfig:
        return PairingConfig(sc=True, mitm=passkey is not None, bonding=True, delegate=_Display(passkey))

    return configure
