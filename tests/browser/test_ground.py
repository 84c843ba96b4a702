"""The browser itself: it draws, it runs our scripts, and a script's error does not pass unseen."""

import pytest
from playwright.sync_api import Page

from tests.support.provisioning import ROOT

FIXTURE_UNDER_TEST = """
from tests.support.browser import browser, chromium, page

def test_a_page_whose_script_fails(page):
    page.set_content("<script>throw new Error('on purpose')</script>")

def test_a_page_whose_script_works(page):
    page.set_content("<script>document.title = 'fine'</script>")

"""


def test_chromium_draws_a_page(page: Page) -> None:
    page.set_content("<main><h1>Worklist</h1><button onclick=\"document.title='pressed'\">Press</button></main>")
    page.get_by_role("button", name="Press").click()
    assert page.title() == "pressed"
    assert len(page.screenshot()) > 1000


def test_a_pages_failing_script_fails_the_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(test_first=FIXTURE_UNDER_TEST, test_second="async def test_after_the_browser(): pass\n")
    pytester.makeini("[pytest]\nasyncio_mode = auto\n")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    result = pytester.runpytest_subprocess()
    assert result.parseoutcomes() == {"passed": 3, "errors": 1}
    result.stdout.fnmatch_lines(["*the page's scripts failed*on purpose*"])
