"""When a parcel will come: tenth, half and nine tenths of parcels like it, as local dates, and what that rests on.

Order of evidence (`facts/eta.md` §10): the carrier's own date with its learned error; the lane's parcels, from
this stage on or over the whole journey; the carrier's published transit time, on which the lane leans while it is
young. Where none of them speaks there is no prediction. The seller's own promise is another thing and is never
overwritten by this.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct, field

from bot.model.orders import Order
from bot.model.parcels import Parcel
from bot.model.tracks import Scan, Window
from bot.tracking import residuals
from bot.tracking.residuals import Residuals
from bot.tracking.stages import Stage, Whereabouts, moved, whereabouts
from bot.tracking.standing import counted
from bot.tracking.survival import DAYS, QUANTILES, Evidence, Keys, Lanes, Prior
from bot.tracking.transit import published, service_of

ENOUGH = 10
"""So many ended spans make a key speak for itself; fewer lean on its parent without being named."""
OVERDUE = 7
"""So many days after a carrier's date has passed, it tells nothing any more."""

OWN = frozenset({"lane", "destination"})
"""Evidence as particular as what is published, or more."""
PROMISE_DAYS = 3
"""Promises are told apart in groups of so many days."""

JOURNEY = "journey"
"""Hand-over to delivery; `rest:<stage>` runs from entering a stage to delivery, `quiet:<stage>` from one move to
the next, `dispatch` from the order to hand-over, `order` from the order to delivery."""
DISPATCH, ORDERED = "dispatch", "order"
_REST = {stage: f"rest:{stage.value}" for stage in Stage}


def rest(stage: Stage) -> str:
    """The kind of span that runs from entering this stage to delivery."""
    return _REST[stage]


def quiet(stage: Stage) -> str:
    """The kind of span that runs from one move in this stage to the next."""
    return f"quiet:{stage.value}"


class Basis(Struct, frozen=True):
    """What a prediction rests on, for one phrase of a sentence.

    `kind` is lane, destination, service or shop (`count` parcels that went this way, to this country, by this
    service, or of this shop), carrier (`carrier`'s own date, its error learned from `count` parcels, perhaps 0)
    or published (`carrier`'s published transit time).
    """

    kind: str
    count: int = 0
    carrier: str = ""

    @property
    def word(self) -> str:
        """What it is called towards buyers: lane, carrier or published; alike where the parcels went other ways, of
        which nothing more is said."""
        return self.kind if self.kind in {"carrier", "published", "lane"} else "alike"


class Prediction(Struct, frozen=True):
    """Local dates at the destination by which a tenth, half and nine tenths of parcels like this have come."""

    p10: date
    p50: date
    p90: date
    basis: Basis


class Route(Struct, frozen=True):
    """The way a parcel takes. `service` as `transit.service_of` says it, countries ISO alpha-2, all empty where not
    known; `zone` is where the buyer is; `promised` the seller's own date."""

    service: str
    origin: str
    destination: str
    zone: tzinfo
    promised: date | None = None

    @property
    def carrier(self) -> str:
        """Whose service it is."""
        return self.service.partition("/")[0]


class Tables(Struct, frozen=True):
    """All that was learned, as known on the day `on`; fresh ones know nothing."""

    on: date = date.min
    lanes: Mapping[str, Lanes] = field(default_factory=dict)
    residuals: Residuals = field(default_factory=lambda: Residuals(1))

    def of(self, kind: str) -> Lanes:
        """The tables of a kind of span; empty ones where nothing was seen."""
        return self.lanes.get(kind) or _EMPTY


_EMPTY = Lanes(1)


@lru_cache(maxsize=65_536)
def chain(service: str, origin: str, destination: str, promise: int | None = None) -> Keys:
    """From general to particular: the shop, the service, the service to this country, the lane, and on it the
    parcels that were promised about as soon (`promise` days from the start, in threes).

    Where the service is not known its level is left out, where a country is not known the chain ends before it.
    """
    keys: Keys = ("", service) if service else ("",)
    if destination:
        keys += (f"{service}:{destination}",)
        if origin:
            keys += (f"{service}:{origin}>{destination}",)
        if promise is not None:
            keys += (f"{keys[-1]}~{min(max(promise, 0), DAYS) // PROMISE_DAYS}",)
    return keys


def route_of(parcel: Parcel, order: Order, zone: tzinfo, home: str = "") -> Route:
    """The parcel's way by what the carrier and the order tell; `home` is the country the shop sends from."""
    track = parcel.track
    return Route(
        service_of(parcel.carrier or (track.carrier if track else ""), parcel.number),
        (track.origin if track else "") or home,
        order.country or (track.destination if track else ""),
        zone,
        order.promised,
    )


class Reading(NamedTuple):
    """Where a parcel's future is read: the table, its chain, the first day (ordinal) of its age, and the basis."""

    lanes: Lanes
    keys: Keys
    start: int
    basis: Basis
    prior: Prior | None = None

    def window(self, today: int) -> Prediction | None:
        """What of parcels still open today comes when; None beyond the tables' reach."""
        days = self.lanes.window(self.keys, today - self.start, QUANTILES, self.prior)
        if days is None:
            return None
        p10, p50, p90 = days
        on, start = date.fromordinal, self.start
        return Prediction(on(start + p10), on(start + p50), on(start + p90), self.basis)

    def late_risk(self, today: int, promised: int) -> float | None:
        """P(not there by the promised day | open today); None beyond the tables' reach."""
        if promised < today:
            return 1.0
        return self.lanes.late_risk(self.keys, max(today - self.start, 0), promised - self.start, self.prior)


