"""How often a parcel is looked at."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Scan, Status, Track
from bot.tracking.timeline import next_check

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def parcel(status: Status, quiet: timedelta = timedelta(0), cause: str = "", carrier: str = "china-post") -> Parcel:
    scan = Scan("c", "t", "r", NOW - quiet, None, OffsetFrom.EXPLICIT, status, cause, carrier=carrier)
    return Parcel(1, 1, carrier, "RR1", status, cause, Track(carrier, "RR1", (scan,)), changed_at=NOW - quiet)


@pytest.mark.parametrize(
    ("status", "hours"),
    [
        (Status.OUT_FOR_DELIVERY, 0.5),
        (Status.IN_TRANSIT, 6),
        (Status.CUSTOMS, 6),
        (Status.LABEL_CREATED, 12),
    ],
)
def test_the_interval_follows_the_status(status: Status, hours: float) -> None:
    assert next_check(parcel(status), NOW) == NOW + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("status", "hours"), [(Status.OUT_FOR_DELIVERY, 2), (Status.IN_TRANSIT, 24), (Status.DELIVERED, 24)]
)
def test_who_pushes_is_asked_less_often_and_a_delivery_no_less(status: Status, hours: float) -> None:
    assert next_check(parcel(status), NOW, pushed=True) == NOW + timedelta(hours=hours)


def test_a_delivery_is_looked_at_daily_for_two_weeks() -> None:
    assert next_check(parcel(Status.DELIVERED, 13 * DAY), NOW) == NOW + DAY
    assert next_check(parcel(Status.DELIVERED, 14 * DAY), NOW) is None


@pytest.mark.parametrize(("status", "cause"), [(Status.RETURNED, ""), (Status.EXCEPTION, "lost")])
def test_what_has_ended_is_not_asked_again(status: Status, cause: str) -> None:
    assert next_check(parcel(status, cause=cause), NOW) is None


def test_every_status_has_an_interval() -> None:
    for status in Status:
        assert next_check(parcel(status), NOW) is not None or status is Status.RETURNED


def test_long_silence_cools_a_parcel_down() -> None:
    assert next_check(parcel(Status.IN_TRANSIT, 60 * DAY), NOW) == NOW + DAY
    assert next_check(parcel(Status.IN_TRANSIT, 200 * DAY), NOW) is None
    assert next_check(Parcel(1, 1, "", "X"), NOW) == NOW + timedelta(hours=12)


def test_looks_fall_due_on_full_steps_and_never_sooner() -> None:
    for seconds in (0, 1, 299, 300, 12345):
        now = NOW + timedelta(seconds=seconds)
        due = next_check(parcel(Status.OUT_FOR_DELIVERY), now)
        assert due is not None
        assert timedelta(minutes=30) <= due - now < timedelta(minutes=35)
        assert due.minute % 5 == due.second == due.microsecond == 0
