"""The ground of the tests in the machine; `tests/conftest.py` is not read there."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bluez_vm.home import Home
from tests.bluez_vm.home import home as make_home


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them are of one tier."""
    for item in items:
        item.add_marker("bluez_vm")


#: What was measured, in the order it was.
_FIGURES = pytest.StashKey[list[str]]()

Figure = Callable[[str], None]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Have a line printed after the tests, whether they pass or not."""
    return request.config.stash.setdefault(_FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The figures the READMEs give."""
    lines: list[str] = []
    for line in config.stash.get(_FIGURES, lines):
        terminalreporter.write_line(f"measured: {line}")


@pytest_asyncio.fixture
async def home(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Home]:
    async with make_home(tmp_path, name=request.node.name) as made:
        yield made
