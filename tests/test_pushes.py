"""From a carrier's scan to a push on the phone, on both databases: consent, night, digest, stop, and once only."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Temporary, Unreachable
from bot.model.conversations import Conversation, Proof
from bot.model.events import Notice, StaffAct, conversation_lane
from bot.model.markup import plain
from bot.model.messages import Address, Approved, Outbound, Receipt, State
from bot.model.orders import Consent, Order, Shipment
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.ports import Item
from bot.proactive.announce import Announced, Outlook
from bot.store import Store, codec
from bot.store.outbox import Mark
from bot.store.pushes import Standing
from bot.store.queue import Arrival
from bot.store.tables import OutboxState, core
from bot.store.watching import Due
from bot.store.watchtables import Watch
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


async def left_the_shop(house: Home) -> None:
    """An order of a buyer who wants to be told has been confirmed to them, and leaves."""
    await house.seed(ORDER)
    await opted_in(house)
    await house.pass_time()
    await house.seed(shipped())


async def caught_by_the_night(house: Home) -> None:
    """A delivery was to be told in the evening, and had not left when the buyer's night began."""
    await left_the_shop(house)
    await house.pass_time(DAY)
    house.clock.forward(2 * HOUR)
    await house.hear_of(track((Status.DELIVERED, NOON + DAY + 2 * HOUR)))
    await house.announcer.look()
    await house.work()
    night = datetime(2026, 11, 25, 20, 30, tzinfo=UTC)
    house.clock.forward(night - house.clock.now())
    assert await house.pass_time() == []


def shipped(number: str = "8120000006") -> Order:
    return replace(ORDER, updated_at=NOON + HOUR, parcels=(Shipment(number, "dhl", NOON),))


async def test_a_scan_is_told_to_whoever_asked_for_it_once(house: Home) -> None:
    await left_the_shop(house)
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
    await left_the_shop(house)
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
    await left_the_shop(house)
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


async def test_a_push_that_was_judged_before_a_stop_in_another_chat_does_not_leave(house: Home, store: Store) -> None:
    await house.seed(ORDER)
    buyer = (await store.find_orders(["1042"]))[0].buyer
    proof = Proof("phone", NOON + 30 * DAY, buyer=buyer)
    for chat in ("anna", "home"):
        met = Conversation(house.address(chat), buyer=buyer, locale="en", proofs=(proof,), last_inbound_at=NOON)
        await store.save_conversations([met])
        await house.say(chat=chat, choice="notify:on")
    await house.pass_time()
    await house.seed(shipped())
    house.clock.forward(DAY)
    await house.announcer.look()
    judged = store.standing

    async def and_then_they_say_stop(notices: Mapping[str, Sequence[Notice]]) -> dict[str, Standing]:
        found = await judged(notices)
        store.standing = judged  # type: ignore[method-assign]
        await house.say("stop", chat="anna")
        return found

    store.standing = and_then_they_say_stop  # type: ignore[method-assign]
    await house.work()
    assert [m.text for m in await house.send() if m.purpose == "notice"] == []
    assert "gate.no_consent" in {w.rule for w in await store.reasons_about("8120000006")}


async def test_a_stop_said_to_a_person_stops_what_is_unasked_too(house: Home, store: Store) -> None:
    await left_the_shop(house)
    await house.act("take")
    await house.work()
    await house.send()
    assert await house.say("stop") == [], "the bot is silent while Lee speaks"
    await house.act("handback")
    await house.work()
    await house.send()
    assert await house.pass_time(DAY) == []
    assert (await store.reasons_about("8120000006"))[-1].rule == "gate.no_consent"


async def test_what_failed_while_it_was_on_its_way_is_not_tried_again_after_a_stop(house: Home, store: Store) -> None:
    await left_the_shop(house)
    house.clock.forward(DAY)
    await house.announcer.look()
    await house.work()
    (row,) = await store.claim_outbox(("test", "shop"), house.sender.accounts["wire"].rates, 5)
    await house.hear("stop")
    await house.work()
    house.wire.failing.append(Temporary("busy", retry_after=0.0))
    await house.sender._send(("test", "shop"), house.sender.accounts["wire"], row)
    assert [m.purpose for m in await house.send()] == ["answer"]
    await house.work()
    assert await house.send() == []
    assert (await store.reasons_about("8120000006"))[-1].rule == "gate.no_consent"


