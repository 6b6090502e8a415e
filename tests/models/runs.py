"""Whole runs of interleavings, in memory and on a real database; each is told by its seed."""

import random
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from sqlalchemy import text

from bot.dialog.turn import Shop, Understanding
from bot.dialog.understand import understand
from bot.engine import Engine
from bot.handoff import Rules
from bot.handoff.rota import Person, Queue
from bot.model.conversations import Conversation
from bot.model.messages import Address, Inbound
from bot.store import Store
from bot.store.group import Group
from tests.house import HOURS, LEXICON, MODEL, NOON, RENDERER, ZONE, Home, fixed_clock, home
from tests.models.interleavings import PLACES, RETURNS, Interleaving, Witness
from tests.models.memory import MemoryStore

STEPS = 16
"""Steps of one interleaving, before everything comes to rest."""
SHOP = Shop("Lantern", "CN", "Asia/Shanghai", "en", RENDERER.locales)
RULES = Rules(HOURS, ZONE, queues=(Queue(RETURNS, frozenset({"anger"})),), people=(Person("Lee"), Person("Kim")))


@lru_cache(maxsize=256)
def _meant(words: tuple[str, ...]) -> Understanding:
    """What words mean here, whoever says them: no button is typed and no order is named."""
    record = Conversation(Address("test", "shop", "anybody"))
    messages = [Inbound(str(i), NOON, record.address, text=w) for i, w in enumerate(words)]
    return understand(messages, record, LEXICON, MODEL, "CN")


def _prepared(house: Home) -> Witness:
    witness = Witness()
    house.wire = witness
    account = house.sender.accounts["wire"]
    house.sender.accounts = {**house.sender.accounts, "wire": type(account)("wire", witness, account.rates)}
    house.engine = Engine(
        replace(house.engine.house, understand=lambda messages, _: _meant(tuple(m.text for m in messages)))
    )
    return witness


async def run(store: Any, folder: Path, seed: int, steps: int = STEPS) -> None:
    """One interleaving; an AssertionError names the seed and what was done."""
    async with home(store, folder, SHOP, rules=RULES, places=PLACES) as house:
        run = Interleaving(house, _prepared(house), random.Random(seed))
        try:
            await run.run(steps)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}\n{' '.join(run.steps)}") from error


async def in_memory(seeds: Iterable[int], folder: Path, steps: int = STEPS) -> None:
    """An interleaving of each seed, each on a store of its own."""
    for seed in seeds:
        await run(MemoryStore(fixed_clock()), folder, seed, steps)


async def on_database(url: str, seeds: Iterable[int], folder: Path, steps: int = STEPS) -> None:
    """An interleaving of each seed on one database, which is emptied before each."""
    store = Store(url, fixed_clock())
    # One send after the other: none waits for others to be marked with.
    store._mark = Group(store._mark_all, store.database.turn())
    await store.migrate()
    try:
        for seed in seeds:
            await _empty(store)
            store.clock.ahead = fixed_clock().ahead
            await run(store, folder, seed, steps)
    finally:
        await store.close()


TABLES = (
    "inbox",
    "lane",
    "outbox",
    "conversation",
    "cases",
    "case_event",
    "case_thread",
    "decision",
    "bucket",
    "consent",
)


async def _empty(store: Store) -> None:
    async with store.database._engine.begin() as connection:
        if store.database.sqlite:
            for table in TABLES:
                await connection.execute(text(f"DELETE FROM {table}"))
        else:
            # Deleted rows stay in the way until they are vacuumed.
            await connection.execute(text(f"TRUNCATE {', '.join(TABLES)}"))