def predict(parcel: Parcel, route: Route, now: datetime, tables: Tables) -> Prediction | None:
    """When the parcel will come, as seen at `now` (UTC); None where it has ended, nothing is known of it, or it
    has been on its way for longer than can be told (120 days)."""
    where = locate(parcel, route, now)
    if where is None:
        return None
    return foresee(where, route, now.astimezone(route.zone).date(), tables, parcel.eta)


def locate(parcel: Parcel, route: Route, now: datetime) -> Whereabouts | None:
    """Where the parcel is on its route; None where its journey is over or nothing tells when it began."""
    return place_on(route, parcel, counted(parcel, now))


def place_on(route: Route, parcel: Parcel, scans: Sequence[Scan]) -> Whereabouts | None:
    """`locate` by the scans that count, for who has them already."""
    return whereabouts(parcel, moved(parcel, scans, route.zone, route.origin, route.destination), route.zone)


def foresee(
    where: Whereabouts, route: Route, today: date, tables: Tables, given: Window | None = None
) -> Prediction | None:
    """`predict` for a parcel whose whereabouts are known; `given` is the carrier's own window."""
    reading = read(where, route, today, tables, last_day(given))
    return None if reading is None else reading.window(today.toordinal())


def last_day(given: Window | None) -> date | None:
    """The last day of the carrier's own window: all of it that is learned from."""
    return given.last.date() if given is not None else None


def read(where: Whereabouts, route: Route, today: date, tables: Tables, given: date | None = None) -> Reading | None:
    """The best evidence there is for this parcel, None where nothing speaks; `given` is the last day of the carrier's
    own window."""
    if given is not None and today.toordinal() <= given.toordinal() + OVERDUE:
        return _of_carrier(given, route, tables.residuals)
    from_here = None
    near = tables.lanes.get(rest(where.stage))
    if near is not None:
        keys = chain(route.service, route.origin, route.destination)
        from_here = _of_lane(near, keys, where.entered.toordinal())
        if from_here is not None and from_here.basis.kind in OWN:
            return from_here
    prior = published(route.service, route.origin, route.destination)
    if from_here is not None and prior is None:
        return from_here
    start = (where.handed or where.entered).toordinal()
    keys = chain(route.service, route.origin, route.destination, promise_days(route, start))
    return _of_journey(tables.of(JOURNEY), keys, route, start, prior)


def expect(order: Order, route: Route, now: datetime, tables: Tables) -> tuple[Prediction | None, Prediction | None]:
    """When an order that is not on its way yet will be handed over, and when it will come; by this shop's own
    orders, else hand-over unknown and delivery by the carrier's publication as though it left today."""
    if order.placed_at is None or order.cancelled:
        return None, None
    today = now.astimezone(route.zone).date().toordinal()
    start = order.placed_at.astimezone(route.zone).date().toordinal()
    way = chain("", route.origin, route.destination)
    dispatch = _of_lane(tables.of(DISPATCH), way, start)
    receipt = _of_lane(tables.of(ORDERED), way, start)
    prior = published(route.service, route.origin, route.destination)
    if receipt is None and prior is not None:
        keys = chain(route.service, route.origin, route.destination)
        receipt = _of_journey(tables.of(JOURNEY), keys, route, today, prior)
    return dispatch.window(today) if dispatch else None, receipt.window(today) if receipt else None


def promise_days(route: Route, start: int) -> int | None:
    """How many days after this day (an ordinal) the seller promised it, None without a promise."""
    return route.promised.toordinal() - start if route.promised is not None else None


def _of_carrier(given: date, route: Route, learned: Residuals) -> Reading:
    keys = residuals.chain(route.carrier, route.destination)
    seen = learned.lanes.evidence(keys, ENOUGH)
    basis = Basis("carrier", seen.ended if seen is not None and seen.level else 0, route.carrier)
    return Reading(learned.lanes, keys, given.toordinal() - residuals.BEFORE, basis)


def _of_lane(lanes: Lanes, keys: Keys, start: int) -> Reading | None:
    seen = lanes.evidence(keys, ENOUGH)
    return None if seen is None else Reading(lanes, keys, start, _basis(seen))


@lru_cache(maxsize=65_536)
def _basis(seen: Evidence) -> Basis:
    return Basis(level_of(seen.key), seen.ended)


def _of_journey(lanes: Lanes, keys: Keys, route: Route, start: int, prior: Prior | None) -> Reading | None:
    """By the whole journey. A way for which something is published leans on that in place of the shop's other
    ways, and lets go of it as its own parcels arrive."""
    if prior is None:
        return _of_lane(lanes, keys, start)
    own = tuple(k for k in keys if ":" in k)
    seen = lanes.evidence(own, ENOUGH)
    basis = Basis("published", 0, route.carrier)
    return Reading(lanes, own, start, basis if seen is None else _basis(seen), prior)


def level_of(key: str) -> str:
    """What a key of a chain is called; those promised as soon count as parcels of their lane."""
    if not key:
        return "shop"
    return "lane" if ">" in key else "destination" if ":" in key else "service"
