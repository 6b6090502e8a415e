"""What one parcel teaches: its spans in every table, the error of its carrier's date, its line in a history."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import zip_longest
from zoneinfo import ZoneInfo

from msgspec import Struct

from bot.model.parcels import Parcel
from bot.model.zones import only_zone
from bot.tracking import residuals
from bot.tracking.calibration import Journey
from bot.tracking.eta import DISPATCH, JOURNEY, ORDERED, Tables, chain, quiet, rest
from bot.tracking.residuals import Given, Residuals
from bot.tracking.stages import Move, Stage, delivered_on, handed_on, moved
from bot.tracking.standing import counted
from bot.tracking.survival import Lanes, Span
from bot.tracking.transit import service_of


class Lesson(Struct, frozen=True):
    """A parcel, and of its order what bears on its way. `parcel` is None for an order that was not sent yet.

    `country` is where the buyer is, `placed_at` when they ordered; `cancelled` orders teach nothing of dispatch.
    """

    parcel: Parcel | None
    country: str
    placed_at: datetime | None
    promised: date | None = None
    cancelled: bool = False


class Life(Struct, frozen=True):
    """A lesson, read: local dates on the spot, None where they are not known."""

    service: str
    origin: str
    destination: str
    zone: ZoneInfo
    steps: tuple[Move, ...]
    placed: date | None
    handed: date | None
    delivered: date | None


def life(lesson: Lesson, now: datetime, home: str, timezone: str) -> Life:
    """What happened to a parcel; `home` is the country and `timezone` the zone of the shop that sends."""
    parcel = lesson.parcel
    track = parcel.track if parcel else None
    destination = lesson.country or (track.destination if track else "")
    origin = (track.origin if track else "") or home
    zone = only_zone(destination, "", now) or ZoneInfo(timezone)
    placed = lesson.placed_at.astimezone(ZoneInfo(timezone)).date() if lesson.placed_at else None
    if parcel is None:
        return Life("", origin, destination, zone, (), placed, None, None)
    steps = tuple(moved(parcel, counted(parcel, now), zone, origin, destination))
    sent = parcel.shipped_at.astimezone(ZoneInfo(timezone)).date() if parcel.shipped_at else None
    # A label alone is no hand-over; where nobody scans, the shop's own word is all there is.
    handed = handed_on(steps) or (None if steps else sent)
    service = service_of(parcel.carrier or (track.carrier if track else ""), parcel.number)
    return Life(service, origin, destination, zone, steps, placed, handed, delivered_on(steps))


def journey(lesson: Lesson, now: datetime, home: str, timezone: str) -> Journey | None:
    """The parcel as a line of a history, None where nothing tells when it began."""
    lived = life(lesson, now, home, timezone)
    start = lived.handed or lived.placed
    if lesson.parcel is None or start is None:
        return None
    kind = "handed" if lived.handed else "placed"
    end, promised = lived.delivered, lesson.promised
    return Journey(
        kind,
        lived.service,
        lived.origin,
        lived.destination,
        start.toordinal(),
        end.toordinal() if end else None,
        promised.toordinal() if promised else None,
    )


class Learner:
    """Fills tables, lesson by lesson, as known before the business day of `now`."""

    def __init__(self, now: datetime, home: str, timezone: str) -> None:
        self.now = now
        self.home = home
        self.timezone = timezone
        self.today = now.astimezone(ZoneInfo(timezone)).date()
        self.lanes: dict[str, Lanes] = {}
        self.residuals = Residuals(self.today.toordinal())
        self.count = 0

    def learn(self, lessons: Iterable[Lesson]) -> None:
        """Take in some lessons."""
        spans: dict[str, list[Span]] = {}
        given: list[Given] = []
        for lesson in lessons:
            self.count += 1
            lived = life(lesson, self.now, self.home, self.timezone)
            for kind, span in spans_of(lesson, lived):
                spans.setdefault(kind, []).append(span)
            given += given_of(lesson, lived)
        for kind, some in spans.items():
            if kind not in self.lanes:
                self.lanes[kind] = Lanes(self.today.toordinal())
            self.lanes[kind].learn(some)
        self.residuals.learn(given)

    def tables(self) -> Tables:
        """What was learned, ready for questions."""
        for lanes in self.lanes.values():
            lanes.settle()
        return Tables(self.today, self.lanes, self.residuals)


def spans_of(lesson: Lesson, lived: Life) -> Iterator[tuple[str, Span]]:
    """Every span that this parcel has been through or is in, with its kind."""
    keys = chain(lived.service, lived.origin, lived.destination)
    end = _ordinal(lived.delivered)
    if lived.placed is not None and not lesson.cancelled:
        # Before an order is sent nobody knows with whom: these tables tell no services apart.
        way = chain("", lived.origin, lived.destination)
        yield DISPATCH, Span(way, lived.placed.toordinal(), _ordinal(lived.handed))
        yield ORDERED, Span(way, lived.placed.toordinal(), end)
    if lived.handed is not None:
        start = lived.handed.toordinal()
        promise = lesson.promised.toordinal() - start if lesson.promised else None
        yield JOURNEY, Span(chain(lived.service, lived.origin, lived.destination, promise), start, end)
    entered: set[Stage] = set()
    for step, following in zip_longest(lived.steps, lived.steps[1:]):
        if step.stage is None:
            break
        if step.stage not in entered:
            entered.add(step.stage)
            yield rest(step.stage), Span(keys, step.day.toordinal(), end)
        yield quiet(step.stage), Span(keys, step.day.toordinal(), following.day.toordinal() if following else None)


def given_of(lesson: Lesson, lived: Life) -> Iterator[Given]:
    """The carrier's own date for this parcel, where it said one before the delivery."""
    parcel = lesson.parcel
    eta = parcel.eta if parcel else None
    if parcel is None or eta is None or eta.said_at is None:
        return
    said = eta.said_at.astimezone(lived.zone).date()
    if lived.delivered is None or said < lived.delivered:
        keys = residuals.chain(lived.service.partition("/")[0], lived.destination)
        yield Given(keys, said.toordinal(), eta.last.date().toordinal(), _ordinal(lived.delivered))


def _ordinal(day: date | None) -> int | None:
    return day.toordinal() if day is not None else None
