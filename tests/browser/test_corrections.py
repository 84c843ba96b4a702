"""A nurse gives a reading to the patient whose it is, in the browser, by the keyboard a screen reader's user has too."""

from playwright.sync_api import expect

from tests.browser.conftest import Night, Screen
from tests.browser.test_worklist import complaints


def test_a_squeeze_of_the_husband_is_found_and_moved(night: Night, screen: Screen) -> None:
    reading = night.clinic.pressure(night.maria, 191, 118, minutes_ago=12)
    page = screen.sign_in().open(f"/patients/{night.maria.public_id}/readings/{reading}").page
    assert complaints(page) == []
    page.get_by_label("Whose").select_option(label="Weiss, Tom, born 30 Nov 1946")
    page.get_by_label("Why").nth(1).fill("He says it was him: her cuff, his arm")
    screen.picture("correction")
    page.get_by_role("button", name="Give it to this patient").press("Enter")
    expect(page.get_by_role("heading", name="What was corrected")).to_be_visible()
    expect(page.locator("main")).to_contain_text("gave it to Tom Weiss; it was filed under Maria Alvarez")
    expect(page.get_by_role("link", name="← Tom Weiss")).to_be_visible()
    page.get_by_label("Why").first.fill("The cuff had slipped")
    page.get_by_role("button", name="Set aside").click()
    expect(page.locator("main")).to_contain_text("set it aside: The cuff had slipped")
    expect(page.get_by_role("button", name="Put back")).to_be_visible()
    screen.picture("corrected")
    assert complaints(page) == []
