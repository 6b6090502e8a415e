"""What the announcer keeps of an order that it watches: the glance at it, and what was told of it.

Narrow on purpose: a look at a million orders of which nothing is new reads these values and no timeline.
"""

from datetime import date, datetime

from msgspec import Struct, field

from bot.model.orders import Duties
from bot.model.tracks import Status, Window
from bot.tracking.stages import Whereabouts


class Sight(Struct, frozen=True):
    """A parcel as the announcer sees it, written by each turn of the parcel.

    `since` is when by the carrier's word the present status began, `seen` the newest scan of that status,
    `handed` the first and `moved` the last time somebody had the parcel in hand; all UTC, None where no scan
    tells. `where` is its place on its way, None where that is over or nothing tells. `window` is the carrier's
    own, `source` the feed that told last, `origin` the country it came from. `place`, `country` and `scanned` (the
    wall clock on the spot) are of the newest scan. `items` are indexes into the order's, empty for all of them.
    """

    parcel: int
    carrier: str
    number: str
    status: Status = Status.UNKNOWN
    cause: str = ""
    since: datetime | None = None
    seen: datetime | None = None
    handed: datetime | None = None
    moved: datetime | None = None
    shipped: datetime | None = None
    where: Whereabouts | None = None
    window: Window | None = None
    source: str = ""
    origin: str = ""
    place: str = ""
    country: str = ""
    scanned: datetime | None = None
    items: tuple[int, ...] = ()


class Watched(Struct, frozen=True):
    """An order as the announcer sees it. `source` is where it came from; `promised` is the shop's own date; `country`
    ISO alpha-2; `zone` the IANA name of the zone in which its buyer's days are counted; `duties` who pays them."""

    order: int
    number: str
    country: str = ""
    zone: str = "UTC"
    placed: datetime | None = None
    promised: date | None = None
    cancelled: bool = False
    source: str = ""
    duties: Duties = Duties.UNKNOWN


class ParcelTold(Struct, frozen=True):
    """What was told of a parcel. `known` is when we first heard of it: what was true by then is no news.

    `first` and `last` are the window that the buyer was told; `late` when they were told that it is late. `at` is the
    state in which it was last looked at: its status, its cause, its newest scan and when it left the shop; `given` the
    last day that the carrier named then.
    """

    known: datetime
    first: date | None = None
    last: date | None = None
    late: datetime | None = None
    stalled: str = ""
    at: tuple[Status, str, datetime | None, datetime | None] | None = None
    given: date | None = None


class Told(Struct, frozen=True):
    """What was told of an order; `said` are the keys of pushes that were made or knowingly left out."""

    known: datetime
    said: tuple[str, ...] = ()
    parcels: dict[int, ParcelTold] = field(default_factory=dict)
