"""What is expected of a parcel now, from its glance or from its whole timeline, by the learned tables. Pure."""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from bot.model.parcels import Parcel
from bot.proactive.announce import Outlook
from bot.proactive.watching import ParcelTold, Sight, Watched
from bot.tracking.eta import Route, Tables, read
from bot.tracking.numbers import not_tracked_through
from bot.tracking.stages import Whereabouts
from bot.tracking.stall import silence
from bot.tracking.transit import service_of


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
