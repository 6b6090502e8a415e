"""`wismo chat`: the seller's own bot in this terminal, on the seller's own orders."""

import asyncio
import logging
from typing import Any

from bot.app import open_app
from bot.cli import logs
from bot.cli.session import DEFAULT, ConfigOption, complete, load, ready, say
from bot.config import Config


def chat(config: ConfigOption = DEFAULT) -> None:
    """Talk to the bot as a buyer would, in this terminal. End with Ctrl-D."""
    logs.configure(logging.ERROR)
    settings = load(config)
    say("Ask as a buyer would. Ctrl-D ends.")
    complete(_chat(settings.model_copy(update={"channels": {"console": {}}})))


async def _chat(config: Config) -> None:
    async with open_app(config) as app:
        await ready(app.store)
        console: Any = app.adapters.channels["console"]
        tasks = [asyncio.create_task(app.worker.run()), asyncio.create_task(app.sender.run())]
        await console.ended.wait()
        while (left := await app.store.health()).waiting or left.unsent:  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.1)
        app.worker.stop()
        await app.sender.stop()
        await asyncio.gather(*tasks)
    say()
