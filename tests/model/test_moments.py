"""A moment in every spelling that carriers use, and none where there is none."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.foreign import a_moment, a_text, when
from bot.model.moments import moment_of
from bot.model.tracks import OffsetFrom


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-24T10:15:00+08:00", "2026-11-24T10:15:00+08:00"),
        ("2026-11-24T10:15:00+0800", "2026-11-24T10:15:00+08:00"),
        ("2026-11-24 10:15:00 +0800", "2026-11-24T10:15:00+08:00"),
        ("2026-11-24T10:15:00 GMT+08:00", "2026-11-24T10:15:00+08:00"),
        ("2026-11-24T10:15:00.0+8", "2026-11-24T10:15:00+08:00"),
        ("2026-11-24T10:15:00-05:00", "2026-11-24T10:15:00-05:00"),
        ("2026-11-24T10:15:00Z", "2026-11-24T10:15:00+00:00"),
        ("Tue, 24 Nov 2026 10:15:00 GMT", "2026-11-24T10:15:00+00:00"),
        ("2026-11-24T10:15:60Z", "2026-11-24T10:15:59+00:00"),
        ("2026-11-24+08:00", "2026-11-24T00:00:00+08:00"),
        ("1764000000", "2025-11-24T16:00:00+00:00"),
        ("1764000000123", "2025-11-24T16:00:00.123000+00:00"),
        ("/Date(1764000000000+0800)/", "2025-11-24T16:00:00+00:00"),
        ("20261124 101500", "2026-11-24T10:15:00"),
        ("20261124101500", "2026-11-24T10:15:00"),
        ("202611241015", "2026-11-24T10:15:00"),
        ("2026/11/24 10:15", "2026-11-24T10:15:00"),
        ("2026-1-4 9:05", "2026-01-04T09:05:00"),
        ("2026年11月24日 10:15:00", "2026-11-24T10:15:00"),
        ("24.11.2026 10:15", "2026-11-24T10:15:00"),
        ("24/11/2026 10:15", "2026-11-24T10:15:00"),
        ("11/24/2026 1:05 PM", "2026-11-24T13:05:00"),
        ("24-Nov-2026 10:15", "2026-11-24T10:15:00"),
        ("November 24, 2026 at 12:15 a.m.", "2026-11-24T00:15:00"),
        ("2026-11-24T24:00:00", "2026-11-25T00:00:00"),
        ("2026-11-24T10:15:00+99:99", "2026-11-24T10:15:00"),
        ("2026-11-24 10:15:00 CST", "2026-11-24T10:15:00"),
        ("2026-11-24T10:15:00+01:00[Europe/Berlin]", "2026-11-24T10:15:00+01:00"),
        ("20261124", "2026-11-24T00:00:00"),
    ],
)
def test_a_moment_is_read_as_it_is_written(written: str, moment: str) -> None:
    found = moment_of(written)
    assert found is not None
    assert found.isoformat() == moment


@pytest.mark.parametrize(
    "written",
    ["", "10:15", "hello world", "04/05/2026", "2026-13-45", "99999999", "9999999999", "2026-11-24T25:15", "٢٠٢٦١١٢٤"],
)
def test_what_is_no_moment_or_could_be_two_is_none(written: str) -> None:
    assert moment_of(written) is None


@given(st.text(alphabet="0123456789-/.:T +ZGMTJanuaryPm年月日[]()", max_size=30) | st.text(max_size=40))
def test_no_text_raises(written: str) -> None:
    moment_of(written)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001 - a wall clock
def test_unix_time_and_iso_agree(wall: datetime) -> None:
    at = wall.replace(microsecond=0, tzinfo=UTC)
    seconds = int(at.timestamp())
    if seconds >= 1_000_000_000:
        assert a_moment(seconds) == a_moment(seconds * 1000) == a_moment(at.isoformat()) == at


def test_unix_time_takes_the_carriers_wall_clock() -> None:
    time = when("1764000000", home="Asia/Shanghai")
    assert (time.local, time.offset_from) == (datetime(2025, 11, 25), OffsetFrom.EXPLICIT)  # noqa: DTZ001


def test_unix_time_without_a_place_is_utcs_clock_and_never_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert when("1764000000").local == datetime(2025, 11, 24, 16)  # noqa: DTZ001
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_filler_is_no_time() -> None:
    assert when("0001-01-01T00:00:00").at is None


def test_half_a_character_can_be_said_and_a_whole_float_is_its_digits() -> None:
    assert a_text("a\ud800b").encode()
    assert a_text(1234567890.0) == "1234567890"
    assert [a_text(v) for v in (1.5, float("nan"), float("inf"), 1e300, True)] == [""] * 5
