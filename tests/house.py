"""The whole pipe in one process with a channel of our own: what was said goes in, what is answered comes out."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bot.announcer import Announcer
from bot.courier import Courier, Office
from bot.dialog.identity import e164
from bot.dialog.language import LanguageModel
from bot.dialog.lexicon import Lexicon
from bot.dialog.turn import Desk as Opening
from bot.dialog.turn import Shop
from bot.dialog.understand import understand
from bot.engine import Engine, House
from bot.errors import Refused, Temporary, WismoError
from bot.handoff import Rules
from bot.model.clock import Clock
from bot.model.conversations import Conversation
from bot.model.events import Event, StaffAct, conversation_lane, parcel_lane
from bot.model.hours import parse_hours
from bot.model.markup import plain
from bot.model.messages import Address, Contact, Inbound, Kind, Limits, Media, MediaKind, Outbound
from bot.model.orders import Order
from bot.model.tracks import Track, TrackUpdate
from bot.ports import Channel, Desk, Item
from bot.proactive.announce import Rules as News
from bot.proactive.expecting import Expectations
from bot.proactive.gate import House as GateRules
from bot.render import Renderer
from bot.sender import Account, Sender
from bot.store import Store, codec
from bot.store.buckets import Rates
from bot.store.queue import Arrival
from bot.store.vault import Vault
from bot.tracking.eta import Tables

TEMPLATES = Path(__file__).parents[1] / "templates"
ZONE = ZoneInfo("Asia/Shanghai")
HOURS = parse_hours({"mon-fri": "09:00-18:00"})
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
"""A Tuesday."""
LEXICON, MODEL = Lexicon.load(), LanguageModel()
RENDERER = Renderer([TEMPLATES], "en")


def fixed_clock(at: datetime = NOON) -> Clock:
    """A clock of business time that starts at `at`."""
    clock = Clock()
    clock.ahead = at - clock.now()
    return clock


@dataclass
class Wire(Channel):
    """A platform of our own: it takes what is sent, and fails as it is told to."""

    kind: str = "test"
    limits: Limits = field(
        default_factory=lambda: Limits(text=4000, caption=1000, buttons=3, button_title=30, ask_contact=True)
    )
    sent: list[Outbound] = field(default_factory=list)
    failing: list[WismoError] = field(default_factory=list)
    phones: bool = False

    async def account(self) -> str:
        return "shop"

    def chat_of(self, phone: str) -> str:
        return phone.removeprefix("+") if self.phones else ""

    async def send(self, message: Outbound) -> str:
        if self.failing:
            raise self.failing.pop(0)
        self.sent.append(message)
        return f"p{len(self.sent)}"

    def decode(self, item: Item) -> Event | None:
        if item.body.startswith(b"StaffAct\n"):
            act: StaffAct = codec.unpack(item.body)
            return act
        raw = json.loads(item.body)
        contact = Contact(**raw["contact"]) if raw.get("contact") else None
        return Inbound(
            id=item.key,
            at=datetime.fromisoformat(raw["at"]),
            sender=Address.parse(item.lane.removeprefix("c/")),
            kind=Kind(raw.get("kind", "message")),
            text=raw.get("text", ""),
            choice=raw.get("choice"),
            contact=contact,
            start=raw.get("start"),
            phone=raw.get("phone"),
            locale=raw.get("locale"),
            media=tuple(Media(MediaKind(k), ref="x", sticker=bool(raw.get("sticker"))) for k in raw.get("media", ())),
        )

    async def _content(self) -> AsyncIterator[bytes]:
        yield b"\x89PNG\r\n\x1a\n" + b"0" * 64

    def fetch(self, media: Media) -> AsyncIterator[bytes]:
        return self._content()


@dataclass
class Board(Desk):
    """A desk of our own: what staff see, thread by thread. While it is `down` nothing gets through."""

    cards: dict[str, Outbound] = field(default_factory=dict)
    lines: list[tuple[str, Outbound, tuple[str, ...]]] = field(default_factory=list)
    marked: list[tuple[str, str]] = field(default_factory=list)
    told: list[tuple[str, Outbound]] = field(default_factory=list)
    down: bool = False
    failing: list[WismoError] = field(default_factory=list)

    def _reached(self) -> None:
        if self.failing:
            raise self.failing.pop(0)
        if self.down:
            raise Temporary("the desk is down", retry_after=0.0)

    async def open(self, place: str, card: Outbound) -> str:
        self._reached()
        thread = f"t{len(self.cards) + 1}"
        self.cards[thread] = card
        return thread

    async def show(self, place: str, thread: str, card: Outbound) -> None:
        self._reached()
        if thread not in self.cards:
            raise Refused("the card is gone")
        self.cards[thread] = card

    async def post(self, place: str, thread: str, note: Outbound, mention: Sequence[str] = ()) -> str:
        self._reached()
        self.lines.append((thread, note, tuple(mention)))
        return f"l{len(self.lines)}"

    async def mark(self, place: str, message: str, state: str) -> None:
        self._reached()
        self.marked.append((message, state))

    async def tell(self, place: str, thread: str, who: str, note: Outbound) -> None:
        self._reached()
        self.told.append((who, note))

    async def find(self, place: str, thread: str, post: str) -> str | None:
        if not thread:
            return next((t for t, c in self.cards.items() if c.id == post), None)
        return next((f"l{i}" for i, (_, note, _) in enumerate(self.lines, 1) if note.id == post), None)

    def texts(self) -> list[str]:
        return [plain(note.text) for _, note, _ in self.lines]


PLACE = Address("desk", "board", "C1")


@dataclass
class Home:
    """A wired bot without a web server; time stands still but for machine time."""

    store: Store
    engine: Engine
    wire: Wire
    sender: Sender
    clock: Clock
    renderer: Renderer
    announcer: Announcer
    board: Board
    numbers: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]

    def address(self, chat: str = "anna") -> Address:
        return Address("test", "shop", chat)

    async def hear(self, text: str = "", chat: str = "anna", key: str = "", **more: object) -> str:
        """Store a message of a buyer; its key."""
        key = key or f"m{next(self.numbers)}"
        body = json.dumps({"at": self.clock.now().isoformat(), "text": text, **more}).encode()
        item = Item(key=key, lane=conversation_lane(self.address(chat)), body=body)
        await self.store.receive([Arrival("wire", item)])
        return key

    async def act(
        self,
        kind: str,
        staff: str = "Lee",
        text: str = "",
        chat: str = "anna",
        version: int | None = None,
        *,
        media: bool = False,
        **more: Any,
    ) -> str:
        """Store an act of staff; its id. With `media` it brings a file along, which the wire gives."""
        act = StaffAct(
            f"s{next(self.numbers)}",
            self.clock.now(),
            staff,
            self.address(chat),
            kind,
            text,
            media=(Media(MediaKind.IMAGE, ref="x"),) if media else (),
            version=version,
            **more,
        )
        item = Item(key=act.id, lane=conversation_lane(act.to), body=codec.pack(act))
        await self.store.receive([Arrival("wire" if media else "wismo", item)])
        return act.id

    async def work(self) -> None:
        """Handle all that waits, and send all that may leave."""
        while claims := await self.store.claim(16):
            await self.engine.handle(claims)
            await self.engine.settle()

    async def hear_of(self, track: Track) -> None:
        """A source tells of a parcel; its turn is taken, and what follows from it."""
        update = TrackUpdate(f"u{next(self.numbers)}", self.clock.now(), track)
        await self.store.receive([Arrival("wismo", Item(update.id, parcel_lane(track.number), codec.pack(update)))])
        await self.work()

    async def pass_time(self, by: timedelta = timedelta(0)) -> list[Outbound]:
        """Turn the clock on, look at what is due, handle it, and send: what left."""
        self.clock.forward(by)
        sent = []
        while await self.announcer.look() + await self.store.wake():
            await self.work()
        await self.work()
        sent += await self.send()
        return sent

    async def send(self) -> list[Outbound]:
        """Send all that may leave now; what left."""
        before = len(self.wire.sent)
        await self._send(("test", "shop"), "wire")
        return self.wire.sent[before:]

    async def show(self) -> Board:
        """Let the desk have all that is for it; the desk."""
        await self._send(("desk", "board"), "board")
        return self.board

    async def _send(self, key: tuple[str, str], name: str) -> None:
        account = self.sender.accounts[name]
        while rows := await self.store.claim_outbox(key, account.rates, 50):
            for row in rows:
                await self.sender._send(key, account, row)
            if self.board.down:
                return

    async def say(self, text: str = "", chat: str = "anna", **more: object) -> list[Outbound]:
        """Say something and hear the answer."""
        await self.hear(text, chat, **more)  # type: ignore[arg-type]
        await self.work()
        return await self.send()

    async def ask(self, text: str = "", chat: str = "anna", **more: object) -> str:
        """The answer's words."""
        return "\n".join(plain(m.text) for m in await self.say(text, chat, **more))

    async def conversation(self, chat: str = "anna") -> Conversation:
        lane = conversation_lane(self.address(chat))
        return (await self.store.conversations([lane]))[lane]

    async def seed(self, *orders: Order) -> None:
        await self.store.save_orders([(o, e164(o.phone, o.country)) for o in orders])


