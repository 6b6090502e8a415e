"""The gate: what is let through, what waits and until when, and what is never said."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.model.zones import zones_of
from bot.proactive.gate import Asked, House, Ledger, awake, business_day, judge, local_day

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BERLIN = (ZoneInfo("Europe/Berlin"),)
ASKED = Asked("k", urgent=False, consent=True, reachable=True, held=False, zones=BERLIN, country="DE")
QUIET = (21 * 60, 8 * 60)


def test_with_consent_in_daylight_it_goes() -> None:
    assert judge(ASKED, House(), NOON).what == "go"


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (replace(ASKED, consent=False), "gate.no_consent"),
        (replace(ASKED, reachable=False), "gate.unreachable"),
        (replace(ASKED, ledger=Ledger(frozenset({"k"}))), "gate.said_already"),
        (replace(ASKED, needs="first"), "gate.first_part_was_not_said"),
        (replace(ASKED, expires=NOON), "gate.expired"),
        (replace(ASKED, window=True), "gate.window_closed"),
    ],
)
def test_what_is_never_said(asked: Asked, rule: str) -> None:
    verdict = judge(asked, House(), NOON)
    assert (verdict.what, verdict.rule) == ("drop", rule)


def test_a_closed_window_takes_an_approved_template() -> None:
    asked = replace(ASKED, window=True, approved=True, heard=NOON - timedelta(hours=25))
    assert judge(asked, House(), NOON).template
    assert not judge(replace(asked, heard=NOON - timedelta(hours=23)), House(), NOON).template


def test_at_night_it_waits_for_the_morning() -> None:
    night = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    verdict = judge(ASKED, House(), night)
    assert (verdict.what, verdict.until) == ("wait", datetime(2026, 11, 25, 7, 0, tzinfo=UTC))


def test_what_is_no_news_by_the_morning_is_not_kept_for_it() -> None:
    night = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    verdict = judge(replace(ASKED, expires=night + timedelta(hours=4)), House(), night)
    assert verdict.what == "drop"


def test_one_calm_message_a_day_and_the_next_tomorrow() -> None:
    verdict = judge(replace(ASKED, ledger=Ledger(calm=1)), House(), NOON)
    assert (verdict.what, verdict.until) == ("wait", datetime(2026, 11, 25, 9, 0, tzinfo=UTC))
    assert judge(replace(ASKED, urgent=True, ledger=Ledger(calm=1)), House(), NOON).what == "go"


def test_a_person_who_speaks_gets_it_as_a_note() -> None:
    assert judge(replace(ASKED, held=True), House(), NOON).what == "note"


def test_business_days_keep_calm_messages_from_holidays() -> None:
    christmas = datetime(2026, 12, 25, 12, 0, tzinfo=UTC)
    verdict = judge(ASKED, House(business=True), christmas)
    assert verdict.what == "wait"
    assert verdict.until is not None
    assert verdict.until.date() == date(2026, 12, 28)
    assert not business_day("DE", date(2026, 10, 3))
    assert business_day("XX", date(2026, 11, 24))


def test_where_the_zone_is_not_known_it_is_day_in_all_of_the_country() -> None:
    zones = zones_of("US")
    assert len(zones) > 5
    at = awake(zones, QUIET, datetime(2026, 11, 24, 13, 30, tzinfo=UTC))
    assert all(8 <= at.astimezone(z).hour < 21 for z in zones)
    assert zones_of("US", "97205") == (ZoneInfo("America/Los_Angeles"),)


def test_where_it_never_is_day_nothing_leaves() -> None:
    verdict = judge(ASKED, House(quiet=(0, 23 * 60 + 59)), NOON)
    assert (verdict.what, verdict.rule) == ("wait", "gate.quiet_hours")


@pytest.mark.parametrize(
    ("country", "postcode", "zone"),
    [
        ("US", "96813", "Pacific/Honolulu"),
        ("US", "60601", "America/Chicago"),
        ("BR", "69005-010", "America/Manaus"),
        ("RU", "690091", "Asia/Vladivostok"),
        ("AU", "6000", "Australia/Perth"),
        ("CA", "V5K 0A1", "America/Vancouver"),
        ("ES", "35001", "Atlantic/Canary"),
    ],
)
def test_a_postcode_tells_the_zone(country: str, postcode: str, zone: str) -> None:
    assert zones_of(country, postcode) == (ZoneInfo(zone),)


ZONES = st.sampled_from(
    ["Pacific/Pago_Pago", "Pacific/Kiritimati", "Europe/Berlin", "Asia/Kathmandu", "America/Sao_Paulo", "Asia/Tokyo",
     "Australia/Lord_Howe", "America/New_York", "Pacific/Chatham", "Africa/Cairo"]
).map(ZoneInfo)  # fmt: skip
MOMENTS = st.integers(0, 4 * 365 * 24 * 60).map(lambda m: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=m))


@given(st.lists(ZONES, min_size=1, max_size=4).map(tuple), MOMENTS)
def test_the_morning_found_is_in_nobodys_night(zones: tuple[ZoneInfo, ...], at: datetime) -> None:
    found = awake(zones, QUIET, at)
    assert at <= found <= at + timedelta(days=3)
    local = found.astimezone(zones[0])
    assert 8 <= local.hour < 21


@given(ZONES, MOMENTS)
def test_a_local_day_holds_its_instant_and_ends(zone: ZoneInfo, at: datetime) -> None:
    start, end = local_day(zone, at)
    assert start <= at < end
    assert timedelta(hours=22) <= end - start <= timedelta(hours=26)
