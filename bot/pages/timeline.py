"""A parcel's timeline as people look at it: newest first, each scan with what is to be known of it. Pure."""

from collections.abc import Sequence
from datetime import date, datetime

from msgspec import Struct

from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Scan
from bot.tracking.masking import mask
from bot.tracking.standing import fence, in_future, standing

LONGEST_INITIALS = 3


class Row(Struct, frozen=True):
    """One scan. `day` and `time` are the wall clock on the spot, None where the carrier told none; `counts` is
    False for scans that decide nothing, and `marks` say why, or what is not sure of it."""

    day: date | None
    time: str
    status: str
    place: str
    text: str
    carrier: str
    counts: bool
    marks: tuple[str, ...]


def named(carrier: str) -> str:
    """A carrier's name as it is read: initials stay initials."""
    words = carrier.replace("_", "-").split("-")
    return " ".join(w.upper() if len(w) <= LONGEST_INITIALS or w == "usps" else w.capitalize() for w in words)


def rows(parcel: Parcel, now: datetime) -> Sequence[Row]:
    """The scans of a parcel, newest first. People's names and phones in them are covered."""
    if parcel.track is None:
        return ()
    since = fence(parcel)
    counted = set(map(_said, standing(parcel.track, now, since)))
    return [_row(scan, _said(scan) in counted, now, since) for scan in reversed(parcel.track.scans)]


def _said(scan: Scan) -> tuple[object, ...]:
    """What makes a scan this one, whatever it was taken for."""
    return scan.carrier, scan.raw_code, scan.raw_text, scan.raw_time, scan.at, scan.place


def _row(scan: Scan, counts: bool, now: datetime, since: datetime | None) -> Row:
    cause = f" · {scan.cause}" if scan.cause else ""
    return Row(
        day=scan.local.date() if scan.local else None,
        time=f"{scan.local:%H:%M}" if scan.local else "",
        status=(scan.status.value + cause).replace("_", " "),
        place=", ".join(p for p in (scan.place.text, scan.place.country) if p and p not in scan.place.text[:-1]),
        text=mask(scan.raw_text),
        carrier=named(scan.carrier),
        counts=counts,
        marks=tuple(_marks(scan, counts, now, since)),
    )


def _marks(scan: Scan, counts: bool, now: datetime, since: datetime | None) -> Sequence[str]:
    marks = []
    if not scan.physical:
        marks.append("data only")
    if scan.offset_from is OffsetFrom.UNKNOWN and scan.local is not None:
        marks.append("zone not known, ±14 h")
    if not scan.known:
        marks.append("code not in our table")
    if in_future(scan, now):
        marks.append("dated ahead")
    elif since is not None and scan.at is not None and scan.at < since:
        marks.append("before this order: another parcel's")
    elif scan.voids:
        marks.append("takes back an earlier one")
    elif not counts:
        marks.append("told twice or taken back")
    return marks