@asynccontextmanager
async def home(
    store: Store,
    folder: Path,
    shop: Shop | None = None,
    rates: Rates | None = None,
    rules: Rules | None = None,
    places: Mapping[str, Address] | None = None,
    wire: Wire | None = None,
) -> AsyncIterator[Home]:
    """A bot on a store."""
    renderer = RENDERER
    shop = shop or Shop("Lantern", "CN", "Asia/Shanghai", "en", renderer.locales)
    wire = wire or Wire()
    zone = ZONE

    @lru_cache(maxsize=1)  # as the app does: a batch of turns has one hour
    def desk(now: datetime) -> Opening:
        return Opening(HOURS.open_at(now, zone), HOURS.next_open(now, zone), HOURS.after(now, 60, zone), HOURS.text)

    nothing_learned = Tables()
    expectations = Expectations(lambda: nothing_learned, "CN")
    house = House(
        store=store,
        ports={"wire": wire},
        channels={"wire": wire},
        limits={"test": wire.limits},
        renderer=renderer,
        understand=lambda messages, c: understand(messages, c, LEXICON, MODEL, shop.country),
        shop=shop,
        desk=desk,
        rules=rules or Rules(HOURS, zone),
        vault=Vault(folder / "media"),
        clock=store.clock,
        places=places or {"default": PLACE},
        expect=expectations.at_a_glance,
        gate=GateRules(),
    )
    announcer = Announcer(store, [wire], store.clock, expectations, News(), together=0.0)
    office = Office(store, renderer, shop, desk, store.clock, lambda port, item: wire.decode(item))
    board = Board()
    courier = Account("board", Courier("board", board, office), Rates(0, 0))
    accounts = {"wire": Account("wire", wire, rates or Rates(0, 0)), "board": courier}
    sender = Sender(store, accounts, store.clock)
    yield Home(store, Engine(house), wire, sender, store.clock, renderer, announcer, board)


@asynccontextmanager
async def sqlite_home(
    folder: Path, rules: Rules | None = None, places: Mapping[str, Address] | None = None
) -> AsyncIterator[Home]:
    """A bot on a fresh SQLite file, at noon."""
    store = Store(f"sqlite:///{folder / 'wismo.db'}", fixed_clock())
    try:
        await store.migrate()
        async with home(store, folder, rules=rules, places=places) as house:
            yield house
    finally:
        await store.close()
