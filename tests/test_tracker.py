"""Asking the sources: whose parcels, within which budget, and what follows from what they say. On both databases."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from bot import tracker as module
from bot.engine import Engine
from bot.errors import Refused, Temporary, WismoError
from bot.model.clock import Clock
from bot.model.events import Event, parcel_lane
from bot.model.orders import Order, Shipment
from bot.model.tracks import Leg, OffsetFrom, Place, Role, Scan, Status, Track, TrackRef, TrackUpdate
from bot.ports import Capabilities, Item, TrackingSource
from bot.store import Store
from bot.store.codec import unpack
from bot.store.keeping import Retention
from bot.store.queue import Arrival
from bot.store.sweep import Looked, Serves, fingerprint
from bot.tracker import Tracker
from tests.house import NOON, fixed_clock, home

EVERYBODY = Serves((), others=True)


@dataclass
class Feed(TrackingSource):
    """A source in memory: says of every number what it was told to say."""

    kind: str = "feed"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(batch=2, per_second=1e6))
    tells: dict[str, Track] = field(default_factory=dict)
    fails: list[WismoError] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    unpushed: list[TrackRef] = field(default_factory=list)

    async def stop(self, refs: Sequence[TrackRef]) -> None:
        self.stopped += [r.number for r in refs]

    async def missed(self, since: datetime) -> Sequence[TrackRef]:
        return self.unpushed

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        self.asked.append([r.number for r in refs])
        if self.fails:
            raise self.fails.pop(0)
        return [self.tells.get(r.number) for r in refs]

    def decode(self, item: Item) -> Event | None:
        return None


def track(number: str, *statuses: Status, carrier: str = "dhl", at: datetime | None = None) -> Track:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    scans = tuple(
        Scan(
            f"c{n}",
            f"step {n}",
            "",
            start + timedelta(hours=n),
            (start + timedelta(hours=n)).replace(tzinfo=None),
            OffsetFrom.EXPLICIT,
            status,
            place=Place("Leipzig", "DE"),
            carrier=carrier,
            source="feed",
        )
        for n, status in enumerate(statuses)
    )
    return Track(carrier, number, scans, statuses[-1] if statuses else Status.UNKNOWN, source="feed", at=at)


async def shop(store: Store, *parcels: tuple[str, str]) -> None:
    now = store.clock.now()
    shipments = tuple(Shipment(number, carrier, shipped_at=now - timedelta(days=1)) for carrier, number in parcels)
    await store.save_orders([(Order("1042", now, source="csv", shop="S", country="DE", parcels=shipments), "")])


async def numbers(store: Store, serves: Serves = EVERYBODY) -> list[str]:
    return sorted(d.ref.number for d in await store.due_parcels(100, serves))


async def news(store: Store) -> int:
    return (await store.health()).waiting


async def test_one_process_sweeps_at_a_time_and_hands_over(store: Store) -> None:
    await shop(store, ("dhl", "A1"), ("dhl", "A2"))
    first, second = Tracker(store, [Feed()], store.clock), Tracker(store, [Feed()], store.clock)
    assert await first.sweep() == 2
    store.clock.forward(timedelta(days=1))
    assert await second.sweep() == 0
    await first.release()
    assert await second.sweep() == 2


async def test_two_sources_of_one_carrier_share_its_parcels_and_ask_about_none_twice(store: Store) -> None:
    await shop(store, *[("dhl", f"A{n}") for n in range(40)])
    capabilities = Capabilities(frozenset({"dhl"}), batch=1, per_second=500)
    one, two = Feed("one", capabilities), Feed("two", capabilities)
    assert await Tracker(store, [one, two], store.clock).sweep() == 40
    asked = [n for feed in (one, two) for (n,) in feed.asked]
    assert len(asked) == len(set(asked)) == 40


async def test_a_million_of_one_shop_hide_nobody_elses_parcels(store: Store) -> None:
    await shop(store, *[("dhl", f"A{n}") for n in range(30)])
    store.clock.forward(timedelta(minutes=5))
    late = Shipment("B1", "dhl", shipped_at=store.clock.now())
    await store.save_orders(
        [(Order("7", store.clock.now(), source="csv", shop="T", country="DE", parcels=(late,)), "")]
    )
    store.clock.forward(timedelta(minutes=5))
    some = await store.due_parcels(10, EVERYBODY)
    assert len(some) == 10
    assert "B1" in {d.ref.number for d in some}


async def test_a_carriers_own_source_gets_its_parcels_and_the_aggregator_the_rest(store: Store) -> None:
    await shop(store, ("dhl", "A1"), ("ems", "A2"), ("", "A3"))
    own = Feed("dhl", Capabilities(frozenset({"dhl"}), batch=10, per_second=1e6))
    everybody = Feed("all")
    tracker = Tracker(store, [everybody, own], store.clock)
    assert await tracker.sweep() == 3
    assert own.asked == [["A1"]]
    assert sorted(n for call in everybody.asked for n in call) == ["A2", "A3"]
    assert tracker.source_of("dhl") is own
    assert tracker.source_of("tnt") is everybody


async def test_news_become_events_and_the_same_word_again_does_not(store: Store) -> None:
    await shop(store, ("dhl", "A1"))
    feed = Feed(tells={"A1": track("A1", Status.ACCEPTED)})
    tracker = Tracker(store, [feed], store.clock)
    assert await tracker.sweep() == 1
    assert await news(store) == 1
    store.clock.forward(timedelta(days=1))
    feed.tells["A1"] = replace(feed.tells["A1"], at=store.clock.now())
    assert await tracker.sweep() == 1
    assert await news(store) == 1
    store.clock.forward(timedelta(days=1))
    feed.tells["A1"] = track("A1", Status.ACCEPTED, Status.IN_TRANSIT)
    assert await tracker.sweep() == 1
    assert await news(store) == 2


async def test_a_source_that_was_not_heard_for_long_is_down_with_its_first_failure(store: Store) -> None:
    await shop(store, ("dhl", "A1"))
    feed = Feed(tells={"A1": track("A1", Status.ACCEPTED)})
    tracker = Tracker(store, [feed], store.clock)
    await tracker.sweep()
    store.clock.forward(timedelta(days=1))
    feed.fails = [Temporary("the source answered 503")]
    await tracker.sweep()
    (down,) = (await store.health()).feeds
    assert down[0] == "feed"


async def test_an_unchanged_look_tells_when_it_was_and_is_due_again_in_its_statuss_time(store: Store) -> None:
    await shop(store, ("dhl", "A1"))
    tracker = Tracker(store, [Feed(tells={"A1": track("A1", Status.ACCEPTED)})], store.clock)
    await tracker.sweep()
    (dossier,) = await store.find_orders(["1042"])
    assert dossier.parcels[0].checked_at is not None
    assert dossier.parcels[0].asked_at is not None
    assert await numbers(store) == []
    store.clock.forward(timedelta(hours=13))
    assert await numbers(store) == ["A1"]


async def test_what_nobody_knows_yet_is_asked_again_in_hours_and_not_said_to_be_answered(store: Store) -> None:
    await shop(store, ("dhl", "A1"))
    tracker = Tracker(store, [Feed()], store.clock)
    await tracker.sweep()
    (dossier,) = await store.find_orders(["1042"])
    assert (dossier.parcels[0].checked_at, dossier.parcels[0].asked_at is None) == (None, False)
    store.clock.forward(module.NOT_KNOWN_YET + timedelta(minutes=1))
    assert await numbers(store) == ["A1"]


async def test_a_failing_source_is_left_alone_and_its_parcels_stay_due(store: Store) -> None:
    await shop(store, ("dhl", "A1"), ("dhl", "A2"), ("dhl", "A3"))
    feed = Feed(fails=[Temporary("down")])
    tracker = Tracker(store, [feed], store.clock)
    assert await tracker.sweep() == 0
    assert await tracker.sweep() == 0
    assert len(feed.asked) == 1
    assert await numbers(store) == ["A1", "A2", "A3"]
    (dossier,) = await store.find_orders(["1042"])
    assert dossier.parcels[0].asked_at is None


async def test_three_failures_in_a_row_are_said_and_one_answer_ends_them(store: Store) -> None:
    await shop(store, ("dhl", "A1"))
    feed = Feed(fails=[Temporary("down")] * 3)
    tracker = Tracker(store, [feed], store.clock)
    line = tracker.lineups[0]
    for _ in range(3):
        line.breaker.until = 0
        await tracker.sweep()
    assert [source for source, _ in (await store.health()).feeds] == ["feed"]
    line.breaker.until = 0
    await tracker.sweep()
    assert (await store.health()).feeds == ()
    assert not line.breaker.failures


async def test_the_buyer_of_a_parcel_never_heard_of_hears_that_its_source_is_down(store: Store, tmp_path: Path) -> None:
    store.clock.ahead = fixed_clock().ahead
    own = Feed("dhl", Capabilities(frozenset({"dhl"}), batch=2, per_second=1e6))
    everybodys = Feed(fails=[Temporary("down")] * 3)
    tracker = Tracker(store, [own, everybodys], store.clock)
    parcels = (Shipment("A1", "usps"), Shipment("A2", "dhl"))
    async with home(store, tmp_path) as opened:
        opened.engine = Engine(replace(opened.engine.house, outages=tracker.outages))
        await opened.seed(Order("1042", NOON, buyer_ref="anna", postcode="10115", country="DE", parcels=parcels))
        assert "unavailable" not in await opened.ask("where is order 1042? postcode 10115")
        for _ in range(3):
            tracker.lineups[1].breaker.until = 0
            await tracker.sweep()
        answer = await opened.ask("where is my order?")
        assert answer.count("tracking has been unavailable since") == 1
        assert "USPS's tracking has been unavailable" in answer


@pytest.mark.parametrize("batch", [1, 2])
async def test_a_number_that_a_source_refuses_costs_no_other_and_is_asked_about_later(store: Store, batch: int) -> None:
    class Choosy(Feed):
        async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
            if any(ref.number == "A1" for ref in refs):
                raise Refused("answered 400")
            return await super().track(refs)

    await shop(store, *[("dhl", f"A{n}") for n in range(1, 5)])
    feed = Choosy(
        capabilities=Capabilities(batch=batch, per_second=1e6),
        tells={f"A{n}": track(f"A{n}", Status.IN_TRANSIT) for n in range(1, 5)},
    )
    tracker = Tracker(store, [feed], store.clock)
    assert await tracker.sweep() == 4
    assert sorted(number for call in feed.asked for number in call) == ["A2", "A3", "A4"]
    assert not tracker.lineups[0].breaker.open()
    assert await numbers(store) == []
    assert (await store.health()).feeds == ()
    store.clock.forward(module.NOT_KNOWN_YET + timedelta(minutes=1))
    assert "A1" in await numbers(store)


async def test_a_source_that_refuses_some_numbers_is_not_said_to_be_down(store: Store) -> None:
    class Choosy(Feed):
        async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
            if refs[0].number.startswith("X"):
                raise Refused("answered 400")
            return await super().track(refs)

    feed = Choosy(capabilities=Capabilities(batch=1, per_second=1e6))
    tracker = Tracker(store, [feed], store.clock)
    (line,) = tracker.lineups
    for n in range(4):
        with pytest.raises(Refused):
            await tracker.ask(line, [TrackRef(f"X{n}", "dhl")])
        await tracker.ask(line, [TrackRef(f"A{n}", "dhl")])
    assert (await store.health()).feeds == ()
    store.clock.forward(timedelta(hours=5))
    with pytest.raises(Refused):
        await tracker.ask(line, [TrackRef("X9", "dhl")])
    assert (await store.health()).feeds == (), "to refuse one number after a quiet night is no silence"


async def test_a_source_that_refuses_every_call_is_said_to_be_down(store: Store) -> None:
    await shop(store, *[("dhl", f"A{n}") for n in range(3)])
    feed = Feed(capabilities=Capabilities(batch=1, per_second=1e6), fails=[Refused("answered 400")] * 3)
    await Tracker(store, [feed], store.clock).sweep()
    assert [source for source, _ in (await store.health()).feeds] == ["feed"]


def test_a_breaker_waits_longer_each_time_and_as_long_as_it_is_told() -> None:
    breaker = module.Breaker()
    waits = []
    for _ in range(8):
        breaker.failed(None)
        waits.append(round(breaker.until - time.monotonic()))
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]
    breaker.failed(7)
    assert round(breaker.until - time.monotonic()) == 7


async def test_a_days_budget_is_kept_with_a_reserve_for_buyers(store: Store) -> None:
    day = [await store.calls_left("dhl", 250, 100, live=False), await store.calls_left("dhl", 250, 100, live=False)]
    assert day == [50, 0]
    assert await store.calls_left("dhl", 250, 100, live=True) == 50
    assert await store.calls_left("dhl", 250, 1, live=True) == 0


async def test_over_budget_is_not_asked_and_not_an_error(store: Store) -> None:
    await shop(store, *[("dhl", f"A{n}") for n in range(4)])
    feed = Feed(capabilities=Capabilities(batch=1, per_second=1e6, per_day=10))
    tracker = Tracker(store, [feed], store.clock)
    assert await tracker.sweep() == 2
    assert (await store.health()).feeds == ()
    (dossier,) = await store.find_orders(["1042"])
    assert sum(p.asked_at is None for p in dossier.parcels) == 2


@pytest.mark.parametrize("change", [{"at": datetime(2026, 1, 1, tzinfo=UTC)}, {"source": "other"}])
def test_when_it_was_said_is_no_news(change: dict[str, object]) -> None:
    told = track("A1", Status.ACCEPTED)
    now = datetime(2026, 11, 2, tzinfo=UTC)
    assert fingerprint(replace(told, **change), now) == fingerprint(told, now)
    assert fingerprint(replace(told, cause="x"), now) != fingerprint(told, now)


async def test_a_scan_dated_ahead_is_news_when_its_time_has_come(store: Store) -> None:
    await shop(store, ("dhl", "A1"))
    told = track("A1", Status.ACCEPTED, Status.DELIVERED)
    ahead = store.clock.now() + timedelta(hours=20)
    told = replace(told, scans=(told.scans[0], replace(told.scans[1], at=ahead, local=ahead.replace(tzinfo=None))))
    tracker = Tracker(store, [Feed(tells={"A1": told})], store.clock)
    await tracker.sweep()
    assert await news(store) == 1
    store.clock.forward(timedelta(hours=13))
    assert await tracker.sweep() == 1
    assert await news(store) == 1
    store.clock.forward(timedelta(hours=13))
    assert await tracker.sweep() == 1
    assert await news(store) == 2


def test_a_source_that_only_tells_is_never_asked() -> None:
    clock = Clock()
    tracker = Tracker(Store("sqlite:///:memory:", clock), [Feed(capabilities=Capabilities(batch=0))], clock)
    assert tracker.sources == []


async def test_a_second_number_is_followed_at_its_own_carriers_and_merged(store: Store) -> None:
    await shop(store, ("ups", "1Z1"))
    leg = Leg("usps", "9400", Role.LAST_MILE)
    first = replace(track("1Z1", Status.ACCEPTED, Status.IN_TRANSIT, carrier="ups"), legs=(leg,))
    last = track("9400", Status.OUT_FOR_DELIVERY, Status.DELIVERED, carrier="usps")
    own = Feed("ups", Capabilities(frozenset({"ups"}), batch=10, per_second=1e6), {"1Z1": first})
    everybody = Feed("all", tells={"9400": last})
    tracker = Tracker(store, [own, everybody], store.clock)
    assert await tracker.sweep() == 1
    assert everybody.asked == [["9400"]]
    async with store.database.read() as connection:
        bodies = (await connection.execute(text("SELECT body FROM inbox"))).scalars().all()
    (update,) = [unpack(bytes(b)) for b in bodies]
    assert (update.track.number, update.track.carrier, update.track.legs) == ("1Z1", "ups", (leg,))
    assert [s.carrier for s in update.track.scans].count("usps") == 2
    store.clock.forward(timedelta(days=1))
    await tracker.sweep()
    assert await news(store) == 1


async def test_a_leg_that_cannot_be_asked_about_loses_nothing(store: Store) -> None:
    await shop(store, ("ups", "1Z1"))
    first = replace(track("1Z1", Status.ACCEPTED, carrier="ups"), legs=(Leg("usps", "9400", Role.LAST_MILE),))
    own = Feed("ups", Capabilities(frozenset({"ups"}), batch=10, per_second=1e6), {"1Z1": first})
    tracker = Tracker(store, [own, Feed("all", fails=[Temporary("down")])], store.clock)
    assert await tracker.sweep() == 1
    assert await news(store) == 1


async def test_what_could_not_be_pushed_is_asked_about(store: Store) -> None:
    await shop(store, ("dhl", "A1"))
    feed = Feed(
        capabilities=Capabilities(push=True, batch=2, per_second=1e6),
        tells={"A1": track("A1", Status.ACCEPTED)},
        unpushed=[TrackRef("A1"), TrackRef("A2"), TrackRef("A3")],
    )
    assert await Tracker(store, [feed], store.clock).reconcile() == 3
    assert feed.asked == [["A1", "A2"], ["A3"]]
    assert await news(store) == 1


async def test_a_parcel_that_its_source_pushes_is_left_alone_for_longer_and_then_asked_as_usual(
    store: Store, tmp_path: Path
) -> None:
    await shop(store, ("dhl", "A1"))
    now = store.clock.now()
    whole = track("A1", Status.ACCEPTED, Status.IN_TRANSIT, at=now)
    whole = replace(whole, scans=tuple(replace(s, at=now - timedelta(hours=9 - n)) for n, s in enumerate(whole.scans)))
    feed = Feed(tells={"A1": whole})
    told = TrackUpdate("u1", now, replace(whole, scans=whole.scans[:1], status=Status.ACCEPTED))
    async with home(store, tmp_path) as house:
        house.engine.house = replace(house.engine.house, ports={"feed": feed})
        feed.decode = lambda item: told  # type: ignore[method-assign]
        await store.receive([Arrival("feed", Item("k1", parcel_lane("A1"), b""))])
        await house.work()
        tracker = Tracker(store, [feed], store.clock)
        store.clock.forward(timedelta(hours=23))
        assert await tracker.sweep() == 0
        store.clock.forward(timedelta(hours=2))
        assert await tracker.sweep() == 1
        await house.work()
        store.clock.forward(timedelta(hours=7))  # in transit: every six hours
        assert await tracker.sweep() == 1


async def test_an_aggregator_lets_go_of_a_journey_that_is_over(store: Store) -> None:
    await shop(store, ("dhl", "A1"), ("dhl", "A2"))
    feed = Feed(capabilities=Capabilities(push=True, batch=10, per_second=1e6))
    feed.tells = {"A1": track("A1", Status.RETURNED), "A2": track("A2", Status.ACCEPTED)}
    tracker = Tracker(store, [feed], store.clock)
    await tracker.sweep()
    assert feed.stopped == []
    await store.database.write(lambda c: c.execute(text("UPDATE look SET status = 'returned' WHERE number = 'A1'")))
    store.clock.forward(timedelta(days=1))
    await tracker.sweep()
    assert feed.stopped == ["A1"]


async def test_raw_words_of_a_journey_that_is_over_are_kept_for_the_last_dispute_and_no_longer(store: Store) -> None:
    await shop(store, ("dhl", "A1"), ("dhl", "A2"))
    now = store.clock.now()
    ids = {p.number: p.id for d in await store.find_orders(["1042"]) for p in d.parcels}
    await store.database.write(lambda c: c.execute(text("UPDATE parcel SET track = '{}'")))
    over = [Looked(ids["A1"], None, "h", answered=True), Looked(ids["A2"], now, None, answered=True)]
    await store.looked(over, [], now)
    assert (await store.expire(Retention())).rows == 0
    store.clock.forward(timedelta(days=541))
    await store.expire(Retention())
    async with store.database.read() as connection:
        kept = (await connection.execute(text("SELECT number FROM parcel WHERE length(track) > 0"))).scalars().all()
    assert kept == ["A2"]
