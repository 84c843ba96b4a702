"""What a page that keeps itself fresh has recorded already, so that the record says who saw whom and not how often it asked.

Opening a page is recorded always. Its refreshes are recorded where they show somebody who was not recorded for this session
and page within RECORDED_FOR. Kept in memory: a server that is started anew records once more than needed, never once less.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, cast

from fastapi import Request

from rpm.web.session import session_of_request

RECORDED_FOR: Final = timedelta(minutes=15)
#: Pages that are open at once, of everybody; of the oldest beyond it, one refresh more is recorded.
PAGES_MAX: Final = 5000


@dataclass(frozen=True, slots=True)
class _Recorded:
    at: datetime
    patients: frozenset[int]


class Shown:
    """The pages recorded lately, by session and address. Threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._recorded: OrderedDict[tuple[str, str], _Recorded] = OrderedDict()

    def is_news(self, session: str, page: str, patients: Collection[int], *, now: datetime) -> bool:
        """Whether this page, with these people, is to be recorded for this session."""
        with self._lock:
            before = self._recorded.get((session, page))
        return before is None or now - before.at >= RECORDED_FOR or not before.patients.issuperset(patients)

    def keep(self, session: str, page: str, patients: Collection[int], *, now: datetime) -> None:
        """It is recorded: call it once the transaction that did so is committed."""
        with self._lock:
            self._recorded[session, page] = _Recorded(now, frozenset(patients))
            self._recorded.move_to_end((session, page))
            while len(self._recorded) > PAGES_MAX:
                self._recorded.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Showing:
    """One page shown to one session. `news`: record it, then `keep` after the commit."""

    shown: Shown
    session: str
    page: str

    def news(self, patients: Collection[int], *, now: datetime) -> bool:
        """Whether a refresh is to be recorded."""
        return self.shown.is_news(self.session, self.page, patients, now=now)

    def keep(self, patients: Collection[int], *, now: datetime) -> None:
        """It was."""
        self.shown.keep(self.session, self.page, patients, now=now)


def showing(request: Request, page: str) -> Showing:
    """The page `page` for whoever asks. A session is told by its form token, which no other has."""
    shown = cast(Shown, request.app.state.shown)
    return Showing(shown, session_of_request(request).csrf_token, page)
