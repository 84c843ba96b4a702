"""One box and its devices: how it does, what it told, its devices' clocks and batteries, and what can be asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from rpm.access import Actor, Role
from rpm.audit import Action, record
from rpm.claiming import CutOff
from rpm.fleet import LABELS, Home, HomeDevice, notices
from rpm.store import certificates, events, requests
from rpm.store import homes as store_homes
from rpm.store.database import Connection
from rpm.store.events import Point
from rpm.upkeep import TREND_SPAN, ClockLine, clock_lines, clock_words, days_left
from rpm.web.asked import ASK_MINUTES, asked_lines
from rpm.web.pages import render
from rpm.web.problems import NotFound
from rpm.web.session import Keeper, Now, Store, session_of_request
from rpm.web.shown import showing
from schemas.codes import Kind
from schemas.messages import EventName

router = APIRouter()

#: How far back the charts of clocks and batteries go.
CHART_SPAN: Final = TREND_SPAN
#: Steps of a clock's history that are written out.
CLOCK_LINES_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class DeviceCard:
    """A device of the home as its box told of it. `left`: days until its battery is empty, where that can be said."""

    device: HomeDevice
    battery: Sequence[Point]
    left: float | None
    clock: Sequence[Point]
    lines: Sequence[ClockLine]

    @property
    def clock_summary(self) -> str:
        """What the chart shows, for who does not see it."""
        if not self.clock:
            return f"Clock of {self.device.label}: never told."
        worst = max(self.clock, key=lambda point: abs(point.value))
        return (
            f"Clock of {self.device.label}: told {len(self.clock)} times; now {clock_words(self.clock[-1].value)},"
            f" at worst {clock_words(worst.value)}."
        )

    @property
    def battery_summary(self) -> str:
        """The same of its battery."""
        if not self.battery:
            return f"Battery of {self.device.label}: never told."
        values = [point.value for point in self.battery]
        return (
            f"Battery of {self.device.label}: told {len(values)} times, from {values[0]:.0f} % to {values[-1]:.0f} %."
        )


def device_cards(home: Home, clocks: dict[str, list[Point]], *, now: datetime) -> list[DeviceCard]:
    """The devices of a home with what was told of them, in the home's order."""
    return [
        DeviceCard(
            device,
            battery := home.batteries.get(device.address, ()),
            days_left(battery, now=now),
            clock := clocks.get(device.address, ()),
            clock_lines(clock)[:CLOCK_LINES_MAX],
        )
        for device in home.devices
    ]


def _home(connection: Connection, gateway_id: str, actor: Actor, *, now: datetime) -> Home:
    """The home of a gateway; NotFound for nobody's id and for another practice's alike."""
    found = store_homes.homes(
        connection, practice_id=actor.practice_id, gateway_id=gateway_id, unclaimed=actor.role is Role.ADMIN, now=now
    )
    if not found:
        raise NotFound
    return found[0]


def _clocks(connection: Connection, home: Home, actor: Actor, *, now: datetime) -> dict[str, list[Point]]:
    addresses = [device.address for device in home.devices]
    return events.series(
        connection, EventName.DEVICE_CLOCK, addresses, practice_id=actor.practice_id, since=now - CHART_SPAN
    )


@router.get("/gateways/{gateway_id}")
def show(
    request: Request,
    gateway_id: str,
    actor: Keeper,
    store: Store,
    now: Now,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """One box of the practice."""
    with store.transaction() as connection:
        home = _home(connection, gateway_id, actor, now=now)
        cards = device_cards(home, _clocks(connection, home, actor, now=now), now=now)
        told = events.of_gateway(connection, gateway_id, practice_id=home.gateway.practice_id, before=before)
        facts = _now(connection, home, actor, now=now)
        standing = certificates.certificates_of(connection, gateway_id, practice_id=actor.practice_id)
        seen = _seen(facts)
        record(connection, actor, Action.SAW_FLEET, now=now, patients=seen, gateway=gateway_id)
    showing(request, gateway_id).keep(seen, now=now)
    own = bool(home.gateway.practice_id)
    return render(
        request,
        "gateway.html",
        now=now,
        cards=cards,
        told=told,
        more=len(told) == events.PAGE_MAX,
        labels_by_address={device.address: device.label for device in home.devices},
        kinds=sorted({device.kind for device in home.devices} & set(Kind)) or list(Kind),
        ask_minutes=ASK_MINUTES,
        certificates=standing,
        may_fit=own and actor.role in {Role.SUPPORT, Role.ADMIN},
        may_cut=own and actor.role is Role.ADMIN,
        reasons=list(CutOff),
        **facts,
    )


@router.get("/gateways/{gateway_id}/now")
def show_now(request: Request, gateway_id: str, actor: Keeper, store: Store, now: Now) -> Response:
    """What changes of a box, without the page around it."""
    page = showing(request, gateway_id)
    with store.transaction() as connection:
        facts = _now(connection, _home(connection, gateway_id, actor, now=now), actor, now=now)
        seen = _seen(facts)
        if news := page.news(seen, now=now):
            record(connection, actor, Action.SAW_FLEET, now=now, patients=seen, gateway=gateway_id)
    if news:
        page.keep(seen, now=now)
    return render(request, "gateway_now.html", now=now, **facts)


def _now(connection: Connection, home: Home, actor: Actor, *, now: datetime) -> dict[str, Any]:
    gateway_id = home.gateway.id
    people = store_homes.residents(connection, gateway_id, practice_id=actor.practice_id, now=now)
    asked = requests.list_requests(connection, gateway_id, practice_id=actor.practice_id)
    return {
        "box": home.gateway,
        "needs": notices(home, now=now),
        "labels": LABELS,
        "people": people,
        "asked": asked_lines(asked, now=now),
        "uptime": timedelta(seconds=home.gateway.uptime_s or 0),
        "oldest": timedelta(seconds=home.gateway.outbox_oldest_s or 0),
        "may_see_patients": actor.role is Role.NURSE,
    }


def _seen(facts: dict[str, Any]) -> set[int]:
    """Whom the page shows."""
    people: Sequence[store_homes.Resident] = facts["people"]
    return {each.patient_id for each in people}


@router.get("/gateways/{gateway_id}/series")
def series(request: Request, gateway_id: str, actor: Keeper, store: Store, now: Now) -> Response:
    """The clocks and batteries of a box's devices as data. It names its box: a page draws nothing that is not its own."""
    with store.transaction() as connection:
        home = _home(connection, gateway_id, actor, now=now)
        cards = device_cards(home, _clocks(connection, home, actor, now=now), now=now)
        record(connection, actor, Action.SAW_DEVICES, now=now, gateway=gateway_id)
    return JSONResponse(
        {
            "gateway": gateway_id,
            "zone": session_of_request(request).time_zone,
            "from": (now - CHART_SPAN).timestamp(),
            "to": now.timestamp(),
            "charts": [
                {
                    "key": f"{name}-{card.device.id}",
                    "quantity": name,
                    "label": label,
                    "x": [point.at.timestamp() for point in points],
                    "values": [point.value for point in points],
                }
                for card in cards
                for name, label, points in (("clock", "behind", card.clock), ("battery", "charge", card.battery))
                if points
            ],
        }
    )
