"""Campaigns on both databases: each buyer once, at their own hour, with several processes; they stop themselves."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from bot.campaigner import Campaigner
from bot.model.orders import Consent, Order, Shipment
from bot.proactive.campaign import Outcome, Plan, check, matches, should_stop
from bot.store import Store, campaigns
from bot.store.campaigns import DONE, RUNNING, STOPPED
from tests.house import NOON, Home, fixed_clock, home

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PLAN = Plan(where=("country=DE",), at=15 * 60, rate=6000)


def order(n: int, country: str = "DE") -> Order:
    return Order(
        str(1000 + n), NOON, source="csv", shop="Lantern", placed_at=NOON - 9 * DAY, email=f"b{n}@example.org",
        phone=f"+49151123400{n:02d}", postcode="50667", country=country, locale="en",
        parcels=(Shipment(f"81200000{n:02d}", "china-post", NOON - 8 * DAY),),
        consent=(Consent("parcel_updates", "checkout", NOON - 9 * DAY),),
    )  # fmt: skip


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[Home]:
    store.clock.ahead = fixed_clock().ahead
    async with home(store, tmp_path) as made:
        made.wire.phones = True
        await made.seed(*(order(n) for n in range(12)), order(50, "FR"))
        await made.pass_time()
        made.wire.sent.clear()
        yield made


async def running(house: Home, plan: Plan = PLAN) -> Campaigner:
    campaign = await house.store.plan_campaign("november", plan)
    assert campaign is not None
    await house.store.set_campaign(campaign, RUNNING)
    return Campaigner(house.store, house.announcer, house.clock)


async def test_how_a_campaign_goes_is_counted_without_reading_every_push(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'wismo.db'}", fixed_clock())
    await store.migrate()
    campaign = await store.plan_campaign("november", PLAN)
    assert campaign is not None
    async with store.database.read() as connection:
        for statement in (campaigns.went(campaign), campaigns.stops(campaign)):
            told = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            steps = [row.detail for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {told}"))]
            assert any("push_campaign" in step for step in steps), steps
            assert not [step for step in steps if step.startswith("SCAN")], steps
    await store.close()


async def test_each_buyer_of_the_segment_hears_it_once_at_their_hour(house: Home) -> None:
    campaigner = await running(house)
    while await campaigner.step():
        house.clock.forward(timedelta(seconds=11))
    assert await house.pass_time() == []
    sent = await house.pass_time(datetime(2026, 11, 24, 14, 0, 1, tzinfo=UTC) - house.clock.now())
    assert len(sent) == 12
    assert len({m.to.chat for m in sent}) == 12
    house.clock.forward(HOUR)
    await campaigner.step()
    assert (await house.store.campaign("november")).state == DONE  # type: ignore[union-attr]
    assert await house.pass_time(DAY) == []


async def test_three_processes_at_once_make_no_double(house: Home) -> None:
    campaigner = await running(house, replace(PLAN, rate=18))
    for _ in range(12):
        await asyncio.gather(*(campaigner.step() for _ in range(3)))
        house.clock.forward(timedelta(seconds=11))
    sent = await house.pass_time(3 * HOUR)
    assert len(sent) == len({m.to.chat for m in sent}) == 12


async def test_a_stopped_campaign_goes_on_where_it_stopped(house: Home) -> None:
    campaigner = await running(house, replace(PLAN, rate=30))
    assert await campaigner.step() == 5
    campaign = await house.store.campaign("november")
    assert campaign is not None
    await house.store.set_campaign(campaign, STOPPED)
    assert await campaigner.step() == 0
    await house.store.set_campaign(campaign, RUNNING)
    made = 0
    for _ in range(5):
        made += await campaigner.step()
        house.clock.forward(timedelta(seconds=11))
    assert made == 7


async def test_no_more_than_the_rate_leave_in_a_minute(house: Home) -> None:
    campaigner = await running(house, replace(PLAN, rate=4))
    for _ in range(14):
        await campaigner.step()
        house.clock.forward(timedelta(seconds=11))
    at = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
    sent = [len(await house.pass_time(at + timedelta(minutes=m) - house.clock.now())) for m in range(4)]
    assert sent == [1, 4, 4, 3]


async def test_who_waits_for_their_hour_hears_nothing_of_a_campaign_that_was_stopped(house: Home) -> None:
    campaigner = await running(house)
    await campaigner.step()
    campaign = await house.store.campaign("november")
    assert campaign is not None
    await house.store.set_campaign(campaign, STOPPED)
    assert await house.pass_time(3 * HOUR) == []
    assert await house.store.campaign_left_out(campaign) == {"campaign.stopped": 12}


async def test_its_stop_rule_holds_until_the_last_has_heard(house: Home) -> None:
    campaigner = await running(house)
    for _ in range(3):
        await campaigner.step()
        house.clock.forward(timedelta(seconds=11))
    campaign = await house.store.campaign("november")
    assert campaign is not None
    assert campaign.state == RUNNING
    assert await house.store.campaign_waits(campaign)


async def test_who_missed_their_hour_while_it_was_stopped_is_told_at_the_next_and_nobody_twice(house: Home) -> None:
    campaigner = await running(house, replace(PLAN, rate=30))
    assert await campaigner.step() == 5
    at = datetime(2026, 11, 24, 14, 0, 5, tzinfo=UTC)
    first = await house.pass_time(at - house.clock.now())
    campaign = await house.store.campaign("november")
    assert campaign is not None
    await house.store.set_campaign(campaign, STOPPED)
    assert await house.pass_time(HOUR) == []
    await house.store.set_campaign(campaign, RUNNING)
    for _ in range(6):
        await campaigner.step()
        house.clock.forward(timedelta(seconds=11))
    second = await house.pass_time(DAY)
    chats = [m.to.chat for m in (*first, *second)]
    assert 0 < len(first) < 5
    assert len(chats) == len(set(chats)) == 12
    campaign = await house.store.campaign("november")
    assert campaign is not None
    assert campaign.reached == 12


async def test_a_dry_run_writes_nothing(house: Home) -> None:
    found = await Campaigner(house.store, house.announcer, house.clock).dry(PLAN)
    assert (found.orders, found.buyers, found.unreachable) == (12, 12, 0)
    assert found.channels == {"test": 12}
    assert await house.store.all_campaigns() == []


async def test_the_report_says_who_was_left_out_and_why(house: Home) -> None:
    await house.seed(
        replace(order(3), updated_at=NOON + HOUR, consent=(Consent("parcel_updates", "mail", NOON, False),))
    )
    campaigner = await running(house)
    await campaigner.step()
    await house.pass_time(3 * HOUR)
    campaign = await house.store.campaign("november")
    assert campaign is not None
    assert (await house.store.campaign_outcome(campaign)).sent == 11
    assert await house.store.campaign_left_out(campaign) == {"gate.no_consent": 1}


def test_it_stops_itself_where_too_many_fail() -> None:
    assert should_stop(PLAN, Outcome(sent=19, failed=19)) == ""
    assert "2 of 20" in should_stop(PLAN, Outcome(sent=20, failed=1, stopped=1))
    assert should_stop(PLAN, Outcome(sent=100, failed=1)) == ""


@pytest.mark.parametrize("where", ["colour=red", "country", "country>=DE", "placed>=soon"])
def test_a_filter_that_cannot_be_read_is_refused(where: str) -> None:
    with pytest.raises(ValueError, match=where.split("=", maxsplit=1)[0].rstrip(">")):
        check([where])


async def test_filters(house: Home) -> None:
    dossiers = await house.store.find_orders(["1003", "1050"])
    german, french = sorted(dossiers, key=lambda d: d.order.number)
    assert matches(german, ["country=de,at", "placed<=2026-11-20", "status=unknown"])
    assert not matches(french, ["country=DE"])
    assert not matches(german, ["placed>=2026-11-20"])
