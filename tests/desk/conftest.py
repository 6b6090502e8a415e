"""A desk on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store import Store
from tests.deskhouse import DeskHome, desk_home
from tests.house import home


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[DeskHome]:
    """A bot with its desk."""
    async with home(store, tmp_path) as bot, desk_home(bot) as made:
        yield made
