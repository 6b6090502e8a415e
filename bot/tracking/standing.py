"""Which scans of a timeline count, and what the dialog asks of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Scan, Status, Track
from bot.tracking.handover import passed_on
from bot.tracking.vocabulary import rank

FENCE = timedelta(days=7)
"""A number may have been another parcel's before: what is older than the order by this much is not ours."""
UNSURE = timedelta(hours=14)
"""How far off an instant can be whose offset is not known."""
AHEAD = timedelta(minutes=15)
"""Clocks differ: a scan this little ahead of us is not from the future."""
SAME, MINUTE = timedelta(minutes=10), timedelta(minutes=1)
"""Two carriers that tell the same within this time tell of one event; of one carrier two sources tell its minute."""


def fence(parcel: Parcel) -> datetime | None:
    """Since when scans can be this parcel's: a week before it was ordered (or sent), None where neither is known."""
    known = parcel.ordered_at or parcel.shipped_at
    return known - FENCE if known else None


def in_future(scan: Scan, now: datetime) -> bool:
    """Whether the carrier dated this scan later than now, beyond what its zone leaves open."""
    slack = UNSURE if scan.offset_from is OffsetFrom.UNKNOWN else AHEAD
    return scan.at is not None and scan.at > now + slack


def standing(track: Track, now: datetime, since: datetime | None = None) -> tuple[Scan, ...]:
    """The scans that count, oldest first: dated, not voided, not from the future, not from before `since`, of two
    carriers' or sources' reports of one event only one, and a delivery to the next carrier as the step that it was."""
    dated = [s for s in track.scans if s.at is not None and not in_future(s, now)]
    if since is not None:
        dated = [s for s in dated if s.at is not None and s.at >= since]
    return tuple(passed_on(_folded(_in_order(_without_voided(dated))), track))


def counted(parcel: Parcel, now: datetime) -> tuple[Scan, ...]:
    """The scans of a parcel that count (`standing`), none where it was never scanned."""
    return standing(parcel.track, now, fence(parcel)) if parcel.track else ()


def _without_voided(scans: Sequence[Scan]) -> list[Scan]:
    """A cancelling event takes back the last one before it that it names; neither counts."""
    if not any(s.voids for s in scans):
        return list(scans)
    gone: set[int] = set()
    for place, scan in enumerate(scans):
        if not scan.voids:
            continue
        gone.add(place)
        earlier = range(place - 1, -1, -1)
        named = (
            i for i in earlier if i not in gone and scans[i].raw_code == scan.voids and scans[i].carrier == scan.carrier
        )
        gone.update(i for i in (next(named, None),) if i is not None)
    return [s for i, s in enumerate(scans) if i not in gone]


def _in_order(scans: list[Scan]) -> list[Scan]:
    """By time; where a zone is not known and two carriers' clocks could stand either way, by a parcel's life."""
    if all(s.offset_from is not OffsetFrom.UNKNOWN for s in scans):
        return scans
    ordered: list[Scan] = []
    for scan in scans:
        place = len(ordered)
        while place and _may_precede(scan, ordered[place - 1]) and rank(scan.status) < rank(ordered[place - 1].status):
            place -= 1
        ordered.insert(place, scan)
    return ordered


def _may_precede(scan: Scan, other: Scan) -> bool:
    if _told_by(scan) == _told_by(other) or scan.at is None or other.at is None:
        return False
    unknown = [s.offset_from is OffsetFrom.UNKNOWN for s in (scan, other)]
    return scan.at - other.at < UNSURE * sum(unknown)


def _told_by(scan: Scan) -> tuple[str, str]:
    return scan.carrier, scan.source


def _folded(scans: Sequence[Scan]) -> list[Scan]:
    """Of two reports of one event the first, or the one that knows its zone; one source reports each event of a
    carrier once."""
    if len(set(map(_told_by, scans))) < 2:
        return list(scans)
    kept: list[Scan] = []
    by_status: dict[Status, list[Scan]] = {}
    for scan in scans:
        alike = by_status.setdefault(scan.status, [])
        twin = next((k for k in alike if _same_event(scan, k)), None)
        if twin is not None and not _surer(scan, twin):
            continue
        if twin is not None:
            alike.remove(twin)
            kept.remove(twin)
        alike.append(scan)
        kept.append(scan)
    return kept


