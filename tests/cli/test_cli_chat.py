"""`wismo chat`: the shop's own bot in a terminal, beside real buyers and never in their way."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from bot.ports import Item
from bot.store import Store
from bot.store.queue import Arrival
from tests.cli.conftest import Wismo, WithStore

CHANNELS = {"telegram": {"token": "111:AAA", "mode": "polling", "base_url": "http://127.0.0.1:9"}}


async def a_buyer_waits(store: Store) -> None:
    await store.migrate()
    await store.receive([Arrival("telegram", Item("1", "c/telegram/111/5", b"{}"))])


async def who_waits(store: Store) -> tuple[int, int]:
    health = await store.health()
    return health.waiting, health.dead


def test_it_answers_and_leaves_real_buyers_to_the_running_bot(
    wismo: Wismo, write_config: Callable[..., Path], with_store: WithStore
) -> None:
    write_config(channels=CHANNELS)
    with_store(a_buyer_waits)
    told = wismo("chat", typed="where is my order 1042?\n\nbye\n")
    assert told.exit_code == 0, told.output
    assert "bot> To show you order 1042" in told.output
    assert with_store(who_waits) == (1, 0)


def test_bytes_that_are_no_text_are_said_as_far_as_they_can_be() -> None:
    module = import_module("adapters.channels.console")
    channel: Any = module.Console(module.Settings())
    said = channel.decode(channel._item("caf\udce9 1042"))
    assert said.text == "caf? 1042"


def test_a_shop_whose_desk_is_a_chat_platform_can_be_talked_to(wismo: Wismo, write_config: Callable[..., Path]) -> None:
    desk: dict[str, Any] = {"channels": {"telegram": {"queues": {"default": "-1001"}, "staff": {"7": "Lee"}}}}
    write_config(channels=CHANNELS, desk=desk)
    told = wismo("chat", typed="hello\n")
    assert told.exit_code == 0, told.output
    assert "bot> Hello!" in told.output
