"""Random interleavings of buyers, the bot, two of staff on two surfaces, pushes, repeats, 429s, crashes and outages.

What must never be: two voices, a reply or a buyer's word silently dropped, an internal note that reaches a buyer, a
conversation that waits or is spoken in by a person without a case, a case without a queue.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text

from bot.errors import Temporary
from bot.handoff.rota import DEFAULT
from bot.model.cases import Case
from bot.model.conversations import BOT
from bot.model.events import Notice, StaffAct, conversation_lane
from bot.model.markup import plain
from bot.model.messages import Address, Outbound, Purpose
from bot.ports import Item
from bot.store import codec
from bot.store.queue import Arrival
from bot.store.tables import Inbox, InboxState, Outbox, OutboxState, core
from tests.house import PLACE, Home, Wire
from tests.models.memory import MemoryStore

CHATS = ("anna", "bob")
ASKED = ("a person please", "you idiots, a person now")
SAID = (*ASKED, "help", "hello", "thanks", "purple", "STOP")
STAFF = ("Lee", "Kim")
RETURNS = "returns"
PLACES = {DEFAULT: PLACE, RETURNS: Address("desk", "board", "C2")}
"""A desk's channel for each queue."""
KINDS = (
    "take", "take", "reply", "reply", "reply", "note", "handback", "resolve", "snooze", "assign", "move", "open", "ack",
    "undo", "edit", "send_push",
)  # fmt: skip
WORDS = {"reply": "REPLY", "note": "NOTE", "edit": "EDIT", "open": "OPENED"}


