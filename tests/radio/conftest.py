"""The home every radio test begins with."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from tests.radio.household import Household, household


@pytest_asyncio.fixture
async def home(tmp_path: Path) -> AsyncGenerator[Household]:
    async with household(tmp_path) as made:
        yield made
