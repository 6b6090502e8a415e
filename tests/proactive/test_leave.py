"""What leaves a chat's lane: only what is still so, only into a chat that is still its buyer's, within every cap."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from bot.app import shipped_templates
from bot.catalogue import read_catalogue
from bot.dialog.turn import Desk, Shop
from bot.model.cases import CaseDraft
from bot.model.conversations import Conversation
from bot.model.events import Notice
from bot.model.messages import Address, Limits
from bot.model.orders import Order
from bot.model.tracks import Status
from bot.proactive.announce import Outlook
from bot.proactive.campaign import TEMPLATES
from bot.proactive.gate import House
from bot.proactive.leave import Door, Leaving, Left, leave
from bot.proactive.watching import Sight
from bot.proactive.wording import Situation, Words

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CHAT = Address("test", "shop", "4915112345678")
LIMITS = Limits(text=4000, caption=1000, buttons=3, button_title=30)
WINDOW = Outlook(date(2026, 12, 1), date(2026, 12, 5), "lane", 140)
SHOP = Shop("Lantern", "CN", "Asia/Shanghai", "en", ("en",))
GIVEN = Left(consents=frozenset({"parcel_updates"}))


def order(n: int, buyer: int = 1, **parcel: object) -> Situation:
    value = Order(str(1000 + n), NOON, shop="Lantern", country="DE", postcode="50667", locale="en")
    return Situation(n, buyer, value, (Sight(n, "dhl", f"812000000{n}", **parcel),))  # type: ignore[arg-type]


def notice(n: int, template: str, **more: object) -> Notice:
    key = f"{n}:{template}:{n}"
    made = Notice(f"push:{key}", CHAT, template, key, "parcel_updates", order=n, parcel=n)
    return replace(made, **more)


def left(orders: list[Situation], *notices: Notice, **more: Any) -> Leaving:
    door = Door(
        record=Conversation(CHAT, buyer=1, locale="en"),
        orders={o.id: o for o in orders},
        left={o.buyer or 0: GIVEN for o in orders},
        shop=SHOP,
        house=House(urgent_a_day=2),
        limits=LIMITS,
        words=Words(lambda o, p, t, now: WINDOW, Desk(True, NOON, NOON, ""), SHOP),
        approve=lambda reply: True,
        held=False,
        now=NOON,
    )
    return leave(replace(door, **more), notices)


def rules(leaving: Leaving) -> list[str]:
    return [r.rule for r in leaving.reasons]


def test_a_chat_that_has_another_owner_now_is_told_nothing() -> None:
    somebody = Conversation(CHAT, buyer=None, phone="+33611223344")
    theirs = replace(order(1), phone="+4915112345678")
    out = notice(1, "shipped")
    chat_of: dict[str, Any] = {"chat_of": lambda phone: phone.removeprefix("+")}
    assert rules(left([theirs], out, record=somebody, **chat_of)) == ["gate.somebody_elses_chat"]
    assert rules(left([theirs], out, record=replace(somebody, buyer=2), **chat_of)) == ["gate.somebody_elses_chat"]
    assert rules(left([theirs], out, record=replace(somebody, phone=""), **chat_of)) == ["gate.passed"]
    assert rules(left([theirs], out, record=somebody, follows=frozenset({1}))) == ["gate.passed"]


def test_urgent_ones_that_come_at_once_are_capped_too() -> None:
    orders = [order(n, status=Status.OUT_FOR_DELIVERY, since=NOON) for n in range(1, 5)]
    found = left(orders, *(notice(n, "out_for_delivery") for n in range(1, 5)))
    assert rules(found) == ["gate.passed"] * 2 + ["gate.enough_for_today"] * 2
    assert len(found.replies) == 2
    assert len(found.later) == 2


def test_a_digest_holds_one_buyers_news() -> None:
    orders = [order(1), order(2), order(3, buyer=2)]
    found = left(orders, *(notice(n, "shipped") for n in (1, 2, 3)), follows=frozenset({3}))
    assert [r.template for r in found.replies] == ["digest", "shipped"]
    assert found.replies[0].facts["numbers"] == ["1001", "1002"]
    assert {(g.buyer, g.reply) for g in found.gone} == {(1, found.replies[0].key), (2, found.replies[1].key)}


def test_the_digest_says_once_by_when_a_parcel_should_come() -> None:
    here = order(1, shipped=NOON - DAY, status=Status.ARRIVED_DESTINATION, since=NOON, origin="CN")
    orders = [here, order(2, shipped=NOON)]
    told = [notice(1, "arrived_country"), notice(1, "stall_over"), notice(2, "shipped")]
    (reply,) = left(orders, *told).replies
    dated = [(line["number"], line["template"]) for line in reply.facts["lines"] if "first" in line]
    assert dated == [("1001", "stall_over"), ("1002", "shipped")]
    moved = notice(2, "window_moved", facts={"old_first": "2026-11-20", "old_last": "2026-11-28"})
    (reply,) = left(orders, told[0], moved, told[2]).replies
    dated = [(line["number"], line["template"]) for line in reply.facts["lines"] if "first" in line]
    assert dated == [("1001", "arrived_country"), ("1002", "window_moved")]


def test_a_parcel_that_moved_overnight_does_not_stand_still() -> None:
    moved = order(1, status=Status.IN_TRANSIT, moved=NOON - DAY)
    held = notice(1, "stalled", fact_key="1:stalled:1:20261110", facts={"silent_days": 12})
    assert rules(left([moved], held)) == ["push.no_longer_so"]
    still = notice(1, "stalled", fact_key="1:stalled:1:20261123", facts={"silent_days": 12})
    assert rules(left([moved], still)) == ["gate.passed"]


def test_a_parcel_on_its_last_mile_is_not_said_to_be_late() -> None:
    out = order(1, status=Status.OUT_FOR_DELIVERY, since=NOON)
    assert rules(left([out], notice(1, "delayed"), notice(1, "delayed_again"))) == ["push.no_longer_so"] * 2


def test_a_window_that_is_back_where_it_was_has_not_moved() -> None:
    was = {"old_first": "2026-12-01", "old_last": "2026-12-05"}
    assert rules(left([order(1)], notice(1, "window_moved", facts=was))) == ["push.no_longer_so"]
    other = {"old_first": "2026-11-28", "old_last": "2026-12-02"}
    assert rules(left([order(1)], notice(1, "window_moved", facts=other))) == ["gate.passed"]


def test_the_first_push_of_a_chat_says_how_to_stop_and_a_windowed_platform_each_time() -> None:
    first = left([order(1)], notice(1, "shipped"))
    assert first.replies[0].facts["stop_hint"] is True
    here: dict[str, Any] = {"left": {1: replace(GIVEN, here=True)}}
    assert "stop_hint" not in left([order(1)], notice(1, "shipped"), **here).replies[0].facts
    windowed = left([order(1)], notice(1, "shipped"), limits=replace(LIMITS, window=True), **here)
    assert windowed.replies[0].facts["stop_hint"] is True


def test_the_digest_says_how_to_stop_where_one_of_it_would() -> None:
    found = left([order(1), order(2)], notice(1, "shipped"), notice(2, "shipped"))
    assert found.replies[0].facts["stop_hint"] is True


def test_buttons_under_a_delivery_name_their_order() -> None:
    came = order(7, status=Status.DELIVERED, since=NOON, scanned=NOON)
    assert [o.value for o in left([came], notice(7, "delivered")).replies[0].options] == ["w:well:7", "w:problem:7"]


def test_what_a_campaign_may_say_is_told_by_any_order() -> None:
    (reply,) = left([order(1, shipped=NOON, place="Leipzig")], notice(1, "estimate")).replies
    entries = read_catalogue(shipped_templates() / "catalogue.yaml").entries
    lacking = {name: entries[name].always.keys() - reply.facts.keys() for name in TEMPLATES}
    assert not any(lacking.values()), lacking


def test_a_stopped_campaign_says_nothing_more() -> None:
    waiting = notice(1, "estimate", fact_key="campaign:3", parcel=None)
    assert rules(left([order(1)], waiting, stopped=frozenset({"campaign:3"}))) == ["campaign.stopped"]
    assert rules(left([order(1)], waiting, stopped=frozenset({"campaign:4"}))) == ["gate.passed"]


def test_every_case_is_kept() -> None:
    drafts = [notice(1, "", id=f"case:{n}", case=CaseDraft("stalled", str(n), 1)) for n in range(3)]
    assert [n.case.summary for n in left([order(1)], *drafts).cases if n.case] == ["0", "1", "2"]