async def test_what_the_night_caught_in_the_outbox_is_told_in_the_morning(house: Home, store: Store) -> None:
    await caught_by_the_night(house)
    said = words(await house.pass_time(11 * HOUR)).lower()
    assert "was delivered" in said
    assert await house.pass_time(DAY) == []
    assert "outbox.sent" in {w.rule for w in await store.reasons_about("8120000006")}


async def test_what_the_night_caught_is_not_told_in_the_morning_where_it_is_no_news_any_more(house: Home) -> None:
    """It went out at two in the afternoon, as was heard at half past eight: by the next morning that is stale."""
    await left_the_shop(house)
    await house.pass_time(DAY)
    evening = datetime(2026, 11, 25, 19, 30, tzinfo=UTC)
    house.clock.forward(evening - house.clock.now())
    await house.hear_of(track((Status.IN_TRANSIT, NOON + DAY), (Status.OUT_FOR_DELIVERY, NOON + DAY + HOUR)))
    await house.announcer.look()
    await house.work()
    house.clock.forward(HOUR)
    assert await house.pass_time() == []
    assert await house.pass_time(11 * HOUR) == []


async def test_what_two_nights_caught_in_the_outbox_is_told_on_the_second_morning(house: Home) -> None:
    await caught_by_the_night(house)
    house.clock.forward(11 * HOUR)
    await house.store.wake()
    await house.work()
    house.clock.forward(13 * HOUR)
    assert await house.pass_time() == []
    assert "was delivered" in words(await house.pass_time(11 * HOUR)).lower()


async def test_of_a_digest_that_the_night_caught_only_what_is_news_in_the_morning_is_told_then(house: Home) -> None:
    """One of its two parcels arrived in the country at five of the morning two days before, the other left today."""
    second = replace(ORDER, number="1043")
    await house.seed(replace(ORDER, consent=(GIVEN,)), replace(second, consent=(GIVEN,)))
    await opted_in(house)
    await house.say("and 1043? 50667")
    await house.say(choice="notify:on")
    await house.seed(shipped())
    await house.pass_time(HOUR)
    evening = datetime(2026, 11, 26, 19, 30, tzinfo=UTC)
    house.clock.forward(evening - house.clock.now())
    await house.hear_of(track((Status.ARRIVED_DESTINATION, datetime(2026, 11, 25, 5, 0, tzinfo=UTC))))
    left_today = Shipment("8120000017", "dhl", evening - 2 * HOUR)
    await house.seed(replace(second, updated_at=evening, parcels=(left_today,)))
    await house.announcer.look()
    await house.work()
    house.clock.forward(HOUR)
    assert await house.pass_time() == []
    said = words(await house.pass_time(11 * HOUR))
    assert "1043" in said
    assert "1042" not in said


async def test_who_never_heard_that_it_stands_still_is_not_told_that_it_moves_again(house: Home, store: Store) -> None:
    calm = Outlook((NOON + 18 * DAY).date(), (NOON + 20 * DAY).date())
    house.announcer.expect = lambda *_: calm
    await house.seed(ORDER)
    await opted_in(house)
    await house.seed(shipped())
    await house.pass_time()
    await house.pass_time(8 * DAY)
    house.announcer.expect = lambda *_: replace(calm, stuck=True, quiet_days=9)
    evening = datetime(2026, 12, 4, 19, 30, tzinfo=UTC)
    house.clock.forward(evening - house.clock.now())
    scans = [(Status.IN_TRANSIT, NOON + HOUR)]
    await house.hear_of(track(*scans))
    assert await house.announcer.look()
    await house.work()
    house.clock.forward(HOUR)
    assert await house.pass_time() == []
    house.announcer.expect = lambda *_: calm
    await house.hear_of(track(*scans, (Status.IN_TRANSIT, evening + 2 * HOUR)))
    assert await house.pass_time(12 * HOUR) == []
    why = [(w.rule, w.inputs.get("push")) for w in await store.reasons_about("8120000006")]
    assert ("outbox.expired", "stalled") in why
    assert ("gate.first_part_was_not_said", "stall_over") in why


