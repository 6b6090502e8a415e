"""What is expected of a parcel now, from its glance or from its whole timeline, by the learned tables. Pure."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from bot.dialog.turn import Shop
from bot.model.orders import Order
from bot.model.parcels import Parcel
from bot.proactive.announce import Outlook
from bot.proactive.gate import business_day
from bot.proactive.sighting import zone_of
from bot.proactive.watching import ParcelTold, Sight, Watched
from bot.tracking.eta import Route, Tables, expect, read
from bot.tracking.numbers import not_tracked_through
from bot.tracking.stages import Whereabouts
from bot.tracking.stall import silence
from bot.tracking.transit import service_of


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


class Expectations:
    """What was learned last (`tables`), with the seller's `alpha` for stalls; `home` is the country that the shop
    sends from.

    Parcels that entered the same stage of the same way on the same day are expected alike: what was found for one is
    kept until the tables or the day are others.
    """

    def __init__(self, tables: Callable[[], Tables], home: str = "", alpha: float | None = None) -> None:
        self._tables = tables
        self._home = home
        self._alpha = alpha
        self._found: dict[tuple[object, ...], Outlook] = {}
        self._of: tuple[object, ...] = ()
        self._asked: datetime | None = None

    def at_a_glance(self, order: Watched, parcel: Sight, told: ParcelTold | None, now: datetime) -> Outlook:
        """What is expected of an open parcel; late by the shop's promise, else by the window that was told."""
        if parcel.where is None:
            return Outlook()
        self._forget(now)
        promised = order.promised or (told.last if told is not None else None)
        service = service_of(parcel.carrier, parcel.number)
        ordinary = not_tracked_through(parcel.carrier, parcel.number)
        way = (service, ordinary, parcel.origin, order.country, order.zone)
        key = (*way, promised, parcel.where, parcel.window, parcel.status, parcel.cause)
        found = self._found.get(key)
        if found is None:
            route = Route(service, parcel.origin or self._home, order.country, ZoneInfo(order.zone), order.promised)
            found = self._outlook(parcel, parcel.where, route, promised, now)
            self._found[key] = found
        return found

    def _forget(self, now: datetime) -> None:
        """Drop what was found for another hour or by other tables; asked a million times with one `now`."""
        tables = self._tables()
        if now is self._asked and self._of[0] is tables:
            return
        of = (tables, now.replace(minute=0, second=0, microsecond=0))
        if self._of != of:
            self._of, self._found = of, {}
        self._asked = now

    def _outlook(
        self, parcel: Sight, where: Whereabouts, route: Route, promised: date | None, now: datetime
    ) -> Outlook:
        today, tables = now.astimezone(route.zone).date(), self._tables()
        reading = read(where, route, today, tables, parcel.window)
        window = reading.window(today.toordinal()) if reading is not None else None
        bare = Parcel(parcel.parcel, 0, parcel.carrier, parcel.number, parcel.status, parcel.cause)
        quiet = silence(bare, route, now, tables, self._alpha, where=where)
        late = None
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
