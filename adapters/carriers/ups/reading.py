"""What UPS's answers (Track v1) and pushes (Track Alert) say. Pure; its codes are tables beside the package."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from bot.model.codes import NOTHING, Code, codes
from bot.model.foreign import (
    THIS_AGE,
    Map,
    When,
    a_country,
    a_map,
    a_moment,
    a_text,
    day_and_clock,
    first_text,
    maps,
    parse_json,
    utc,
    when,
    zone_of,
)
from bot.model.tracks import Leg, OffsetFrom, Place, Role, Scan, Status, Track, Window

KIND = "ups"
WHO = "UPS"
TIME = ("date", "time", "gmtDate", "gmtTime", "gmtOffset")
ALERT_TIME = ("localActivityDate", "localActivityTime", "gmtActivityDate", "gmtActivityTime", "gmtOffset")

_CAPITALS = re.compile(r"^(?:[A-Z]+(?=[A-Z][a-z])|[A-Z])")
_STATUS_NUMBER = re.compile(r"[0-9]{1,4}")
_OFFSET = re.compile(r"([+-])([0-9]{1,2})[:.]?([0-5][0-9])")
_USPS = re.compile(r"(?:420[0-9]{5}(?:[0-9]{4})?)?9[1-5][0-9]{18,24}")


# ---- reading ---------------------------------------------------------------------------------------------


class Said(NamedTuple):
    """What a status says: the code it was read by, its meaning, and whether a table has that code."""

    raw_code: str
    code: Code
    known: bool


def read_status(status: Map) -> Said:
    """A status of an activity, a package or a push. A type alone is only a fallback and never a known code."""
    kind, letters = a_text(status.get("type")).upper(), a_text(status.get("code")).upper()
    number = _number(status, letters)
    pair = f"{kind} {letters}" if kind and letters else ""
    if number.strip("0") and (code := codes("ups_number").get(number.lstrip("0"))):
        return Said(number, code, known=True)
    if pair and (code := codes("ups_code").get(pair)):
        return Said(pair, code, known=True)
    if number and not number.strip("0") and not pair:
        return Said(number, codes("ups_number")["0"], known=True)
    return Said(number or pair or kind or letters, codes("ups_type").get(kind, NOTHING), known=False)


def _number(status: Map, letters: str) -> str:
    """The three-digit number; the current status of a package has it as its `code`."""
    told = first_text(status.get("statusCode"), status.get("descriptionCode"))
    if not told and len(letters) == 3:
        told = letters
    return told.zfill(3) if _STATUS_NUMBER.fullmatch(told) else ""


def read_time(event: Map, fields: Sequence[str], country: str = "") -> When:
    """GMT is the instant; without it the offset, else the country, makes one of the wall clock."""
    day, clock, gmt_day, gmt_clock, told = (a_text(event.get(f)) for f in fields)
    raw = f"{day} {clock}".strip() or f"{gmt_day} {gmt_clock}".strip()
    local, gmt, offset = _iso(day, clock), _iso(gmt_day, gmt_clock), _offset(told)
    at = utc(a_moment(f"{gmt}+00:00")) if "T" in gmt else None
    if at is not None:
        wall = a_moment(local) if "T" in local else _shifted(at, offset) or a_moment(local)
        return When(raw, at, wall, OffsetFrom.EXPLICIT)
    zoned = f"{local}{offset}" if "T" in local and offset else ""
    if utc(a_moment(zoned)) is not None:
        return when(raw, iso=zoned)
    return when(raw, iso=local or gmt, country=country if local else "")


def _iso(day: str, clock: str) -> str:
    """UPS drops leading zeros of a time: 74700 is 07:47. What is no time of a day leaves the day."""
    bare = clock.isdecimal() and len(clock) < 6 and not (len(clock) == 4 and clock.startswith("0"))
    whole = day_and_clock(day, clock.zfill(6) if clock and bare else clock)
    return whole if a_moment(whole) is not None else day_and_clock(day)


def _offset(text: str) -> str:
    found = _OFFSET.fullmatch(text)
    return f"{found[1]}{int(found[2]):02d}:{found[3]}" if found else ""


def _shifted(at: datetime, offset: str) -> datetime | None:
    zoned = a_moment(f"2000-01-01T00:00:00{offset}") if offset else None
    if zoned is None or not THIS_AGE[0] <= at.year < THIS_AGE[1]:
        return None
    return at.astimezone(zoned.tzinfo).replace(tzinfo=None)


def _place(address: Map) -> Place:
    country = a_country(address.get("countryCode")) or a_country(address.get("country"))
    parts = (a_text(address.get("city")), a_text(address.get("stateProvince")), country)
    return Place(", ".join(p for p in parts if p), country)


def _scan(status: Map, time: When, place: Place, *, logical: bool) -> Scan:
    said = read_status(status)
    return Scan(
        raw_code=said.raw_code,
        raw_text=first_text(status.get("description"), status.get("simplifiedTextDescription")),
        **time._asdict(),
        status=said.code.status,
        cause=said.code.cause,
        place=place,
        physical=said.code.physical and not logical,
        carrier=KIND,
        source=KIND,
        voids=said.code.voids,
        known=said.known,
    )


def read_activity(event: Map) -> Scan:
    """One activity of Track v1."""
    status = a_map(event.get("status"))
    place = _place(a_map(a_map(event.get("location") or event.get("activityLocation")).get("address")))
    flags = (event.get("logicalScan"), status.get("logicalScan"))
    logical = any(flag is True or a_text(flag).lower() == "true" for flag in flags)
    return _scan(status, read_time(event, TIME, place.country), place, logical=logical)


def read_alert(event: Map) -> Track:
    """One push of Track Alert; ValueError where it names no number."""
    number = a_text(event.get("trackingNumber"))
    if not number:
        raise ValueError(f"{WHO}: a push without a tracking number")
    place = _place(a_map(event.get("activityLocation")))
    time = read_time(event, ALERT_TIME, place.country)
    scan = _scan(a_map(event.get("activityStatus")), time, place, logical=False)
    day = "" if a_text(event.get("actualDeliveryDate")) else a_text(event.get("scheduledDeliveryDate"))
    clocks = (a_text(event.get("deliveryStartTime")), a_text(event.get("deliveryEndTime")))
    return Track(
        carrier=KIND,
        number=number,
        scans=(scan,),
        status=scan.status,
        cause=scan.cause,
        eta=None if scan.status is Status.DELIVERED else _window(day, clocks, "", scan.at),
        legs=_legs(number, event.get("alternateTrackingNumber")),
        source=KIND,
        at=scan.at if time.offset_from is OffsetFrom.EXPLICIT else None,
    )


def read_package(raw: Map, inquired: str) -> Track:
    """One package of an answer, under its own number."""
    number = a_text(raw.get("trackingNumber")) or inquired
    if not number:
        raise ValueError(f"{WHO}: a package without a number")
    scans = [read_activity(event) for event in reversed(maps(raw.get("activity")))]
    scans.sort(key=lambda s: s.at or datetime.min.replace(tzinfo=UTC))
    said = read_status(a_map(raw.get("currentStatus")) or {"statusCode": raw.get("statusCode")})
    status, cause = said.code.status, said.code.cause
    if said.known and scans and scans[-1].status is Status.UNKNOWN and not scans[-1].known:
        # The current status is the newest activity's: what our tables do not have of the one it may have of the other.
        scans[-1] = replace(scans[-1], status=status, cause=cause)
    if not said.raw_code and scans:
        status, cause = scans[-1].status, scans[-1].cause
    addresses = maps(raw.get("packageAddress"))
    ends = {a_text(a.get("type")).upper(): _place(a_map(a.get("address"))).country for a in addresses}
    return Track(
        carrier=KIND,
        number=number,
        scans=tuple(scans),
        status=status,
        cause=cause,
        eta=_eta(raw, ends.get("DESTINATION", "")),
        legs=_legs(number, raw.get("alternateTrackingNumber")),
        origin=ends.get("ORIGIN", ""),
        destination=ends.get("DESTINATION", ""),
        proof_of_delivery=_proof(a_map(raw.get("deliveryInformation"))),
        source=KIND,
    )


def _eta(raw: Map, country: str) -> Window | None:
    """The rescheduled day before the scheduled one; none once there is a day of delivery."""
    days = {a_text(d.get("type")).upper(): a_text(d.get("date")) for d in maps(raw.get("deliveryDate"))}
    if days.get("DEL"):
        return None
    time = next(iter(maps(raw.get("deliveryTime"))), {})
    clocks = (a_text(time.get("startTime")), a_text(time.get("endTime")))
    if a_text(time.get("type")).upper() == "EOD":
        clocks = ("", "")
    return _window(days.get("RDD") or days.get("SDD", ""), clocks, country)


def _window(day: str, clocks: tuple[str, str], country: str, said_at: datetime | None = None) -> Window | None:
    first, last = (a_moment(_iso(day, clock)) for clock in clocks)
    if first is None or last is None or not THIS_AGE[0] <= first.year < THIS_AGE[1]:
        return None
    zone = zone_of(country, first) or UTC
    return Window(first.replace(tzinfo=zone), max(first, last).replace(tzinfo=zone), KIND, said_at)


def _legs(number: str, alternates: object) -> tuple[Leg, ...]:
    """The last mile's own number; numbers of unknown kinds are mostly UPS's own and no leg."""
    told = maps(alternates) or ([{"number": alternates}] if isinstance(alternates, str) else [])
    found = dict.fromkeys(
        Leg("usps", other, Role.LAST_MILE)
        for a in told
        if (other := a_text(a.get("number")))
        and other != number
        and ("USPS" in a_text(a.get("type")).upper() or _USPS.fullmatch(other))
    )
    return (Leg(KIND, number, Role.FIRST_MILE), *found) if found else ()


def _proof(told: Map) -> str:
    """An address of the photo. UPS mostly sends pictures themselves, and who signed is nobody's business."""
    photo = a_text(a_map(told.get("deliveryPhoto")).get("photo"))
    return photo if photo.startswith("https://") else ""


