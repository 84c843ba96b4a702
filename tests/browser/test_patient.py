"""One patient's page: whose it is, the charts, the minutes, the way of an alert to its end, on paper and on a phone."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from schemas.codes import Kind
from tests.browser.conftest import Night, Screen
from tests.browser.test_worklist import TAP_PX, complaints
from tests.support.clinic import PRIORITY

SWITCHES = 40


def drawn(page: Page) -> None:
    """Wait until the charts are there."""
    expect(page.locator("#charts[data-drawn]")).to_be_visible()
    assert page.locator("#charts").get_attribute("data-drawn") == page.locator("body").get_attribute("data-patient")


def test_the_patient_opened_from_the_list(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().page
    page.get_by_role("link", name="Maria Alvarez").click()
    drawn(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Maria Alvarez")
    expect(page.locator(".naming")).to_contain_text("71 years, born 2 Apr 1955")
    assert page.locator("figure .uplot canvas").count() == 3
    expect(page.get_by_role("img", name="Blood pressure in mmHg")).to_be_visible()
    expect(page.get_by_label("What was done")).to_be_visible()
    screen.picture("patient")
    assert complaints(page) == []


def test_spans_of_the_charts(night: Night, screen: Screen) -> None:
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}").page
    drawn(page)
    month = page.get_by_role("img", name="Blood pressure").get_attribute("aria-label")
    page.get_by_role("link", name="a year").click()
    drawn(page)
    year = page.get_by_role("img", name="Blood pressure").get_attribute("aria-label")
    assert month != year
    expect(page.get_by_role("navigation", name="Span of the charts").locator("[aria-current]")).to_have_text("a year")


def test_a_page_draws_only_its_own_patient(night: Night, screen: Screen) -> None:
    """A6: patients switched fast; header, title and charts always name the same one."""
    page = screen.sign_in().page
    people = [(night.maria, "Maria Alvarez"), (night.tom, "Tom Weiss"), (night.ann, "Ann Lee")]
    for turn in range(SWITCHES):
        person, name = people[turn % len(people)]
        page.goto(f"{screen.website.url}/patients/{person.public_id}", wait_until="commit")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        assert page.locator("body").get_attribute("data-patient") == str(person.public_id)
        if turn % 4 == 0:
            drawn(page)


def test_an_answer_about_somebody_else_is_not_drawn(night: Night, screen: Screen) -> None:
    page = screen.sign_in().page
    wrong = f"/patients/{night.tom.public_id}/series?days=30"
    page.route(
        f"**/patients/{night.maria.public_id}/series*",
        lambda route: route.fulfill(response=route.fetch(url=f"{screen.website.url}{wrong}")),
    )
    screen.open(f"/patients/{night.maria.public_id}")
    page.wait_for_timeout(800)
    assert page.locator("#charts").get_attribute("data-drawn") is None
    assert page.locator("canvas").count() == 0


def test_timer_call_and_close(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}").page
    page.get_by_role("button", name="Call: start timer").click()
    expect(page.get_by_role("heading", name="Your timer:")).to_be_visible()
    night.clock.forward(minutes=6, seconds=5)
    page.reload()
    screen.picture("patient-timer")
    page.get_by_role("checkbox", name="I spoke live").first.check()
    page.get_by_role("button", name="Stop and save").click()
    expect(page.get_by_text("Minutes saved.")).to_be_visible()
    expect(page.get_by_role("heading", name="Minutes this month: 6")).to_be_visible()
    page.get_by_text("Close…").click()
    page.get_by_label("What was done").select_option("Spoke with the patient")
    page.locator("#alerts").get_by_label("Note", exact=True).fill("Took her tablet late, will measure again at noon")
    page.get_by_role("button", name="Close alert").click()
    expect(page.get_by_role("heading", name="No open alerts")).to_be_visible()
    page.get_by_text("Blood pressure 192/118").first.click()
    expect(page.get_by_text("Spoke with the patient: Took her tablet late")).to_be_visible()


def test_news_about_the_patient_is_told_without_taking_the_page_away(night: Night, screen: Screen) -> None:
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}").page
    drawn(page)
    expect(page.locator("#live")).to_contain_text("live ·")
    night.clinic.alert(night.ann, "weight_gain_24h", PRIORITY, "Weight up 4.0 lb")
    page.wait_for_timeout(1_500)
    expect(page.locator("#notice")).to_be_empty()
    night.clinic.alert(night.maria, "weight_gain_24h", PRIORITY, "Weight up 4.0 lb")
    expect(page.get_by_text("This patient’s alerts have changed")).to_be_visible()


def test_where_a_reading_comes_from(night: Night, screen: Screen) -> None:
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}").page
    page.get_by_role("link", name="Where the reading of").first.click()
    expect(page.get_by_role("heading", name="Where this reading comes from")).to_be_visible()
    expect(page.get_by_text("gw-test-1")).to_be_visible()
    assert complaints(page) == []


def test_every_point_of_a_chart_tells_its_clocks(night: Night, screen: Screen) -> None:
    """By the mouse and by the keyboard; the link beside it leads to that very reading."""
    at = night.clinic.now - timedelta(minutes=30)
    reading = night.clinic.measure(
        night.maria, Kind.BLOOD_PRESSURE, {"systolic": (161.0, "mm[Hg]"), "diastolic": (96.0, "mm[Hg]")}, at=at
    )
    with night.clinic.database.transaction() as connection:
        connection.execute(
            "update reading set device_time = '2026-11-03T01:38:04', clock_offset_s = 116, time_source = 'device_corrected',"
            " admitted_at = measured_at + interval '9 minutes' where reading_id = %s",
            [reading],
        )
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}").page
    drawn(page)
    pressures = page.locator("figure[data-key=blood_pressure]")
    told = pressures.locator(".whence")
    expect(told).to_contain_text("use the arrow keys")
    plot = pressures.locator(".plot")
    plot.focus()
    page.keyboard.press("ArrowLeft")
    newest = told.inner_text()
    assert "Device " in newest
    assert "offset +116 s" in newest
    assert "Used: device’s clock, corrected." in newest
    assert re.search(r"gateway \d\d:\d\d:\d\d E[DS]T, here \d\d:\d\d:\d\d E[DS]T", newest)
    assert complaints(page) == []
    screen.picture("patient-clocks")
    told.get_by_role("link").click()
    expect(page.get_by_text(str(reading))).to_be_visible()
    page.go_back()
    drawn(page)
    box = pressures.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] / 2)
    expect(told).to_contain_text("Used: gateway’s clock.")
    assert told.inner_text() != newest


def test_on_a_phone(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.turn_into_a_phone().sign_in().open(f"/patients/{night.long.public_id}").page
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    for target in page.locator("main button:visible, main a:visible, main summary:visible, main select:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= TAP_PX - 0.5, target.inner_text()
    assert complaints(page) == []
    screen.picture("patient-phone")


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_somebody_away_whose_earlier_stay_is_entered_and_whose_pause_is_taken_back(
    night: Night, screen: Screen, *, phone: bool
) -> None:
    if phone:
        screen.turn_into_a_phone()
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}").page
    away = page.locator("#away")
    away.get_by_text("In hospital or travelling").click()
    away.get_by_label("Why").select_option("travel")
    away.get_by_label("Back on").fill("2026-06-20")
    away.get_by_role("button", name="Away until then").click()
    expect(away.get_by_role("heading", name="Away until 20 Jun 2026")).to_be_visible()
    away.get_by_text("Was away before").click()
    away.get_by_label("Since").fill("2026-06-01")
    away.get_by_label("Was back on").fill("2026-06-03")
    screen.picture(f"patient-away{'-phone' if phone else ''}")
    assert complaints(page) == []
    away.get_by_role("button", name="Was away then").click()
    expect(away.get_by_text("Was away: hospital, 1 Jun 2026")).to_be_visible()
    expect(away.get_by_role("heading", name="Away until 20 Jun 2026")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    screen.picture(f"patient-was-away{'-phone' if phone else ''}")
    assert complaints(page) == []
    away.get_by_role("button", name="A mistake: travel from 10 Jun 2026").click()
    expect(away.get_by_role("heading", name="Away", exact=True)).to_be_visible()
    expect(away.get_by_text("Was away: hospital, 1 Jun 2026")).to_be_visible()
    expect(away.get_by_text("Was away: travel")).to_be_hidden()


def test_on_paper(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}").page
    drawn(page)
    page.emulate_media(media="print")
    expect(page.locator("header.bar")).to_be_hidden()
    expect(page.get_by_role("button", name="Call: start timer")).to_be_hidden()
    expect(page.locator("footer.printed")).to_contain_text("printed by Rosa N.")
    screen.picture("patient-print")


def test_forbidden_and_missing_pages_say_what_to_do(night: Night, screen: Screen) -> None:
    page = screen.sign_in("ada").open(f"/patients/{night.maria.public_id}").page
    expect(page.get_by_role("heading", name="This page is not yours to open")).to_be_visible()
    screen.picture("forbidden")
    screen.open("/nowhere")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    screen.picture("missing")


@pytest.mark.parametrize("path", ["/admin", "/admin/audit"])
def test_axe_finds_nothing_in_administration(screen: Screen, path: str) -> None:
    page = screen.sign_in("ada").open(path).page
    assert complaints(page) == []
    screen.picture(path.strip("/").replace("/", "-"))
