"""A number whose owner wrote STOP, as she finds it on My contacts, and who keeps the rota on On call; at a desk and on a phone."""

from datetime import timedelta

from playwright.sync_api import expect

from alerts.channels import Name
from rpm.store import contacts
from tests.browser.conftest import Night, Screen
from tests.browser.test_oncall import keep
from tests.browser.test_worklist import complaints

NUMBER = "+15550100777"
KIMS = "+15550100888"


def stopped(night: Night) -> None:
    """Rosa has a mail address besides, which is proven; Kim had nothing but her telephone."""
    now = night.clock()
    with night.clinic.database.transaction() as connection:
        connection.execute("delete from contact where staff_id = %s", [night.kim])
        for staff, number in ((night.rosa, NUMBER), (night.kim, KIMS)):
            contacts.add(
                connection,
                staff_id=staff,
                practice_id=night.clinic.practice_id,
                channel=Name.SMS,
                address=number,
                now=now,
            )
            contacts.stop(connection, number, now=now - timedelta(minutes=40))


def test_a_number_that_stopped(night: Night, screen: Screen) -> None:
    keep(night)
    stopped(night)
    page = screen.sign_in().open("/oncall").page
    said = page.locator("section[aria-labelledby=now] .problem")
    expect(said.filter(has_text="Rosa N.")).to_contain_text("Calls go by e-mail instead")
    expect(said.filter(has_text="Kim L.")).to_contain_text("calls to Kim L. reach nobody")
    assert complaints(page) == []
    screen.picture("stopped-oncall")
    screen.open("/me/contacts")
    row = page.locator("tbody tr").filter(has_text=NUMBER)
    expect(row.get_by_role("rowheader")).to_have_text("–not tried")
    expect(row.get_by_role("button")).to_have_text([f"Take out {NUMBER}"])
    assert complaints(page) == []
    screen.picture("stopped-contacts")
    screen.turn_into_a_phone().picture("stopped-contacts-phone")
    # What it says and what can be done lie on the screen, not beside it: a STOP is read where it was written.
    for part in (row.get_by_text("you wrote STOP"), row.get_by_role("button")):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.evaluate("innerWidth")
    assert complaints(page) == []
    screen.open("/oncall").picture("stopped-oncall-phone")
    then = page.locator("section[aria-labelledby=open] tbody tr").first.get_by_text("the fallback is called")
    box = then.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= page.evaluate("innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")


def test_whoever_has_nothing_else_is_told_that_nobody_can_call(night: Night, screen: Screen) -> None:
    stopped(night)
    page = screen.sign_in("kim").open("/me/contacts").page
    expect(page.locator(".problem")).to_contain_text("Nobody can call you: write START")
    assert complaints(page) == []
    screen.turn_into_a_phone().picture("stopped-alone-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
