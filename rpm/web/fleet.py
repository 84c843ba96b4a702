"""The homes of a practice: which box, device or person needs somebody today, why, and the one thing to do about it.

For those who look after boxes and devices. Nothing of what was measured is shown here; who is shown is recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from rpm import silence
from rpm.access import Actor, Role
from rpm.audit import Action, record
from rpm.fleet import BATTERY_LOW_PERCENT, LABELS, Home, Need, Notice, notices
from rpm.silence import Cause, Guess, Silent
from rpm.store import homes as store_homes
from rpm.store.devices import LABEL_LENGTH_MAX
from rpm.store.events import number
from rpm.web.pages import render
from rpm.web.session import Keeper, Now, OwnStore, Store
from rpm.web.shown import showing
from schemas.messages import EventName

router = APIRouter()

#: What can be done about a need in one step; of everything else the box's own page says more.
ASK_TO_MEASURE: Final = frozenset({Need.NO_READINGS})
CONFIRM: Final = frozenset({Need.UNCONFIRMED, Need.CHANGED})


@dataclass(frozen=True, slots=True)
class HomeRow:
    """One home and what it needs, most pressing first. `battery`: the lowest of its devices in percent, where known."""

    home: Home
    needs: Sequence[Notice]
    battery: float | None

    @property
    def severity(self) -> int:
        """Of the most pressing need; 0 where there is none."""
        return self.needs[0].severity if self.needs else 0


@dataclass(frozen=True, slots=True)
class SilentRow:
    """Somebody of whom nothing comes, and the likeliest cause."""

    silent: Silent
    guess: Guess


def home_rows(homes: Sequence[Home], *, now: datetime) -> list[HomeRow]:
    """The homes, those first that need somebody most, then by name."""
    rows = [HomeRow(home, notices(home, now=now), lowest_battery(home)) for home in homes]
    order = {need: place for place, need in enumerate(Need)}
    return sorted(
        rows,
        key=lambda row: (
            -row.severity,
            order[row.needs[0].need] if row.needs else 0,
            row.home.gateway.label.lower(),
            row.home.gateway.id,
        ),
    )


def lowest_battery(home: Home) -> float | None:
    """The lowest charge that a device of this home told last, in percent."""
    told = [number(each.value) for each in home.latest if each.name == EventName.DEVICE_BATTERY]
    known = [percent for percent in told if percent is not None]
    return min(known) if known else None


@router.get("/fleet")
def show(request: Request, actor: Keeper, store: Store, now: Now) -> Response:
    """Every home, those first that need somebody."""
    return render(request, "fleet.html", now=now, **_facts(request, store, actor, opening=True, now=now))


@router.get("/fleet/now")
def rows(request: Request, actor: Keeper, store: Store, now: Now) -> Response:
    """The same without the page around it, for a page that keeps itself fresh."""
    return render(request, "fleet_rows.html", now=now, **_facts(request, store, actor, opening=False, now=now))


def _facts(request: Request, store: OwnStore, actor: Actor, *, opening: bool, now: datetime) -> dict[str, Any]:
    practice_id, page = actor.practice_id, showing(request, "fleet")
    with store.transaction() as connection:
        homes = store_homes.homes(connection, practice_id=practice_id, unclaimed=actor.role is Role.ADMIN, now=now)
        silent = store_homes.silent(connection, practice_id=practice_id, now=now)
        held = store_homes.held(connection, practice_id=practice_id)
        seen = {each.patient_id for each in silent}
        if news := opening or page.news(seen, now=now):
            record(connection, actor, Action.SAW_FLEET, now=now, patients=seen)
    if news:
        page.keep(seen, now=now)
    by_gateway = {home.gateway.id: home for home in homes}
    found = home_rows(homes, now=now)
    return {
        "rows": found,
        "needing": [row for row in found if row.needs],
        "silent": [SilentRow(each, silence.guess(each, by_gateway, now=now)) for each in silent],
        "held": held,
        "may_decide": actor.role in {Role.NURSE, Role.ADMIN},
        "may_see_patients": actor.role is Role.NURSE,
        "may_register": actor.role is Role.ADMIN,
        "may_fit": actor.role in {Role.SUPPORT, Role.ADMIN},
        "label_length_max": LABEL_LENGTH_MAX,
        "labels": LABELS,
        "ask_to_measure": ASK_TO_MEASURE,
        "confirm": CONFIRM,
        "Need": Need,
        "Cause": Cause,
        "battery_low": BATTERY_LOW_PERCENT,
    }