def read_shipment(raw: Map) -> list[Track]:
    """Every package; a number without packages is one that UPS does not know."""
    asked = raw.get("inquiryNumber")
    number = a_text(asked) or a_text(a_map(asked).get("value"))
    packages = maps(raw.get("package"))
    if packages:
        named = [p for p in packages if number or a_text(p.get("trackingNumber"))] or packages
        return [read_package(p, number) for p in named]
    if number:
        return [Track(KIND, number, cause="not_found", source=KIND)]
    raise ValueError(f"{WHO}: {complaint(raw.get('warnings')) or 'a shipment without number and packages'}")


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer of Track v1 or a raw push of Track Alert; ValueError where it is neither."""
    found = parse_json(body, WHO)
    if isinstance(found, list) and found:
        return [read_alert(a_map(event)) for event in found]
    told = _uncapped(found) if "TrackResponse" in a_map(found) else a_map(found)
    shipments = maps(a_map(told.get("trackResponse")).get("shipment"))
    if shipments:
        return [track for s in shipments for track in read_shipment(s)]
    if "activityStatus" in told or "localActivityDate" in told:
        return [read_alert(told)]
    raise ValueError(f"{WHO}: {complaint(errors(told)) or 'neither an answer nor a push'}")


def _uncapped(value: Any) -> Any:
    """The answer of the Track service before v1, whose names begin with capitals ("Activity", "GMTDate")."""
    if isinstance(value, list):
        return [_uncapped(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {_CAPITALS.sub(lambda m: m[0].lower(), k): _uncapped(v) for k, v in value.items()}


def errors(told: Map) -> object:
    return a_map(told.get("response")).get("errors") or told.get("errors")


def complaint(errors: object) -> str:
    """UPS's errors or warnings in one line."""
    lines = [first_text(e.get("code")) + " " + first_text(e.get("message")) for e in maps(errors)]
    return " ".join("; ".join(lines).split())[:200]
