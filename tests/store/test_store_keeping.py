"""How long things are kept: rows and files, with the clock turned forward, on both databases."""

import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.app import expire
from bot.model.events import conversation_lane
from bot.ports import Item
from bot.store import Store
from bot.store.keeping import Retention
from bot.store.queue import Arrival
from bot.store.vault import Vault
from tests.house import Home, home
from tests.test_engine import order


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[Home]:
    async with home(store, tmp_path) as made:
        await made.seed(order("1042"))
        yield made


async def kept(house: Home) -> dict[str, int]:
    """How many rows still hold what somebody said, by where."""
    counts = {
        "inbox": "SELECT count(*) FROM inbox WHERE state = 2 AND body IS NOT NULL",
        "keys": "SELECT count(*) FROM inbox WHERE state = 2",
        "dead": "SELECT count(*) FROM inbox WHERE state = 3",
        "outbox": "SELECT count(*) FROM outbox WHERE body IS NOT NULL",
        "media": "SELECT count(*) FROM media",
    }
    async with house.store.database.read() as connection:
        return {name: int(await connection.scalar(text(query)) or 0) for name, query in counts.items()}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def age(*paths: Path) -> None:
    long_ago = time.time() - 700 * 86_400
    for path in paths:
        os.utime(path, (long_ago, long_ago))


async def test_each_kind_is_kept_for_its_own_time_and_its_files_go_with_it(house: Home, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "media")
    await house.say("it is broken", media=["image"])
    lane = conversation_lane(house.address("bert"))
    await house.store.receive([Arrival("wire", Item("broken", lane, b"not json"))])
    await house.work()
    assert await kept(house) == {"inbox": 1, "keys": 1, "dead": 1, "outbox": 1, "media": 1}
    assert len(files(vault.folder)) == 1

    seen = []
    for days in (29, 2, 60, 280, 180):
        house.clock.forward(timedelta(days=days))
        await expire(house.store, vault, Retention())
        now = await kept(house)
        seen.append([name for name, count in now.items() if count])
        age(*files(vault.folder))
    assert seen == [
        ["inbox", "keys", "dead", "outbox", "media"],
        ["keys", "dead", "outbox", "media"],
        ["keys", "outbox", "media"],
        ["outbox", "media"],
        [],
    ]
    assert files(vault.folder) == []


async def test_a_file_that_was_sent_again_since_stays(house: Home, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "media")
    await house.say("it is broken", media=["image"])
    house.clock.forward(timedelta(days=300))
    await house.say("still broken", media=["image"])
    age(*files(vault.folder))
    house.clock.forward(timedelta(days=300))
    await expire(house.store, vault, Retention())
    assert len(files(vault.folder)) == 1
    assert (await kept(house))["media"] == 1


async def test_what_a_killed_process_left_half_written_goes_after_a_day(house: Home, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "media")
    vault.folder.mkdir()
    old, fresh = vault.folder / "tmpold", vault.folder / "tmpnew"
    for path in (old, fresh):
        path.write_bytes(b"half a photo")
    age(old)
    await expire(house.store, vault, Retention())
    assert files(vault.folder) == [fresh]
