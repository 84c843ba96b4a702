"""A clinic at night in a real browser: seeded people, the pages served for real, somebody signed in."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page

from rpm.store.database import Database
from schemas.codes import Kind
from tests.support.browser import PHONE
from tests.support.clinic import PASSWORD, PRIORITY, ROUTINE, URGENT, Clinic, Person
from tests.support.clock import SettableClock
from tests.support.website import Website

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
HISTORY_DAYS = 60


class Night:
    """The clinic, and the people a test speaks of."""

    def __init__(self, database: Database, clock: SettableClock) -> None:
        self.clock = clock
        self.clinic = Clinic(database, now=clock())
        self.rosa = self.clinic.staff("rosa", name="Rosa N.")
        self.kim = self.clinic.staff("kim", name="Kim L.")
        self.clinic.staff("ada", "admin", name="Ada A.")
        self.clinic.pipeline_lives()
        self._chance = random.Random(1)
        self.maria = self._person("Maria", "Alvarez", systolic=150)
        self.joseph = self._person("Joseph", "Okafor", born="1960-01-09", glucose=120)
        self.tom = self._person("Tom", "Weiss", born="1946-11-30", zone="America/Chicago", kg=82)
        self.ann = self._person("Ann", "Lee", born="1967-02-14", systolic=144)
        self.long = self._person(
            "Wilhelmina-Constance",
            "Featherstonehaugh-Papadopoulos de la Cruz y Montenegro",
            born="1938-07-07",
            glucose=130,
        )

    def _person(
        self,
        given: str,
        family: str,
        *,
        born: str = "1955-04-02",
        zone: str = "America/New_York",
        systolic: float = 132,
        kg: float = 74,
        glucose: float = 0,
    ) -> Person:
        clinic, chance = self.clinic, self._chance
        person = clinic.patient(given, family, born=born, zone=zone)
        rows: list[tuple[Person, Kind, dict[str, tuple[float, str]], datetime, bool, tuple[str, ...]]] = []
        for days in range(HISTORY_DAYS, 0, -1):
            if chance.random() < 0.15:
                continue
            at = clinic.now - timedelta(days=days, minutes=chance.randint(0, 90))
            high = round(systolic + chance.gauss(0, 8))
            values = {
                "systolic": (float(high), "mm[Hg]"),
                "diastolic": (float(round(high * 0.62)), "mm[Hg]"),
                "pulse_rate": (float(round(72 + chance.gauss(0, 5))), "/min"),
            }
            flags = ("cuff_loose",) if chance.random() < 0.05 else ()
            rows.append((person, Kind.BLOOD_PRESSURE, values, at, chance.random() < 0.06, flags))
            pounds = round(kg * 2.2046 + chance.gauss(0, 0.5), 1)
            rows.append((person, Kind.BODY_WEIGHT, {"body_weight": (pounds, "[lb_av]")}, at, False, ()))
            if glucose:
                value = float(round(glucose + chance.gauss(0, 20)))
                rows.append((person, Kind.GLUCOSE, {"glucose": (value, "mg/dL")}, at, False, ()))
        clinic.measure_many(rows)
        return person

    def crisis(self) -> None:
        """What stands on the list at 02:10."""
        clinic = self.clinic
        clinic.pressure(self.maria, 192, 118, minutes_ago=4)
        clinic.alert(
            self.maria,
            "blood_pressure_high",
            URGENT,
            "Blood pressure 192/118 mmHg; limit systolic above 180 mmHg",
            minutes_ago=4,
            quantity="systolic",
            value=192,
            unit="mm[Hg]",
            confirmed=False,
        )
        clinic.alert(
            self.joseph,
            "glucose_low",
            URGENT,
            "Glucose 48 mg/dL; limit below 54 mg/dL",
            minutes_ago=9,
            quantity="glucose",
            value=48,
            unit="mg/dL",
            taken_by=self.kim,
        )
        clinic.alert(
            self.tom,
            "weight_gain_24h",
            PRIORITY,
            "Weight up 4.0 lb (1.8 kg) in 23 hours: 180.8 lb → 184.8 lb; limit 3 lb",
            minutes_ago=38,
            quantity="body_weight",
            value=184.8,
            unit="[lb_av]",
        )
        clinic.alert(
            self.ann,
            "blood_pressure_high",
            PRIORITY,
            "Blood pressure 164/98 mmHg in 2 of the last 3 sessions; limit systolic at or above 160 mmHg",
            minutes_ago=260,
            quantity="systolic",
            value=164,
            unit="mm[Hg]",
            back_minutes_ago=30,
        )
        clinic.alert(
            self.long,
            "glucose_high",
            ROUTINE,
            "Glucose 281 mg/dL; limit above 250 mg/dL",
            minutes_ago=600,
            kind="review",
            quantity="glucose",
            value=281,
            unit="mg/dL",
            late=True,
        )
        clinic.alert(None, "rule_failed", PRIORITY, "Rule heart rate low could not be applied", kind="technical")


@pytest.fixture
def night(database: Database, clock: SettableClock) -> Night:
    return Night(database, clock)


@pytest.fixture
def website(night: Night) -> Iterator[Website]:
    with Website(night.clinic.database, night.clock) as website:
        yield website


class Screen:
    """A page with somebody signed in."""

    def __init__(self, page: Page, website: Website) -> None:
        self.page, self.website = page, website

    def sign_in(self, username: str = "rosa") -> "Screen":
        """Through the log-in page, as people do."""
        self.page.goto(f"{self.website.url}/login")
        self.page.get_by_label("Name").fill(username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/login" not in url)
        return self

    def open(self, path: str) -> "Screen":
        """Go to a page of ours."""
        self.page.goto(f"{self.website.url}{path}")
        return self

    def picture(self, name: str) -> Path:
        """Keep a picture of the whole page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        # A heading that sticks to the window's edge would be drawn where the window was scrolled to.
        self.page.evaluate("scrollTo(0, 0)")
        self.page.screenshot(path=path, full_page=True)
        return path

    def turn_into_a_phone(self) -> "Screen":
        """A narrow window."""
        self.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        return self


@pytest.fixture
def screen(page: Page, website: Website) -> Screen:
    return Screen(page, website)
