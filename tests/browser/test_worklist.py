"""The worklist as a nurse has it before her: live, stale, by keys, on a phone, for a screen reader."""

import re
from typing import Any, cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from rpm.store.worklist import announce
from tests.browser.conftest import Night, Screen
from tests.support.clinic import PRIORITY, URGENT
from tests.support.website import Website

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
TAP_PX = 44


def complaints(page: Page) -> list[str]:
    """What axe finds, one line each."""
    answer: dict[str, Any] = cast(Any, Axe()).run(page, options=WCAG).response
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in answer["violations"]
        for node in one["nodes"]
    ]


def rows(page: Page) -> list[str]:
    return page.locator(".alert .open").all_inner_texts()


def test_a_nurse_sees_who_needs_her_first(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().page
    assert rows(page)[:2] == ["Maria Alvarez", "Joseph Okafor"], "what nobody has stands before what Kim has"
    expect(page).to_have_title("(2 urgent, 6 open) Worklist")
    expect(page.locator("#live")).to_contain_text("live ·")
    screen.picture("worklist")


def test_a_new_alert_appears_by_itself_and_is_said_aloud(night: Night, screen: Screen) -> None:
    page = screen.sign_in().page
    expect(page.get_by_text("Nobody needs you right now")).to_be_visible()
    screen.picture("worklist-empty")
    expect(page.locator("#live")).to_contain_text("live ·")
    night.clinic.alert(night.ann, "weight_gain_24h", PRIORITY, "Weight up 4.0 lb")
    expect(page.get_by_role("link", name="Ann Lee")).to_be_visible()
    expect(page.locator("#announce")).to_be_empty()
    night.clinic.alert(night.maria, "blood_pressure_high", URGENT, "Blood pressure 192/118 mmHg")
    expect(page.locator("#announce")).to_have_text("Urgent: Maria Alvarez. Blood pressure 192/118 mmHg")
    expect(page).to_have_title("(1 urgent, 2 open) Worklist")


def test_a_colleague_sees_within_a_second_who_has_it(night: Night, screen: Screen, website: Website) -> None:
    night.crisis()
    page = screen.sign_in().page
    kim = Screen(page.context.browser.new_context().new_page(), website).sign_in("kim")  # pyright: ignore[reportOptionalMemberAccess] -- launched by the fixture
    expect(kim.page.locator("#live")).to_contain_text("live ·")
    page.get_by_role("button", name="I have it: acknowledge Maria Alvarez").click()
    expect(page.locator(".alert", has_text="Maria Alvarez")).to_contain_text("You have it")
    # Sooner than the stream would say something by itself; the rest is what a busy machine takes to draw.
    expect(kim.page.locator(".alert", has_text="Maria Alvarez")).to_contain_text("Rosa N. is on it", timeout=4_000)
    kim.page.context.close()


def test_without_the_stream_the_page_says_since_when_it_is_not_live(
    night: Night, screen: Screen, website: Website
) -> None:
    """H6: by the browser's own clock, here moved on by hand; and it is live again when the server is."""
    night.crisis()
    page = screen.page
    page.clock.install()
    screen.sign_in()
    expect(page.locator("#live")).to_contain_text("live ·")
    website.stop()
    # Half a minute counts from what it last heard, which may be five seconds old; and its clock went on while the server ended.
    page.clock.fast_forward(15_000)
    expect(page.locator("#stale")).to_be_hidden()
    page.clock.fast_forward(20_000)
    expect(page.locator("#stale")).to_have_text(re.compile(r"^Not live since \d\d:\d\d\. What you see may be old"))
    expect(page.locator("#live")).to_have_text("not live")
    screen.picture("worklist-stale")
    website.start()
    page.clock.resume()
    expect(page.locator("#stale")).to_be_hidden(timeout=20_000)
    expect(page.locator("#live")).to_contain_text("live ·")


def test_a_silent_pipeline_is_told_apart(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().page
    expect(page.locator("#live")).to_contain_text("live ·")
    night.clock.forward(minutes=3)
    expect(page.locator("#stale")).to_have_text(re.compile(r"^Since \d\d:\d\d new readings do not arrive"))
    expect(page.locator("#live")).to_contain_text("live ·")


def test_an_ended_session_shows_no_old_list(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().page
    expect(page.locator("#live")).to_contain_text("live ·")
    night.clock.forward(minutes=16)
    page.wait_for_url("**/login**", timeout=60_000)
    expect(page.get_by_text("Signed out after 15 minutes without activity")).to_be_visible()


def test_by_keys_alone(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().page
    keys = page.keyboard
    keys.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    screen.picture("worklist-keys")
    keys.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    keys.press("j")
    expect(page.locator(".chosen")).to_contain_text("Maria Alvarez")
    keys.press("j")
    keys.press("j")
    expect(page.locator(".chosen")).to_contain_text("Ann Lee")
    keys.press("k")
    keys.press("k")
    keys.press("a")
    maria = page.locator(".alert", has_text="Maria Alvarez")
    expect(maria).to_contain_text("You have it")
    expect(page.locator(".chosen")).to_contain_text("Maria Alvarez")
    keys.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    keys.type("ann")
    keys.press("Enter")
    page.wait_for_url("**/worklist?q=ann**")
    assert rows(page)[-1] == "Ann Lee"
    keys.press("j")
    keys.press("Enter")
    page.wait_for_url("**/patients/**")
    page.get_by_role("link", name="Worklist").last.click()


def test_the_key_c_starts_the_timer_and_x_opens_the_closing(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().page
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Your timer:")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Maria Alvarez")
    screen.open("/worklist")
    expect(page.locator(".alert", has_text="Maria Alvarez")).to_contain_text("You are with the patient")
    page.locator(".alert", has_text="Maria Alvarez").get_by_role("link").focus()
    page.keyboard.press("x")
    expect(page.get_by_label("What was done")).to_be_focused()


def test_a_filter_says_what_it_hides_and_keeps_the_urgent(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.sign_in().page
    page.get_by_label("Whose alerts").select_option("mine")
    expect(page.get_by_text("This filter hides 3 alerts; urgent ones are always shown.")).to_be_visible()
    assert rows(page) == ["Maria Alvarez", "Joseph Okafor"]
    screen.picture("worklist-filtered")


@pytest.mark.parametrize("path", ["/worklist", "/worklist?q=zz", "/patients", "/login", "/nowhere"])
def test_axe_finds_nothing(night: Night, screen: Screen, path: str) -> None:
    night.crisis()
    if path == "/login":
        screen.open(path)
    else:
        screen.sign_in().open(path)
    assert complaints(screen.page) == []


def test_on_a_phone(night: Night, screen: Screen) -> None:
    night.crisis()
    page = screen.turn_into_a_phone().sign_in().page
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("innerWidth"), "nothing is pushed out of the window"
    for target in page.locator("main button:visible, main a:visible, nav a:visible, summary:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= TAP_PX - 0.5, target.inner_text()
    assert page.locator(".alert").first.bounding_box()["y"] < 400, "who needs me is on the first screen"  # pyright: ignore[reportOptionalSubscript] -- it is visible
    assert complaints(page) == []
    screen.picture("worklist-phone")


def test_each_place_is_explained_and_who_reads_it_is_not_interrupted(night: Night, screen: Screen) -> None:
    night.crisis()
    night.clinic.alert(night.ann, "weight_gain_24h", PRIORITY, "Weight up 4.0 lb", minutes_ago=20)
    page = screen.sign_in().page
    maria = page.locator(".alert", has_text="Maria Alvarez")
    said = maria.locator(".place")
    expect(said.locator("ul")).to_be_hidden()
    said.locator("summary").click()
    expect(said).to_contain_text("400 severity: urgent")
    expect(said).to_contain_text("100 nobody has it: no one took it")
    ann = page.locator(".alert", has_text="Blood pressure 164/98").locator(".place")
    ann.locator("summary").click()
    expect(ann).to_contain_text("6 other alerts: also open of this patient: 1 priority")
    screen.picture("worklist-why-here")
    night.clinic.alert(night.tom, "glucose_low", URGENT, "Glucose 50 mg/dL; limit below 54 mg/dL")
    with night.clinic.database.transaction() as connection:
        announce(connection, night.clinic.practice_id)
    expect(page.locator(".alert", has_text="Glucose 50 mg/dL")).to_be_visible()
    expect(said.locator("ul")).to_be_visible()
    assert complaints(page) == []


def test_four_hundred_rows(night: Night, screen: Screen) -> None:
    night.crisis()
    for number in range(400):
        patient = night.clinic.patient("Pat", f"Number {number}", measures=False)
        night.clinic.alert(
            patient, "glucose_high", 1 + number % 2, "Glucose 281 mg/dL; limit above 250 mg/dL", minutes_ago=number
        )
    page = screen.sign_in().page
    expect(page.get_by_text("Page 1 of 4, 403 alerts; urgent ones are on every page.")).to_be_visible()
    page.get_by_role("link", name="More").click()
    expect(page.get_by_text("Page 2 of 4")).to_be_visible()
    assert rows(page)[:2] == ["Maria Alvarez", "Joseph Okafor"]
    screen.picture("worklist-400")


def test_without_javascript_one_can_read_and_act(night: Night, website: Website, screen: Screen) -> None:
    night.crisis()
    browser = screen.page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    plain = Screen(context.new_page(), website).sign_in()
    plain.page.get_by_role("button", name="I have it: acknowledge Maria Alvarez").click()
    expect(plain.page.locator(".alert", has_text="Maria Alvarez")).to_contain_text("You have it")
    plain.page.get_by_role("link", name="Maria Alvarez").click()
    expect(plain.page.get_by_role("row", name="192/118 mmHg").first).to_be_visible()
    plain.page.get_by_label("What was done").select_option("called")
    plain.page.get_by_role("button", name="Close alert").click()
    expect(plain.page.get_by_role("heading", name="No open alerts")).to_be_visible()
    context.close()


def test_announcing_reaches_a_page_whose_list_is_filtered(night: Night, screen: Screen) -> None:
    page = screen.sign_in().open("/worklist?q=zz").page
    expect(page.locator("#live")).to_contain_text("live ·")
    night.clinic.alert(night.ann, "weight_gain_24h", PRIORITY, "Weight up 4.0 lb")
    with night.clinic.database.transaction() as connection:
        announce(connection, night.clinic.practice_id)
    expect(page.get_by_text("This filter hides 1 alert")).to_be_visible()
