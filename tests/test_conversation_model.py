"""A conversation under everything at once: repeats, takeovers, rate errors, crashes between any two steps."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text

from bot.errors import Temporary
from bot.model.messages import Outbound, Purpose
from bot.model.orders import Order, Shipment
from bot.store import Store
from bot.store.queue import MAX_ATTEMPTS
from tests.databases import fresh_database
from tests.house import NOON, Home, Wire, fixed_clock, home

CHATS = ("anna", "bob")
SAID = (
    "where is my order 1042?",
    "10115",
    "99999",
    "hello",
    "human please",
    "STOP",
    "when will it come?",
    "purple",
    "👍",
)
STAFF = ("Lee", "Kim")


class Witness(Wire):
    """A platform that remembers who held the conversation when each message came."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, int] = {}
        self.talked_over: list[str] = []

    async def send(self, message: Outbound) -> str:
        sent = await super().send(message)
        current = self.versions.get(message.to.chat, 0)
        if message.purpose != Purpose.STAFF and message.holder_version != current:
            self.talked_over.append(message.text)
        return sent


class Conversations(RuleBasedStateMachine):
    """Two buyers, two of staff, a platform and processes that die; one store."""

    server = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.heard: list[tuple[str, str, str]] = []
        self.crashed_sends = 0

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        async def opened() -> Home:
            url = await fresh_database(self.server) if self.server else f"sqlite:///{self.folder.name}/w.db"
            store = Store(url, fixed_clock())
            await store.migrate()
            self.entered = home(store, Path(self.folder.name))
            house = await self.entered.__aenter__()
            order = Order(
                "1042",
                NOON,
                buyer_ref="anna",
                postcode="10115",
                country="DE",
                parcels=(Shipment("EE100000005CN", "ems"),),
            )
            await house.seed(order)
            witness = Witness()
            house.wire = witness
            account = house.sender.accounts["wire"]
            house.sender.accounts = {**house.sender.accounts, "wire": type(account)("wire", witness, account.rates)}
            return house

        self.house = self.run(opened())
        self.wire: Witness = self.house.wire

    @rule(chat=st.sampled_from(CHATS), words=st.sampled_from(SAID))
    def a_buyer_writes(self, chat: str, words: str) -> None:
        key = self.run(self.house.hear(words, chat))
        self.heard.append((chat, words, key))

    @rule(data=st.data())
    def the_platform_repeats_itself(self, data: st.DataObject) -> None:
        if self.heard:
            chat, words, key = data.draw(st.sampled_from(self.heard))
            self.run(self.house.hear(words, chat, key=key))

    @rule(
        chat=st.sampled_from(CHATS),
        who=st.sampled_from(STAFF),
        kind=st.sampled_from(["take", "handback", "reply", "note"]),
    )
    def staff_acts(self, chat: str, who: str, kind: str) -> None:
        self.run(self.house.act(kind, who, "Hello from staff" if kind == "reply" else "", chat))

    @rule()
    def the_worker_works(self) -> None:
        self.run(self.house.work())
        self._look()

    @rule()
    def a_worker_dies_after_claiming(self) -> None:
        self.run(self.house.store.claim(16))
        self._expire()

    @rule()
    def the_sender_sends(self) -> None:
        self.run(self.house.send())

    @rule()
    def the_platform_says_too_many(self) -> None:
        self.wire.failing.append(Temporary("slow down", retry_after=0.0))

    @rule()
    def a_sender_dies_before_sending(self) -> None:
        self.run(self.house.store.claim_outbox(("test", "shop"), self.house.sender.accounts["wire"].rates, 10))
        self._expire()

    @rule()
    def a_sender_dies_after_sending(self) -> None:
        async def die() -> int:
            rows = await self.house.store.claim_outbox(("test", "shop"), self.house.sender.accounts["wire"].rates, 1)
            marked, self.house.store.mark = self.house.store.mark, _nothing
            for row in rows:
                await self.house.sender._send(("test", "shop"), self.house.sender.accounts["wire"], row)
            self.house.store.mark = marked
            return len(rows)

        self.crashed_sends += self.run(die())
        self._expire()

    def _expire(self) -> None:
        async def late() -> None:
            async with self.house.store.database._engine.begin() as connection:
                await connection.execute(text("UPDATE lane SET lease_until = 0, not_before = 0"))
                await connection.execute(text("UPDATE outbox SET lease_until = 0, not_before = 0 WHERE state <= 1"))

        self.run(late())

    def _look(self) -> None:
        for chat in CHATS:
            self.wire.versions[chat] = self.run(self.house.conversation(chat)).version

    @invariant()
    def nobody_is_talked_over(self) -> None:
        if hasattr(self, "house"):
            assert not self.wire.talked_over

    @invariant()
    def a_thing_is_said_once_but_for_sends_in_flight_at_a_crash(self) -> None:
        if hasattr(self, "house"):
            sent = Counter(m.id for m in self.wire.sent)
            assert sum(n - 1 for n in sent.values()) <= self.crashed_sends

    @invariant()
    def first_sends_are_in_order_in_each_chat(self) -> None:
        if hasattr(self, "house"):
            for chat in CHATS:
                ids = list(dict.fromkeys(int(m.id) for m in self.wire.sent if m.to.chat == chat))
                assert ids == sorted(ids)

    @invariant()
    def nothing_of_an_order_is_said_without_proof(self) -> None:
        if hasattr(self, "house") and not any(words == "10115" for _, words, _ in self.heard):
            assert not any("EE100000005CN" in m.text or "carrier" in m.text for m in self.wire.sent)

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.wire.failing.clear()
            for _ in range(MAX_ATTEMPTS + 2):
                self._expire()
                self.run(self.house.work())
                self._look()
                self.run(self.house.send())
                self.run(self.house.show())
            health = self.run(self.house.store.health())
            assert health.waiting == 0, "an event was left"
            assert health.unsent == 0, "an answer was left"
            assert health.dead == 0, "an event died"
            assert not self.wire.talked_over
            self.run(self.house.store.close())
        self.runner.close()
        self.folder.cleanup()


async def _nothing(mark: object) -> None:
    """The process died before it could write down that it had sent."""


class OnPostgresql(Conversations):
    """The same on the other database; the fixture below names its server."""


@pytest.fixture(scope="module", autouse=True)
def _server(postgres_url: str) -> None:
    OnPostgresql.server = postgres_url


EVERYTHING = settings(deadline=None, stateful_step_count=30, suppress_health_check=list(HealthCheck))
TestConversations = Conversations.TestCase
TestConversations.settings = settings(EVERYTHING, max_examples=40)
TestOnPostgresql = OnPostgresql.TestCase
TestOnPostgresql.settings = settings(EVERYTHING, max_examples=12)
