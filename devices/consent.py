"""Consent: a scale with several users hands over a user's weighings for the code it showed that user (User Data Service).

    control = Control(link); await control.open(); answer = await control.consent(user_index, code)

One user at a time is the scale's user: whoever consents next, the scale turns to. What it then sends bears its user's
slot, or none; nothing is concluded from whose consent it was.
"""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from devices import gatt
from devices.encoding import MalformedFrame
from devices.user_control import Opcode, Result, UserControl

#: A scale answers at once, or does not know the service.
ANSWER_S_MAX: Final = 3.0


class Answer(StrEnum):
    """What a scale said to a consent."""

    GIVEN = "given"
    #: The code is not this user's: it was mistyped, or new batteries wiped the scale's users.
    WRONG_PIN = "wrong_pin"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


def in_turn(consents: Sequence[tuple[int, int]], last: int | None) -> tuple[tuple[int, int], ...]:
    """The same consents, beginning after the user whose was given last.

    A scale may hang up once it has told one user's weighings: in the next connection it is another's turn, or the second
    of two spouses would never be heard.
    """
    users = [user for user, _code in consents]
    start = users.index(last) + 1 if last in users else 0
    return (*consents[start:], *consents[:start])


class Control:
    """The User Control Point of one connection."""

    def __init__(self, link: gatt.Link) -> None:
        self._link = link
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def open(self) -> None:
        """Have answers indicated. AttError where the scale refuses; LinkLost."""
        await self._link.subscribe(gatt.USER_CONTROL_POINT, self._answers.put_nowait)

    async def consent(self, user_index: int, code: int) -> Answer:
        """Give a user's consent. LinkLost where the scale hangs up."""
        while not self._answers.empty():
            self._answers.get_nowait()  # an answer that came too late is nobody's
        try:
            await self._link.write(gatt.USER_CONTROL_POINT, bytes(UserControl.consent(user_index, code)))
        except gatt.AttError:
            return Answer.REFUSED
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._answer()
        except TimeoutError:
            return Answer.UNANSWERED

    async def _answer(self) -> Answer:
        while True:
            coming = asyncio.ensure_future(self._answers.get())
            gone = asyncio.ensure_future(self._link.gone.wait())
            try:
                await asyncio.wait((coming, gone), return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    raise gatt.LinkLost("the peripheral hung up")
                answer = _read(coming.result())
            finally:
                coming.cancel()
                gone.cancel()
            if answer is not None:
                return answer


def _read(data: bytes) -> Answer | None:
    """None where this is no answer to a consent."""
    try:
        said = UserControl.from_bytes(data)
    except MalformedFrame:
        return None
    if said.opcode != Opcode.RESPONSE or said.parameter[0] != Opcode.CONSENT:
        return None
    match said.parameter[1]:
        case Result.SUCCESS:
            return Answer.GIVEN
        case Result.USER_NOT_AUTHORIZED:
            return Answer.WRONG_PIN
        case _:
            return Answer.REFUSED
