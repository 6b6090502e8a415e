"""`wismo cases`, `take`, `reply`, `handback`: what a person must do, from a terminal.

An act is an event in the conversation's lane like any other. A running worker handles it; where none runs,
this process does, so that the command can say what came of it.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Annotated
from uuid import uuid4

import typer
from msgspec import Struct
from rich.table import Table

from bot.app import App, open_app
from bot.cli.session import DEFAULT, ConfigOption, complete, console, load, open_store, ready, say, stop
from bot.config import Config
from bot.handoff import PERSON, held_by_person
from bot.model.cases import Case
from bot.model.conversations import BOT, Conversation
from bot.model.events import StaffAct
from bot.ports import Item
from bot.store import Store
from bot.store.codec import pack
from bot.store.queue import Arrival

OTHERS_SECONDS = 1.5
"""So long a running worker has to pick the act up before we do it ourselves."""
OURS_SECONDS = 20.0

CaseArgument = Annotated[int, typer.Argument(help="The case's number, as `wismo cases` shows it.")]
AsOption = Annotated[str, typer.Option("--as", help="Your name, as your colleagues see it.")]


class Asked(Struct, frozen=True):
    """What a person asked for: `kind` is a StaffAct's."""

    case: int
    staff: str
    kind: str
    text: str = ""


def cases(
    config: ConfigOption = DEFAULT,
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
) -> None:
    """List what waits for a person, oldest first."""
    settings = load(config)
    rows = complete(_cases(settings, every))
    if not rows:
        say("No case is open." if not every else "There has been no case yet.")
        return
    table = Table("case", "since", "what", "for", "owner", "state")
    for case, holder in rows:
        since = case.opened_at.astimezone(settings.shop.zone).strftime("%d %b %H:%M")
        owner = case.owner or holder.removeprefix(PERSON) if case.closed_at is None else case.owner
        state = "open" if case.closed_at is None else "closed"
        table.add_row(str(case.id), since, case.kind, case.summary, owner, state)
    console().print(table)


async def _cases(config: Config, every: bool) -> list[tuple[Case, str]]:
    async with open_store(config) as store:
        found = await store.cases(every=every)
        records = await store.conversations([c.conversation for c in found])
        return [(c, records[c.conversation].holder) for c in found]


def take(case: CaseArgument, name: AsOption, config: ConfigOption = DEFAULT) -> None:
    """Take a conversation over: the bot is silent in it until you hand it back."""
    complete(_act(load(config), Asked(case, name, "take"), _taken))


def reply(
    case: CaseArgument,
    text: Annotated[str, typer.Argument(help="What the buyer is to read, exactly so.")],
    name: AsOption,
    config: ConfigOption = DEFAULT,
) -> None:
    """Answer the buyer yourself; that takes the conversation over."""
    complete(_act(load(config), Asked(case, name, "reply", text), _replied))


def handback(case: CaseArgument, name: AsOption, config: ConfigOption = DEFAULT) -> None:
    """Close the case and let the bot speak again."""
    complete(_act(load(config), Asked(case, name, "resolve"), _handed_back))


async def _act(config: Config, asked: Asked, told: Callable[[Conversation, Asked], str]) -> None:
    async with open_app(config) as app:
        await ready(app.store)
        case = await _case(app.store, asked.case)
        before = (await app.store.conversations([case.conversation]))[case.conversation]
        act = StaffAct(
            id=uuid4().hex,
            at=app.clock.now(),
            staff=asked.staff,
            to=before.address,
            kind=asked.kind,
            text=asked.text,
            version=before.version,
        )
        await app.store.receive([Arrival("wismo", Item(key=act.id, lane=case.conversation, body=pack(act)))])
        await _handled(app, act.id)
        after = (await app.store.conversations([case.conversation]))[case.conversation]
    say(told(after, asked))


async def _case(store: Store, number: int) -> Case:
    found = next((c for c in await store.cases(every=True) if c.id == number), None)
    return found or stop(f"✗ there is no case {number}; `wismo cases` lists them")


async def _handled(app: App, key: str) -> None:
    began = monotonic()
    while not await app.store.handled("wismo", key):
        waited = monotonic() - began
        if waited > OURS_SECONDS:
            stop("✗ it is stored, but not done yet: the conversation is busy. `wismo doctor` says more")
        if waited > OTHERS_SECONDS and await app.worker.work_once():
            await app.engine.settle()
        else:
            await asyncio.sleep(0.05)


def _taken(after: Conversation, asked: Asked) -> str:
    if after.holder == PERSON + asked.staff:
        return f"✓ {asked.staff} speaks now; the bot is silent until `wismo handback {asked.case} --as {asked.staff}`"
    return stop(f"✗ {_holder(after)} was faster and speaks now")


def _replied(after: Conversation, asked: Asked) -> str:
    if after.holder == PERSON + asked.staff:
        return f"✓ the reply is on its way; {asked.staff} speaks now"
    return stop(f"✗ not sent: {_holder(after)} speaks now. It was kept as a note")


def _handed_back(after: Conversation, asked: Asked) -> str:
    if after.holder == BOT:
        return f"✓ case {asked.case} is closed and the bot speaks again"
    return stop(f"✗ {_holder(after)} speaks now, and only they can hand back")


def _holder(conversation: Conversation) -> str:
    return conversation.holder.removeprefix(PERSON) if held_by_person(conversation) else "nobody"
