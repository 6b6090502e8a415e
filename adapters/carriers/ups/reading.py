"""What UPS's answers (Track v1) and pushes (Track Alert) say. Pure; its codes are tables beside the package."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from adapters.carriers.ups.older import activity_of, days_of, records, status_of, unwrapped
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
    read_each,
    utc,
    when,
    zone_of,
)
from bot.model.tracks import Leg, OffsetFrom, Place, Role, Scan, Status, Track, Window, instant
from bot.model.xml import parse_either

KIND = "ups"
WHO = "UPS"
TIME = ("date", "time", "gmtDate", "gmtTime", "gmtOffset")
SHARED = (
    "scheduledDeliveryDate",
    "deliveryDetail",
    "alternateTrackingNumber",
    "alternateTrackingInfo",
    "shipper",
    "shipTo",
)
ALERT_TIME = ("localActivityDate", "localActivityTime", "gmtActivityDate", "gmtActivityTime", "gmtOffset")

_STATUS_NUMBER = re.compile(r"[0-9]{1,4}")
DELIVERED = "delivered"
"""Of the three things that type D can mean the one that UPS words so, in this one word. The older services have no
numbers, and more letters for it than any list: "D KB", "D KM", "D FS"."""
_OFFSET = re.compile(r"([+-])([0-9]{1,2})(?:[:.]?([0-5][0-9]))?")
_NOT_FOUND = re.compile(r"TW0001|\bnot found\b|\bno (?:tracking )?information\b", re.IGNORECASE)
"""In a warning; another one, as of a service that failed, says nothing of the number."""
_POST = re.compile(r"USPS|POSTAL", re.IGNORECASE)
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
    lettered = codes("ups_code").get(pair or kind)
    if number.strip("0") and (code := codes("ups_number").get(number.lstrip("0"))):
        return Said(number, _weighed(code, lettered or NOTHING), known=True)
    if lettered:
        return Said(pair or kind, lettered, known=True)
    if number and not number.strip("0") and not pair:
        return Said(number, codes("ups_number")["0"], known=True)
    code = codes("ups_type").get(kind, NOTHING)
    if kind == "D" and not number and a_text(status.get("description")).casefold() == DELIVERED:
        code = Code(Status.DELIVERED)
    return Said(number or pair or kind or letters, code, known=False)


def _weighed(number: Code, letters: Code) -> Code:
    """What the number says: "On the Way" is that of every scan on the way, and the letters tell which it was; where
    they speak against a delivery, as at an access point, nothing was delivered."""
    if number.status is letters.status:
        return number if number.cause or not letters.cause else replace(number, cause=letters.cause)
    return letters if number.status is Status.DELIVERED and letters.status is not Status.UNKNOWN else number


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
    return f"{found[1]}{int(found[2]):02d}:{found[3] or '00'}" if found else ""


def _shifted(at: datetime, offset: str) -> datetime | None:
    zoned = a_moment(f"2000-01-01T00:00:00{offset}") if offset else None
    if zoned is None or not THIS_AGE[0] <= at.year < THIS_AGE[1]:
        return None
    return at.astimezone(zoned.tzinfo).replace(tzinfo=None)


def _place(address: Map) -> Place:
    country = a_country(address.get("countryCode")) or a_country(address.get("country"))
    state = first_text(address.get("stateProvince"), address.get("stateProvinceCode"))
    parts = (a_text(address.get("city")), state, country)
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
    status = status_of(a_map(event.get("status")) or {"description": event.get("description")})
    location = next(iter((*maps(event.get("location")), *maps(event.get("activityLocation")))), {})
    place = _place(a_map(location.get("address")) or location)
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
    scans.sort(key=instant)
    said = read_status(status_of(a_map(raw.get("currentStatus"))) or {"statusCode": raw.get("statusCode")})
    status, cause = said.code.status, said.code.cause
    if said.known and scans and scans[-1].status is Status.UNKNOWN and not scans[-1].known:
        # The current status is the newest activity's: what our tables do not have of the one it may have of the other.
        scans[-1] = replace(scans[-1], status=status, cause=cause)
    if not said.raw_code and scans:
        status, cause = scans[-1].status, scans[-1].cause
    ends = _ends(raw)
    return Track(
        carrier=KIND,
        number=number,
        scans=tuple(scans),
        status=status,
        cause=cause,
        eta=None if status is Status.DELIVERED else _eta(raw, ends.get("DESTINATION", "")),
        legs=_legs(number, raw.get("alternateTrackingNumber")),
        origin=ends.get("ORIGIN", ""),
        destination=ends.get("DESTINATION", ""),
        proof_of_delivery=_proof(a_map(raw.get("deliveryInformation"))),
        source=KIND,
    )


def _ends(raw: Map) -> dict[str, str]:
    """The countries of ORIGIN and DESTINATION."""
    parties = {"ORIGIN": a_map(raw.get("shipper")), "DESTINATION": a_map(raw.get("shipTo"))}
    told = [*parties.items(), *((a_text(a.get("type")).upper(), a) for a in maps(raw.get("packageAddress")))]
    return {end: country for end, a in told if (country := _place(a_map(a.get("address"))).country)}


def _eta(raw: Map, country: str) -> Window | None:
    """The rescheduled day before the scheduled one; none once there is a day of delivery."""
    told = {a_text(d.get("type")).upper(): a_text(d.get("date")) for d in maps(raw.get("deliveryDate"))}
    days = days_of(raw) | {kind: day for kind, day in told.items() if day}
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
        if (other := first_text(a.get("number"), a.get("value")))
        and other != number
        and (_POST.search(a_text(a.get("type"))) or _USPS.fullmatch(other))
    )
    return (Leg(KIND, number, Role.FIRST_MILE), *found) if found else ()


def _proof(told: Map) -> str:
    """An address of the photo. UPS mostly sends pictures themselves, and who signed is nobody's business."""
    photo = a_text(a_map(told.get("deliveryPhoto")).get("photo"))
    return photo if photo.startswith("https://") else ""