async def test_a_withdrawal_that_the_shop_tells_of_stops_what_is_ready_to_leave(house: Home, store: Store) -> None:
    house.wire.phones = True
    await house.seed(replace(ORDER, consent=(GIVEN,)))
    await house.announcer.look()
    await house.work()
    gone = replace(GIVEN, at=NOON, given=False, source="mail")
    await house.seed(replace(ORDER, updated_at=NOON + HOUR, consent=(GIVEN, gone)))
    assert await house.send() == []
    assert "outbox.withdrawn" in {w.rule for w in await store.reasons_about("1042")}


async def test_one_chats_wish_is_not_another_buyers_consent(house: Home, store: Store) -> None:
    """Two buyers gave one number; one of them asked to be told, in its chat."""
    house.wire.phones = True
    other = replace(ORDER, number="2042", email="bert@example.org", buyer_ref="bert")
    await house.seed(ORDER, other)
    buyer = (await store.find_orders(["1042"]))[0].buyer
    proof = Proof("order", NOON + 30 * DAY, order=(await store.find_orders(["1042"]))[0].id)
    chat = "4915112345678"
    met = Conversation(house.address(chat), buyer=buyer, locale="en", proofs=(proof,), last_inbound_at=NOON)
    await store.save_conversations([met])
    await house.say(chat=chat, choice="notify:on")
    await house.pass_time()
    await house.seed(replace(other, updated_at=NOON + HOUR, parcels=(Shipment("8120000017", "dhl", NOON),)))
    assert await house.pass_time(DAY) == []
    assert "gate.no_consent" in {w.rule for w in await store.reasons_about("8120000017")}


async def test_a_follower_whose_chat_has_another_owner_hears_no_more(house: Home, store: Store) -> None:
    await house.seed(ORDER)
    await house.say("where is 1042? 50667", phone="+4915112345678")
    await house.say(choice="notify:on")
    await house.pass_time()
    night = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
    house.clock.forward(night - house.clock.now())
    await house.seed(replace(shipped(), updated_at=night))
    assert await house.pass_time() == []
    await house.say("hello", phone="+33612345678")
    assert await house.pass_time(11 * HOUR) == []
    assert "gate.somebody_elses_chat" in {w.rule for w in await store.reasons_about("8120000006")}


async def test_two_parcels_that_stand_still_are_two_cases_worth_of_news(house: Home, store: Store) -> None:
    two = (Shipment("8120000006", "dhl", NOON), Shipment("8120000017", "dhl", NOON))
    await house.seed(replace(ORDER, parcels=two))
    await opted_in(house)
    await house.pass_time()
    for number in ("8120000006", "8120000017"):
        await house.hear_of(track((Status.IN_TRANSIT, NOON + HOUR), number=number))
    stuck = Outlook((NOON + 20 * DAY).date(), (NOON + 22 * DAY).date(), stuck=True, quiet_days=9)
    house.announcer.expect = lambda *_: stuck
    await house.pass_time(9 * DAY)
    (case,) = await store.cases()
    told = " ".join(line.text for line in await store.case_history(case.id))
    assert "8120000006" in told
    assert "8120000017" in told


async def test_staff_have_a_case_of_an_order_whose_buyer_has_no_chat(house: Home, store: Store) -> None:
    await house.seed(replace(ORDER, placed_at=NOON - DAY))
    await house.pass_time()
    await house.pass_time(3 * DAY)
    (case,) = await store.cases()
    assert (case.kind, case.order) == ("not_shipped", (await store.find_orders(["1042"]))[0].id)
    board = await house.show()
    assert "1042" in plain(board.cards["t1"].text)
    assert await house.pass_time(3 * DAY) == []
    assert (await store.health()).dead == 0
    act = StaffAct("s1", house.clock.now(), "Lee", Address("none", "order", str(case.order)), "reply", "Where are you?")
    await store.receive([Arrival("wismo", Item("s1", conversation_lane(act.to), codec.pack(act)))])
    await house.work()
    assert ("refused", "Where are you?") in [(x.what, x.text) for x in await store.case_history(case.id)]
    assert (await store.health()).dead == 0
    again = (await store.find_orders(["1042"]))[0]
    assert again.buyer is not None
    await store.erase_buyer(again.buyer)
    assert await store.cases(every=True) == []


