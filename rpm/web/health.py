"""`GET /health`: how long ago each stage of the pipeline beat. For a watcher elsewhere; it needs no account and learns no more.

200 while the database answers, whatever the stages do: what balances the load between pages must not take them away because
a worker is silent. 503 where it does not.
"""

import threading
from time import monotonic
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from alerts.notices import SHORT_ID
from rpm.health import Health, StageHealth, SyntheticHealth
from rpm.outage import Stage
from rpm.store import silences, synthetic
from rpm.store.database import Clock, Database, DatabaseUnavailable
from rpm.web.session import now_of

router = APIRouter()

#: Asked oftener than this, the same is answered: nobody keeps the database busy by asking.
KEPT_S: Final = 1.0
PATH: Final = "/health"


class Desk:
    """Looks at most every KEPT_S, whoever asks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._kept: Health | None = None
        self._looked_s = -KEPT_S

    def answer(self, clock: Clock) -> Health:
        """How the pipeline is. DatabaseUnavailable where nobody can tell, at once where that was just found out."""
        with self._lock:
            if monotonic() - self._looked_s >= KEPT_S:
                self._kept = None
                try:
                    self._kept = self._look(clock)
                finally:
                    self._looked_s = monotonic()
            if self._kept is None:
                raise DatabaseUnavailable(DatabaseUnavailable.__doc__)
            return self._kept

    def _look(self, clock: Clock) -> Health:
        now = clock()
        with self._database.transaction() as connection:
            known = silences.pipeline(connection, now=now)
            raised = synthetic.newest(connection)
        stages = {
            str(stage): StageHealth(
                age_s=None if (beat_at := known.beats.get(stage)) is None else (now - beat_at).total_seconds(),
                waiting_s=(now - known.waiting_since.get(stage, now)).total_seconds(),
            )
            for stage in Stage
        }
        page = None
        if raised is not None:
            age_s = (now - raised.opened_at).total_seconds()
            page = SyntheticHealth(alert=str(raised.public_id)[:SHORT_ID], raised_age_s=age_s)
        return Health(stages=stages, synthetic=page)


@router.get(PATH)
async def health(request: Request) -> Response:
    """Everybody's, and without a person's data."""
    desk: Desk = request.app.state.health
    try:
        found = await run_in_threadpool(desk.answer, lambda: now_of(request))
    except DatabaseUnavailable:
        return JSONResponse({"error": "the database does not answer"}, status_code=503)
    return JSONResponse(found.model_dump(), headers={"cache-control": "no-store"})