def _surer(scan: Scan, other: Scan) -> bool:
    """Whether it is the same carrier's word with a zone that the other has not."""
    zones = other.offset_from is OffsetFrom.UNKNOWN and scan.offset_from is not OffsetFrom.UNKNOWN
    return zones and scan.carrier == other.carrier


def _same_event(scan: Scan, other: Scan) -> bool:
    if scan.status is not other.status or scan.status is Status.UNKNOWN or _told_by(scan) == _told_by(other):
        return False
    if scan.at is None or other.at is None or (scan.cause != other.cause and scan.cause and other.cause):
        return False
    if scan.carrier == other.carrier:
        # Two sources spell its code, words and place in their own ways, and one may not know the zone.
        clocks = scan.local and other.local and abs(scan.local - other.local) < MINUTE
        return bool(clocks) or abs(scan.at - other.at) < MINUTE
    unsure = OffsetFrom.UNKNOWN in {scan.offset_from, other.offset_from} and scan.status is Status.DELIVERED
    return abs(scan.at - other.at) <= (UNSURE if unsure else SAME)


def latest_scan(track: Track, now: datetime, since: datetime | None = None) -> Scan | None:
    """The newest scan that counts."""
    return next(iter(reversed(standing(track, now, since))), None)


def last_physical(track: Track, now: datetime, since: datetime | None = None) -> Scan | None:
    """The newest scan that somebody made with the parcel in hand; data-only events are no movement."""
    return _last_physical(standing(track, now, since))


def on_the_spot(scan: Scan, zone: tzinfo, destination: str) -> datetime | None:
    """The wall clock where a scan was made, as its source wrote it. Many write UTC wherever they are: such a time in
    the country where the parcel goes (ISO alpha-2) is told by the clock of its buyer's `zone`."""
    at = scan.at
    if at is None or scan.offset_from is not OffsetFrom.EXPLICIT or scan.place.country not in {"", destination}:
        return scan.local
    in_utc = scan.local == at.replace(tzinfo=None)
    return at.astimezone(zone).replace(tzinfo=None) if in_utc else scan.local


def _last_physical(scans: Sequence[Scan]) -> Scan | None:
    return next((s for s in reversed(scans) if s.physical and s.status is not Status.LABEL_CREATED), None)


def silent_days(parcel: Parcel, scans: Sequence[Scan], now: datetime) -> int | None:
    """Whole days since somebody had the parcel in hand by its scans that count, or since it was sent; None where
    neither is known."""
    seen = _last_physical(scans)
    since = seen.at if seen is not None and seen.at is not None else parcel.shipped_at
    return max((now - since).days, 0) if since else None


def touched_at(track: Track, now: datetime) -> datetime | None:
    """When somebody last had the parcel in hand, without weighing what was taken back: enough for a pace."""
    times = (s.at for s in reversed(track.scans) if s.physical and s.status is not Status.LABEL_CREATED)
    return next((at for at in times if at is not None and at <= now), None)


def moved_after_delivery(track: Track, now: datetime, since: datetime | None = None) -> Scan | None:
    """A physical scan after the delivery that is no return: for staff to look at (§6.2.1)."""
    delivered = False
    for scan in standing(track, now, since):
        if (
            delivered
            and scan.physical
            and scan.status
            not in {
                Status.DELIVERED,
                Status.RETURNING,
                Status.RETURNED,
                Status.UNKNOWN,
                Status.LABEL_CREATED,
            }
        ):
            return scan
        abroad = track.origin != track.destination and scan.place.country == track.origin
        handed_on = bool(track.origin and track.destination) and abroad
        delivered = delivered or (scan.physical and scan.status is Status.DELIVERED and not handed_on)
    return None