async def test_the_buttons_under_a_delivery_are_about_that_order(house: Home, store: Store) -> None:
    await house.seed(replace(shipped(), updated_at=NOON), replace(ORDER, number="1043"))
    buyer = (await store.find_orders(["1042"]))[0].buyer
    proof = Proof("phone", NOON + 30 * DAY, buyer=buyer)
    met = Conversation(house.address(), buyer=buyer, locale="en", proofs=(proof,), last_inbound_at=NOON)
    await store.save_conversations([met])
    await house.say(choice="notify:on")
    await house.pass_time()
    house.clock.forward(3 * HOUR)
    await house.hear_of(track((Status.DELIVERED, NOON + 2 * HOUR)))
    sent = await house.pass_time()
    assert [c.value.rsplit(":", 1)[0] for c in sent[-1].choices] == ["w:well", "w:problem"]
    await house.say(choice=sent[-1].choices[1].value)
    cases = await store.cases()
    assert [(c.kind, c.order) for c in cases] == [("damaged_missing", (await store.find_orders(["1042"]))[0].id)]


async def test_an_order_that_cannot_be_looked_at_keeps_no_other_back(house: Home, store: Store) -> None:
    await house.seed(ORDER, replace(ORDER, number="1043", email="bert@example.org"))
    await opted_in(house)
    sound, broken = house.announcer._announced, (await store.find_orders(["1043"]))[0].id

    def announced(due: Due, down: frozenset[str], now: datetime) -> Announced:
        if due.order.order == broken:
            raise ValueError("a zone that nobody knows")
        return sound(due, down, now)

    house.announcer._announced = announced  # type: ignore[method-assign]
    assert [m.purpose for m in await house.pass_time(HOUR)] == ["notice"]
    assert {w.rule for w in await store.reasons_about("1043")} == {"push.look_failed"}


async def test_what_cannot_be_read_of_an_order_costs_its_own_look_and_nothing_that_was_told_of_it(
    house: Home, store: Store
) -> None:
    await house.seed(ORDER, replace(ORDER, number="1043"))
    await opted_in(house)
    await house.pass_time()
    watch = core(Watch)

    broken = (await store.find_orders(["1043"]))[0].id
    told = select(watch.c.told).where(watch.c.order_id == broken)

    async def damage(connection: AsyncConnection) -> object:
        cut_off = update(watch).where(watch.c.order_id == broken).values(glance=b'{"order":', due_at=NOON)
        await connection.execute(cut_off)
        return await connection.scalar(told)

    before = await store.database.write(damage)
    await house.seed(shipped())
    assert "1042" in words(await house.pass_time(DAY))
    assert "push.look_failed" in {w.rule for w in await store.reasons_about("1043")}
    async with store.database.read() as connection:
        assert await connection.scalar(told) == before


@pytest.mark.parametrize("state", [OutboxState.SENDING, OutboxState.SENT])
async def test_a_window_found_closed_sends_the_approved_template_once(
    house: Home, store: Store, state: OutboxState
) -> None:
    """Whether the sender had written down that it was taken, or the receipt was faster."""
    await left_the_shop(house)
    house.clock.forward(DAY)
    await house.announcer.look()
    await house.work()
    rates = house.sender.accounts["wire"].rates
    (row,) = await store.claim_outbox(("test", "shop"), rates, 5)
    body = codec.encode(replace(codec.outbound(row.body), fallback=Approved("wismo_shipped", "en_US")))
    await store.mark(Mark(row, OutboxState.READY, NOON, body=body))
    (row,) = await store.claim_outbox(("test", "shop"), rates, 5)
    taken = Mark(row, OutboxState.SENT, house.clock.now(), "p9")
    if state == OutboxState.SENT:
        await store.mark(taken)
    shut = Receipt("r1", NOON, house.address(), State.FAILED, outbound_id=str(row.id), closed=True)
    item = Item("r1", conversation_lane(house.address()), codec.pack(shut))
    await store.receive([Arrival("wismo", item)])
    await house.work()
    await store.mark(taken)
    sent = await house.send()
    assert [m.approved.name for m in sent if m.approved] == ["wismo_shipped"]
    assert len(sent) == 1


