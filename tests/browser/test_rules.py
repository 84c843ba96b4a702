"""What holds for a patient and by whose authority, as a nurse reads it; and the facts that rules look at, as she enters them."""

from playwright.sync_api import expect

from tests.browser.conftest import Night, Screen
from tests.browser.test_worklist import complaints


def test_each_limit_says_whose_it_is_and_who_approved_it(night: Night, screen: Screen) -> None:
    with night.clinic.database.transaction() as connection:
        connection.execute(
            "insert into patient_limit (practice_id, patient_id, rule_id, band, quantity, value, unit, approved_by, approved_at)"
            " values (%s, %s, 'blood_pressure_high', 'urgent', 'systolic', 170, 'mm[Hg]', 'Dr. Shah', '2026-05-04')",
            [night.clinic.practice_id, night.maria.id],
        )
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}").page
    page.get_by_role("link", name="Rules and limits").click()
    own = page.get_by_role("row", name="systolic above 170 mmHg or 22.665")
    expect(own).to_contain_text("this patient’s own")
    expect(own).to_contain_text("Dr. Shah, 2026-05-04")
    default = page.get_by_role("row", name="diastolic above 120 mmHg or 16 kPa")
    expect(default).to_contain_text("product default, version 4")
    expect(default).to_contain_text("nobody has signed it")
    expect(page.get_by_text("only in pregnancy and six weeks after")).to_be_visible()
    assert complaints(page) == []
    screen.picture("patient-rules")


def test_a_dry_weight_and_a_pregnancy_are_entered_ended_and_withdrawn(night: Night, screen: Screen) -> None:
    page = screen.sign_in().open(f"/patients/{night.ann.public_id}/rules").page
    page.get_by_text("Enter a dry weight…").click()
    page.get_by_label("Dry weight", exact=True).fill("171.5")
    page.get_by_label("Unit").select_option("lb")
    page.get_by_label("From", exact=True).first.fill("2026-06-01")
    page.get_by_role("button", name="Enter").first.click()
    weight = page.get_by_role("row", name="Dry weight 171.5 lb")
    expect(weight).to_contain_text("1 Jun 2026")
    expect(weight).to_contain_text("Rosa N.")
    page.get_by_text("Enter a pregnancy…").click()
    page.get_by_label("From", exact=True).last.fill("2026-01-10")
    page.get_by_role("button", name="Enter").last.click()
    expect(page.get_by_text("not in pregnancy and six weeks after").first).to_be_visible()
    pregnancy = page.get_by_role("row", name="Pregnancy 10 Jan 2026")
    pregnancy.get_by_label("Day of the birth").fill("2026-06-09")
    pregnancy.get_by_role("button", name="End").click()
    expect(pregnancy).to_contain_text("9 Jun 2026 and six weeks after")
    page.get_by_role("button", name="Withdraw pregnancy").click()
    expect(page.get_by_text("withdrawn by Rosa N.")).to_be_visible()
    expect(page.get_by_text("only in pregnancy and six weeks after")).to_be_visible()
    assert complaints(page) == []


def test_of_a_child_nothing_is_judged_and_both_pages_say_so(night: Night, screen: Screen) -> None:
    child = night.clinic.patient("Zoe", "Young", born="2012-03-04")
    page = screen.turn_into_a_phone().sign_in().open(f"/patients/{child.public_id}").page
    expect(page.get_by_text("No rules apply: under 18, and no limits were ordered. Nothing is judged.")).to_be_visible()
    page.get_by_role("link", name="Rules", exact=True).click()
    expect(page.get_by_text("nothing that is measured is judged")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    assert complaints(page) == []


def test_a_draft_is_tried_on_the_last_weeks_and_its_mistakes_are_named_by_line(night: Night, screen: Screen) -> None:
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}/rules").page
    page.get_by_role("link", name="Try other rules on the last weeks").click()
    text = page.get_by_label("Rules (TOML)")
    shipped = text.input_value()
    text.fill(shipped.replace("= 180", '= "much"', 1))
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("alert")).to_contain_text("Line ")
    expect(page.get_by_role("alert")).to_contain_text("blood_pressure_high")
    page.get_by_label("Rules (TOML)").fill(shipped.replace('"mm[Hg]" = 160, kPa', '"mm[Hg]" = 120, kPa', 1))
    page.get_by_label("Days").select_option("30")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("heading", name="30 days of")).to_be_visible()
    calls = page.get_by_role("row", name="Calls", exact=False).first.get_by_role("cell").all_inner_texts()
    assert int(calls[1]) > int(calls[0]), "a lower limit calls more often"
    expect(page.get_by_role("row", name="blood pressure high").first).to_be_visible()
    assert complaints(page) == []
    screen.picture("rules-tried")
    with night.clinic.database.transaction() as connection:
        [row] = connection.execute(
            "select count(*) as n from audit where action = 'tried rules on the past of'"
        ).fetchall()
    assert row["n"] == 1


def test_an_offered_limit_is_approved_and_stands_among_the_rules_with_its_approver(
    night: Night, screen: Screen
) -> None:
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}/rules").page
    page.get_by_role("link", name="Limits from what is usual").click()
    offer = page.locator("#o-blood_pressure_high-priority-systolic")
    expect(offer).to_contain_text("instead of 160 mmHg (product)")
    expect(offer).to_contain_text("a week) with this limit")
    assert complaints(page) == []
    screen.picture("patient-limits")
    offer.get_by_label("Why").fill("her pressure is high and is being treated")
    offer.get_by_role("button", name="Approve").click()
    expect(offer).to_contain_text("Not offered: it is the limit that holds")
    expect(page.get_by_role("row", name="her pressure is high and is being treated")).to_contain_text("Rosa N.")
    assert complaints(page) == []
    page.get_by_role("link", name="What is asked of Maria").click()
    own = page.get_by_role("row").filter(has_text="this patient’s own")
    expect(own).to_contain_text("Rosa N., 2026-06-10")
