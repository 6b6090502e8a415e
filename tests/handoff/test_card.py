"""Which dispute clocks a person sees on a case's card: those of `bot/tracking/clocks.csv` that fit the order."""

from datetime import UTC, datetime, timedelta

from bot.handoff.card import TITLES, dispute_clocks
from bot.model.orders import Order, Shipment
from bot.tracking.clocks import PAYMENTS, schemes

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def order(source: str = "rest", **more: object) -> Order:
    return Order("1042", NOON, source=source, placed_at=NOON, **more)  # type: ignore[arg-type]


def test_a_shops_own_order_has_the_clocks_of_payments_the_one_that_ends_first_in_front() -> None:
    found = dispute_clocks(order(promised=(NOON + 20 * DAY).date()), None)
    assert [c.scheme for c in found] == ["Visa 13.1", "Mastercard 4853", "PayPal"]
    assert found[-1].opens <= NOON
    assert not found[-1].near(NOON)
    assert found[-1].near(NOON + 170 * DAY)


def test_a_marketplace_has_its_own_clock_alone() -> None:
    (clock,) = dispute_clocks(order("ebay"), NOON + 9 * DAY)
    assert clock.scheme == "eBay"
    assert clock.opens == datetime(2026, 12, 4, tzinfo=UTC)


def test_shipping_starts_aliexpress() -> None:
    sent = order("aliexpress", parcels=(Shipment("1", "ems", NOON),))
    assert [c.opens for c in dispute_clocks(sent, None)] == [datetime(2026, 12, 5, tzinfo=UTC)]


def test_every_scheme_that_an_order_can_have_is_named_as_people_know_it() -> None:
    assert set(TITLES) == {s for s in schemes() if s != "aliexpress_old"}
    assert set(PAYMENTS) <= set(TITLES)
