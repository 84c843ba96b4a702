"""Who this box is: a key made on it, a certificate for that key, and where the two are of use.

folder.py       what is on the disk, whole whatever happens while it is written
certificate.py  keys, requests and certificates; the only place that touches `cryptography` for them
standing.py     whether a certificate is good, due, expired, or the clock is wrong; decisions
cloud.py        the two questions asked over HTTPS
doors.py        which certificate the uplink shows the broker next
renewal.py      the next certificate, in time
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.settings import Settings
from gateway.uplink.door import Doors, OneDoor

if TYPE_CHECKING:
    from gateway.identity.renewal import Renewal


def way_of(
    settings: Settings,
    *,
    utc_now: Callable[[], datetime],
    on_renewed: Callable[[datetime], None],
    on_change: Callable[[], None],
) -> tuple[Doors, "Renewal | None"]:
    """How this box shows the broker who it is, and who looks after its certificate where it has one."""
    if settings.identity is None:
        assert settings.broker is not None, "settings name one of the two"
        return OneDoor(settings.broker), None
    # Only an enrolled box pays for `cryptography`.
    from gateway.identity.doors import IdentityDoors
    from gateway.identity.folder import IdentityFolder
    from gateway.identity.renewal import Renewal

    folder = IdentityFolder(settings.identity.folder)
    doors = IdentityDoors(folder, gateway_id=settings.gateway_id)
    return doors, Renewal(folder=folder, doors=doors, utc_now=utc_now, on_renewed=on_renewed, on_change=on_change)
