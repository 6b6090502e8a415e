"""When a parcel will come, and what that rests on: every kind of evidence in its turn."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.orders import Order
from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track, Window
from bot.tracking import residuals, survival
from bot.tracking.eta import (
    DISPATCH,
    JOURNEY,
    ORDERED,
    Basis,
    Route,
    Tables,
    chain,
    expect,
    level_of,
    predict,
    rest,
    route_of,
)
from bot.tracking.numbers import rows
from bot.tracking.residuals import Given
from bot.tracking.stages import Stage
from bot.tracking.survival import Span
from bot.tracking.transit import published, service_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
BERLIN = ZoneInfo("Europe/Berlin")
LANE = Route("yanwen", "CN", "DE", BERLIN)


def scan(days_ago: int, status: Status, country: str = "", cause: str = "", physical: bool = True) -> Scan:
    at = NOW - timedelta(days=days_ago)
    place = Place(f"{country} {status.value}", country)
    return Scan(
        status.value, status.value, "", at, at.replace(tzinfo=None), OffsetFrom.EXPLICIT, status, cause, place, physical
    )


def parcel(
    *scans: Scan, carrier: str = "yanwen", number: str = "UE1", eta: Window | None = None, **more: object
) -> Parcel:
    status = scans[-1].status if scans else Status.UNKNOWN
    cause = scans[-1].cause if scans else ""
    track = Track(carrier, number, scans, origin="CN", destination="DE") if scans else None
    return Parcel(1, 1, carrier, number, status, cause, track, eta, **more)  # type: ignore[arg-type]


def learned(kind: str = JOURNEY, lasts: tuple[int, ...] = tuple(range(8, 28)), route: Route = LANE) -> Tables:
    """Tables of parcels of this route that ended lately."""
    keys = chain(route.service, route.origin, route.destination)
    spans = [Span(keys, TODAY.toordinal() - 2 - days, TODAY.toordinal() - 2) for days in lasts]
    return Tables(TODAY, {kind: survival.fit(spans, TODAY.toordinal())})


def test_the_lanes_parcels_give_the_window_and_are_its_basis() -> None:
    found = predict(parcel(scan(5, Status.ACCEPTED, "CN")), LANE, NOW, learned())
    assert found is not None
    assert found.basis == Basis("lane", 20)
    assert TODAY <= found.p10 <= found.p50 <= found.p90
    assert date(2026, 11, 5) <= found.p50 <= date(2026, 11, 20)


def test_the_stage_is_asked_before_the_whole_journey() -> None:
    tables = learned()
    close = learned(rest(Stage.DESTINATION), (1, 2) * 10)
    both = Tables(TODAY, {**tables.lanes, **close.lanes})
    near = parcel(scan(9, Status.ACCEPTED, "CN"), scan(0, Status.ARRIVED_DESTINATION, "DE"))
    found = predict(near, LANE, NOW, both)
    assert found is not None
    assert found.p90 <= TODAY + timedelta(days=3)


def test_few_parcels_are_named_by_the_level_that_has_enough() -> None:
    keys = chain("yanwen", "CN", "DE")
    more = [Span(chain("yanwen", "CN", "FR"), TODAY.toordinal() - 20, TODAY.toordinal() - 8)] * 30
    few = [Span(keys, TODAY.toordinal() - 20, TODAY.toordinal() - 5)] * 3
    tables = Tables(TODAY, {JOURNEY: survival.fit(more + few, TODAY.toordinal())})
    found = predict(parcel(scan(2, Status.ACCEPTED, "CN")), LANE, NOW, tables)
    assert found is not None
    assert found.basis == Basis("service", 33)


def test_a_young_lane_leans_on_what_is_published() -> None:
    route = Route("china-post/R", "CN", "DE", BERLIN)
    item = parcel(scan(0, Status.ACCEPTED, "CN"), carrier="china-post", number="RR123456785CN")
    found = predict(item, route, NOW, learned())
    assert found is not None
    assert found.basis == Basis("published", 0, "china-post")
    assert [(d - TODAY).days for d in (found.p10, found.p50, found.p90)] == [7, 11, 15]


def test_where_nothing_speaks_there_is_no_prediction() -> None:
    assert predict(parcel(scan(1, Status.ACCEPTED, "CN")), LANE, NOW, Tables()) is None
    assert predict(parcel(), LANE, NOW, learned()) is None


def test_the_carriers_own_date_comes_first_with_its_learned_error() -> None:
    keys = residuals.chain("yanwen", "DE")
    day = TODAY.toordinal()
    errors = [Given(keys, day - 40 + i, day - 30 + i, day - 27 + i) for i in range(20)]
    tables = Tables(TODAY, learned().lanes, residuals.fit(errors, day))
    said = datetime(2026, 11, 8, 18, tzinfo=BERLIN)
    item = parcel(scan(5, Status.ACCEPTED, "CN"), eta=Window(said, said, "yanwen", NOW))
    found = predict(item, LANE, NOW, tables)
    assert found is not None
    assert found.basis == Basis("carrier", 20, "yanwen")
    assert found.p50 == date(2026, 11, 11)
    unlearned = predict(item, LANE, NOW, learned())
    assert unlearned is not None
    # A week before it, the days on which it has not come are known: the belief "a day early" fades.
    assert (unlearned.p10, unlearned.p50, unlearned.p90) == (date(2026, 11, 8), date(2026, 11, 9), date(2026, 11, 12))
    assert unlearned.basis == Basis("carrier", 0, "yanwen")


def test_a_carriers_date_long_past_tells_nothing_any_more() -> None:
    said = datetime(2026, 10, 20, 18, tzinfo=BERLIN)
    found = predict(parcel(scan(20, Status.ACCEPTED, "CN"), eta=Window(said, said, "x", NOW)), LANE, NOW, learned())
    assert found is not None
    assert found.basis.kind == "lane"


@pytest.mark.parametrize(
    ("status", "cause"), [(Status.DELIVERED, ""), (Status.RETURNING, ""), (Status.EXCEPTION, "lost")]
)
def test_what_has_ended_is_not_predicted(status: Status, cause: str) -> None:
    assert predict(parcel(scan(5, Status.ACCEPTED, "CN"), scan(1, status, "DE", cause)), LANE, NOW, learned()) is None


def test_beyond_120_days_there_is_no_window() -> None:
    assert predict(parcel(scan(121, Status.ACCEPTED, "CN")), LANE, NOW, learned()) is None
    assert predict(parcel(scan(120, Status.ACCEPTED, "CN")), LANE, NOW, learned()) is not None


def test_a_parcel_without_scans_counts_from_its_sending() -> None:
    found = predict(parcel(shipped_at=NOW - timedelta(days=4)), LANE, NOW, learned())
    assert found is not None
    assert found.p10 >= TODAY


def test_days_are_the_buyers() -> None:
    late_evening = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)
    found = predict(parcel(scan(26, Status.ACCEPTED, "CN")), LANE, late_evening, learned())
    assert found is not None
    assert found.p10 >= date(2026, 11, 2)


def test_the_service_is_the_carrier_and_a_postal_numbers_kind() -> None:
    assert service_of("china-post", "RR123456785CN") == "china-post/R"
    assert service_of("dhl", "JD0123") == "dhl"
    assert service_of("", "RR123456785CN") == ""


def test_a_route_is_what_the_order_and_the_carrier_tell() -> None:
    order = Order("1", NOW, country="DE", promised=date(2026, 11, 9))
    route = route_of(parcel(number="LX123456785CN"), order, BERLIN, "CN")
    assert route == Route("yanwen/L", "CN", "DE", BERLIN, date(2026, 11, 9))
    assert route.carrier == "yanwen"


def test_a_chain_ends_before_what_is_not_known() -> None:
    assert chain("", "", "DE") == ("", ":DE")
    assert chain("dhl", "CN", "") == ("", "dhl")
    assert [level_of(key) for key in chain("dhl", "CN", "DE")] == ["shop", "service", "destination", "lane"]


def test_published_times_are_found_by_the_most_particular_row() -> None:
    assert published("china-post", "CN", "BR") != published("china-post", "CN", "ZA")
    assert published("nobody", "CN", "BR") is None
    assert published("fedex/priority", "", "") is not None


def test_a_service_that_is_not_known_may_be_any_of_its_carriers() -> None:
    unknown, express, expedited = (published(s, "CN", "DE") for s in ("ups", "ups/express", "ups/expedited"))
    assert unknown is not None
    assert express is not None
    assert expedited is not None
    assert (unknown.p10, unknown.p90) == (express.p10, expedited.p90)


def test_every_published_time_names_its_source_and_its_date() -> None:
    for row in rows("transit.csv"):
        assert row["source"]
        assert row["as_of"]
        assert 0 <= int(row["low"]) <= int(row["high"])
        assert row["unit"] in {"business", "calendar"}
        assert row["confidence"] in {"carrier", "second-hand"}


def test_an_order_not_yet_sent_has_a_dispatch_and_a_receipt() -> None:
    way = Route("", "CN", "DE", BERLIN)
    tables = Tables(TODAY, {**learned(DISPATCH, (1, 2) * 8, way).lanes, **learned(ORDERED, (10, 12) * 8, way).lanes})
    order = Order("1", NOW, country="DE", placed_at=NOW - timedelta(days=1))
    dispatch, receipt = expect(order, LANE, NOW, tables)
    assert dispatch is not None
    assert receipt is not None
    assert TODAY <= dispatch.p90 <= receipt.p10
    assert expect(Order("1", NOW), LANE, NOW, tables) == (None, None)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31)),  # noqa: DTZ001 - Hypothesis adds no zone
    st.sampled_from(["Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo", "Europe/London", "Asia/Tehran"]),
    st.integers(0, 140),
    st.lists(st.integers(0, 60), min_size=10, max_size=25),
)
def test_on_any_day_in_any_zone_windows_lie_ahead_and_in_order(
    naive: datetime, zone: str, age: int, lasts: list[int]
) -> None:
    now, place = naive.replace(tzinfo=UTC), ZoneInfo(zone)
    today = now.astimezone(place).date()
    route = Route("yanwen", "CN", "DE", place)
    keys = chain("yanwen", "CN", "DE")
    spans = [Span(keys, today.toordinal() - 1 - days, today.toordinal() - 1) for days in lasts]
    tables = Tables(today, {JOURNEY: survival.fit(spans, today.toordinal())})
    at = now - timedelta(days=age)
    first = Scan("a", "a", "", at, None, OffsetFrom.EXPLICIT, Status.ACCEPTED)
    found = predict(parcel(first), route, now, tables)
    if found is None:
        assert age >= 120
    else:
        assert today <= found.p10 <= found.p50 <= found.p90 <= at.date() + timedelta(days=122)
