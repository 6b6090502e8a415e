"""Dispute clocks: the dated rules of each scheme, and how early staff must know."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tracking.clocks import (
    CONFIDENCE,
    Dates,
    Deadline,
    after,
    answer_by,
    clocks,
    deadlines,
    last_closing,
    near,
    schemes,
)
from bot.tracking.numbers import rows

PAID = date(2026, 1, 5)
ORDER = Dates(PAID, date(2026, 1, 7), date(2026, 1, 30), carrier="china-post")


@pytest.mark.parametrize(
    ("scheme", "opens", "closes"),
    [
        ("paypal", PAID, date(2026, 7, 4)),
        ("ebay", date(2026, 1, 31), date(2026, 3, 1)),
        ("aliexpress_old", date(2026, 1, 13), date(2026, 2, 15)),
        ("aliexpress", date(2026, 1, 18), date(2026, 2, 14)),
        ("amazon", date(2026, 2, 2), date(2026, 4, 30)),
        ("visa", date(2026, 1, 31), date(2026, 5, 30)),
        ("mastercard", date(2026, 1, 31), date(2026, 5, 30)),
    ],
)
def test_each_scheme_has_its_clock(scheme: str, opens: date, closes: date) -> None:
    (clock,) = clocks(ORDER, [scheme])
    assert (clock.event, clock.opens, clock.closes) == ("not_received", opens, closes)


def test_without_a_promise_the_cards_wait_from_the_payment() -> None:
    by_scheme = {c.scheme: c.opens for c in clocks(Dates(PAID), ["visa", "mastercard", "amazon", "ebay"])}
    assert by_scheme == {
        "visa": PAID + timedelta(days=15),
        "mastercard": PAID + timedelta(days=30),
        "amazon": PAID + timedelta(days=30),
    }


def test_no_card_dispute_lives_longer_than_540_days() -> None:
    far = Dates(PAID, promised=PAID + timedelta(days=500))
    assert last_closing(far, ["visa"]) == PAID + timedelta(days=540)


def test_old_clocks_differ_by_carrier() -> None:
    sent = date(2026, 1, 7)
    (express,) = clocks(Dates(shipped=sent, carrier="dhl"), ["aliexpress_old"])
    assert express.closes == sent + timedelta(days=23)
    assert express.confidence == "old"
    assert clocks(Dates(shipped=sent, carrier="yanwen"), ["aliexpress_old"]) == ()


def test_business_days_leave_out_weekends() -> None:
    friday = date(2026, 1, 9)
    assert after(friday, "3b") == date(2026, 1, 14)
    assert after(friday, "3") == date(2026, 1, 12)
    assert answer_by("ebay", friday) == date(2026, 1, 14)
    assert answer_by("amazon", friday) == date(2026, 1, 11)
    assert answer_by("nobody", friday) is None


def test_staff_hear_before_a_dispute_can_be_opened() -> None:
    among = ["ebay", "visa"]
    assert near(ORDER, among, date(2026, 1, 27)) is None
    assert near(ORDER, among, date(2026, 1, 28)) == Deadline(
        date(2026, 1, 31), "ebay", "not_received", "opens", "scheme"
    )
    assert near(ORDER, among, date(2026, 2, 1)) is None
    assert near(ORDER, ["paypal"], date(2026, 1, 28)) is None


def test_an_open_dispute_has_its_answer_and_its_escalation() -> None:
    opened = Dates(PAID, promised=date(2026, 1, 30), disputed=date(2026, 2, 2))
    found = {(d.event, d.what): d.at for d in deadlines(opened, ["ebay"], date(2026, 2, 2))}
    assert found[("not_received", "answer")] == date(2026, 2, 5)
    assert found[("escalation", "opens")] == date(2026, 2, 5)
    assert found[("escalation", "closes")] == date(2026, 3, 3)


def test_every_rule_names_its_source_and_its_date() -> None:
    for row in rows("clocks.csv"):
        assert row["source"]
        assert row["as_of"][:2] == "20"
        assert row["confidence"] in CONFIDENCE
    assert set(schemes()) == {"paypal", "ebay", "aliexpress_old", "aliexpress", "amazon", "visa", "mastercard"}


DAYS = st.none() | st.dates(date(2024, 2, 1), date(2028, 3, 31))


@given(DAYS, DAYS, DAYS, DAYS, st.dates(date(2024, 1, 1), date(2029, 12, 31)))
def test_deadlines_lie_ahead_and_in_order(
    paid: date | None, shipped: date | None, promised: date | None, disputed: date | None, today: date
) -> None:
    found = deadlines(Dates(paid, shipped, promised, disputed, "ems"), schemes(), today)
    assert [d.at for d in found] == sorted(d.at for d in found)
    assert all(d.at >= today for d in found)
