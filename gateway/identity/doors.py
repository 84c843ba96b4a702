"""Which certificate the uplink shows the broker next, and what the broker made of it."""

import structlog
from pydantic import ValidationError

from gateway.identity.folder import IdentityFolder, IdentityUnusable
from gateway.identity.standing import shown_next
from gateway.settings import BrokerPlace
from gateway.uplink.door import Door

log = structlog.get_logger()


class IdentityDoors:
    """The doors of an enrolled box: the newest certificate, and the proven one where the newest is refused."""

    def __init__(self, folder: IdentityFolder, *, gateway_id: str) -> None:
        self._folder = folder
        self._gateway_id = gateway_id
        self._newest = 0
        #: How often in a row, by a certificate's number, a broker that was there did not let it in.
        self._refusals: dict[int, int] = {}
        #: The pair that opened the last connection.
        self.in_use: int | None = None

    def next(self) -> Door:
        """The door for the next connection; IdentityUnusable where the disk has spoilt the identity."""
        known = self._folder.known()
        if known is None:
            raise IdentityUnusable("this box has no certificate: rpm-gateway enrol")
        number = shown_next(newest=known.newest, proven=known.proven, refusals=self.refusals(known.newest))
        pair = self._folder.usable(number, known.proven)
        if pair.place.gateway_id != self._gateway_id:
            raise IdentityUnusable("this box was enrolled as another gateway: start rpm-gateway again")
        self._newest = known.newest
        try:
            broker = BrokerPlace(url=pair.place.broker_url, ca_file=pair.broker_ca)
        except ValidationError as error:
            raise IdentityUnusable(f"the cloud named a broker that cannot be one: {pair.place.broker_url}") from error
        return Door(broker, certificate=pair.certificate, key=pair.key, number=pair.number)

    def refusals(self, number: int) -> int:
        """How often in a row this pair was refused."""
        return self._refusals.get(number, 0)

    def opened(self, door: Door) -> None:
        """It works: it is proven, and older ones are of no more use."""
        self.in_use = door.number
        self._refusals.pop(door.number, None)
        try:
            if self._folder.prove(door.number):
                log.info("certificate_proven", number=door.number)
        except IdentityUnusable as error:
            # Written at the next connection; until then the old pair stays, which does no harm.
            log.error("identity_not_written", reason=str(error))

    def refused(self, door: Door, reason: str) -> None:
        """A broker was there and did not let us in: counted for the newest, whichever was shown, so that turns are taken."""
        times = self.refusals(self._newest) + 1
        self._refusals = {self._newest: times}
        log.warning("certificate_not_taken", number=door.number, times=times, reason=reason)
