"""What is news, by what was told before: once each, never of the past, whatever the order of looks and scans."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.model.orders import Duties
from bot.model.tracks import Status, Window
from bot.proactive.announce import Announced, Outlook, Rules, announce, milestone
from bot.proactive.pushes import KINDS, Push
from bot.proactive.watching import Sight, Told, Watched

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ORDER = Watched(7, "1042", country="DE", zone="Europe/Berlin", placed=NOW - HOUR, promised=date(2026, 12, 10))
WINDOW = Outlook(date(2026, 12, 1), date(2026, 12, 5), "lane", 140, late=0.1)


def look(
    *parcels: Sight, told: Told | None = None, now: datetime = NOW, order: Watched = ORDER, outlook: Outlook = WINDOW
) -> Announced:
    return announce(order, parcels, told, {p.parcel: outlook for p in parcels}, now, Rules())


def names(announced: Announced) -> list[str]:
    return [p.template for p in announced.pushes]


def sent(at: datetime = NOW, **more: object) -> Sight:
    return Sight(1, "dhl", "8120000006", shipped=at, origin="CN", **more)  # type: ignore[arg-type]


def test_a_new_order_is_confirmed_once() -> None:
    first = look()
    assert names(first) == ["order_confirmed"]
    assert names(look(told=first.told, now=NOW + HOUR)) == []


def test_an_old_order_is_not_confirmed() -> None:
    assert names(look(order=replace(ORDER, placed=NOW - 10 * DAY))) == []


def test_an_order_that_is_not_sent_for_three_days_is_told_and_is_a_case() -> None:
    first = look()
    assert first.again == ORDER.placed + timedelta(hours=72)  # type: ignore[operator]
    late = look(told=first.told, now=first.again or NOW)
    assert names(late) == ["not_shipped"]
    assert [c.kind for c in late.cases] == ["not_shipped"]


def test_what_was_not_sent_long_before_we_knew_of_it_is_no_news() -> None:
    first = look(order=replace(ORDER, placed=NOW - 10 * DAY))
    assert names(first) == []
    assert [r.rule for r in first.reasons] == ["push.was_true_before"]


def test_a_parcel_that_is_sent_is_told_with_its_window() -> None:
    first = look(sent())
    assert names(first) == ["shipped"]
    assert first.told is not None
    assert first.told.parcels[1].last == WINDOW.last


def test_a_parcel_that_the_shop_sends_after_it_named_it_is_told() -> None:
    named = Sight(1, "dhl", "8120000006")
    first = look(named, outlook=Outlook())
    assert names(look(replace(named, shipped=NOW + DAY), told=first.told, now=NOW + DAY, outlook=Outlook())) == [
        "shipped"
    ]


def test_a_cancelled_order_is_looked_at_no_more() -> None:
    told = look(sent()).told
    assert look(sent(), told=told, now=NOW + DAY, order=replace(ORDER, cancelled=True)).again is None


def test_a_label_alone_is_not_shipped() -> None:
    label = Sight(1, "dhl", "8120000006", Status.LABEL_CREATED, since=NOW)
    assert names(look(label)) == []


def test_what_was_true_when_the_parcel_became_known_is_not_told() -> None:
    old = sent(NOW - 9 * DAY, status=Status.OUT_FOR_DELIVERY, since=NOW - 2 * HOUR, seen=NOW - 2 * HOUR)
    first = look(old)
    assert names(first) == []
    assert {r.rule for r in first.reasons} == {"push.was_true_before"}


def test_history_that_comes_after_the_parcel_became_known_is_still_history() -> None:
    known = look(sent(NOW - 9 * DAY))
    then = sent(NOW - 9 * DAY, status=Status.DELIVERED, since=NOW - DAY, seen=NOW - DAY)
    assert names(look(then, told=known.told, now=NOW + HOUR)) == []


def test_each_day_out_for_delivery_is_told_once() -> None:
    told = look(sent()).told
    for day in (1, 2):
        out = sent(status=Status.OUT_FOR_DELIVERY, since=NOW + DAY, seen=NOW + day * DAY)
        for again in range(2):
            found = look(out, told=told, now=NOW + day * DAY + HOUR)
            assert names(found) == (["out_for_delivery"] if again == 0 else [])
            told = found.told


def test_a_moved_window_is_told_with_the_old_one() -> None:
    told = look(sent()).told
    near = replace(WINDOW, last=date(2026, 12, 6))
    far = replace(WINDOW, first=date(2026, 12, 4), last=date(2026, 12, 8))
    assert names(look(sent(), told=told, now=NOW + DAY, outlook=near)) == []
    moved = look(sent(), told=told, now=NOW + DAY, outlook=far)
    assert names(moved) == ["window_moved"]
    assert moved.pushes[0].facts["old_last"] == WINDOW.last
    assert names(look(sent(), told=moved.told, now=NOW + 2 * DAY, outlook=far)) == []


def test_a_delay_is_told_in_two_steps_and_the_second_is_a_case() -> None:
    order = replace(ORDER, promised=NOW.date())
    told = look(sent(), order=order).told
    late = replace(WINDOW, late=0.8)
    first = look(sent(), told=told, now=NOW + DAY, outlook=late, order=order)
    assert names(first) == ["delayed"]
    assert names(look(sent(), told=first.told, now=NOW + 3 * DAY, outlook=late, order=order)) == []
    second = look(sent(), told=first.told, now=NOW + 4 * DAY, outlook=late, order=order)
    assert names(second) == ["delayed_again"]
    assert [c.kind for c in second.cases] == ["delayed"]
    assert names(look(sent(), told=second.told, now=NOW + 9 * DAY, outlook=late, order=order)) == []


def test_nobody_is_told_that_it_is_still_late_before_the_planned_day_is_over() -> None:
    order = replace(ORDER, promised=date(2026, 12, 1))
    late = replace(WINDOW, late=0.8)
    told = look(sent(), order=order).told
    steps: dict[date, list[str]] = {}
    for day in range(1, 12):
        found = look(sent(), told=told, now=NOW + day * DAY, outlook=late, order=order)
        told = found.told
        if found.pushes:
            steps[(NOW + day * DAY).date()] = names(found)
    assert steps == {date(2026, 11, 25): ["delayed"], date(2026, 12, 2): ["delayed_again"]}


def slid(day: int) -> Outlook:
    """Of a parcel of which nothing is heard the days slide on with today."""
    return replace(WINDOW, first=WINDOW.first + day * DAY, last=WINDOW.last + day * DAY)  # type: ignore[operator]


def test_a_window_that_slides_on_without_news_is_told_once_and_again_when_its_days_are_over() -> None:
    told, days = look(sent()).told, []
    for day in range(1, 25):
        found = look(sent(), told=told, now=NOW + day * DAY, outlook=slid(day))
        told = found.told
        days += [day for p in found.pushes if p.template == "window_moved"]
    assert days == [2, 13, 24]


def test_a_window_that_moves_with_news_is_told_each_time() -> None:
    told, days = look(sent()).told, []
    for day in range(1, 9):
        seen = NOW + (day - day % 4) * DAY
        moving = sent(status=Status.IN_TRANSIT, since=NOW, seen=seen)
        found = look(moving, told=told, now=NOW + day * DAY, outlook=slid(day))
        told = found.told
        days += [day for p in found.pushes if p.template == "window_moved"]
    assert days == [2, 4, 8]


def test_the_old_days_are_those_that_were_told() -> None:
    """What customs does is told without days; what was expected then is not what the buyer heard last."""
    told = look(sent()).told
    held = sent(status=Status.CUSTOMS, cause="held", since=NOW + DAY, seen=NOW + DAY)
    first = look(held, told=told, now=NOW + DAY, outlook=slid(1))
    assert names(first) == ["customs_processing"]
    released = sent(status=Status.CUSTOMS, cause="released", since=NOW + 2 * DAY, seen=NOW + 2 * DAY)
    (moved,) = look(released, told=first.told, now=NOW + 2 * DAY, outlook=slid(2)).pushes
    assert (moved.template, moved.facts["old_last"]) == ("window_moved", WINDOW.last)


@pytest.mark.parametrize("status", [Status.OUT_FOR_DELIVERY, Status.DELIVERY_ATTEMPTED, Status.PICKUP_READY])
def test_on_the_last_mile_no_other_days_are_told(status: Status) -> None:
    told = look(sent()).told
    near = sent(status=status, since=NOW + DAY, seen=NOW + DAY)
    first = look(near, told=told, now=NOW + DAY, outlook=slid(5))
    again = look(near, told=first.told, now=NOW + 2 * DAY, outlook=slid(9))
    assert "window_moved" not in names(first) + names(again)


def test_a_new_date_of_the_carrier_is_news() -> None:
    told, days = look(sent()).told, []
    for day in range(1, 9):
        given = Window(NOW, NOW + (20 if day < 3 else 25) * DAY, "carrier")
        found = look(sent(window=given), told=told, now=NOW + day * DAY, outlook=slid(day))
        told = found.told
        days += [day for p in found.pushes if p.template == "window_moved"]
    assert days == [2, 4]


def test_of_a_parcel_that_stands_still_no_days_are_told_before_it_moves() -> None:
    told = look(sent(moved=NOW)).told
    stuck = replace(slid(9), stuck=True, quiet_days=9)
    first = look(sent(moved=NOW), told=told, now=NOW + 9 * DAY, outlook=stuck)
    assert names(first) == ["stalled"]
    later = look(sent(moved=NOW), told=first.told, now=NOW + 14 * DAY, outlook=replace(slid(14), stuck=True))
    assert names(later) == []
    over = look(sent(moved=NOW + 15 * DAY), told=later.told, now=NOW + 15 * DAY, outlook=slid(15))
    assert names(over) == ["stall_over"], "it says the new days"
    assert names(look(sent(moved=NOW + 15 * DAY), told=over.told, now=NOW + 16 * DAY, outlook=slid(15))) == []


def test_staff_hear_of_a_parcel_in_trouble_before_its_buyer_can_open_a_dispute() -> None:
    bought = replace(ORDER, source="ebay", promised=date(2026, 12, 1))
    late, told, cases = replace(WINDOW, late=0.8), look(sent(), order=bought).told, []
    for day in (2, 5, 8):
        found = look(sent(), told=told, now=NOW + day * DAY, order=bought, outlook=late)
        told = found.told
        cases.append([c.kind for c in found.cases])
    assert cases == [[], ["dispute_near"], ["delayed"]]


def test_a_parcel_that_no_source_was_asked_about_yet_is_in_no_trouble() -> None:
    bought = replace(ORDER, source="ebay", promised=date(2026, 12, 1))
    unheard, late = sent(), replace(WINDOW, late=0.8)
    now = NOW + 5 * DAY
    first = look(unheard, now=now, order=bought, outlook=late)
    soon = look(unheard, told=first.told, now=now + DAY / 4, order=bought, outlook=late)
    after = look(unheard, told=soon.told, now=now + DAY, order=bought, outlook=late)
    assert [first.cases, soon.cases] == [(), ()]
    assert [names(first), names(soon)] == [[], []]
    assert "dispute_near" in [c.kind for c in after.cases]
    heard = look(sent(status=Status.IN_TRANSIT), told=soon.told, now=now + DAY / 4, order=bought, outlook=late)
    assert "dispute_near" in [c.kind for c in heard.cases]


@pytest.mark.parametrize(
    ("status", "cause", "push", "kind"),
    [
        (Status.EXCEPTION, "lost", "lost", "lost"),
        (Status.EXCEPTION, "destroyed", "lost", "lost"),
        (Status.CUSTOMS, "info_required", "customs_documents", "customs"),
        (Status.CUSTOMS, "duty_due", "customs_duty", "customs"),
        (Status.RETURNING, "", "returned", "returned"),
    ],
)
def test_a_push_that_says_when_a_colleague_answers_is_a_case_once(
    status: Status, cause: str, push: str, kind: str
) -> None:
    told = look(sent()).told
    trouble = sent(status=status, cause=cause, since=NOW + DAY, seen=NOW + DAY)
    found = look(trouble, told=told, now=NOW + DAY)
    assert (names(found), [c.kind for c in found.cases]) == ([push], [kind])
    assert look(trouble, told=found.told, now=NOW + 2 * DAY).cases == ()
    long_ago = sent(status=status, cause=cause, since=NOW - 30 * DAY, seen=NOW - 30 * DAY)
    assert look(long_ago).cases == ()


@pytest.mark.parametrize(
    ("duties", "cases"), [(Duties.SELLER, ["customs"]), (Duties.UNKNOWN, ["customs"]), (Duties.BUYER, [])]
)
def test_duty_that_is_not_the_buyers_is_work_for_staff(duties: Duties, cases: list[str]) -> None:
    order = replace(ORDER, duties=duties)
    told = look(sent(), order=order).told
    due = sent(status=Status.CUSTOMS, cause="duty_due", since=NOW + DAY, seen=NOW + DAY)
    found = look(due, told=told, now=NOW + DAY, order=order)
    assert names(found) == ["customs_duty"]
    assert [c.kind for c in found.cases] == cases


def test_an_open_dispute_clock_of_a_parcel_that_comes_in_time_is_no_case() -> None:
    bought = replace(ORDER, source="ebay", promised=date(2026, 12, 1))
    told = look(sent(), order=bought).told
    assert look(sent(), told=told, now=NOW + 6 * DAY, order=bought).cases == ()


def test_a_stall_is_told_and_its_end_too() -> None:
    told = look(sent(moved=NOW)).told
    stuck = replace(WINDOW, stuck=True, quiet_days=12)
    first = look(sent(moved=NOW), told=told, now=NOW + 12 * DAY, outlook=stuck)
    assert names(first) == ["stalled"]
    assert names(look(sent(moved=NOW), told=first.told, now=NOW + 13 * DAY, outlook=stuck)) == []
    over = look(sent(moved=NOW + 13 * DAY), told=first.told, now=NOW + 13 * DAY)
    assert names(over) == ["stall_over"]
    assert over.pushes[0].needs == first.pushes[0].key


def test_silence_of_the_time_before_we_knew_the_parcel_is_no_stall() -> None:
    stuck = replace(WINDOW, stuck=True, quiet_days=30)
    assert names(look(sent(NOW - 30 * DAY), outlook=stuck)) == []


def test_a_parcel_waiting_at_a_pickup_point_is_reminded_of() -> None:
    told = look(sent()).told
    ready = sent(status=Status.PICKUP_READY, since=NOW + DAY, seen=NOW + DAY)
    first = look(ready, told=told, now=NOW + DAY)
    assert names(first) == ["pickup_ready"]
    later = look(ready, told=first.told, now=NOW + 4 * DAY + HOUR)
    assert names(later) == ["pickup_reminder"]


def test_after_the_end_there_is_nothing_more_to_look_for() -> None:
    told = look(sent()).told
    came = sent(status=Status.DELIVERED, since=NOW + 5 * DAY, seen=NOW + 5 * DAY)
    last = look(came, told=told, now=NOW + 5 * DAY)
    assert names(last) == ["delivered"]
    assert last.again is None


def test_a_cancelled_order_is_not_spoken_of() -> None:
    assert names(look(sent(), order=replace(ORDER, cancelled=True))) == []


def test_an_arrival_in_the_country_it_came_from_is_no_news() -> None:
    here = Sight(1, "dhl", "1", Status.ARRIVED_DESTINATION, since=NOW, origin="DE")
    assert milestone(here, "DE") == ""
    assert milestone(replace(here, origin="CN"), "DE") == "arrived_country"


def test_an_arrival_in_a_third_country_is_not_told_as_theirs() -> None:
    there = Sight(1, "dhl", "1", Status.ARRIVED_DESTINATION, since=NOW, origin="CN", country="NL")
    assert milestone(there, "DE") == ""
    assert milestone(replace(there, country="DE"), "DE") == "arrived_country"


def test_a_day_out_for_delivery_is_the_buyers_day() -> None:
    sydney = replace(ORDER, country="AU", zone="Australia/Sydney")
    told = look(sent(), order=sydney).told
    morning = datetime(2026, 11, 26, 22, 30, tzinfo=UTC)
    keys: list[str] = []
    for seen in (morning, morning + 3 * HOUR):
        out = sent(status=Status.OUT_FOR_DELIVERY, since=morning, seen=seen)
        found = look(out, told=told, now=seen, order=sydney)
        told, keys = found.told, keys + [p.key for p in found.pushes]
    assert keys == ["out_for_delivery:1:20261127"]


def test_a_parcel_that_is_no_longer_late_is_not_said_to_be_late_again() -> None:
    told = look(sent()).told
    first = look(sent(), told=told, now=NOW + DAY, outlook=replace(WINDOW, late=0.8))
    recovered = look(sent(), told=first.told, now=NOW + 5 * DAY)
    assert names(recovered) == []
    assert recovered.cases == ()
    assert recovered.again == NOW + 6 * DAY


def test_a_second_move_is_told_whatever_became_of_the_first() -> None:
    """A first move that was held back, as before its buyer asked to be told, would else keep back all that follow."""
    told = look(sent()).told
    moves: list[Push] = []
    for day, last in ((1, date(2026, 12, 9)), (2, date(2026, 12, 12))):
        scanned = sent(status=Status.IN_TRANSIT, since=NOW, seen=NOW + day * DAY)
        found = look(scanned, told=told, now=NOW + day * DAY, outlook=replace(WINDOW, last=last))
        told, moves = found.told, [*moves, *found.pushes]
    assert [m.needs for m in moves] == ["", ""]


def test_what_is_left_out_of_a_parcel_is_noted_about_the_parcel() -> None:
    old = sent(NOW - 9 * DAY, status=Status.DELIVERED, since=NOW - DAY, seen=NOW - DAY)
    assert {r.about for r in look(old).reasons} == {"p/1"}


SIGHTS = st.builds(
    Sight,
    parcel=st.just(1),
    carrier=st.just("dhl"),
    number=st.just("8120000006"),
    status=st.sampled_from(list(Status)),
    cause=st.sampled_from(["", "held", "info_required", "duty_due", "lost", "deadline_near", "not_home"]),
    since=st.one_of(st.none(), st.integers(-60, 60).map(lambda d: NOW + d * DAY / 2)),
    seen=st.one_of(st.none(), st.integers(-60, 60).map(lambda d: NOW + d * DAY / 2)),
    handed=st.one_of(st.none(), st.integers(-60, 60).map(lambda d: NOW + d * DAY / 2)),
    shipped=st.one_of(st.none(), st.integers(-60, 60).map(lambda d: NOW + d * DAY / 2)),
    origin=st.sampled_from(["", "CN", "DE"]),
)
OUTLOOKS = st.builds(
    Outlook,
    first=st.just(date(2026, 12, 1)),
    last=st.dates(date(2026, 12, 1), date(2027, 1, 30)),
    late=st.one_of(st.none(), st.floats(0, 1)),
    stuck=st.booleans(),
    quiet_days=st.integers(0, 60),
)


@given(st.lists(st.tuples(SIGHTS, OUTLOOKS, st.integers(0, 72)), max_size=12))
def test_any_looks_give_each_push_once_and_none_of_the_past(looks: list[tuple[Sight, Outlook, int]]) -> None:
    told, now, keys = None, NOW, []
    for sight, outlook, hours in looks:
        now += hours * HOUR
        found = announce(ORDER, [sight], told, {1: outlook}, now, Rules())
        again = announce(ORDER, [sight], found.told, {1: outlook}, now, Rules())
        assert again.pushes == ()
        for push in found.pushes:
            assert push.at + KINDS[push.template].lasts > now or push.template == "order_confirmed"
            assert push.at >= NOW or push.template == "shipped"
        assert found.again is None or found.again > now
        keys += [p.key for p in found.pushes]
        told = found.told
    assert len(keys) == len(set(keys))
