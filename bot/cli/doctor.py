"""`wismo doctor` and `wismo replay-dead`: is all well, in plain words, and what to do where it is not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from bot.app import open_app
from bot.cli.deskcheck import desk_lines
from bot.cli.session import DEFAULT, ConfigOption, complete, load, open_store, ready, revision, say, stop
from bot.config import Config, Faults, read
from bot.errors import WismoError, describe
from bot.ports import Channel, Port
from bot.store import Store
from bot.store.keeping import unsent_by_account

CHECK_SECONDS = 20.0
LATE_SECONDS = 60.0
"""An event that waits longer than this waits for a worker that is not there."""
LISTED = 20
EVERY = 1_000_000


class Finding(Struct, frozen=True):
    """One line of the report; `remedy` says what to do."""

    good: bool
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{'✓' if self.good else '✗'} {self.text}" + (f"\n    → {self.remedy}" if self.remedy else "")


def doctor(
    config: ConfigOption = DEFAULT,
    register: Annotated[
        bool, typer.Option("--register", "--fix", help="Also point the platforms' webhooks at web.public_url.")
    ] = False,
) -> None:
    """Check config, database, credentials, webhooks and queues. Exit code 0: all is well; 1: something is not."""
    sick = complete(_examine(config, register))
    say("All is well." if not sick else f"{sick} to look at.")
    raise typer.Exit(1 if sick else 0)


async def _examine(path: Path, register: bool) -> int:
    sick = 0
    async for finding in _findings(path, register):
        say(str(finding))
        sick += not finding.good
    return sick


async def _findings(path: Path, register: bool) -> AsyncIterator[Finding]:
    try:
        config = read(path)
        async with open_app(config) as app:
            yield Finding(True, f"{path.name}: every key is understood")
            tables, database = await _database(app.store)
            yield database
            async for finding in _accounts(config, app.adapters.ports, register):
                yield finding
            if tables:
                async for finding in _queues(app.store):
                    yield finding
                async for finding in _unserved(app.store, app.adapters.channels):
                    yield finding
                for good, text, remedy in await desk_lines(config, app.store):
                    yield Finding(good, text, remedy)
    except Faults as faults:
        for fault in faults.faults:
            yield Finding(False, fault)


async def _database(store: Store) -> tuple[bool, Finding]:
    """Whether its tables can be looked at, and what is to be said of it. A SQLite file is nobody's step: one that is
    new is made, an older one waits for the run that brings it up."""
    sqlite = store.database.sqlite
    kind = "SQLite" if sqlite else "PostgreSQL"
    try:
        at = await revision(store)
        if sqlite and not at:
            await ready(store)
            return True, Finding(True, f"database: {kind}, made just now, revision {store.head()}")
    except WismoError as error:
        return False, Finding(False, str(error))
    if at == store.head():
        return True, Finding(True, f"database: {kind}, revision {at}")
    text = f"database: {kind}, at revision {at or 'none'}; this version needs {store.head()}"
    if sqlite:
        return False, Finding(True, text, "the next `wismo run` brings it there by itself")
    return False, Finding(False, text, "run `wismo migrate`")


async def _accounts(config: Config, ports: Mapping[str, Port], register: bool) -> AsyncIterator[Finding]:
    """What talks to buyers and hears of parcels, and whether it is set up."""
    if not config.channels:
        yield Finding(False, "channels: none, so no buyer can write to the bot", "`wismo init`, or config.example.yaml")
    if not config.carriers:
        text = "carriers: none; the bot knows of parcels what the shop and `wismo scan` tell it"
        yield Finding(True, text, "name a tracking source under carriers")
    for name, port in ports.items():
        # First the webhook: a poller is not well while one is set, and registering takes it away.
        if isinstance(port, Channel):
            async for finding in _webhook(config, name, port, register):
                yield finding
        yield await _checked(name, port)


async def _checked(name: str, port: Port) -> Finding:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return Finding(True, f"{name}: {await port.check()}")
    except WismoError as error:
        return Finding(False, f"{name}: {error}", "see that its keys in the config and in .env are right")
    except TimeoutError:
        return Finding(False, f"{name}: no answer within {CHECK_SECONDS:.0f} s", "see that this machine is online")
    except Exception as error:
        return Finding(False, f"{name}: {describe(error)}", "this is a defect of the adapter; please report it")


async def _webhook(config: Config, name: str, channel: Channel, register: bool) -> AsyncIterator[Finding]:
    if not channel.listens and not config.web.public_url:
        remedy = "set web.public_url to where the world reaches this machine (https://...)"
        yield Finding(False, f"{name}: its webhook has no address", remedy)
        return
    url = f"{config.web.public_url.rstrip('/')}/hooks/{name}"
    if register:
        try:
            yield Finding(True, f"{name}: {await channel.register(url)}")
        except WismoError as error:
            yield Finding(False, f"{name}: the webhook was not set: {error}", "set it in the platform's console")
    elif not channel.listens:
        yield await _pointed(name, channel, url)


async def _pointed(name: str, channel: Channel, url: str) -> Finding:
    """Whether the platform's events come to us, where it tells."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            now = await channel.registered()
    except (WismoError, TimeoutError):
        now = None  # the check of the credentials says what is wrong
    if now is None:
        return Finding(True, f"{name}: the webhook is to be {url}; `wismo doctor --register` sets it where it can")
    if now == url:
        return Finding(True, f"{name}: the webhook is set to {url}")
    text = f"{name}: its events go to {now}, not to {url}" if now else f"{name}: its webhook is not set"
    return Finding(False, text, "run `wismo doctor --register`; where another program uses this bot, make a second bot")


