"""Wrong proofs are counted for all chats and all processes: nobody guesses faster by guessing side by side."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bot.model.tokens import token, token_hash
from bot.store import Store
from bot.store.guessing import subject_of
from bot.store.tables import Guess, core
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


async def test_a_guess_within_another_question_is_one_of_the_five_too(houses: tuple[Home, Home]) -> None:
    first, second = houses
    chats = [f"thief{n}" for n in range(12)]
    for chat in chats:
        await first.say("where is my order 1042?", chat=chat)
    for n, chat in enumerate(chats):
        await first.hear(f"Where is my parcel {30000 + n} please?", chat=chat)
    await asyncio.gather(first.work(), second.work())
    await first.work()
    async with first.store.database.read() as connection:
        counted = select(func.count()).where(core(Guess).c.subject == subject_of("1042"), core(Guess).c.kind == "miss")
        assert 0 < int((await connection.execute(counted)).scalar_one()) <= 5


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
    began = time.monotonic()
    answered = await second.say("order 8123, postcode 99998", chat="another", key="s1")
    assert answered == [] or time.monotonic() - began > 2.0  # it waits
    assert len(await second.say("order 2001, postcode 50667", chat="bob", key="s2")) == 1


async def test_a_message_compares_one_detail_with_one_order(houses: tuple[Home, Home]) -> None:
    """Whoever lists all the postcodes of a town in one message has guessed once."""
    first, _ = houses
    assert "does not match" in await first.ask("my order is 1042, postcode 99999 or 88888 or 10115", chat="thief")
    assert "does not match" in await first.ask("orders 9999 and 1042, postcode 10115", chat="other")
    async with first.store.database.read() as connection:
        misses = select(func.count()).select_from(core(Guess)).where(core(Guess).c.kind == "miss")
        assert (await connection.execute(misses)).scalar_one() == 2


async def test_where_typed_proof_is_closed_a_link_a_phone_and_a_person_stay_open(houses: tuple[Home, Home]) -> None:
    first, _ = houses
    (dossier,) = await first.store.find_orders(["1042"])
    await first.store.save_link(token_hash(token(bytes(16))), dossier.id)
    for n in range(5):
        await first.ask(f"order 1042, postcode 9999{n}", chat=f"thief{n}")  # each wrong guess of a chat waits longer
    assert "cannot check more details" in await first.ask("order 1042, postcode 10115")
    assert "passed your message on" in await first.ask("I want to talk to a human")
    assert "Order 1042" in await first.ask("", start=token(bytes(16)))
    for n in range(5):
        await first.ask(f"order 2001, postcode 9999{n}", chat=f"thief{n + 5}")
    assert "cannot check more details" in await first.ask("order 2001, postcode 50667", chat="bob")
    own = {"phone": "+4915112349999", "own": True}
    assert "Order 2001" in await first.ask("", chat="bob", contact=own)


def tracking(serial: int) -> str:
    """A registered letter's number with its check digit (UPU S10)."""
    digits = f"{serial:08d}"
    rest = 11 - sum(int(d) * w for d, w in zip(digits, (8, 6, 4, 2, 3, 5, 9, 7), strict=True)) % 11
    return f"RB{digits}{ {10: 0, 11: 5}.get(rest, rest) }CN"


async def test_a_chat_asks_for_twenty_tracking_numbers_a_day_without_proof(houses: tuple[Home, Home]) -> None:
    first, second = houses
    second.numbers = count(100)
    for n in range(20):
        assert "cannot find" in await (first, second)[n % 2].ask(tracking(10_003_000 + n))
    over = "stop here until tomorrow"
    assert over in await first.ask(tracking(10_004_000))
    assert over in await second.ask(tracking(10_004_000))
    assert "Order 1042" in await first.ask("order 1042, postcode 10115"), "typed proof is another matter"
    assert "cannot find" in await first.ask(tracking(10_004_000), chat="bob"), "each chat has its own"
    first.clock.forward(timedelta(hours=24, minutes=1))
    assert over not in await first.ask(tracking(10_004_000))