def read_shipment(raw: Map) -> list[Track]:
    """Every package; a number without packages is one that UPS does not know. Freight has its activity here."""
    asked = raw.get("inquiryNumber")
    number = first_text(asked, a_map(asked).get("value"), raw.get("shipmentIdentificationNumber"))
    packages = maps(raw.get("package")) or ([raw] if maps(raw.get("activity")) else [])
    if packages:
        named = [p for p in packages if number or a_text(p.get("trackingNumber"))] or packages
        return [read_package(_whole(raw, p), number) for p in named]
    why = complaint(raw.get("warnings"))
    if number:
        return [Track(KIND, number, cause="not_found" if not why or _NOT_FOUND.search(why) else "", source=KIND)]
    raise ValueError(f"{WHO}: {why or 'a shipment without number and packages'}")


def _whole(shipment: Map, package: Map) -> Map:
    """A package with what the older services say of the shipment: its days and the Postal Service's number."""
    whole = {name: shipment[name] for name in SHARED if name in shipment} | dict(package)
    whole["alternateTrackingNumber"] = whole.get("alternateTrackingNumber") or whole.get("alternateTrackingInfo")
    return whole


def read_view(view: Map) -> list[Track]:
    """Every package in files of Quantum View, with the records that are about it."""
    scans: dict[str, list[Scan]] = {}
    days: dict[str, dict[str, str]] = {}
    for kind, record in records(view):
        number = a_text(record.get("trackingNumber"))
        scans.setdefault(number, []).append(read_activity(activity_of(kind, record)))
        days.setdefault(number, {}).update(days_of(record))
    tracks = []
    for number, some in scans.items():
        some.sort(key=instant)
        said = days[number]
        eta = _window(said.get("RDD") or said.get("SDD", ""), ("", ""), "")
        delivered = any(s.status is Status.DELIVERED for s in some)
        tracks.append(Track(KIND, number, tuple(some), eta=None if delivered else eta, source=KIND))
    return [t for t in tracks if t.number]


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer of Track v1 or of an older service, or in a raw push; ValueError where it is none."""
    told = parse_either(body, WHO)
    if not isinstance(told, list) or not told:
        return _read(told)
    tracks = read_each(told, _read)
    return _together(tracks) if all("activityStatus" in a_map(one) for one in told) else tracks


def _together(alerts: Sequence[Track]) -> list[Track]:
    """Pushes by number: those of one parcel are one timeline, which stands as the newest of them says."""
    numbered: dict[str, list[Track]] = {}
    for alert in alerts:
        numbered.setdefault(alert.number, []).append(alert)
    whole = []
    for some in numbered.values():
        scans = sorted((scan for alert in some for scan in alert.scans), key=instant)
        legs = dict.fromkeys(leg for alert in some for leg in alert.legs)
        newest = next(alert for alert in reversed(some) if scans[-1] in alert.scans)
        whole.append(replace(newest, scans=tuple(scans), legs=tuple(legs)))
    return whole


def _read(one: object) -> list[Track]:
    told = a_map(one)
    if "trackResponse" not in told and "activityStatus" not in told:
        told = unwrapped(told)
    shipments = maps(a_map(told.get("trackResponse")).get("shipment"))
    if shipments:
        return read_each(shipments, read_shipment)
    if "activityStatus" in told or "localActivityDate" in told:
        return [read_alert(told)]
    if tracks := read_view(a_map(told.get("quantumViewResponse"))):
        return tracks
    raise ValueError(f"{WHO}: {complaint(errors(told)) or 'neither an answer nor a push'}")


def errors(told: Map) -> object:
    """What an answer says went wrong, wherever this or an older service puts it."""
    inner = a_map(told.get("trackResponse")) or a_map(told.get("quantumViewResponse"))
    response = a_map(told.get("response")) or a_map(inner.get("response"))
    faults = maps(a_map(a_map(a_map(told.get("fault")).get("detail")).get("errors")).get("errorDetail"))
    older = [f.get("primaryErrorCode") for f in faults]
    return response.get("errors") or response.get("error") or told.get("errors") or older


def complaint(errors: object) -> str:
    """UPS's errors or warnings in one line."""
    lines = [
        f"{first_text(e.get('code'), e.get('errorCode'))} "
        f"{first_text(e.get('message'), e.get('description'), e.get('errorDescription'))}"
        for e in maps(errors)
    ]
    return " ".join("; ".join(lines).split())[:200]
