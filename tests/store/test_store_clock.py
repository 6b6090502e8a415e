"""The machine's clock is put back by an hour: what was written by the old time keeps nobody waiting for the new one.

Seen from after it, every machine time that was stored before lies an hour further ahead.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.errors import Temporary
from bot.store import Store
from bot.store.buckets import Rates
from tests.house import Home, home

HOUR = 3600


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[Home]:
    async with home(store, tmp_path, rates=Rates(5.0, 1.0, 3)) as opened:
        yield opened


async def put_back(store: Store) -> None:
    """As if the clock had been put back now."""
    statements = (
        f"UPDATE bucket SET free_at = free_at + {HOUR}",
        f"UPDATE lane SET not_before = not_before + {HOUR} WHERE not_before > 0",
        f"UPDATE lane SET lease_until = lease_until + {HOUR} WHERE lease_until > 0",
        f"UPDATE outbox SET not_before = not_before + {HOUR} WHERE not_before > 0",
        f"UPDATE lease SET lease_until = lease_until + {HOUR}",
    )
    for statement in statements:
        await store.database.write(lambda c, s=statement: c.execute(text(s)))  # type: ignore[misc]


async def test_whoever_wrote_before_is_answered_after(house: Home) -> None:
    assert await house.ask("hello")
    await put_back(house.store)
    assert await house.ask("hello")
    assert await house.ask("hello", "bea")


async def test_what_was_not_sent_yet_leaves(house: Home) -> None:
    await house.hear("hello")
    await house.work()
    await put_back(house.store)
    assert len(await house.send()) == 1


async def test_what_a_dead_worker_held_is_done_by_another_who_alone_may_finish_it(house: Home) -> None:
    await house.hear("hello")
    (dead,) = await house.store.claim(10)
    await put_back(house.store)
    (taken,) = await house.store.claim(10)
    assert taken.lane == dead.lane
    assert taken.token != dead.token
    await house.engine.handle([dead])
    assert await house.send() == []
    await house.engine.handle([taken])
    assert len(await house.send()) == 1


async def test_a_dead_listeners_lease_ends(store: Store) -> None:
    assert await store.hold_lease("listen:x", "dead", 15.0)
    assert not await store.hold_lease("listen:x", "other", 15.0)
    await put_back(store)
    assert await store.hold_lease("listen:x", "other", 15.0)


async def test_an_account_rests_as_long_as_its_platform_wants_and_no_hour_longer(
    house: Home,
) -> None:
    await house.hear("hello")
    await house.work()
    await house.store.hold_account(("test", "shop"), 60.0)
    assert await house.send() == []
    await put_back(house.store)
    assert len(await house.send()) == 1


async def test_a_message_that_was_to_be_tried_again_and_what_stands_behind_it_leave(house: Home) -> None:
    await house.hear("hello")
    await house.work()
    house.wire.failing.append(Temporary("the platform is busy", retry_after=30.0))
    assert await house.send() == []
    await put_back(house.store)
    await house.hear("hello?")
    await house.work()
    assert len(await house.send()) == 2
