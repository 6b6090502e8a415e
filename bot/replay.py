"""An order's life played through the true engine on a clock of its own: every message that would leave, and why not.

A script is an order and what happens to it: the shop's updates, carriers' scans, what the buyer writes. It runs on a
database of its own, with a channel that keeps what it is given; nothing leaves and nothing of the shop is touched.
"""

import importlib
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from bot.app import Adapters, App, open_app
from bot.config import Config
from bot.model.clock import Clock
from bot.model.conversations import Conversation, Proof
from bot.model.events import conversation_lane, order_lane, parcel_lane
from bot.model.markup import plain
from bot.model.messages import Address, Inbound, Limits, Outbound
from bot.model.orders import Order, OrderUpdate, number_key
from bot.model.tracks import Track, TrackUpdate
from bot.ports import Channel, Item
from bot.store.buckets import Rates
from bot.store.codec import pack
from bot.store.queue import Arrival
from bot.store.why import SentRow, Why
from bot.tracking.eta import Tables

Pause = Callable[[timedelta], Awaitable[None]]
"""Waits for a piece of the script's time."""
ACCOUNT = "replay"
LONGEST = timedelta(days=200)
"""After its last event an order is watched no longer than this."""


class Happening(Struct, frozen=True):
    """Something of a script. Exactly one of `order`, `track`, `text` and `choice` is set; `at` is UTC."""

    at: datetime
    order: Order | None = None
    track: Track | None = None
    text: str = ""
    choice: str = ""


class Script(Struct, frozen=True):
    """An order's life. `channel` is the platform its buyer uses; `chat` True where they have written there before;
    `tables` are what the shop has learned of how long parcels take."""

    happenings: tuple[Happening, ...]
    channel: str = "whatsapp"
    chat: bool = False
    tables: Tables = field(default_factory=Tables)


class Said(Struct, frozen=True):
    """A message that would leave. `approved` names the approved template as which it leaves, or is empty."""

    at: datetime
    to: str
    channel: str
    template: str
    text: str
    purpose: str
    approved: str = ""
    choices: tuple[str, ...] = ()


class Unsaid(Struct, frozen=True):
    """A push that does not leave, or not now: `until` is when it is judged again, None where that is never."""

    at: datetime
    template: str
    key: str
    rule: str
    about: str
    until: datetime | None = None


class Heard(Struct):
    """What came of a script."""

    said: list[Said] = field(default_factory=list)
    unsaid: list[Unsaid] = field(default_factory=list)


class StillClock(Clock):
    """Business time that moves only when it is told to."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        """The instant it was set to."""
        return self.at

    def forward(self, by: timedelta) -> None:
        """Turn it on."""
        self.at += by


class Tape(Channel):
    """A channel with the limits of `like` that takes everything."""

    def __init__(self, like: type[Channel]) -> None:
        self.kind = like.kind
        self.limits: Limits = like.limits
        self._like = like
        self._sent = 0

    async def account(self) -> str:
        """The account of the replay."""
        return ACCOUNT

    def chat_of(self, phone: str) -> str:
        """As the platform has it."""
        return self._like.chat_of(self, phone)

    async def send(self, message: Outbound) -> str:
        """Take it; the outbox keeps what it was."""
        self._sent += 1
        return f"replay-{self._sent}"

    def decode(self, item: Item) -> Inbound:
        """What a script's buyer wrote."""
        told = msgspec.json.decode(item.body)
        sender = Address.parse(item.lane.removeprefix("c/"))
        at = datetime.fromisoformat(told["at"])
        # Where a number is enough to write to somebody, the platform vouches for it when they write.
        phone = f"+{sender.chat}" if self.chat_of("+1") and sender.chat.isdecimal() else None
        return Inbound(item.key, at, sender, text=told["text"], choice=told["choice"] or None, phone=phone)


def channel_like(name: str) -> type[Channel]:
    """The channel class of an adapter; raises ValueError where there is none of this name."""
    try:
        module = importlib.import_module(f"adapters.channels.{name}")
    except ModuleNotFoundError:
        raise ValueError(f"there is no channel {name}") from None
    home = vars(sys.modules[module.connect.__module__]).values()
    made: type[Channel] = next(
        kind for kind in home if isinstance(kind, type) and issubclass(kind, Channel) and kind is not Channel
    )
    return made


@asynccontextmanager
async def _stage(config: Config, script: Script, begins: datetime) -> AsyncIterator["_Play"]:
    with tempfile.TemporaryDirectory(prefix="wismo-replay-") as folder:
        clock = StillClock(begins)
        tape = Tape(channel_like(script.channel))
        database = config.database.model_copy(update={"url": "", "data": Path(folder)})
        adapters = Adapters({script.channel: tape}, {}, {}, {script.channel: Rates(0, 0)})
        alone = config.model_copy(update={"database": database})
        async with open_app(alone, clock, adapters) as app:
            await app.store.migrate()
            app.announcer.together = 0.0
            app.worker.forecast.tables = script.tables
            yield _Play(app, clock, tape, script)


