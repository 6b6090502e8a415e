"""What every command starts with: the config or its faults, an event loop, a store, and how an error reads.

Exit codes: 0 good, 1 a problem that the text names, 2 the config or the call itself is wrong.
"""

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console

from bot.config import Config, Faults, read
from bot.errors import Misconfigured, WismoError, describe
from bot.model.clock import Clock
from bot.store import Store
from bot.store.store import sqlite_url

if sys.platform != "win32":
    import uvloop

T = TypeVar("T")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The config file.", envvar="WISMO_CONFIG")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DEFAULT = Path("config.yaml")


def console() -> Console:
    """Where answers go. Nothing in a text is taken for markup: names and numbers come from outside, and a terminal that
    cannot show a letter shows another."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(text: str = "") -> None:
    """One line of answer."""
    console().print(text)


def say_json(value: object, *, indent: int = 0) -> None:
    """An answer for a program, on one line unless it is indented: in UTF-8, whatever a terminal here can show."""
    text = msgspec.json.encode(value)
    sys.stdout.flush()
    sys.stdout.buffer.write((msgspec.json.format(text, indent=indent) if indent else text) + b"\n")


def complain(text: str) -> None:
    """One line of complaint, to stderr."""
    Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True).print(text)


def stop(text: str, code: int = 1) -> NoReturn:
    """Complain and end."""
    complain(text)
    raise typer.Exit(code)


def refuse(faults: Faults) -> NoReturn:
    """Print every fault and end."""
    for fault in faults.faults:
        complain(f"✗ {fault}")
    raise typer.Exit(2)


def load(path: Path) -> Config:
    """The config, or every fault in it and the end."""
    try:
        return read(path)
    except Faults as faults:
        refuse(faults)


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on the fastest loop there is. An error's text never shows a value from the database."""
    factory = uvloop.new_event_loop if sys.platform != "win32" else None
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(work)
    except Faults as faults:
        refuse(faults)
    except WismoError as error:
        stop(f"✗ {error}")
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        stop(f"✗ {describe(error)}")


@asynccontextmanager
async def open_store(config: Config) -> AsyncIterator[Store]:
    """The store alone, ready for use: for commands that need no adapter."""
    store = Store(store_url(config), Clock())
    try:
        await ready(store)
        yield store
    finally:
        await store.close()


def store_url(config: Config) -> str:
    """Where the database is; the folder of a SQLite file is made."""
    config.database.make_folder()
    return config.database.url or sqlite_url(config.database.data / "wismo.db")


async def revision(store: Store) -> str:
    """The revision the database is at; raises `Misconfigured` where it cannot be reached, or is newer than we are."""
    try:
        at = await store.revision()
    except Exception as error:
        raise Misconfigured(
            f"database.url: the database gives no answer ({type(error).__name__}); does it run, is the URL right?",
            key="database.url",
        ) from error
    if at > store.head():
        raise Misconfigured(
            f"the database is at revision {at}, of a newer Wismo; this one knows {store.head()}: install the newer one",
            key="database",
        )
    return at


async def ready(store: Store) -> None:
    """Bring a SQLite file up to this version; on PostgreSQL that is a step of its own, so refuse."""
    at = await revision(store)
    if at == store.head():
        return
    if not store.database.sqlite:
        raise Misconfigured(
            f"the database is at revision {at or 'none'} and this version needs {store.head()}: run `wismo migrate`",
            key="database",
        )
    await store.migrate()
