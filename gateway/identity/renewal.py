"""The next certificate, in time: asked for at two thirds of this one's life, and whenever the broker takes it no longer.

Whatever comes of it, the readings are kept: a box without a good certificate is a box that cannot send, and says so.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from gateway.backoff import delay_s
from gateway.errors import GatewayError
from gateway.identity.certificate import Certificate
from gateway.identity.cloud import CertificateRefused, Cloud
from gateway.identity.doors import IdentityDoors
from gateway.identity.folder import IdentityFolder, IdentityUnusable, Pair
from gateway.identity.standing import Standing, State, standing, why_renew
from schemas.enrolment import Certified, RefusalReason

log = structlog.get_logger()

#: Between two looks at the certificate.
LOOK_S: Final = 10.0
#: Asked in vain: again after 1 min, 2 min … 6 h, each up to twice as long. An expired box knocks for as long as it runs.
ASK_FIRST_S: Final = 60.0
ASK_MAX_S: Final = 6 * 3600.0
ASK_SPREAD: Final = 1.0
#: A question takes four waits of the HTTPS client's at most; a hanging one is left to its thread.
ASK_S_MAX: Final = 120.0


@dataclass(slots=True)
class IdentityState:
    """What heartbeat and people are told. `trouble` is in words for the people at home's practice; None: all is well."""

    not_after: datetime | None = None
    trouble: str | None = None


class Renewal:
    """Looks after one box's certificate. `on_renewed` is called with the new certificate's end, once it is installed."""

    def __init__(
        self,
        *,
        folder: IdentityFolder,
        doors: IdentityDoors,
        utc_now: Callable[[], datetime],
        on_renewed: Callable[[datetime], None],
        on_change: Callable[[], None] = lambda: None,
        chance: random.Random | None = None,
    ) -> None:
        self.state = IdentityState()
        self._folder = folder
        self._doors = doors
        self._utc_now = utc_now
        self._on_renewed = on_renewed
        self._on_change = on_change
        self._chance = chance or random.SystemRandom()
        self._in_vain = 0
        self._next_at = 0.0
        self._withdrawn = False

    async def run(self, stop: asyncio.Event) -> None:
        """Look every LOOK_S until `stop` is set."""
        while not stop.is_set():
            looking, stopping = asyncio.ensure_future(self._look_safely()), asyncio.ensure_future(stop.wait())
            try:
                # A question on its way must not hold up the end of the program.
                await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopping.cancel()
                given_up = looking.cancel()
            if given_up:
                return
            looking.result()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await stop.wait()

    async def _look_safely(self) -> None:
        try:
            await self.look(now=self._utc_now())
        except IdentityUnusable as error:
            log.error("identity_unusable", reason=str(error))
            self._tell(self.state.not_after, str(error))

    async def look(self, *, now: datetime) -> None:
        """Judge the certificate, and ask for the next one where there is a reason and the last try is long enough ago."""
        known = self._folder.known()
        if known is None:
            raise IdentityUnusable("this box has no certificate: rpm-gateway enrol")
        pair = self._folder.usable(known.newest, known.proven)
        certificate = self._folder.certificate(pair.number)
        stands = standing(certificate, now=now)
        refusals = self._doors.refusals(known.newest)
        why = why_renew(stands, refusals=refusals, untried=known.proven != known.newest)
        if why is None:
            self._withdrawn = False
        self._tell(certificate.not_after, self._trouble(stands, refusals=refusals))
        clock = asyncio.get_running_loop().time()
        if why is None or clock < self._next_at:
            return
        log.info("certificate_renewal", why=why)
        in_use = self._doors.in_use
        number = in_use if in_use in {known.newest, known.proven} and in_use is not None else pair.number
        try:
            renewed = await self._ask(self._folder.pair(number))
        except (GatewayError, TimeoutError) as error:
            withdrawn = isinstance(error, CertificateRefused) and error.reason is RefusalReason.RENEWAL_REFUSED
            self._withdrawn = withdrawn or self._withdrawn
            self._rest(clock, str(error) or "the cloud does not answer")
            self._tell(certificate.not_after, self._trouble(stands, refusals=refusals))
            return
        # A new certificate that the broker takes no better is not a reason to ask for another at once.
        self._in_vain = 0
        self._next_at = clock + ASK_FIRST_S
        self._withdrawn = False
        self._tell(renewed.not_after, None)
        log.info("certificate_renewed", not_after=renewed.not_after.isoformat())
        self._on_renewed(renewed.not_after)

    async def _ask(self, old: Pair) -> Certificate:
        """Have the cloud certify this box's next key, in the name of the old one, and install both."""
        cloud, old_key, key = (
            Cloud(old.place.cloud, old.cloud_ca),
            self._folder.key(old.number),
            self._folder.next_key(),
        )

        def ask() -> Certified:
            return cloud.renew(gateway_id=old.place.gateway_id, key=key, old_key=old_key, now=self._utc_now)

        async with asyncio.timeout(ASK_S_MAX):
            certified = await _apart(ask)
        number = self._folder.install(certified, cloud=cloud.url, cloud_ca=cloud.ca_file, keep_proven=True)
        return self._folder.certificate(number)

    def _rest(self, clock: float, reason: str) -> None:
        wait_s = delay_s(
            self._in_vain, first_s=ASK_FIRST_S, max_s=ASK_MAX_S, spread=ASK_SPREAD, draw=self._chance.random()
        )
        self._in_vain += 1
        self._next_at = clock + wait_s
        log.warning("certificate_not_renewed", reason=reason, again_in_s=round(wait_s))

    def _trouble(self, stands: Standing, *, refusals: int) -> str | None:
        if self._withdrawn and (refusals or stands.state is State.EXPIRED):
            return "the practice has withdrawn this box's certificate"
        return stands.reason if stands.state is State.EXPIRED else None

    def _tell(self, not_after: datetime | None, trouble: str | None) -> None:
        changed = (not_after, trouble) != (self.state.not_after, self.state.trouble)
        self.state.not_after, self.state.trouble = not_after, trouble
        if changed:
            self._on_change()


async def _apart(ask: Callable[[], Certified]) -> Certified:
    """Ask in a thread that may be left behind: the loop's own threads are waited for when a program ends."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Certified] = loop.create_future()

    def tell(what: Callable[[Any], None], fact: Any) -> None:
        if not answer.done():
            what(fact)

    def run() -> None:
        # The loop is closed only when the process ends, and then nobody listens.
        with contextlib.suppress(RuntimeError):
            try:
                certified = ask()
            except Exception as error:  # noqa: BLE001 - carried over to the one who asked
                loop.call_soon_threadsafe(tell, answer.set_exception, error)
            else:
                loop.call_soon_threadsafe(tell, answer.set_result, certified)

    threading.Thread(target=run, name="renewal", daemon=True).start()
    return await answer
