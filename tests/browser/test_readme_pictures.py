"""The README's pictures: the demonstration's own clinic, on an afternoon when three of its patients need somebody.

Method: the cohort is seeded along the real path at a fixed time, three more readings are settled and judged, and the pages are looked at in
Chromium. `make pictures` copies what this test saw into docs/.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from rpm.demo.history import Past
from rpm.demo.seed import PASSWORD, gateway_of_home, read_cohort, seed_practice
from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.jobs import evaluate
from rpm.store import heartbeats
from rpm.store.database import Database
from rpm.web.live import STAGES
from schemas.reading import Reading
from tests.support import readings
from tests.support.clock import SettableClock
from tests.support.website import Website

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
AFTERNOON = datetime(2026, 11, 22, 19, 40, tzinfo=UTC)
BYTES_MAX = 300_000


def crises(cohort: dict[str, Any]) -> Iterator[tuple[str, Reading]]:
    """Three people of the cohort, a few minutes ago: home, and what the device said."""
    homes = {
        device["address"]: device for device in cohort["devices"] if device["home"] is not None and device["owners"]
    }
    taken = AFTERNOON - timedelta(minutes=6)
    for kind in ("blood_pressure", "glucose", "body_weight"):
        device = next(one for one in homes.values() if one["kind"] == kind)
        slot = device["owners"][-1]["user_slot"]
        before = next(
            row
            for row in reversed(cohort["readings"])
            if row["device"] == device["address"] and row["user_slot"] == slot
        )
        if kind == "blood_pressure":
            # Twice, as the box asks: 192/118 on average.
            earlier = taken - timedelta(minutes=2)
            yield device["home"], readings.pressure(194, 120, earlier, address=device["address"], user_slot=slot)
            said = readings.pressure(190, 116, taken, address=device["address"], user_slot=slot)
        elif kind == "glucose":
            said = readings.glucose(48, taken, address=device["address"], user_slot=slot)
        else:
            last = before["quantities"]["body_weight"]
            said = readings.weight(
                round(last["value"] + 1.8, 2), taken, unit=last["unit"], address=device["address"], user_slot=slot
            )
        yield device["home"], said


@pytest.fixture
def clinic(database: Database, clock: SettableClock, tmp_path: Path) -> Iterator[Website]:
    """Maple Street Clinic on that afternoon, served."""
    clock.set(AFTERNOON)
    path = tmp_path / "cohort.json"
    command = [
        sys.executable,
        "-m",
        "devices.virtual",
        "practice",
        "--until",
        AFTERNOON.date().isoformat(),
        "--out",
        str(path),
    ]
    subprocess.run(command, check=True)
    cohort = read_cohort(path)
    seeded = seed_practice(database, cohort, now=AFTERNOON, progress=lambda _: None)
    for number, (home, said) in enumerate(crises(cohort), start=1):
        sent, payload = readings.batch(gateway_of_home(home), said, first_seq=number)
        [settled] = settle(database, [Message(sent, payload)], now=AFTERNOON - timedelta(minutes=5))
        assert settled.outcome == "stored"
    judgement = Past.of(seeded.practice_id, 0).judgement
    evaluate.run_once(database, now=AFTERNOON - timedelta(minutes=5), judgement=judgement)
    with database.transaction() as connection:
        for stage in STAGES:
            heartbeats.beat(connection, stage, now=AFTERNOON, done=0)
    with Website(database, clock) as website:
        yield website


def sign_in(page: Page, url: str, name: str) -> None:
    """Sign in as one of the demonstration's staff."""
    page.context.clear_cookies()
    page.goto(f"{url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_the_three_pages_of_the_readme(clinic: Website, page: Page) -> None:
    """Worklist, patient and bill show what the README says, and none of them weighs more than 300 kB."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    weights: dict[str, int] = {}

    def look(name: str, *, live: bool = True) -> None:
        if live:
            expect(page.locator("#live")).to_have_attribute("data-state", "live")
        page.screenshot(path=PICTURES / f"{name}.png")
        weights[name] = page.evaluate(
            "() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".filter(e => !e.name.includes('/live')).reduce((sum, e) => sum + (e.decodedBodySize || 0), 0)"
        )

    sign_in(page, clinic.url, "rosa")
    expect(page.locator("li.alert", has_text="192/118")).to_contain_text("urgent")
    expect(page.locator("li.alert", has_text="Weight up").first).to_contain_text("priority")
    look("worklist")
    page.locator("li.alert", has_text="192/118").locator("a.open").click()
    expect(page.locator("figure.chart canvas").first).to_be_visible()
    look("patient")
    sign_in(page, clinic.url, "bella")
    page.goto(f"{clinic.url}/billing")
    expect(page.get_by_role("row")).to_have_count(13)
    look("billing", live=False)
    assert all(0 < weight < BYTES_MAX for weight in weights.values()), weights