class Witness(Wire):
    """A platform that knows who may speak when each message comes."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, int] = {}
        self.talked_over: list[str] = []

    async def send(self, message: Outbound) -> str:
        sent = await super().send(message)
        if message.purpose != Purpose.STAFF and message.holder_version != self.versions.get(message.to.chat, 0):
            self.talked_over.append(plain(message.text))
        return sent


@dataclass
class Interleaving:
    """One run on one house; `steps` tells afterwards what was done."""

    house: Home
    wire: Witness
    dice: random.Random
    steps: list[str] = field(default_factory=list)
    heard: list[tuple[str, str, str]] = field(default_factory=list)
    acts: list[StaffAct] = field(default_factory=list)
    pushes: list[str] = field(default_factory=list)
    doubled: int = 0

    async def run(self, length: int) -> None:
        """So many steps, then everything comes to rest, then it is judged. Half of all runs begin with a case that a
        desk shows, for what is done in threads."""
        if self.dice.random() < 0.5:
            await self.house.hear(self.dice.choice(ASKED), CHATS[0])
            await self.work()
            await self.show()
        for _ in range(length):
            step = self.dice.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
            await STEPS[step](self)
            self.steps.append(step)
        await self._rest()
        await self._judge()

    # ---- steps -------------------------------------------------------------------------------------------

    async def buyer(self) -> None:
        chat, words = self.dice.choice(CHATS), self.dice.choice(SAID)
        self.heard.append((chat, words, await self.house.hear(words, chat)))

    async def repeat(self) -> None:
        if self.heard:
            chat, words, key = self.dice.choice(self.heard)
            await self.house.hear(words, chat, key=key)
        if self.acts:
            await self._store(self.dice.choice(self.acts))

    async def staff(self) -> None:
        chat, kind, who = self.dice.choices(CHATS, (2, 1))[0], self.dice.choice(KINDS), self.dice.choice(STAFF)
        number = len(self.acts) + 1
        said = [a for a in self.acts if a.kind == "reply" and a.to.chat == chat]
        mine = [a for a in said if a.staff == who]
        refs = {"undo": [a.id for a in said], "edit": [a.id for a in mine], "send_push": self.pushes}.get(kind, [])
        whom = {"assign": STAFF, "move": (*PLACES, "no such queue")}.get(kind, ("",))
        record = await self.house.conversation(chat)
        # A case is opened from the web desk; all else can be done in any thread that the buyer's cases ever had.
        threads = sorted(await self.house.store.cases_of_threads(conversation_lane(record.address)))
        in_thread = bool(threads) and kind != "open" and self.dice.random() < 0.5
        surface, thread = self.dice.choice(threads) if in_thread else (None, "")
        act = StaffAct(
            f"s{number}",
            self.house.clock.now(),
            who,
            self.house.address(chat),
            kind,
            f"{WORDS[kind]}{number}." if kind in WORDS else "",
            version=record.version if self.dice.random() < 0.7 else None,
            ref=self.dice.choice(refs) if refs else "" if kind == "open" else "none",
            whom=self.dice.choice(whom),
            surface=surface,
            thread=thread,
            by=f"U{who}" if surface else "",
            message=f"{number}.1" if surface else "",
        )
        self.acts.append(act)
        await self._store(act)

    async def _store(self, act: StaffAct) -> None:
        item = Item(key=act.id, lane=conversation_lane(act.to), body=codec.pack(act))
        await self.house.store.receive([Arrival("wismo", item)])

    async def push(self) -> None:
        chat, key = self.dice.choice(CHATS), f"n{len(self.pushes) + 1}"
        notice = Notice(key, self.house.address(chat), "link_used_elsewhere", key, "security")
        self.pushes.append(f"push:{key}")
        item = Item(key=key, lane=conversation_lane(notice.to), body=codec.pack(notice))
        await self.house.store.receive([Arrival("wismo", item)])

    async def work(self) -> None:
        await self.house.work()
        await self._look()

    async def send(self) -> None:
        await self.house.send()

    async def show(self) -> None:
        await self.house.show()

    async def outage(self) -> None:
        self.house.board.down = not self.house.board.down

    async def too_many(self) -> None:
        self.wire.failing.append(Temporary("slow down", retry_after=0.0))

    async def desk_too_many(self) -> None:
        self.house.board.failing.append(Temporary("slow down", retry_after=0.0))

    async def worker_dies(self) -> None:
        await self.house.store.claim(16)
        await self._expire()

    async def sender_dies(self) -> None:
        """Before it sent, or after; to the buyer or to the desk."""
        name, key = self.dice.choice((("wire", ("test", "shop")), ("board", ("desk", "board"))))
        account = self.house.sender.accounts[name]
        rows = await self.house.store.claim_outbox(key, account.rates, self.dice.choice((1, 10)))
        if rows and self.dice.random() < 0.5:
            store: Any = self.house.store
            marked = store.mark
            store.mark = _nothing
            await self.house.sender._send(key, account, rows[0])
            store.mark = marked
            self.doubled += name == "wire"
        await self._expire()

    async def time(self) -> None:
        self.house.clock.forward(timedelta(minutes=self.dice.choice((5, 30, 70, 300, 1500))))
        await self.house.store.wake()

    async def _expire(self) -> None:
        store: Any = self.house.store
        if isinstance(store, MemoryStore):
            store.expire()
            return
        async with store.database._engine.begin() as connection:
            await connection.execute(text("UPDATE lane SET lease_until = 0, not_before = 0"))
            await connection.execute(text("UPDATE outbox SET lease_until = 0, not_before = 0 WHERE state <= 1"))

    async def _look(self) -> None:
        """What must be so after every turn."""
        cases = {c.id: c for c in await self.house.store.cases()}
        records = await self.house.store.conversations([conversation_lane(self.house.address(c)) for c in CHATS])
        for record in records.values():
            chat = record.address.chat
            self.wire.versions[chat] = record.version
            if record.holder != BOT:
                assert record.case in cases, f"{record.holder} holds {chat} without a case"
            if record.case is not None:
                case = cases[record.case]
                assert case.queue in PLACES
                assert case.owner or case.acknowledged_at is None, "acknowledged by nobody"
        assert not self.wire.talked_over, self.wire.talked_over

    # ---- the end -----------------------------------------------------------------------------------------

    async def _rest(self) -> None:
        self.wire.failing.clear()
        self.house.board.failing.clear()
        self.house.board.down = False
        for _ in range(3):
            await self._expire()
            await self.work()
            await self.send()
            await self.show()

    async def _judge(self) -> None:
        assert await unfinished(self.house.store) == []
        sent = [plain(m.text) for m in self.wire.sent]
        assert sum(n - 1 for n in Counter(m.id for m in self.wire.sent).values()) <= self.doubled
        assert not any("NOTE" in s for s in sent), "a note reached a buyer"
        histories = {c.id: await self.house.store.case_history(c.id) for c in await self.house.store.cases(every=True)}
        lines = [line for history in histories.values() for line in history]
        refused = {line.text for line in lines if line.what == "refused"}
        assert not refused & set(sent), "a refused reply reached a buyer"
        undone = {line.data.decode() for line in lines if line.what == "undone"}
        edited = {line.data.decode(): line.text for line in lines if line.what == "edited"}
        for act in self.acts:
            if act.kind == "reply":
                said = edited.get(act.id, act.text) in sent
                assert said + (act.text in refused) + (act.id in undone) == 1, f"{act.text} {act.id}: lost or twice"
            if act.kind == "undo":
                mine = any(a.id == act.ref and a.staff == act.staff for a in self.acts)
                took = any(x.what == "undone" and x.who == act.staff and x.data.decode() == act.ref for x in lines)
                assert mine or not took, "a colleague's reply was taken back"
            if act.kind == "note":
                assert any(line.what == "note" and line.text == act.text for line in lines), "a note was lost"
            if act.kind == "open":
                told = any(line.what in {"opened", "again"} and line.text == act.text for line in lines)
                assert told, "what a case was opened for is not in its history"
        for history in histories.values():
            _one_voice(history)
        self._shown()
        for case in await self.house.store.cases():
            self._workable_where_it_is(case)

    def _shown(self) -> None:
        """Whatever a person has to know is on the desk, and each case there once."""
        cards = [(card.to, card.id) for card in self.house.board.cards.values()]
        assert len(cards) == len(set(cards)), "a case has two cards in a channel"
        texts = self.house.board.texts()
        for act in self.acts:
            if act.kind == "note" and act.surface is None:
                assert any(act.text in t for t in texts), f"{act.text} is not on the desk"

    def _workable_where_it_is(self, case: Case) -> None:
        """An open case has its buttons in its queue's channel, and a card that it left elsewhere has none."""
        for card in self.house.board.cards.values():
            if card.desk is not None and card.desk.case == case.id:
                here = card.to == PLACES[case.queue]
                assert bool(card.choices) == here, f"case {case.id} of {case.queue}: {card}"