async def play(
    config: Config,
    script: Script,
    until: datetime | None = None,
    told: Callable[[Said | Unsaid], None] = lambda what: None,
    pause: Pause | None = None,
) -> Heard:
    """Play a script to its end or `until`; `told` hears of each message as it comes, `pause` waits between."""
    if not script.happenings:
        raise ValueError("nothing happens in this script")
    happenings = sorted(script.happenings, key=lambda h: h.at)
    end = until or happenings[-1].at + LONGEST
    async with _stage(config, script, happenings[0].at) as stage:
        for happening in happenings:
            if happening.at > end:
                break
            await stage.pass_until(happening.at, told, pause)
            await stage.happen(happening)
            await stage.settle(told)
        await stage.pass_until(end, told, pause)
        return stage.heard


class _Play:
    """A script while it is played."""

    def __init__(self, app: App, clock: StillClock, tape: Tape, script: Script) -> None:
        self.app = app
        self.clock = clock
        self.tape = tape
        self.script = script
        self.heard = Heard()
        self._to: Address | None = None
        self._sent = 0
        self._decided = 0

    async def pass_until(self, at: datetime, told: Callable[[Said | Unsaid], None], pause: Pause | None) -> None:
        """Let time pass, stopping wherever something is due."""
        while (due := await self.app.store.next_due()) is not None and due < at:
            await self._go(max(due, self.clock.now()), pause)
            await self.settle(told)
        await self._go(max(at, self.clock.now()), pause)
        await self.settle(told)

    async def _go(self, at: datetime, pause: Pause | None) -> None:
        if pause is not None:
            await pause(at - self.clock.at)
        self.clock.at = at

    async def happen(self, happening: Happening) -> None:
        """Store what happens as the event that it is."""
        key = uuid4().hex
        if happening.order is not None:
            order = replace(happening.order, updated_at=happening.at)
            update = OrderUpdate(key, happening.at, order)
            await self._receive("wismo", Item(key, order_lane(order.source, order.number), pack(update)))
            await self._work()
            await self._meet(order)
        elif happening.track is not None:
            heard = TrackUpdate(key, happening.at, replace(happening.track, at=happening.at))
            await self._receive("wismo", Item(key, parcel_lane(happening.track.number), pack(heard)))
        elif self._to is not None:
            said = {"at": happening.at.isoformat(), "text": happening.text, "choice": happening.choice}
            lane = conversation_lane(self._to)
            await self._receive(self.script.channel, Item(key, lane, msgspec.json.encode(said)))

    async def _receive(self, port: str, item: Item) -> None:
        await self.app.store.receive([Arrival(port, item)])

    async def _meet(self, order: Order) -> None:
        """The buyer's chat, where they have one."""
        if self._to is not None:
            return
        dossier = next(iter(await self.app.store.find_orders([number_key(order.number)])), None)
        phone = self.tape.chat_of(order.phone) if order.phone else ""
        self._to = Address(self.tape.kind, ACCOUNT, phone or "buyer")
        if dossier is None or (not self.script.chat and phone):
            return
        proof = Proof("link", self.clock.now() + LONGEST, order=dossier.id)
        met = Conversation(
            self._to, buyer=dossier.buyer, proofs=(proof,), locale=order.locale, last_inbound_at=self.clock.now()
        )
        await self.app.store.save_conversations([met])

    async def settle(self, told: Callable[[Said | Unsaid], None]) -> None:
        """Work until nothing is left to do at this instant, and note what came of it."""
        await self._work()
        while await self.app.announcer.look() + await self.app.store.wake():
            await self._work()
        await self._note(told)

    async def _work(self) -> None:
        store, engine = self.app.store, self.app.engine
        while claims := await store.claim(64):
            await engine.handle(claims)
            await engine.settle()
        await self.app.sender.drain(self.script.channel)

    async def _note(self, told: Callable[[Said | Unsaid], None]) -> None:
        rows = await self.app.store.sent_since(self._sent)
        reasons = await self.app.store.reasons_since(self._decided)
        self._sent = max((row.id for row in rows), default=self._sent)
        self._decided = max((i for i, _ in reasons), default=self._decided)
        said = [_said(row) for row in rows]
        unsaid = [_unsaid(why) for _, why in reasons if _withheld(why)]
        self.heard.said += said
        self.heard.unsaid += unsaid
        fresh: list[Said | Unsaid] = [*said, *unsaid]
        for what in sorted(fresh, key=lambda w: w.at):
            told(what)


def _said(row: SentRow) -> Said:
    message = row.message
    return Said(
        at=row.at,
        to=message.to.chat,
        channel=message.to.channel,
        template=row.template,
        text=plain(message.text),
        purpose=message.purpose.value,
        approved=message.approved.name if message.approved else "",
        choices=tuple(c.title for c in message.choices),
    )


def _withheld(why: Why) -> bool:
    if why.rule.startswith("gate."):
        return why.inputs.get("verdict") != "go"
    return why.rule.startswith("push.") and why.rule != "push.made"


def _unsaid(why: Why) -> Unsaid:
    until = why.inputs.get("until")
    return Unsaid(
        at=why.at,
        template=str(why.inputs.get("push") or str(why.inputs.get("key", "")).split(":", 1)[0]),
        key=str(why.inputs.get("key", "")),
        rule=why.rule,
        about=why.about,
        until=datetime.fromisoformat(until) if until else None,
    )
