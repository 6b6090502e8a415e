"""Wrong proofs are counted for all chats and all processes: nobody guesses faster by guessing side by side."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store import Store
from tests.house import Home, fixed_clock, home
from tests.test_engine import order


@pytest.fixture
async def houses(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Home, Home]]:
    """Two processes' worth of bot on one database."""
    one, other = Store(database_url, fixed_clock()), Store(database_url, fixed_clock())
    await one.migrate()
    async with home(one, tmp_path / "one") as first, home(other, tmp_path / "other") as second:
        await first.seed(order("1042"), order("2001", "bob", "+4915112349999", postcode="50667"))
        yield first, second
    await one.close()
    await other.close()


async def test_chats_that_guess_at_one_order_at_the_same_moment_share_five_guesses(houses: tuple[Home, Home]) -> None:
    first, second = houses
    for n in range(24):
        await first.hear(f"order 1042, postcode 1011{n % 5}{n}", chat=f"thief{n}")
    await asyncio.gather(first.work(), second.work())
    await asyncio.sleep(0)
    said = [m.text for m in await first.send()] + [m.text for m in await second.send()]
    assert sum("does not match" in text for text in said) <= 5
    # The sixth guess is not compared at all, though it is right.
    assert "cannot check more details" in await first.ask("order 1042, postcode 10115", chat="late")


async def test_other_orders_are_proved_while_one_is_guessed_at(houses: tuple[Home, Home]) -> None:
    first, second = houses
    for n in range(8):
        await first.hear(f"order 1042, postcode 2222{n}", chat=f"thief{n}")
    await first.hear("order 2001, postcode 50667", chat="bob")
    await asyncio.gather(first.work(), second.work())
    assert any("2001" in m.text and "50667" not in m.text for m in await first.send())


async def test_guesses_that_another_process_heard_slow_answers_down_here_too(houses: tuple[Home, Home]) -> None:
    first, second = houses
    for n in range(40):
        await first.hear(f"order {9000 + n}, postcode 99999", chat=f"thief{n}")
    await first.work()
    await first.send()
    assert await second.say("order 8123, postcode 99998", chat="another", key="s1") == []  # it waits
    assert len(await second.say("order 2001, postcode 50667", chat="bob", key="s2")) == 1