async def _queues(store: Store) -> AsyncIterator[Finding]:
    health = await store.health()
    waiting = f"inbox: {health.waiting} waiting, the oldest for {health.oldest:.0f} s; {health.later} for later"
    late = health.waiting > 0 and health.oldest > LATE_SECONDS
    yield Finding(not late, waiting, "is `wismo run` running?" if late else "")
    yield Finding(True, f"outbox: {health.unsent} to send")
    if health.unknown:
        yield Finding(True, f"outbox: of {_messages(health.unknown)} nobody knows whether it arrived; not repeated")
    if health.unsendable:
        text = f"outbox: {_messages(health.unsendable)} could not be sent"
        reasons = [f"{count} × {error}" for error, count in await store.send_errors(LISTED)]
        yield Finding(False, text, "; ".join(reasons) or "no reason was kept")
    async for finding in _letters(store, health.dead):
        yield finding
    async for finding in _tracking(store):
        yield finding
    yield Finding(True, f"cases: {health.cases} open" + (" (`wismo cases`)" if health.cases else ""))


async def _unserved(store: Store, channels: Mapping[str, Channel]) -> AsyncIterator[Finding]:
    """Messages that nobody can send: of an account that writes to us and stands in no config."""
    served, silent = set(), set()
    for channel in channels.values():
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                served.add((channel.kind, await channel.account()))
        except (WismoError, TimeoutError):
            silent.add(channel.kind)  # it may be this one's
    for kind, account, count in await store.database.view(unsent_by_account):
        if (kind, account) not in served and kind not in silent:
            text = f"outbox: {count} for the {kind} account {account}, which the config does not have"
            yield Finding(False, text, f"add it under channels, as {kind}-2 with adapter: {kind} and its own token")


async def _tracking(store: Store) -> AsyncIterator[Finding]:
    feeds, carriers = await store.tracking()
    for feed in feeds:
        answered = f"last answer {_when(feed.answered_at)}"
        if feed.down_since is not None:
            text = f"{feed.source}: no answer since {_when(feed.down_since)}; {answered}; buyers are told so"
            yield Finding(False, text, "see the source's own status page; it is asked again by itself")
        else:
            failing = f", {feed.failures} failures since" if feed.failures else ""
            yield Finding(True, f"{feed.source}: {answered}{failing}")
    if carriers:
        yield Finding(True, "parcels on their way, by carrier:")
        say(f"    {'carrier':20} {'open':>7} {'due now':>8} {'not asked yet':>14}   last answer")
    for c in carriers:
        say(f"    {c.carrier or 'not known':20} {c.open:7} {c.due:8} {c.not_asked:14}   {_when(c.answered_at)}")


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _when(at: datetime | None) -> str:
    return f"{at:%d %b %H:%M} UTC" if at is not None else "never"


async def _letters(store: Store, count: int) -> AsyncIterator[Finding]:
    if not count:
        yield Finding(True, "dead letters: none")
        return
    yield Finding(
        False, f"dead letters: {count} events could not be handled", "after mending: `wismo replay-dead --all`"
    )
    for letter in await store.dead_letters(LISTED):
        at = f"{letter.received_at:%d %b %H:%M} UTC"
        say(f"    {letter.id}  {at}  {letter.port}: {letter.error or 'no reason was kept'}")


def replay_dead(
    ids: Annotated[list[int] | None, typer.Argument(help="Their numbers, as `wismo doctor` lists them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    config: ConfigOption = DEFAULT,
) -> None:
    """Give events that could not be handled another chance."""
    if not ids and not every:
        stop("Say which: their numbers, or --all.", 2)
    count = complete(_replay(load(config), ids or [], every))
    say(f"✓ {count} will be tried again" + (" by the running worker" if count else ""))


async def _replay(config: Config, ids: list[int], every: bool) -> int:
    async with open_store(config) as store:
        chosen = [letter.id for letter in await store.dead_letters(EVERY)] if every else ids
        return await store.replay(chosen)
