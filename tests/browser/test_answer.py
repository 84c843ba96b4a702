"""The page behind a message's link, on the telephone it was read on: what stands now, and one button."""

from playwright.sync_api import expect

from tests.browser.conftest import Night, Screen
from tests.browser.test_worklist import complaints
from tests.support.clinic import PRIORITY

TOKEN = "a-link-that-was-sent-to-rosa"


def called(night: Night) -> int:
    """An orange that called rosa; its id."""
    number = night.clinic.alert(night.joseph, "glucose_low", PRIORITY, "Glucose 65 mg/dL; limit below 70 mg/dL").id
    with night.clinic.database.transaction() as connection:
        connection.execute("update alert set armed = 1 where id = %s", [number])
        connection.execute(
            "insert into notification (practice_id, alert_id, step, recipient_id, channel, address, severity, key, reason,"
            " token, created_at, due_at) values (%s, %s, 0, %s, 'sms', '+15550100100', %s, %s, 'step 1', %s, %s, %s)",
            [
                night.clinic.practice_id,
                number,
                night.rosa,
                PRIORITY,
                f"{number}/1/0/{night.rosa}/sms:1",
                TOKEN,
                night.clock(),
                night.clock(),
            ],
        )
    return number


def worsens(night: Night, number: int) -> None:
    with night.clinic.database.transaction() as connection:
        connection.execute("update alert set armed = 2, severity = 3, band = 'urgent' where id = %s", [number])


def status(night: Night, number: int) -> str:
    with night.clinic.database.transaction() as connection:
        row = connection.execute("select status from alert where id = %s", [number]).fetchone()
    assert row is not None
    return str(row["status"])


def test_a_page_that_was_opened_before_it_became_worse_asks_once_more(night: Night, screen: Screen) -> None:
    number = called(night)
    page = screen.turn_into_a_phone().open(f"/a/{TOKEN}").page
    expect(page.get_by_role("heading")).to_contain_text("Priority alert")
    worsens(night, number)
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_role("heading")).to_contain_text("Urgent alert")
    expect(page.get_by_role("alert")).to_contain_text("It has become worse since this message")
    assert status(night, number) == "open"
    assert complaints(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing beyond the edge"
    button = page.get_by_role("button", name="I have it as it is now")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44, "a thumb hits it"
    screen.picture("answer-worse-phone")
    button.click()
    expect(page.locator("p[role=status]")).to_contain_text("You have it.")
    assert status(night, number) == "acknowledged"
