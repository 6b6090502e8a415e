"""What is expected of a parcel now, from its glance or from its whole timeline, by the learned tables. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from bot.model.orders import Order
from bot.model.parcels import Parcel
from bot.proactive.announce import Outlook
from bot.proactive.sighting import Home, sight, watched
from bot.proactive.watching import ParcelTold, Sight, Watched
from bot.tracking.eta import Route, Tables, read
from bot.tracking.stages import Whereabouts
from bot.tracking.stall import silent
from bot.tracking.transit import service_of


@dataclass(frozen=True, slots=True)
class Expectations:
    """What was learned last (`tables`), with the seller's `alpha` for stalls; `home` is the country that the shop
    sends from."""

    tables: Callable[[], Tables]
    home: str = ""
    alpha: float | None = None

    def at_a_glance(self, order: Watched, parcel: Sight, told: ParcelTold | None, now: datetime) -> Outlook:
        """What is expected of an open parcel; late by the shop's promise, else by the window that was told."""
        if parcel.where is None:
            return Outlook()
        route = Route(
            service_of(parcel.carrier, parcel.number),
            parcel.origin or self.home,
            order.country,
            ZoneInfo(order.zone),
            order.promised,
        )
        promised = order.promised or (told.last if told is not None else None)
        return self._outlook(parcel, parcel.where, route, promised, now)

    def of_parcel(self, order: Order, parcel: Parcel, now: datetime) -> Outlook:
        """The same by the whole timeline."""
        glance = watched(0, order)
        return self.at_a_glance(glance, sight(parcel, Home(order.country, order.postcode), now), None, now)

    def _outlook(
        self, parcel: Sight, where: Whereabouts, route: Route, promised: date | None, now: datetime
    ) -> Outlook:
        today, tables = now.astimezone(route.zone).date(), self.tables()
        reading = read(where, route, today, tables, parcel.window)
        window = reading.window(today.toordinal()) if reading is not None else None
        bare = Parcel(parcel.parcel, 0, parcel.carrier, parcel.number, parcel.status, parcel.cause)
        quiet = silent(bare, where, route, now, tables, self.alpha)
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
