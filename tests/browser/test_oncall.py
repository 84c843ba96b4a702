"""A missed hand-over, as those on call use the page: see the hours nobody has, put somebody in, look who is called then."""

from datetime import timedelta

from playwright.sync_api import expect

from rpm.store import plans
from tests.browser.conftest import Night, Screen
from tests.browser.test_worklist import complaints

#: The night's clock stands in the morning hours of Wednesday, 10 June 2026; nobody begins on Sunday.
PLAN = """fallback = ["role:admin"]

[[policy]]
severity = "urgent"
repeat_every_min = 15
repeat_times = 2
acknowledged_min = 30
step = [{ after_min = 0, targets = ["rota:nights"] }, { after_min = 15, targets = ["role:nurse", "role:admin"] }]

[[rota]]
name = "nights"
time_zone = "America/New_York"
shift = [{ days = ["mon", "tue", "wed", "thu", "fri", "sat"], from = "00:00", to = "24:00", who = ["staff:rosa"] }]
"""


def keep(night: Night) -> None:
    with night.clinic.database.transaction() as connection:
        plans.save(
            connection,
            practice_id=night.clinic.practice_id,
            text=PLAN,
            note="Sundays are to be seen to",
            seen=0,
            saved_by=night.rosa,
            now=night.clock() - timedelta(days=3),
        )


def test_a_missed_hand_over_is_found_and_mended(night: Night, screen: Screen) -> None:
    keep(night)
    page = screen.sign_in().open("/oncall").page
    expect(page.locator("main")).to_contain_text("nobody is on duty by rota:nights")
    assert complaints(page) == []
    screen.picture("oncall")
    page.get_by_text("Somebody stands in, or is away…").click()
    page.get_by_label("From", exact=True).fill("2026-06-14T00:00")
    page.get_by_label("To", exact=True).fill("2026-06-15T00:00")
    page.get_by_label("On duty", exact=True).select_option(label="Kim L.")
    page.get_by_label("Why", exact=True).fill("Sunday was forgotten")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_role("heading", name="Who stands in")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Sunday was forgotten")
    # The next Sunday is seen to; the one after it is still open.
    rows = page.locator("section[aria-labelledby=open] tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Sun 21 Jun 2026")
    page.get_by_label("When it opens (empty: now)").fill("2026-06-14T02:10")
    page.get_by_role("button", name="Show").click()
    calls = page.locator("section[aria-labelledby=try] tbody tr")
    expect(calls.first).to_contain_text("Sun 14 Jun 2026, 02:10 EDT")
    expect(calls.first).to_contain_text("Kim L.")
    expect(calls).to_have_count(4)
    assert complaints(page) == []
    screen.picture("oncall-simulated")
    screen.turn_into_a_phone().picture("oncall-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    assert complaints(page) == []


def test_an_administrator_changes_the_plan(night: Night, screen: Screen) -> None:
    keep(night)
    page = screen.sign_in("ada").open("/oncall").page
    page.get_by_role("link", name="Change it…").click()
    text = page.get_by_label("As TOML; whatever stands after # is a remark")
    text.fill(PLAN.replace("staff:rosa", "staff:roza"))
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("alert").filter(has_text="roza")).to_be_visible()
    text.fill(PLAN)
    page.get_by_label("What was changed, and why").fill("Two Sundays stay open: the doctors cover them")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="leaves hours open")).to_be_visible()
    screen.picture("plan")
    assert complaints(page) == []
    page.get_by_label("minutes have nobody").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="On call")).to_be_visible()
    page.get_by_role("link", name="Change it…").click()
    expect(page.get_by_text("Two Sundays stay open")).to_be_visible()
