"""A real Chromium, driven by Playwright's synchronous interface.

The browser lives as long as a test module: Playwright's event loop occupies the main thread while it runs, so a module
that uses `page` has no `async def` tests. Chromium is told to leave the world outside alone.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.support.provisioning import run_script

FLAGS = (
    "--no-sandbox",  # root has no other way; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
PHONE = {"width": 390, "height": 844}
SEEN_MS_MAX = 30_000
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The path of a Chromium that runs."""
    return Path(run_script("chromium.sh"))


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """One Chromium per test module."""
    # Five seconds, Playwright's own, are short on a machine that runs other tests; what comes sooner is seen sooner.
    expect.set_options(timeout=SEEN_MS_MAX)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh profile, at a desk. An error in a page's script fails the test."""
    context = browser.new_context(viewport={"width": DESK["width"], "height": DESK["height"]}, locale="en-US")
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.extend(_refused_by_policy(message)))
    yield opened
    context.close()
    assert not errors, f"the page's scripts failed: {errors}"


def _refused_by_policy(message: ConsoleMessage) -> list[str]:
    """What the content security policy refused: an inline script or style that someone slipped in."""
    return [message.text] if message.type == "error" and "Content Security Policy" in message.text else []
