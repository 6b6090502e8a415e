"""From a carrier's scan to a push on the phone, on both databases: consent, night, digest, stop, and once only."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.model.conversations import Conversation, Proof
from bot.model.markup import plain
from bot.model.messages import Outbound
from bot.model.orders import Consent, Order, Shipment
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.store import Store
from tests.house import NOON, Home, fixed_clock, home

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ORDER = Order(
    "1042", NOON, source="csv", shop="Lantern", placed_at=NOON - 2 * HOUR, email="anna@example.org",
    phone="+4915112345678", postcode="50667", country="DE", locale="en", promised=(NOON + 20 * DAY).date(),
)  # fmt: skip
GIVEN = Consent("parcel_updates", "checkout", NOON - DAY)


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[Home]:
    store.clock.ahead = fixed_clock().ahead
    async with home(store, tmp_path) as made:
        yield made


def track(*scans: tuple[Status, datetime], number: str = "8120000006") -> Track:
    return Track(
        "dhl",
        number,
        tuple(
            Scan(
                s.value, s.value, at.isoformat(), at, at.replace(tzinfo=None), OffsetFrom.EXPLICIT, s,
                place=Place("Leipzig", "DE"), carrier="dhl", source="dhl",
            )
            for s, at in scans
        ),
        origin="CN",
        destination="DE",
        source="dhl",
    )  # fmt: skip


def words(sent: list[Outbound]) -> str:
    return "\n".join(plain(m.text) for m in sent)


async def opted_in(house: Home, chat: str = "anna") -> None:
    """A buyer who has proved the order in a chat and asked to be told."""
    await house.say("where is 1042? 50667", chat)
    await house.say(chat=chat, choice="notify:on")


def shipped(number: str = "8120000006") -> Order:
    return replace(ORDER, updated_at=NOON + HOUR, parcels=(Shipment(number, "dhl", NOON),))


async def test_a_scan_is_told_to_whoever_asked_for_it_once(house: Home) -> None:
    await house.seed(ORDER)
    await opted_in(house)
    await house.pass_time()
    await house.seed(shipped())
    sent = await house.pass_time(DAY)
    assert "1042" in words(sent), await house.store.reasons_about("1042")
    out = track((Status.IN_TRANSIT, NOON + 5 * HOUR), (Status.OUT_FOR_DELIVERY, NOON + 3 * DAY))
    house.clock.forward(2 * DAY)
    await house.hear_of(out)
    first = await house.pass_time(HOUR)
    assert "out for delivery" in words(first).lower()
    await house.hear_of(out)
    assert await house.pass_time(HOUR) == []


async def test_without_consent_nothing_leaves_and_the_reason_is_kept(house: Home, store: Store) -> None:
    await house.seed(ORDER)
    await house.say("where is 1042? 50667")
    await house.seed(shipped())
    assert await house.pass_time(DAY) == []
    rules = {w.rule for w in await store.reasons_about("1042")}
    assert "push.nobody_to_tell" in rules or "gate.no_consent" in rules


async def test_stop_is_heard_while_a_push_waits_for_the_morning(house: Home) -> None:
    await house.seed(ORDER)
    await opted_in(house)
    await house.pass_time()
    night = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
    house.clock.forward(night - house.clock.now())
    await house.seed(replace(shipped(), updated_at=night))
    assert await house.pass_time() == []
    await house.say("stop")
    assert await house.pass_time(11 * HOUR) == []


async def test_what_came_at_night_is_told_in_the_morning_as_things_stand_then(house: Home) -> None:
    await house.seed(ORDER)
    await opted_in(house)
    await house.pass_time()
    await house.seed(shipped())
    await house.pass_time(HOUR)
    night = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
    house.clock.forward(night - house.clock.now())
    await house.hear_of(track((Status.IN_TRANSIT, NOON + DAY), (Status.OUT_FOR_DELIVERY, night)))
    assert await house.pass_time() == []
    house.clock.forward(3 * HOUR)
    await house.hear_of(track((Status.DELIVERED, night + 2 * HOUR)))
    said = words(await house.pass_time(2 * HOUR)).lower()
    assert "deliver" in said
    assert "out for delivery" not in said


async def test_calm_news_of_several_orders_is_one_message_a_day(house: Home) -> None:
    second = replace(ORDER, number="1043")
    await house.seed(replace(ORDER, consent=(GIVEN,)), replace(second, consent=(GIVEN,)))
    await opted_in(house)
    await house.say("and 1043? 50667")
    await house.say(choice="notify:on")
    await house.seed(shipped(), replace(second, updated_at=NOON + HOUR, parcels=(Shipment("8120000017", "dhl", NOON),)))
    sent = await house.pass_time(HOUR)
    assert len(sent) == 1
    assert "1042" in words(sent)
    assert "1043" in words(sent)


async def test_two_chats_of_a_buyer_do_not_both_tell(house: Home, store: Store) -> None:
    await house.seed(ORDER)
    buyer = (await store.find_orders(["1042"]))[0].buyer
    for n, chat in enumerate(("anna", "home")):
        until = NOON + 30 * DAY
        await store.save_conversations(
            [Conversation(house.address(chat), buyer=buyer, locale="en", proofs=(Proof("phone", until, buyer=buyer),),
                          last_inbound_at=NOON + n * HOUR)]
        )  # fmt: skip
        await house.say(chat=chat, choice="notify:on")
    await house.pass_time()
    await house.seed(shipped())
    sent = await house.pass_time(DAY)
    assert [m.to.chat for m in sent] == ["home"]


async def test_a_push_that_two_processes_make_at_once_leaves_once(house: Home) -> None:
    await house.seed(ORDER)
    await opted_in(house)
    await house.pass_time()
    await house.seed(shipped())
    house.clock.forward(DAY)
    both = [await house.announcer.look(), await house.announcer.look()]
    assert sorted(both) == [0, 1]
    await house.work()
    assert len(await house.send()) == 1


async def test_a_number_that_opted_in_at_the_checkout_is_told_without_ever_having_written(house: Home) -> None:
    house.wire.phones = True
    await house.seed(replace(ORDER, consent=(GIVEN,)))
    sent = await house.pass_time(HOUR)
    assert [m.to.chat for m in sent] == ["4915112345678"]
