"""Pushes under everything at once: scans in any order, clock jumps, stops, crashes, schedulers; both databases."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select, text

from bot.errors import Temporary
from bot.model.conversations import Conversation, Proof
from bot.model.messages import Outbound, Purpose
from bot.model.orders import Order, Shipment
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.store import Store
from bot.store.tables import Outbox, OutboxState, core
from tests.databases import fresh_database
from tests.house import NOON, Home, Wire, fixed_clock, home

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BUYERS = {"anna": ("DE", "50667", "Europe/Berlin"), "tia": ("AS", "", "Pacific/Pago_Pago"), "io": ("KI", "", "")}
ZONES = {"anna": ("Europe/Berlin",), "tia": ("Pacific/Pago_Pago",), "io": ("Pacific/Tarawa", "Pacific/Kiritimati")}
LIFE = (
    Status.ACCEPTED, Status.IN_TRANSIT, Status.ARRIVED_DESTINATION, Status.CUSTOMS, Status.OUT_FOR_DELIVERY,
    Status.DELIVERY_ATTEMPTED, Status.PICKUP_READY, Status.DELIVERED, Status.RETURNING, Status.EXCEPTION,
)  # fmt: skip
JUMPS = (HOUR, 7 * HOUR, DAY, 5 * DAY, 30 * DAY)
BEGINNINGS = (
    NOON,
    datetime(2027, 3, 27, 20, 0, tzinfo=UTC),
    datetime(2026, 12, 31, 20, 0, tzinfo=UTC),
    datetime(2028, 2, 28, 22, 0, tzinfo=UTC),
)
"""A common noon, and hours before a change to summer time, a new year and a leap day."""


class Witness(Wire):
    """A platform that looks at the clock, and at whether the person had said stop, when each message comes."""

    def __init__(self, house: Home) -> None:
        super().__init__()
        self.house = house
        self.at_night: list[str] = []
        self.after_stop: list[str] = []

    async def send(self, message: Outbound) -> str:
        sent = await super().send(message)
        if message.purpose == Purpose.NOTICE:
            now = self.house.clock.now()
            locals_ = [now.astimezone(ZoneInfo(z)) for z in ZONES[message.to.chat]]
            if any(not 8 <= local.hour < 21 for local in locals_):
                self.at_night.append(f"{message.to.chat} {now} {message.text}")
            if (await self.house.conversation(message.to.chat)).muted:
                self.after_stop.append(message.text)
        return sent


class Pushes(RuleBasedStateMachine):
    """Three buyers far apart, four orders, carriers, schedulers and processes that die; one store."""

    server = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.told: list[Track] = []

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(at=st.sampled_from(BEGINNINGS))
    def open(self, at: datetime) -> None:
        async def opened() -> Home:
            url = await fresh_database(self.server) if self.server else f"sqlite:///{self.folder.name}/w.db"
            store = Store(url, fixed_clock(at))
            await store.migrate()
            self.entered = home(store, Path(self.folder.name))
            house = await self.entered.__aenter__()
            for n, (chat, (country, postcode, _)) in enumerate(BUYERS.items()):
                await house.seed(*(self.order(n, m, chat, country, postcode, at) for m in range(2 if n == 0 else 1)))
                buyer = (await store.find_orders([f"{n}0"]))[0].buyer
                proof = Proof("phone", at + 400 * DAY, buyer=buyer)
                met = Conversation(house.address(chat), buyer=buyer, proofs=(proof,), locale="en")
                await store.save_conversations([met])
                await house.say(chat=chat, choice="notify:on")
            witness = Witness(house)
            house.wire = witness
            account = house.sender.accounts["wire"]
            house.sender.accounts = {**house.sender.accounts, "wire": type(account)("wire", witness, account.rates)}
            return house

        self.house = self.run(opened())
        self.wire: Witness = self.house.wire

    def order(self, n: int, m: int, chat: str, country: str, postcode: str, at: datetime) -> Order:
        parcels = tuple(Shipment(f"81200000{n}{m}{k}", "dhl", at) for k in range(2 if m else 1))
        return Order(
            f"{n}{m}", at, source="csv", shop="Lantern", buyer_ref=chat, placed_at=at - HOUR, country=country,
            postcode=postcode, locale="en", promised=(at + 9 * DAY).date(), parcels=parcels,
        )  # fmt: skip

    @rule(
        status=st.sampled_from(LIFE),
        ago=st.sampled_from([timedelta(0), 5 * HOUR, 2 * DAY]),
        number=st.sampled_from(["8120000000", "8120000010", "8120000011", "8120000100", "8120000200"]),
        cause=st.sampled_from(["", "held", "duty_due", "lost"]),
    )
    def a_carrier_tells(self, status: Status, ago: timedelta, number: str, cause: str) -> None:
        at = self.house.clock.now() - ago
        scan = Scan(
            f"{status.value}:{cause}", status.value, at.isoformat(), at, at.replace(tzinfo=None), OffsetFrom.EXPLICIT,
            status, cause=cause, place=Place("Hub", ""), carrier="dhl", source="dhl",
        )  # fmt: skip
        self.told.append(Track("dhl", number[:8] + number[8:], (scan,), origin="CN", source="dhl", at=at))
        self.run(self.house.hear_of(self.told[-1]))

    @rule(data=st.data())
    def a_carrier_repeats_itself(self, data: st.DataObject) -> None:
        if self.told:
            self.run(self.house.hear_of(data.draw(st.sampled_from(self.told))))

    @rule(by=st.sampled_from(JUMPS))
    def time_passes(self, by: timedelta) -> None:
        self.house.clock.forward(by)

    @rule()
    def three_schedulers_look_at_once(self) -> None:
        async def look() -> None:
            await asyncio.gather(*(self.house.announcer.look() for _ in range(3)), self.house.store.wake())

        self.run(look())

    @rule()
    def a_scheduler_dies(self) -> None:
        self.run(self.house.store.due_watches(10, set(), self.house.clock.now()))
        self._expire()

    @rule()
    def the_worker_works(self) -> None:
        self.run(self.house.work())

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

    @rule(chat=st.sampled_from(sorted(BUYERS)))
    def a_buyer_says_stop(self, chat: str) -> None:
        self.run(self.house.hear("STOP", chat))

    @rule(chat=st.sampled_from(sorted(BUYERS)))
    def a_buyer_wants_to_hear_again(self, chat: str) -> None:
        self.run(self.house.hear(chat=chat, choice="notify:on"))

    def _expire(self) -> None:
        async def late() -> None:
            async with self.house.store.database._engine.begin() as connection:
                await connection.execute(text("UPDATE lane SET lease_until = 0, not_before = 0"))
                await connection.execute(text("UPDATE watch SET lease_until = 0"))
                await connection.execute(text("UPDATE outbox SET lease_until = 0, not_before = 0 WHERE state <= 1"))

        self.run(late())

    @invariant()
    def nothing_leaves_at_night(self) -> None:
        if hasattr(self, "house"):
            assert not self.wire.at_night

    @invariant()
    def nothing_leaves_after_stop(self) -> None:
        if hasattr(self, "house"):
            assert not self.wire.after_stop

    @invariant()
    def each_push_leaves_once_and_none_after_the_end(self) -> None:
        if not hasattr(self, "house"):
            return
        keys = self.run(self._keys())
        assert len(keys) == len(set(keys))
        ended: set[str] = set()
        for key in keys:
            _, template, parcel = (*key.removeprefix("push:").split(":"), "", "")[:3]
            assert parcel not in ended or template == "returned", keys
            if template in {"delivered", "returned", "lost"}:
                ended.add(parcel)

    async def _keys(self) -> list[str]:
        rows = core(Outbox)
        wanted = select(rows.c.key).where(rows.c.purpose == "notice", rows.c.state == OutboxState.SENT)
        async with self.house.store.database.read() as connection:
            return [k.rsplit(":", 1)[0] for k in (await connection.execute(wanted.order_by(rows.c.id))).scalars()]

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.wire.failing.clear()
            for _ in range(4):
                self._expire()
                self.run(self.house.pass_time(DAY))
            health = self.run(self.house.store.health())
            assert health.dead == 0, "an event died"
            assert health.waiting == 0, "an event was left"
            self.nothing_leaves_at_night()
            self.nothing_leaves_after_stop()
            self.run(self.house.store.close())
        self.runner.close()
        self.folder.cleanup()


class OnPostgresql(Pushes):
    """The same on the other database; the fixture below names its server."""


@pytest.fixture(scope="module", autouse=True)
def _server(postgres_url: str) -> None:
    OnPostgresql.server = postgres_url


EVERYTHING = settings(deadline=None, stateful_step_count=30, suppress_health_check=list(HealthCheck))
TestPushes = Pushes.TestCase
TestPushes.settings = settings(EVERYTHING, max_examples=25)
TestOnPostgresql = OnPostgresql.TestCase
TestOnPostgresql.settings = settings(EVERYTHING, max_examples=8)
