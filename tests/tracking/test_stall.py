"""Two alarms: probably late, for the buyer; silent for longer than usual, for staff. Both end by themselves."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from bot.tracking import survival
from bot.tracking.eta import JOURNEY, Route, Tables, chain, quiet
from bot.tracking.stages import Stage
from bot.tracking.stall import Silence, late, silence
from bot.tracking.standing import silent_days
from bot.tracking.survival import Span

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
NOTHING = Tables()


def route(carrier: str = "china-post", promised: date | None = None) -> Route:
    return Route(carrier, "CN", "DE", ZoneInfo("Europe/Berlin"), promised)


def parcel(status: Status, quiet_days: int, cause: str = "", carrier: str = "china-post", country: str = "") -> Parcel:
    at = NOW - quiet_days * DAY
    place = Place("hub", country)
    scan = Scan("c", "t", "r", at, None, OffsetFrom.EXPLICIT, status, cause, place, carrier=carrier)
    return Parcel(1, 1, carrier, "RR1", status, cause, Track(carrier, "RR1", (scan,)), changed_at=at)


def tables(kind: str, lasts: list[int], carrier: str = "china-post") -> Tables:
    keys = chain(carrier, "CN", "DE")
    spans = [Span(keys, TODAY.toordinal() - 1 - d, TODAY.toordinal() - 1) for d in lasts]
    return Tables(TODAY, {kind: survival.fit(spans, TODAY.toordinal())})


@pytest.mark.parametrize(
    ("status", "carrier", "days"),
    [
        (Status.IN_TRANSIT, "dhl", 3),
        (Status.IN_TRANSIT, "china-post", 10),
        (Status.CUSTOMS, "dhl", 7),
        (Status.LABEL_CREATED, "china-post", 5),
    ],
)
def test_before_a_stage_was_seen_our_own_patience_holds(status: Status, carrier: str, days: int) -> None:
    assert silence(parcel(status, days - 1, carrier=carrier), route(carrier), NOW, NOTHING) is None
    found = silence(parcel(status, days, carrier=carrier), route(carrier), NOW, NOTHING)
    assert found is not None
    assert (found.quiet, found.usual, found.seen) == (days, days, 0)


def test_each_lane_has_its_own_patience() -> None:
    slow = tables(quiet(Stage.TRANSIT), [1, 2, 4, 8, 12, 16, 20] * 6)
    quick = tables(quiet(Stage.TRANSIT), [0, 1, 1, 2] * 10)
    stood = parcel(Status.IN_TRANSIT, 12)
    assert silence(stood, route(), NOW, slow) is None
    found = silence(stood, route(), NOW, quick)
    assert found is not None
    assert found.stall
    assert found.stage is Stage.TRANSIT
    assert found.seen == 40
    assert found.usual < 12


def test_a_movement_ends_it() -> None:
    stood = parcel(Status.IN_TRANSIT, 12)
    assert silence(stood, route(), NOW, NOTHING) is not None
    fresh = Scan("d", "u", "r", NOW, None, OffsetFrom.EXPLICIT, Status.IN_TRANSIT, place=Place("next hub"))
    assert stood.track is not None
    moved_on = Parcel(1, 1, "china-post", "RR1", Status.IN_TRANSIT, "", Track("x", "RR1", (*stood.track.scans, fresh)))
    assert silence(moved_on, route(), NOW, NOTHING) is None


def test_what_changes_nothing_is_no_movement() -> None:
    stood = parcel(Status.IN_TRANSIT, 12)
    assert stood.track is not None
    first = stood.track.scans[0]
    same = Scan("c", "t", "r2", NOW, None, OffsetFrom.EXPLICIT, Status.IN_TRANSIT, place=first.place)
    data = Scan("i", "info", "r3", NOW, None, OffsetFrom.EXPLICIT, Status.IN_TRANSIT, physical=False)
    still = Parcel(1, 1, "china-post", "RR1", Status.IN_TRANSIT, "", Track("x", "RR1", (first, same, data)))
    found = silence(still, route(), NOW, NOTHING)
    assert found is not None
    assert found.quiet == 12


@pytest.mark.parametrize(
    ("status", "cause", "named"),
    [
        (Status.CUSTOMS, "", "customs"),
        (Status.CUSTOMS, "duty_due", "duty_due"),
        (Status.CUSTOMS, "info_required", "documents"),
        (Status.DELIVERY_ATTEMPTED, "address_problem", "address"),
        (Status.EXCEPTION, "address", "address"),
        (Status.EXCEPTION, "delay_weather", "weather"),
        (Status.LABEL_CREATED, "", "no_first_scan"),
    ],
)
def test_what_stands_for_a_known_cause_is_no_stall_but_staff_hear_of_it(status: Status, cause: str, named: str) -> None:
    found = silence(parcel(status, 20, cause), route(), NOW, NOTHING)
    assert found is not None
    assert found.cause == named
    assert not found.stall


def test_a_dead_feed_says_nothing_about_a_parcel() -> None:
    stood = parcel(Status.IN_TRANSIT, 30)
    assert silence(stood, route(), NOW, NOTHING, feed_down_since=NOW - DAY) is None


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.PICKUP_READY, Status.RETURNING, Status.RETURNED])
def test_where_standing_still_is_right_there_is_no_silence(status: Status) -> None:
    assert silence(parcel(status, 60), route(), NOW, NOTHING) is None


def test_what_nobody_scans_is_not_silent() -> None:
    sent = Parcel(1, 1, "china-post", "UA123456789CN", Status.IN_TRANSIT, shipped_at=NOW - 40 * DAY)
    assert silence(sent, route(), NOW, NOTHING) is None


def test_a_label_counts_from_its_sending() -> None:
    label = Parcel(1, 1, "usps", "RR1", Status.LABEL_CREATED, shipped_at=NOW - 6 * DAY)
    assert silent_days(label, (), NOW) == 6
    assert silence(label, route("usps"), NOW, NOTHING) == Silence(Stage.LABEL, 6, 5, 0, "no_first_scan")


def test_the_morning_asks_about_the_days_that_are_over() -> None:
    two_days = tables(quiet(Stage.TRANSIT), [2] * 200)
    assert silence(parcel(Status.IN_TRANSIT, 2), route(), NOW, two_days) is None
    assert silence(parcel(Status.IN_TRANSIT, 3), route(), NOW, two_days) is not None


def test_late_is_told_when_the_promise_will_probably_be_missed() -> None:
    slow = tables(JOURNEY, [20, 22, 24, 26, 28] * 8, "yanwen")
    item = parcel(Status.ACCEPTED, 10, carrier="yanwen")
    found = late(item, route("yanwen", TODAY + 3 * DAY), NOW, slow)
    assert found is not None
    assert found.risk > 0.9
    assert found.basis is not None
    assert found.basis.kind == "lane"
    assert late(item, route("yanwen", TODAY + 25 * DAY), NOW, slow) is None
    assert late(item, route("yanwen"), NOW, slow) is None
    assert late(item, route("yanwen"), NOW, slow, promised=TODAY + 3 * DAY) is not None


def test_a_promise_that_has_passed_is_missed_whatever_the_tables_know() -> None:
    item = parcel(Status.ACCEPTED, 10, carrier="yanwen")
    found = late(item, route("yanwen", TODAY - DAY), NOW, NOTHING)
    assert found is not None
    assert found.risk == 1.0
    assert late(parcel(Status.DELIVERED, 1), route("yanwen", TODAY - DAY), NOW, NOTHING) is None


@given(st.lists(st.integers(0, 30), min_size=10, max_size=40), st.integers(0, 100), st.floats(0.01, 0.3))
def test_once_silent_a_parcel_stays_silent_until_it_moves(lasts: list[int], days: int, alpha: float) -> None:
    known = tables(quiet(Stage.TRANSIT), lasts)
    if silence(parcel(Status.IN_TRANSIT, days), route(), NOW, known, alpha) is not None:
        assert silence(parcel(Status.IN_TRANSIT, days + 1), route(), NOW, known, alpha) is not None
