"""Which schemes are spoken here, and which are left to apprise."""

from collections.abc import Callable, Mapping
from typing import Final

from alerts.channels import ChannelError, sinch, twilio, vonage
from alerts.channels.carriers import Carrier

#: Each reads its own URL; None where something is missing in it.
OWN: Final[Mapping[str, Callable[[str], Carrier | None]]] = {
    "twiliosms": twilio.texts,
    "twiliovoice": twilio.calls,
    "sinchvoice": sinch.calls,
    "vonagesms": vonage.texts,
}


def carrier_of(url: str) -> Carrier | None:
    """Whoever carries messages by this URL; None where apprise does. ChannelError where the URL lacks what ours must hold."""
    read = OWN.get(url.partition("://")[0])
    if read is None:
        return None
    try:
        found = read(url)
    except ValueError:
        found = None
    if found is None:
        raise ChannelError(
            "the URL must hold an account, its secret and a sender, as `alerts/channels` says for its scheme"
        )
    return found
