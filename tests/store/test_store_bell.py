"""What wakes the desk: another process touched a case, and only then."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store import Store
from bot.store.bell import Bell
from tests.house import Home, home


@pytest.fixture
async def bot(store: Store, tmp_path: Path) -> AsyncIterator[Home]:
    async with home(store, tmp_path) as made:
        yield made


@pytest.fixture
async def bell(bot: Home) -> AsyncIterator[Bell]:
    """The bell of another process."""
    other = Store(bot.store.database.url, bot.clock)
    made = Bell(other.database)
    await made.wait()  # the first time it only begins to listen
    yield made
    await made.close()
    await other.close()


async def test_a_case_that_is_opened_rings(bot: Home, bell: Bell) -> None:
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await bot.say("I want to talk to a human")
    await waiting
    assert time.monotonic() - began < 2.0


async def test_each_further_message_and_its_receipt_ring_too(bot: Home, bell: Bell) -> None:
    await bot.say("I want to talk to a human")
    await bell.wait()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await bot.hear("hello?")
    await bot.work()
    await waiting
    assert time.monotonic() - began < 2.0


async def test_postgresql_is_not_rung_by_chats_without_a_case(
    bot: Home, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bot.store.database.sqlite:
        return  # there any commit rings, and reading what was touched finds nothing
    monkeypatch.setattr("bot.store.bell.ANYHOW_SECONDS", 1.0)
    began = time.monotonic()
    waiting = asyncio.create_task(bell.wait())
    await bot.say("thank you")
    await waiting
    assert time.monotonic() - began > 0.9