async def test_a_push_that_a_person_holds_back_can_be_sent_by_its_button(house: Home, store: Store) -> None:
    """Its name must fit the button, which a platform cuts off."""
    await house.seed(ORDER)
    await opted_in(house)
    await house.pass_time()
    await house.act("take")
    await house.work()
    key = "1:window_moved:1:20261205:20261209"
    (order,) = await store.find_orders(["1042"])
    notice = Notice(
        f"push:{key}:202611241200", house.address(), "order_confirmed", key, "parcel_updates", order=order.id
    )
    await store.receive([Arrival("wismo", Item(notice.id, conversation_lane(notice.to), codec.pack(notice)))])
    await house.work()
    await house.show()
    (pressed,) = [c.value for _, line, _ in house.board.lines for c in line.choices if c.value.startswith("send_push")]
    await house.act("send_push", ref=pressed.split(":", 2)[2])
    await house.work()
    assert "1042" in words(await house.send())


async def test_a_push_that_reaches_nobody_is_told_once_at_the_buyers_next_address(house: Home, store: Store) -> None:
    house.wire.phones = True
    await house.seed(replace(ORDER, consent=(GIVEN,)))
    await opted_in(house)
    await house.pass_time()
    await house.seed(shipped())
    house.wire.failing.append(Unreachable("blocked"))
    sent = await house.pass_time(DAY)
    sent += await house.pass_time(HOUR)
    assert [m.to.chat for m in sent] == ["4915112345678"]
    assert "handed to DHL" in words(sent)
    assert "push.next_address" in {w.rule for w in await store.reasons_about("8120000006")}


async def test_a_push_that_reaches_nobody_at_two_addresses_is_not_tried_again(house: Home) -> None:
    house.wire.phones = True
    await house.seed(replace(ORDER, consent=(GIVEN,)))
    await opted_in(house)
    await house.pass_time()
    await house.seed(shipped())
    house.wire.failing += [Unreachable("blocked"), Unreachable("blocked")]
    assert await house.pass_time(DAY) == []
    for _ in range(3):
        assert await house.pass_time(HOUR) == []
    assert house.wire.failing == []


async def test_what_was_ready_to_leave_about_its_way_does_not_follow_the_word_that_it_came(house: Home) -> None:
    await left_the_shop(house)
    await house.pass_time(DAY)
    for status in (Status.OUT_FOR_DELIVERY, Status.DELIVERED):
        house.clock.forward(HOUR)
        await house.hear_of(track((status, house.clock.now())))
        await house.announcer.look()
        await house.work()
    said = words(await house.send()).lower()
    assert "was delivered" in said
    assert "out for delivery" not in said


async def test_a_platforms_switch_for_advertising_is_kept_and_stops_no_news_of_a_parcel(house: Home) -> None:
    await house.seed(ORDER)
    await opted_in(house)
    before = (await house.conversation()).last_inbound_at
    house.clock.forward(HOUR)
    assert await house.say(kind="advertising_off") == []
    record = await house.conversation()
    assert record.last_inbound_at == before  # nobody wrote: WhatsApp's window is no longer open than it was
    assert record.buyer is not None or record.proofs
    assert await _ledger(house) == [("parcel_updates", True), ("advertising", False)]
    await house.pass_time()
    await house.seed(shipped())
    assert "1042" in words(await house.pass_time(DAY))


async def _ledger(house: Home) -> list[tuple[str, bool]]:
    query = text("select purpose, given from consent order by id")

    async def work(connection: AsyncConnection) -> list[tuple[str, bool]]:
        return [(row.purpose, bool(row.given)) for row in await connection.execute(query)]

    return await house.store.database.view(work)


async def test_an_order_that_stands_as_it_did_is_not_read_until_something_is_heard(house: Home, store: Store) -> None:
    """What is kept of it is made unreadable: who reads it says so."""
    await house.seed(replace(shipped(), updated_at=NOON))
    await house.hear_of(track((Status.IN_TRANSIT, NOON)))
    await house.pass_time(HOUR)
    watch = core(Watch)

    async def damage(connection: AsyncConnection) -> None:
        await connection.execute(update(watch).values(glance=b'{"order":'))

    await store.database.write(damage)
    await house.pass_time(25 * HOUR)
    assert "push.look_failed" not in {w.rule for w in await store.reasons_about("1042")}
    house.clock.forward(HOUR)
    await house.hear_of(track((Status.IN_TRANSIT, NOON + 26 * HOUR)))
    await house.pass_time(HOUR)
    assert "push.look_failed" in {w.rule for w in await store.reasons_about("1042")}
