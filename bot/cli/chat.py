"""`wismo chat`: the seller's own bot in this terminal, on the seller's own orders.

It handles this one conversation and nothing else: real buyers' messages are the running bot's, which may stand beside
it on the same database.
"""

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from bot.app import App, open_app
from bot.cli import logs
from bot.cli.session import DEFAULT, ConfigOption, complete, load, ready, say
from bot.config import Config
from bot.ports import Item
from bot.store.queue import Arrival

NAME = "console"
LOOK_SECONDS = 0.3
"""So often something is looked for that was not typed here: what staff reply, say."""


def chat(config: ConfigOption = DEFAULT) -> None:
    """Talk to the bot as a buyer would, in this terminal. End with Ctrl-D."""
    logs.configure(logging.ERROR)
    settings = load(config)
    say("Ask as a buyer would. Ctrl-D ends.")
    complete(_chat(settings.model_copy(update={"channels": {**settings.channels, NAME: {}}})))


async def _chat(config: Config) -> None:
    async with open_app(config) as app:
        await ready(app.store)
        console: Any = app.adapters.channels[NAME]
        with suppress(NotImplementedError):  # Windows: there Ctrl-C interrupts
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, console.end)
        speaking = asyncio.Lock()

        async def answer(items: Sequence[Item] = ()) -> None:
            async with speaking:
                await _answer(app, console.lane, items)

        looking = asyncio.create_task(_look(answer))
        try:
            await console.listen(answer)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    say()


async def _answer(app: App, lane: str, items: Sequence[Item]) -> None:
    arrivals = [Arrival(NAME, item) for item in items]
    while claims := await app.store.converse(lane, arrivals):
        arrivals = []
        await app.engine.handle(claims)
        await app.engine.settle()
    await app.sender.drain(NAME)


async def _look(answer: Any) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        await answer()
