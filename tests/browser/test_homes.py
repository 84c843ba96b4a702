"""Homes, a box and the confirming call, as a tired person of support has them before them: at a desk, on a phone, by keys."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from rpm.enrolment import Registrar, enrol
from rpm.identity.authority import Kind as Signs
from rpm.identity.authority import make_authority
from rpm.store import requests
from schemas.codes import Kind
from schemas.enrolment import Certified, EnrolRequest
from schemas.messages import EventName
from tests.browser.conftest import Night, Screen
from tests.browser.test_worklist import TAP_PX, complaints
from tests.support.box import csr_of, new_key
from tests.support.clinic import PASSWORD
from tests.support.homes import Homes
from tests.support.website import Website


class Fleet:
    """Five homes: one silent, one flat battery, one new device, one well, one with a very long name."""

    def __init__(self, night: Night) -> None:
        self.night, self.clinic = night, night.clinic
        self.homes = Homes(night.clinic, night.clock)
        night.clinic.staff("sam", "support", name="Sam S.")
        self.cuff_id, self.cuff = night.maria.devices[Kind.BLOOD_PRESSURE]
        self.homes.says(rssi_dbm=-71, buffer_days=80.0, outbox_depth=0, epoch="00c0ffee00c0ffee")
        self.homes.measures(self.cuff)
        for days_ago, percent in ((24, 70), (18, 57), (12, 44), (6, 31), (0, 18)):
            self.homes.tells(EventName.DEVICE_BATTERY, percent, address=self.cuff, days_ago=days_ago)
        for days_ago, behind in ((30, 2.0), (21, 2220.0), (20, 2230.0), (12, 1.0), (11, 1.8e9), (10, 0.5), (1, -70.0)):
            self.homes.tells(EventName.DEVICE_CLOCK, behind, address=self.cuff, days_ago=days_ago)
        self.homes.says(self.homes.box("gw-silent", "Mr. Okafor, Elm Street"), minutes_ago=190, outbox_depth=3)
        long = "Featherstonehaugh-Papadopoulos de la Cruz y Montenegro, upstairs"
        self.homes.says(self.homes.box("gw-long", long), clock="unset", outbox_depth=4)
        self.homes.says(self.homes.box("gw-well", "Ms. Lee"))

    def gives_a_new_cuff(self) -> None:
        """A test reading waits; Kim gave the cuff out."""
        with self.clinic.database.transaction() as connection:
            connection.execute(
                "update device_assignment set pending = true, assigned_by = %s, during = tstzrange(%s, null)"
                " where device_id = %s",
                [self.night.kim, self.clinic.now - timedelta(hours=2), self.cuff_id],
            )
        self.night.clock.forward(minutes=1)
        self.homes.measures(self.cuff)


@pytest.fixture
def registrar(night: Night) -> Registrar:
    """Who signs what a box asks for."""
    authority = make_authority(Signs.GATEWAYS, now=night.clock())
    return Registrar(authority, "mqtts://broker.example", authority.pem, grant_wait_s=0.0)


@pytest.fixture
def fleet(night: Night) -> Fleet:
    return Fleet(night)


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    for target in page.locator("main button:visible, main a:visible, main summary:visible, main select:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= TAP_PX - 0.5, target.inner_text()


def test_who_needs_somebody(fleet: Fleet, screen: Screen) -> None:
    page = screen.sign_in("sam").page
    expect(page.get_by_role("heading", level=1)).to_contain_text("homes need somebody")
    expect(page.locator(".home").first).to_contain_text("Mr. Okafor, Elm Street")
    expect(page.locator("#live")).to_contain_text("live ·")
    screen.picture("homes")
    assert complaints(page) == []
    fleet.homes.says("gw-silent")
    expect(page.locator(".home", has_text="Mr. Okafor")).to_have_count(0, timeout=30_000)


def test_calm_when_all_is_well(night: Night, screen: Screen) -> None:
    homes = Homes(night.clinic, night.clock)
    night.clinic.staff("sam", "support", name="Sam S.")
    homes.says()
    for person in (night.maria, night.joseph, night.tom, night.ann, night.long):
        homes.measures(person.devices[Kind.BLOOD_PRESSURE][1])
    page = screen.sign_in("sam").page
    expect(page.get_by_text("All homes are well")).to_be_visible()
    screen.picture("homes-calm")
    assert complaints(page) == []


def test_one_box_its_clock_drawn_and_an_answer_that_comes_by_itself(fleet: Fleet, screen: Screen) -> None:
    page = screen.sign_in("sam").open(f"/gateways/{fleet.clinic.gateway_id}").page
    expect(page.locator("#plots[data-drawn]")).to_have_attribute("data-drawn", fleet.clinic.gateway_id)
    assert page.locator("figure .uplot canvas").count() == 2
    page.get_by_role("button", name="Ask to measure").click()
    expect(page.get_by_text("on its way to the box")).to_be_visible()
    with fleet.clinic.database.transaction() as connection:
        [request] = requests.claim(connection, now=fleet.night.clock(), limit=5)
    fleet.homes.tells(EventName.REQUEST_SHOWN, request_id=request.request_id)
    expect(page.get_by_text("the box asks for it now")).to_be_visible(timeout=30_000)
    expect(page.locator("#plots[data-drawn]")).to_be_visible()
    screen.picture("gateway")
    assert complaints(page) == []


def test_the_confirming_call(fleet: Fleet, screen: Screen) -> None:
    """A5 in the browser: the number is asked for and not shown; a wrong one files nothing, the right one does."""
    fleet.gives_a_new_cuff()
    page = screen.sign_in("rosa").open(f"/devices/{fleet.cuff_id}").page
    expect(page.get_by_role("heading", name="Is it really at Maria Alvarez’s home?")).to_be_visible()
    screen.picture("device-confirm")
    assert complaints(page) == []
    page.get_by_label("Systolic in mmHg").first.fill("118")
    page.get_by_role("button", name="The patient read this out").first.click()
    expect(page.get_by_text("may stand at another home")).to_be_visible()
    screen.open(f"/devices/{fleet.cuff_id}")
    page.get_by_label("Systolic in mmHg").first.fill("142")
    page.get_by_role("button", name="The patient read this out").first.click()
    expect(page.get_by_text("is filed under this patient")).to_be_visible()


def test_a_box_is_set_up_on_a_phone_and_each_step_comes_by_itself(
    fleet: Fleet, screen: Screen, registrar: Registrar
) -> None:
    """F11: the code is there to be typed, and what happens at the box is seen within seconds, with its seconds."""
    page = screen.turn_into_a_phone().sign_in("sam").open("/gateways/gw-well").page
    page.get_by_role("link", name="Set up with a code").click()
    page.get_by_role("button", name="Make a code").click()
    expect(page.locator("li[aria-current=step]")).to_contain_text("Certificate given")
    _fits(page)
    assert complaints(page) == []
    screen.picture("phone-install")
    fleet.night.clock.forward(seconds=42)
    request = EnrolRequest(claim_code=page.locator(".claimcode").inner_text(), csr=csr_of(new_key()))
    given = enrol(fleet.clinic.database, registrar, request, address="127.0.0.1", now=fleet.night.clock())
    assert isinstance(given, Certified)
    expect(page.get_by_text("after 42 seconds")).to_be_visible(timeout=30_000)
    expect(page.locator("li[aria-current=step]")).to_contain_text("First message")
    expect(page.locator(".claimcode")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    screen.picture("install")
    screen.open("/gateways/gw-well")
    expect(page.get_by_role("heading", name="Its certificates")).to_be_visible()


@pytest.mark.usefixtures("fleet")
def test_an_administrator_gives_a_boxs_place_to_another(screen: Screen) -> None:
    page = screen.turn_into_a_phone().sign_in("ada").open("/gateways/gw-well").page
    page.get_by_text("Cut it off, or give its place to another box").click()
    _fits(page)
    assert complaints(page) == []
    screen.picture("phone-cut-off")
    page.get_by_role("button", name="Another box takes its place").click()
    expect(page.get_by_label("Why")).to_be_focused()
    page.get_by_label("Why").select_option("broken")
    page.get_by_label("Its connection is to end now").check()
    page.get_by_role("button", name="Another box takes its place").click()
    expect(page.locator(".claimcode")).to_be_visible()


@pytest.mark.parametrize("path", ["/fleet", "/gateways/gw-test-1", "/devices/1"])
def test_on_a_phone(fleet: Fleet, screen: Screen, path: str) -> None:
    fleet.gives_a_new_cuff()
    page = screen.turn_into_a_phone().sign_in("sam").open(path).page
    _fits(page)
    assert complaints(page) == []
    screen.picture(f"phone{path.replace('/', '-')}")


def test_without_javascript_one_can_read_and_act(fleet: Fleet, page: Page, website: Website) -> None:
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"{website.url}/login")
    plain.get_by_label("Name").fill("sam")
    plain.get_by_label("Password").fill(PASSWORD)
    plain.get_by_role("button", name="Sign in").click()
    plain.goto(f"{website.url}/gateways/{fleet.clinic.gateway_id}")
    expect(plain.get_by_text("at worst 57 years behind").first).to_be_visible()
    plain.get_by_role("button", name="Ask them to call us").click()
    expect(plain.get_by_text("on its way to the box")).to_be_visible()
    context.close()


def test_by_keys_alone_the_focus_stays_where_it_was(fleet: Fleet, screen: Screen) -> None:
    page = screen.sign_in("sam").page
    link = page.locator("#open-gw-silent")
    link.focus()
    with page.expect_response("**/fleet/now", timeout=30_000):
        pass
    page.wait_for_timeout(300)
    expect(page.locator("#open-gw-silent")).to_be_focused()
    assert fleet.clinic.gateway_id
