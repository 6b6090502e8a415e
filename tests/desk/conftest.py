"""A desk on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.handoff.rota import Queue, Rules
from bot.store import Store
from tests.deskhouse import DeskHome, desk_home
from tests.house import HOURS, ZONE, home

RULES = Rules(HOURS, ZONE, queues=(Queue("returns", kinds=frozenset({"return_refund"})),))


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[DeskHome]:
    """A bot with its desk."""
    async with home(store, tmp_path, rules=RULES) as bot, desk_home(bot) as made:
        yield made
