"""What a new order's buyer is told of the days to come: by this shop's own orders, in the shop's working days."""

from datetime import UTC, date, datetime, timedelta

import pytest

from bot.dialog.turn import Desk, Shop
from bot.model.events import Notice
from bot.model.messages import Address
from bot.model.orders import Order
from bot.proactive.announce import Outlook
from bot.proactive.expecting import Ahead, ahead
from bot.proactive.wording import Situation, Words, word
from bot.tracking.eta import DISPATCH, ORDERED, Tables, chain
from bot.tracking.survival import Lanes, Span

SHOP = Shop("Lantern", "DE", "Europe/Berlin", "en", ("en",))
TUESDAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def order(placed: datetime) -> Order:
    return Order("1042", placed, placed_at=placed, country="FR", postcode="69001")


def learned(handed: int, came: int) -> Tables:
    """Forty orders, each handed over and delivered after so many days."""
    start = TUESDAY.date().toordinal() - 60
    way = chain("", "DE", "FR")
    lanes = {}
    for kind, days in ((DISPATCH, handed), (ORDERED, came)):
        lanes[kind] = Lanes(TUESDAY.date().toordinal())
        lanes[kind].learn([Span(way, start + n, start + n + days) for n in range(40)])
        lanes[kind].settle()
    return Tables(TUESDAY.date(), lanes)


def test_by_when_an_order_is_handed_over_and_when_it_comes() -> None:
    found = ahead(order(TUESDAY), SHOP, learned(2, 9), TUESDAY)
    assert found.dispatch_by == date(2026, 11, 26)
    assert found.outlook.first is not None
    assert found.outlook.last is not None
    assert date(2026, 11, 27) < found.outlook.first <= found.outlook.last


@pytest.mark.parametrize(
    ("handed", "told"),
    [(4, date(2026, 11, 30)), (5, date(2026, 11, 30)), (31, date(2026, 12, 28))],  # a weekend, and Christmas
)
def test_a_hand_over_on_a_day_on_which_nobody_works_is_on_the_next(handed: int, told: date) -> None:
    assert ahead(order(TUESDAY), SHOP, learned(handed, 40), TUESDAY).dispatch_by == told


def test_a_shop_that_has_no_history_names_no_day() -> None:
    assert ahead(order(TUESDAY), SHOP, Tables(), TUESDAY) == Ahead()


@pytest.mark.parametrize(("template", "told"), [("order_confirmed", True), ("not_shipped", False)])
def test_a_new_order_is_told_its_days_and_an_overdue_one_is_not(template: str, told: bool) -> None:
    expected = Ahead(date(2026, 11, 26), Outlook(date(2026, 12, 1), date(2026, 12, 4), "lane", 40))
    words = Words(lambda *_: Outlook(), Desk(True, TUESDAY, TUESDAY, ""), SHOP, lambda order, now: expected)
    notice = Notice("n", Address("test", "shop", "anna"), template, template, "parcel_updates", order=1)
    facts = word(notice, Situation(1, 7, order(TUESDAY)), words, TUESDAY)
    assert facts is not None
    assert [name in facts for name in ("dispatch_by", "first", "last")] == [told] * 3
