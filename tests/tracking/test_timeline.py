"""Timelines: merging, what counts, and the rules of `facts/carriers.md` §6.2."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import permutations
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.model.parcels import Parcel
from bot.model.tracks import Leg, OffsetFrom, Place, Role, Scan, Status, Track, Window
from bot.tracking.phrases import refine, rules
from bot.tracking.standing import moved_after_delivery, on_the_spot
from bot.tracking.timeline import Change, State, apply, derive, last_physical, latest_scan, merge, standing
from bot.tracking.vocabulary import CAUSES, known

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def scan(  # noqa: PLR0917 - a test says only what matters to it
    status: Status,
    hours: float,
    cause: str = "",
    text: str = "",
    country: str = "",
    carrier: str = "usps",
    physical: bool = True,
    offset: OffsetFrom = OffsetFrom.EXPLICIT,
    code: str = "",
    voids: str = "",
) -> Scan:
    at = NOW - timedelta(days=10) + timedelta(hours=hours)
    return Scan(
        code or status.value,
        text or f"{status.value} {hours}",
        at.isoformat(),
        at,
        at.replace(tzinfo=None),
        offset,
        status,
        cause,
        Place("", country),
        physical,
        carrier,
        "test",
        voids,
    )


def track(*scans: Scan, **fields: object) -> Track:
    base = Track("usps", "RR1", scans=scans, source="test", origin="CN", destination="US")
    return replace(base, **fields)


def state(*scans: Scan, now: datetime = NOW, **fields: object) -> tuple[str, str]:
    found = derive(merge(None, track(*scans, **fields)), now)
    return found.status.value, found.cause


SCANS = st.builds(
    scan,
    st.sampled_from(Status),
    st.integers(0, 200),
    cause=st.sampled_from(["", "held", "refused", "lost"]),
    text=st.sampled_from(["", "Delivered to neighbour", "已签收 驿站代收", "left the facility", "a"]),
    country=st.sampled_from(["", "CN", "US"]),
    carrier=st.sampled_from(["usps", "china-post"]),
    physical=st.booleans(),
    offset=st.sampled_from(OffsetFrom),
    voids=st.sampled_from(["", "", "", "delivered"]),
)
ETAS = st.none() | st.builds(
    Window, st.just(NOW), st.integers(0, 5).map(lambda d: NOW + timedelta(days=d)), st.sampled_from(["usps", "x"])
)
LEGS = st.builds(Leg, st.sampled_from(["a", "b", ""]), st.just("RR1"), st.sampled_from(Role))
TRACKS = st.builds(
    Track,
    st.sampled_from(["usps", "china-post"]),
    st.just("RR1"),
    scans=st.lists(SCANS, max_size=6).map(tuple),
    status=st.sampled_from(Status),
    cause=st.sampled_from(["", "lost"]),
    eta=ETAS,
    legs=st.lists(LEGS, max_size=2).map(tuple),
    origin=st.sampled_from(["", "CN"]),
    destination=st.sampled_from(["", "US", "DE"]),
    proof_of_delivery=st.sampled_from(["", "p"]),
    source=st.sampled_from(["s", "t"]),
    at=st.none() | st.integers(0, 9).map(lambda h: NOW + h * HOUR),
)


def merged(updates: Sequence[Track]) -> Track:
    first = merge(None, updates[0])
    return reduce(merge, updates[1:], first)


@given(st.lists(TRACKS, min_size=1, max_size=4), st.randoms())
def test_any_order_and_repetition_of_updates_gives_the_same_timeline(updates: list[Track], chance: object) -> None:
    shuffled = updates * 2
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merged(shuffled) == merged(updates)


@given(TRACKS, TRACKS, TRACKS)
def test_merging_is_associative(a: Track, b: Track, c: Track) -> None:
    assert merge(merge(None, a), merge(merge(None, b), c)) == merge(merge(merge(None, a), b), c)


@given(st.lists(SCANS, max_size=8))
def test_every_event_is_kept_and_none_is_invented(scans: list[Scan]) -> None:
    kept = merge(None, track(*scans)).scans
    assert {(s.raw_text, s.raw_time, s.carrier, s.place) for s in kept} == {
        (s.raw_text, s.raw_time, s.carrier, s.place) for s in scans
    } or len(kept) < len(scans)
    assert all(any((k.raw_text, k.raw_time) == (s.raw_text, s.raw_time) for s in scans) for k in kept)


UNKNOWN_CODES = st.builds(
    scan,
    st.just(Status.UNKNOWN),
    st.integers(0, 240),
    text=st.text(max_size=20)
    | st.sampled_from(
        ["DELIVERED", "Delivered, left with neighbour", "已妥投", "entregue ao destinatário", "Zugestellt", "lost"]
    ),
    code=st.just("9999"),
)


@given(st.lists(UNKNOWN_CODES, min_size=1, max_size=8))
def test_unknown_codes_never_deliver_nor_frighten(scans: list[Scan]) -> None:
    status, _ = state(*scans)
    assert status not in {"delivered", "returning", "returned", "exception"}


@given(st.lists(UNKNOWN_CODES, max_size=8))
def test_no_unknown_code_leaves_delivered(scans: list[Scan]) -> None:
    assert state(scan(Status.DELIVERED, 5), *scans)[0] == "delivered"


@given(st.lists(SCANS, max_size=8))
def test_every_derived_cause_that_a_source_table_can_give_is_in_the_vocabulary(scans: list[Scan]) -> None:
    named = [s for s in scans if known(s.status, s.cause)]
    status, cause = state(*named)
    assert known(Status(status), cause)


TOLD = {
    (Status.OUT_FOR_DELIVERY, Status.PICKUP_READY),
    (Status.DELIVERED, Status.PICKUP_READY),
    (Status.DELIVERED, Status.RETURNED),
    (Status.DELIVERED, Status.DELIVERY_ATTEMPTED),
    (Status.DELIVERED, Status.IN_TRANSIT),
    (Status.DELIVERY_ATTEMPTED, Status.RETURNING),
    (Status.DELIVERY_ATTEMPTED, Status.EXCEPTION),
    (Status.EXCEPTION, Status.RETURNING),
    (Status.EXCEPTION, Status.CUSTOMS),
    (Status.EXCEPTION, Status.DELIVERY_ATTEMPTED),
    (Status.EXCEPTION, Status.PICKUP_READY),
}
"""What words can make of a status beside naming its cause."""


def test_text_rules_settle_at_once_and_speak_the_vocabulary() -> None:
    for status, some in rules().items():
        for to, cause, pattern in ((rule.to, rule.cause, rule.pattern) for rule in some):
            assert known(to, cause), pattern.pattern
            plain = status in {Status.UNKNOWN, Status.IN_TRANSIT}
            assert to is status or plain or (status, to) in TOLD
            # Only a code delivers, loses or sends back; one that is known may say the last by its words.
            only_codes = {Status.DELIVERED, Status.RETURNED, Status.EXCEPTION}
            if status is Status.UNKNOWN:
                only_codes.add(Status.RETURNING)
            assert not plain or to not in only_codes


def test_the_rules_are_in_small_letters_as_is_the_text_they_are_tried_on() -> None:
    for some in rules().values():
        assert all(rule.pattern.pattern == rule.pattern.pattern.lower() for rule in some)


def test_a_text_is_tried_on_the_rules_of_its_scripts_alone() -> None:
    latin, every = (
        {rule.pattern.pattern for some in asked.values() for rule in some}
        for asked in (rules(frozenset({"latin"})), rules())
    )
    assert latin < every
    foreign = re.compile("[\u0400-\u04ff\u0600-\u06ff\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]")
    assert not any(foreign.search(pattern) for pattern in latin)
    assert all(foreign.search(pattern) for pattern in every - latin)


@given(SCANS)
def test_reading_a_text_twice_changes_nothing(one: Scan) -> None:
    assert refine(refine(one)) == refine(one)


def test_signed_at_the_station_is_ready_for_pickup() -> None:
    assert state(scan(Status.DELIVERED, 1, text="已签收,丰巢快递柜")) == ("pickup_ready", "locker")
    assert state(scan(Status.DELIVERED, 1, text="Delivered to a neighbour")) == ("delivered", "neighbour")


def test_a_delivery_stamped_before_the_last_tour_is_still_a_delivery() -> None:
    assert state(scan(Status.OUT_FOR_DELIVERY, 5), scan(Status.DELIVERED, 4.9)) == ("delivered", "")


def test_a_delivery_in_the_senders_country_is_a_hand_over_and_not_the_buyers() -> None:
    first_mile = [scan(Status.ACCEPTED, 1, country="CN"), scan(Status.DELIVERED, 5, country="CN", carrier="yto")]
    assert state(*first_mile) == ("in_transit", "handed_to_partner")
    assert state(*first_mile, scan(Status.ARRIVED_DESTINATION, 50, country="US")) == ("arrived_destination", "")
    assert moved_after_delivery(track(*first_mile, scan(Status.IN_TRANSIT, 9, country="CN")), NOW) is None
    assert state(*first_mile, origin="CN", destination="CN")[0] == "delivered"
    assert state(*first_mile, origin="", destination="US")[0] == "delivered"
    assert state(scan(Status.RETURNING, 1), scan(Status.DELIVERED, 9, country="CN"))[0] == "returned"


def test_a_delivery_to_the_next_carrier_is_none_where_the_source_says_it_goes_on() -> None:
    first_mile = scan(Status.DELIVERED, 5, country="US", carrier="cainiao")
    scans = (first_mile, scan(Status.OUT_FOR_DELIVERY, 30, country="US"))
    assert state(*scans, status=Status.OUT_FOR_DELIVERY)[0] == "out_for_delivery"
    assert state(scans[0], status=Status.IN_TRANSIT)[0] == "delivered"
    for whole in (Status.DELIVERED, Status.UNKNOWN):
        assert state(*scans, status=whole)[0] == "delivered"
    assert moved_after_delivery(track(*scans, status=Status.OUT_FOR_DELIVERY), NOW) is None
    alone = replace(scans[1], carrier="cainiao")
    assert state(scans[0], alone, status=Status.OUT_FOR_DELIVERY)[0] == "delivered"
    assert state(*scans, scan(Status.DELIVERED, 40, country="US"), status=Status.IN_TRANSIT)[0] == "delivered"


def test_only_a_physical_return_reopens_a_delivery() -> None:
    done = scan(Status.DELIVERED, 1)
    assert state(done, scan(Status.RETURNING, 2, cause="refused")) == ("returning", "refused")
    assert state(done, scan(Status.RETURNING, 2, physical=False))[0] == "delivered"
    assert state(done, scan(Status.IN_TRANSIT, 2))[0] == "delivered"
    assert moved_after_delivery(track(done, scan(Status.IN_TRANSIT, 2)), NOW) is not None
    assert moved_after_delivery(track(done, scan(Status.RETURNING, 2)), NOW) is None


def test_a_lost_parcel_that_moves_again_is_found() -> None:
    lost = scan(Status.EXCEPTION, 1, cause="lost")
    assert state(lost, scan(Status.IN_TRANSIT, 2, cause="hub_arrived")) == ("in_transit", "hub_arrived")
    assert state(lost, scan(Status.IN_TRANSIT, 2, physical=False)) == ("exception", "lost")


def test_what_is_delivered_on_the_way_back_went_to_the_sender() -> None:
    back = scan(Status.RETURNING, 1, cause="refused")
    assert state(back, scan(Status.DELIVERED, 9, country="CN")) == ("returned", "refused")
    assert state(back, scan(Status.DELIVERED, 9)) == ("returning", "refused")
    for ends in ("US", ""):
        assert state(back, scan(Status.DELIVERED, 9), origin=ends, destination=ends) == ("returned", "refused")
        toured = state(back, scan(Status.OUT_FOR_DELIVERY, 9), origin=ends, destination=ends)
        assert toured == ("returning", "refused")
    # A warehouse that takes returns may stand in the buyer's country; who is toured to again is the buyer.
    assert state(back, scan(Status.DELIVERED, 9, country="US")) == ("returning", "refused")
    again = scan(Status.OUT_FOR_DELIVERY, 8, country="US")
    assert state(back, again, scan(Status.DELIVERED, 9, country="US")) == ("delivered", "")


def test_a_declaration_before_leaving_is_no_arrival() -> None:
    picked = scan(Status.ACCEPTED, 1)
    assert state(picked, scan(Status.CUSTOMS, 2, cause="import_processing"))[0] == "accepted"
    gone = scan(Status.DEPARTED_ORIGIN, 2)
    assert state(picked, gone, scan(Status.CUSTOMS, 3, cause="import_processing"))[0] == "customs"


def test_customs_holds_until_it_lets_go_or_the_parcel_moves_beyond() -> None:
    duty = scan(Status.CUSTOMS, 1, cause="duty_due", country="US")
    assert state(duty, scan(Status.IN_TRANSIT, 2, country="CN")) == ("customs", "duty_due")
    assert state(duty, scan(Status.IN_TRANSIT, 2, country="US", physical=False)) == ("customs", "duty_due")
    assert state(duty, scan(Status.EXCEPTION, 2, cause="delay_carrier")) == ("customs", "duty_due")
    assert state(duty, scan(Status.IN_TRANSIT, 2, country="US"))[0] == "in_transit"
    assert state(duty, scan(Status.CUSTOMS, 2, cause="released")) == ("customs", "released")
    assert state(duty, scan(Status.OUT_FOR_DELIVERY, 2))[0] == "out_for_delivery"


def test_data_is_no_movement() -> None:
    data = scan(Status.IN_TRANSIT, 50, physical=False)
    there = track(scan(Status.IN_TRANSIT, 1), data, scan(Status.LABEL_CREATED, 60))
    assert last_physical(there, NOW) == there.scans[0]
    assert latest_scan(there, NOW) == there.scans[2]
    assert derive(there, NOW).status is Status.IN_TRANSIT


def test_a_voided_event_is_kept_and_does_not_count() -> None:
    scans = (
        scan(Status.IN_TRANSIT, 1),
        scan(Status.DELIVERED, 2, code="EMI"),
        scan(Status.UNKNOWN, 3, code="EMID", voids="EMI"),
    )
    assert state(*scans)[0] == "in_transit"
    assert len(merge(None, track(*scans)).scans) == 3


def test_a_scan_from_the_future_does_not_count_until_its_time() -> None:
    ahead = scan(Status.DELIVERED, 245)
    assert state(scan(Status.IN_TRANSIT, 1), ahead)[0] == "in_transit"
    assert state(scan(Status.IN_TRANSIT, 1), ahead, now=NOW + 6 * HOUR)[0] == "delivered"


def test_another_parcels_scans_under_the_same_number_do_not_count() -> None:
    parcel = Parcel(1, 1, "usps", "RR1", shipped_at=NOW - timedelta(days=2))
    fresh, _ = apply(parcel, track(scan(Status.DELIVERED, 1 - 40 * 24)), NOW)
    assert fresh.status is Status.UNKNOWN
    assert fresh.track is not None
    assert len(fresh.track.scans) == 1


def test_nor_does_the_summary_that_speaks_of_them() -> None:
    parcel = Parcel(1, 1, "usps", "RR1", shipped_at=NOW - timedelta(days=2))
    old = track(scan(Status.DELIVERED, 1 - 40 * 24), status=Status.DELIVERED)
    ahead = track(scan(Status.DELIVERED, 400), status=Status.DELIVERED)
    for update in (old, ahead):
        assert apply(parcel, update, NOW)[0].status is Status.UNKNOWN


def test_the_orders_date_fences_where_nobody_said_when_it_was_sent() -> None:
    parcel = Parcel(1, 1, "usps", "RR1", ordered_at=NOW - timedelta(days=2))
    assert apply(parcel, track(scan(Status.DELIVERED, 1 - 40 * 24)), NOW)[0].status is Status.UNKNOWN
    early = Parcel(1, 1, "usps", "RR1", ordered_at=NOW - timedelta(days=20), shipped_at=NOW)
    assert apply(early, track(scan(Status.IN_TRANSIT, 1)), NOW)[0].status is Status.IN_TRANSIT


def test_one_delivery_told_by_two_posts_counts_once() -> None:
    both = merge(
        None,
        track(
            scan(Status.DELIVERED, 8, carrier="china-post", text="妥投", offset=OffsetFrom.UNKNOWN),
            scan(Status.DELIVERED, 0, text="Delivered"),
        ),
    )
    assert len(both.scans) == 2
    assert len(standing(both, NOW)) == 1


def test_one_carriers_event_told_by_two_sources_counts_once_with_the_surer_zone() -> None:
    arrived = scan(Status.IN_TRANSIT, 5, "hub_arrived", "Arrived at facility", code="AR")
    other = replace(arrived, source="aggregator", raw_code="InTransit_Other", place=Place("Memphis TN"))
    zoneless = replace(other, at=arrived.at and arrived.at - 5 * HOUR, offset_from=OffsetFrom.UNKNOWN)
    for twin in (other, zoneless, replace(other, cause="")):
        both = merge(merge(None, track(arrived)), track(twin))
        assert len(both.scans) == 2
        assert [s.offset_from for s in standing(both, NOW)] == [OffsetFrom.EXPLICIT]
    left = replace(other, cause="hub_departed", raw_text="Departed")
    later = replace(other, at=arrived.at and arrived.at + HOUR, local=arrived.local and arrived.local + HOUR)
    for another in (left, later, replace(other, source="test", raw_text="Scanned again")):
        assert len(standing(merge(merge(None, track(arrived)), track(another)), NOW)) == 2


def test_clocks_without_a_zone_are_ordered_by_a_parcels_life() -> None:
    toured = scan(Status.OUT_FOR_DELIVERY, 10)
    sorted_ = scan(Status.IN_TRANSIT, 12, carrier="china-post", offset=OffsetFrom.UNKNOWN)
    assert state(toured, sorted_)[0] == "out_for_delivery"
    assert state(toured, replace(sorted_, offset_from=OffsetFrom.EXPLICIT))[0] == "in_transit"


def test_a_surer_zone_replaces_the_same_scan_without_one() -> None:
    sure = scan(Status.IN_TRANSIT, 3, text="Sorted")
    guess = replace(sure, offset_from=OffsetFrom.UNKNOWN, at=sure.at and sure.at + 8 * HOUR)
    for order in permutations((sure, guess)):
        assert merge(None, track(*order)).scans == (sure,)


def test_a_source_that_takes_a_delivery_back_is_believed() -> None:
    early = scan(Status.DELIVERED, 3, text="Geliefert?")
    later = replace(early, status=Status.IN_TRANSIT, raw_code="T")
    assert merge(merge(None, track(early)), track(later)).scans == (later,)


def test_the_summary_speaks_only_where_no_scan_does() -> None:
    assert state(status=Status.LABEL_CREATED, cause="info_received") == ("label_created", "info_received")
    assert state(scan(Status.IN_TRANSIT, 1), status=Status.DELIVERED)[0] == "in_transit"


def test_the_newest_scans_words_weigh_the_summary() -> None:
    said = scan(Status.UNKNOWN, 1, text="已签收，代收点代收", code="9999")
    assert state(replace(said, known=False), status=Status.DELIVERED)[0] == "pickup_ready"
    there = scan(Status.UNKNOWN, 1, text="Handled", code="9999")
    assert state(there, status=Status.DELIVERED, cause="signed") == ("delivered", "signed")


def test_applying_tells_what_is_different_and_then_nothing() -> None:
    parcel = Parcel(1, 1, "", "RR1", shipped_at=NOW - timedelta(days=12))
    leg = Leg("usps", "9400", Role.LAST_MILE)
    eta = Window(NOW, NOW + 24 * HOUR, "usps")
    update = track(scan(Status.IN_TRANSIT, 1), legs=(leg,), eta=eta)
    fresh, changes = apply(parcel, update, NOW)
    assert [c.kind for c in changes] == ["status", "eta", "leg"]
    assert changes[0] == Change("status", State(Status.UNKNOWN), State(Status.IN_TRANSIT), NOW)
    assert (fresh.carrier, fresh.changed_at, fresh.checked_at) == ("usps", NOW, NOW)
    again, none = apply(fresh, update, NOW + HOUR)
    assert none == ()
    assert again == replace(fresh, checked_at=NOW + HOUR)


def test_a_leg_of_which_a_text_told_the_number_is_the_one_whose_carrier_is_told_later() -> None:
    text = track(scan(Status.IN_TRANSIT, 1, text="已转单，新单号为9400111899223197428490"))
    named = track(legs=(Leg("usps", "9400111899223197428490", Role.LAST_MILE),), at=NOW)
    for order in permutations((text, named)):
        assert [leg.carrier for leg in merged(order).legs if leg.role is Role.LAST_MILE] == ["usps"]


def test_an_invalid_number_is_not_believed_in_the_first_days() -> None:
    parcel = Parcel(1, 1, "usps", "RR1", shipped_at=NOW - timedelta(days=1))
    word = track(status=Status.UNKNOWN, cause="invalid_number")
    assert apply(parcel, word, NOW)[0].cause == "not_found"
    assert apply(parcel, word, NOW + timedelta(days=8))[0].cause == "invalid_number"


def test_the_younger_word_on_the_arrival_holds_and_a_silent_source_does_not_erase_it() -> None:
    old = track(eta=Window(NOW, NOW + 72 * HOUR, "usps"), at=NOW)
    new = track(eta=Window(NOW, NOW + 24 * HOUR, "usps"), at=NOW + HOUR)
    silent = track(at=NOW + 2 * HOUR)
    both = merge(merge(merge(None, new), silent), old)
    assert both.eta is not None
    assert both.eta.last == NOW + 24 * HOUR


def test_all_statuses_can_be_reached_by_a_scan_of_theirs() -> None:
    for status in CAUSES:
        assert state(scan(status, 1))[0] == status.value


def test_an_evening_that_is_written_in_utc_is_the_buyers_evening() -> None:
    """At one in the morning of the 23rd it is nine in the evening of the 22nd in New York."""
    home = ZoneInfo("America/New_York")
    late = scan(Status.DELIVERED, 13, country="US")
    wall = late.local
    assert str(on_the_spot(late, home, "US")) == "2026-10-22 21:00:00"
    as_written = [
        replace(late, place=Place("", "CN")),
        replace(late, offset_from=OffsetFrom.UNKNOWN),
        replace(late, at=NOW - timedelta(days=10) + 20 * HOUR),
    ]
    assert [on_the_spot(s, home, "US") for s in as_written] == [wall, wall, wall]
