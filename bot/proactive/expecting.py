"""What is expected of a parcel now, from its glance or from its whole timeline, by the learned tables. Pure."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from bot.dialog.turn import Shop
from bot.model.orders import Order
from bot.proactive.announce import Outlook
from bot.proactive.footing import MOST, Footing, footing
from bot.proactive.gate import business_day
from bot.proactive.sighting import zone_of
from bot.proactive.watching import ParcelTold, Sight, Watched
from bot.tracking.course import State
from bot.tracking.eta import Route, Tables, expect, read
from bot.tracking.stages import Whereabouts
from bot.tracking.stall import still


class Ahead(Struct, frozen=True):
    """What is expected of an order that was not sent yet: the day by which it is handed to a carrier, None where
    nothing tells, and the window in which it comes."""

    dispatch_by: date | None = None
    outlook: Outlook = field(default_factory=Outlook)


def ahead(order: Order, shop: Shop, tables: Tables, now: datetime) -> Ahead:
    """By how long this shop's orders took to be handed over and to come. Hand-over is told in the shop's days: where
    nine of ten orders would have gone by a day on which nobody works there, it is the next on which somebody does."""
    here, there = ZoneInfo(shop.timezone), zone_of(order.country, order.postcode)
    way = Route("", shop.country, order.country, here, order.promised)
    dispatch, _ = expect(order, way, now, tables)
    _, receipt = expect(order, replace(way, zone=there), now, tables)
    outlook = Outlook()
    if receipt is not None:
        outlook = Outlook(receipt.p10, receipt.p90, receipt.basis.word, receipt.basis.count)
    return Ahead(_working_day(shop.country, dispatch.p90) if dispatch is not None else None, outlook)


def _working_day(country: str, day: date) -> date:
    """This day, or the first after it on which people work; the longest holidays are shorter than a month."""
    following = (day + timedelta(days=n) for n in range(31))
    return next((d for d in following if business_day(country, d)), day)


class Edition(Struct, frozen=True, eq=False):
    """The tables and the hour (UTC) that outlooks are of. Two are the same only where they are one."""

    tables: Tables
    hour: datetime


class Expectations:
    """What was learned last (`tables`), with the seller's `alpha` for stalls; `home` is the country that the shop
    sends from.

    Parcels on one footing are expected alike: what was found for one is kept until the tables or the hour are others.
    """

    def __init__(self, tables: Callable[[], Tables], home: str = "", alpha: float | None = None) -> None:
        self._tables = tables
        self._home = home
        self._alpha = alpha
        self._found: dict[Footing, Outlook] = {}
        self._of: Edition | None = None
        self._asked: datetime | None = None

    def at_a_glance(self, order: Watched, parcel: Sight, told: ParcelTold | None, now: datetime) -> Outlook:
        """What is expected of an open parcel; late by the shop's promise, else by the window that was told."""
        return self.of(footing(order, parcel, told), now)

    def of(self, footing: Footing, now: datetime) -> Outlook:
        """What is expected of every open parcel on this footing."""
        if footing.where is None:
            return Outlook()
        self.edition(now)
        found = self._found.get(footing)
        if found is None:
            if len(self._found) >= MOST:
                self._found.clear()
            found = self._found[footing] = self._outlook(footing, footing.where, now)
        return found

    def edition(self, now: datetime) -> Edition:
        """What all outlooks of an hour rest on beside their footings: while it is the same, they are. Asked a million
        times with one `now`."""
        tables = self._tables()
        if self._of is not None and now is self._asked and self._of.tables is tables:
            return self._of
        hour = now.replace(minute=0, second=0, microsecond=0)
        if self._of is None or self._of.tables is not tables or self._of.hour != hour:
            self._of, self._found = Edition(tables, hour), {}
        self._asked = now
        return self._of

    def _outlook(self, footing: Footing, where: Whereabouts, now: datetime) -> Outlook:
        zone, tables = ZoneInfo(footing.zone), self._tables()
        route = Route(footing.service, footing.origin or self._home, footing.country, zone, footing.promised)
        today = now.astimezone(zone).date()
        reading = read(where, route, today, tables, footing.window)
        window = reading.window(today.toordinal()) if reading is not None else None
        state = State(footing.status, footing.cause)
        quiet = still(where, state, route, now, tables, self._alpha, tracked=footing.tracked)
        promised, late = footing.promised or footing.told, None
        if promised is not None:
            late = 1.0 if promised < today else None
            if reading is not None:
                late = reading.late_risk(today.toordinal(), promised.toordinal())
        return Outlook(
            first=window.p10 if window else None,
            last=window.p90 if window else None,
            basis=window.basis.word if window else "",
            count=window.basis.count if window else 0,
            late=late,
            stuck=quiet is not None and quiet.stall,
            quiet_days=max((today - where.moved).days, 0),
        )