def _one_voice(history: list[Any]) -> None:
    """Nobody replied but who had taken over."""
    holder = ""
    for line in history:
        if line.what == "took":
            holder = line.who
        elif line.what in {"handed_back", "resolved"}:
            holder = ""
        elif line.what == "reply":
            assert holder == line.who, f"{line.who} spoke while {holder or 'nobody'} held"
        elif line.what == "refused":
            assert holder not in {"", line.who}, "refused although nobody else spoke"


async def unfinished(store: Any) -> list[str]:
    """What is still to be done, and what went wrong."""
    if isinstance(store, MemoryStore):
        return await store.unfinished()
    inbox, outbox = core(Inbox), core(Outbox)
    async with store.database.read() as connection:
        left = inbox.c.state.in_((InboxState.READY, InboxState.DEAD))
        bad = await connection.execute(select(inbox.c.lane, inbox.c.error).where(left))
        rows = await connection.execute(
            select(outbox.c.lane, outbox.c.key, outbox.c.error).where(
                outbox.c.state.in_((OutboxState.READY, OutboxState.SENDING, OutboxState.DEAD))
            )
        )
        return [" ".join(map(str, r)) for r in (*bad, *rows)]


async def _nothing(mark: object) -> None:
    """The process died before it could write down that it had sent."""


Step = Callable[[Interleaving], Awaitable[None]]
WEIGHTS = {
    "buyer": 5, "repeat": 2, "staff": 8, "push": 2, "work": 8, "send": 5, "show": 4, "outage": 1, "too_many": 1,
    "desk_too_many": 1, "worker_dies": 1, "sender_dies": 2, "time": 2,
}  # fmt: skip
STEPS: dict[str, Step] = {name: getattr(Interleaving, name) for name in WEIGHTS}
