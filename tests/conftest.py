"""Every test's ground: fixtures, the tiers, and the rule that a skipped test is a failed one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support.broker import broker
from tests.support.browser import browser, chromium, page
from tests.support.clock import clock
from tests.support.database import database, database_server, dsn, empty_dsn, target
from tests.support.excuses import pytest_make_collect_report, pytest_runtest_makereport
from tests.support.installation import installation
from tests.support.mail import mail_sink
from tests.support.providers.sinch import sinch
from tests.support.providers.twilio import twilio
from tests.support.providers.vonage import vonage
from tests.support.surroundings import forget_settings

__all__ = [
    "broker",
    "browser",
    "chromium",
    "clock",
    "database",
    "database_server",
    "dsn",
    "empty_dsn",
    "installation",
    "mail_sink",
    "page",
    "pytest_make_collect_report",
    "pytest_runtest_makereport",
    "sinch",
    "target",
    "twilio",
    "vonage",
]

#: Cheap ones first: what is plainly broken is told in seconds.
TIERS = ("tidy", "unit", "simulation", "services", "radio", "stories", "night", "chaos", "browser", "bench")
HERE = Path(__file__).parent
#: Runs in a machine of its own, with BlueZ: `make bluez`.
collect_ignore = ["bluez_vm"]


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction] - pytest finds it
    """A command run inside a test sends its logs to that test's stderr, which is closed for the next one."""
    yield
    structlog.reset_defaults()


def pytest_configure() -> None:
    """Tests own their servers: forget those of whoever runs them. No example has a deadline of its own."""
    forget_settings()
    # How long an example may take on a busy machine says nothing of the product, nor how long it takes to draw one; how long a
    # test may, pytest's own limit does.
    settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the tier whose folder it lies in, and run the tiers in order."""
    for item in items:
        tier = item.path.relative_to(HERE).parts[0]
        if tier not in TIERS:
            raise pytest.UsageError(f"{item.path} lies in no tier: one of {', '.join(TIERS)}")
        item.add_marker(tier)
    items.sort(key=lambda item: TIERS.index(item.path.relative_to(HERE).parts[0]))
