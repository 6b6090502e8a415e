"""`wismo run` and `wismo migrate`."""

import asyncio
import gc
import logging
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from bot import app as composition
from bot.cli import logs
from bot.cli.beside import follow_parent, keep_desk
from bot.cli.session import DEFAULT, ConfigOption, complete, load, ready, revision, say, store_url
from bot.config import Config
from bot.model.clock import Clock
from bot.store import Store

Role = Literal["all", "web", "worker", "sender", "desk"]


def run(
    config: ConfigOption = DEFAULT,
    role: Annotated[Role, typer.Option(help="Which part of the bot this process is.")] = "all",
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Serve this process's own /metrics, /readyz and /healthz there."),
    ] = None,
) -> None:
    """Run the bot until it is told to stop (Ctrl-C or SIGTERM); it lets go within ten seconds."""
    logs.configure(logging.INFO)
    complete(_serve(load(config), role, config, metrics_port))


async def _serve(config: Config, role: Role, file: Path, metrics_port: int | None) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows has no handlers in its loops: Ctrl-C interrupts there
            asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with composition.open_app(config) as app:
        await ready(app.store)
        _settle_memory()
        desk = role == "all" and config.desk.web
        beside = asyncio.create_task(keep_desk(file, stop) if desk else follow_parent(stop))
        try:
            await composition.run(app, role, stop, metrics_port)
        finally:
            stop.set()
            await beside


def _settle_memory() -> None:
    """Keep the collector off what stays for good, and let it look for cycles less often: 8 % of a message's CPU,
    4 % of a sweep's, whose batches it would walk again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def migrate(config: ConfigOption = DEFAULT) -> None:
    """Bring the database to this version. `run` does it by itself on SQLite."""
    complete(_migrate(load(config)))


async def _migrate(config: Config) -> None:
    store = Store(store_url(config), Clock())
    try:
        before = await revision(store)
        after = await store.migrate()
    finally:
        await store.close()
    say(f"✓ the database is at revision {after}" + ("" if before == after else f" (was {before or 'empty'})"))
