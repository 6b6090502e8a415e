"""What FedEx's answers (Track v1), pushes and older replies say. Pure; its codes are tables beside the package."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from adapters.carriers.fedex import older
from bot.model.codes import NOTHING, Code, by_country, codes
from bot.model.foreign import (
    Map,
    a_country,
    a_list,
    a_map,
    a_moment,
    a_text,
    country_named,
    first_text,
    maps,
    read_each,
    utc,
    when,
    zone_of,
)
from bot.model.tracks import Leg, Place, Role, Scan, Status, Track, Window, instant
from bot.model.xml import parse_either

KIND = "fedex"
WHO = "FedEx"
GROUND = frozenset({"FDXG", "FDEG", "FEDEX_GROUND"})
"""How FedEx names its Ground company, which numbers the reasons of an exception otherwise than Express."""
NEXT_NUMBERS = {"PARTNER_CARRIER_NUMBER": "", "REROUTE_TRACKING_NUMBER": KIND}
"""Kinds of identifiers under which the parcel goes on, and whose numbers they are where that is known."""
_USPS = re.compile(r"9[1-5][0-9]{20}(?:[0-9]{4})?")
_NOT_THE_BUYER = re.compile(
    r"\b(?:agent|sender|shipper|hold|held|return|not (?:be )?deliver)|locker|pick|attempt", re.IGNORECASE
)
"""Words beside a delivery, where no scan tells more, that may mean another one than the buyer's."""
_ELSEWHERE = (
    (
        re.compile(
            r"^(?!.*\b(?:picked up|collected)\b).*\b(?:hold|held)\b.*\b(?:location|pick-?up|station)", re.IGNORECASE
        ),
        Code(Status.PICKUP_READY),
    ),
    (re.compile(r"\bbroker", re.IGNORECASE), Code(Status.CUSTOMS)),
)
"""To whom a delivery was made that was not the buyer's, by its words or by the kind of FedEx's commitment message."""


def read_code(event: str, derived: str, text: str, country: str, ends: tuple[str, str]) -> tuple[Code, bool]:
    """What an event says, and whether the table knew it; `ends` are the countries of origin and destination."""
    table = codes("fedex_event")
    said = text.casefold()
    if event == "EA" and "export" in said:
        return Code(Status.DEPARTED_ORIGIN, "export_released", physical=False), True
    if event == "CA" and "cancel" in said:
        return Code(Status.EXCEPTION, "cancelled"), True
    code = table.get(event) or table.get(derived) or NOTHING
    if code.status is Status.DELIVERED:
        code = next((other for words, other in _ELSEWHERE if words.search(text)), code)
    abroad = bool(ends[0] and ends[1]) and ends[0] != ends[1]
    if code.status is Status.DEPARTED_ORIGIN and not (abroad and country in {"", ends[0]}):
        code = Code(Status.IN_TRANSIT, "hub_departed")
    if code.status is Status.ARRIVED_DESTINATION and not (abroad and country in {"", ends[1]}):
        code = Code(Status.IN_TRANSIT, "hub_arrived")
    if event == "AR" or code.status is Status.CUSTOMS:
        code = by_country(code, country, *ends)
    return code, event in table


def _because(code: Code, company: str, words: str, *reasons: str) -> Code:
    """The code with what the first of its exception codes and kinds of delay adds that the table has.

    Ground's and Express's numbers differ: where it is not told whose they are and words stand beside, the words
    are left to say it.
    """
    if code.cause:
        return code
    table = codes("fedex_exception")
    # One reason is written 7, 07, 007 and A07.
    for told in (reason.removeprefix("A").lstrip("0").zfill(2) for reason in map(str.upper, reasons)):
        express, ground = table.get(f"{code.status} {told}"), table.get(f"ground {code.status} {told}")
        if not company and words and ground not in {None, express}:
            continue
        if (why := ground if company in GROUND and told.isdigit() else express) is not None:
            return why
    return code


def _delay(detail: Map) -> str:
    """The kind of a delay; one that is on time or early is none."""
    told = a_map(detail.get("delayDetail"))
    return "" if a_text(told.get("status")).upper() in {"ON_TIME", "EARLY"} else a_text(told.get("type"))


def _country(address: Map) -> str:
    return a_country(address.get("countryCode")) or country_named(a_text(address.get("countryName")))


def _place(address: Map) -> Place:
    named = (a_text(address.get("city")), a_text(address.get("stateOrProvinceCode")))
    return Place(", ".join(n for n in named if n), _country(address))


def read_scan(event: Map, ends: tuple[str, str], company: str = "", commitment: str = "") -> Scan:
    """One scan event. The reason of an exception is part of what was said."""
    place = _place(a_map(event.get("scanLocation")))
    reason = a_text(event.get("exceptionDescription"))
    text = ": ".join(dict.fromkeys(t for t in (a_text(event.get("eventDescription")), reason) if t))
    kind = a_text(event.get("eventType")).upper()
    derived = a_text(event.get("derivedStatusCode")).upper()
    code, known = read_code(kind, derived, f"{text} {commitment}", place.country, ends)
    code = _because(code, company, reason, a_text(event.get("exceptionCode")), _delay(event))
    return Scan(
        raw_code=kind or derived,
        raw_text=text or a_text(event.get("derivedStatus")),
        **when(a_text(event.get("date")), country=place.country)._asdict(),
        status=code.status,
        cause=code.cause,
        place=place,
        physical=code.physical,
        carrier=KIND,
        source=KIND,
        known=known,
    )


def read_track(result: Map, number: str) -> Track:
    """One shipment of one number; ValueError where it is about no number."""
    number = _number(number, result)
    if not number:
        raise ValueError(f"{WHO}: a result without a tracking number")
    events = maps(result.get("scanEvents"))
    latest = a_map(result.get("latestStatusDetail"))
    fault = a_map(result.get("error"))
    if first_text(fault.get("code"), fault.get("message")) and not events and not a_text(latest.get("code")):
        return Track(KIND, number, cause=_refused(fault), source=KIND)
    ends = (_end(result, "origin", "shipper"), _end(result, "destination", "recipient"))
    company, commitment = _company(result), _commitment(result)
    scans = [read_scan(event, ends, company, commitment) for event in reversed(events)]
    scans.sort(key=instant)
    code = _summary(latest, ends, company, commitment)
    if not scans and code.status is Status.DELIVERED and _NOT_THE_BUYER.search(_words(latest)):
        code = NOTHING
    if scans and scans[-1].status is Status.UNKNOWN and not scans[-1].known:
        # The summary is the newest event's: what our tables do not have it may.
        scans[-1] = replace(scans[-1], status=code.status, cause=code.cause, physical=code.physical)
    return Track(
        carrier=KIND,
        number=number,
        scans=tuple(scans),
        status=code.status,
        cause=code.cause,
        eta=None if code.status is Status.DELIVERED else _eta(result, ends[1]),
        legs=_legs(number, a_map(result.get("additionalTrackingInfo"))),
        origin=ends[0],
        destination=ends[1],
        proof_of_delivery=_proof(result),
        source=KIND,
    )


def _proof(result: Map) -> str:
    kinds = (first_text(a_map(image).get("type"), image) for image in a_list(result.get("availableImages")))
    return "SPOD" if any("SIGNATURE" in kind.upper() for kind in kinds) else ""


def _refused(fault: Map) -> str:
    """The cause of a number that has no scans; empty where FedEx itself failed, which says nothing of the number."""
    told = f"{a_text(fault.get('code'))} {a_text(fault.get('message'))}".upper()
    if "INVALID" in told:
        return "invalid_number"
    return "not_found" if "FOUND" in told or "NO INFORMATION" in told else ""


def _company(result: Map) -> str:
    """FedEx's company that carries it, by its code or by the end of the unique id ("245822~123456789012~FDEG")."""
    info = a_map(result.get("trackingNumberInfo"))
    unique = a_text(info.get("trackingNumberUniqueId")).rpartition("~")[2]
    return first_text(info.get("carrierCode"), unique if unique.isalpha() else "").upper()


def _commitment(result: Map) -> str:
    """The kind of FedEx's commitment message ("BROKER_DELIVERED_DESCRIPTION") as words."""
    return a_text(a_map(result.get("serviceCommitMessage")).get("type")).replace("_", " ").lower()


def _summary(latest: Map, ends: tuple[str, str], company: str, commitment: str) -> Code:
    word, derived = (a_text(latest.get(name)).upper() for name in ("code", "derivedCode"))
    code, _ = read_code(word, derived, f"{a_text(latest.get('description'))} {commitment}", "", ends)
    reasons = maps(latest.get("ancillaryDetails"))
    words = first_text(*(d.get("reasonDescription") for d in reasons))
    return _because(code, company, words, *(a_text(d.get("reason")) for d in reasons), _delay(latest))


def _words(latest: Map) -> str:
    """All that the summary says. It is no event: an answer without scans has a status and an empty timeline."""
    told = [latest.get(name) for name in ("description", "statusByLocale")]
    for detail in maps(latest.get("ancillaryDetails")):
        told += [detail.get("reasonDescription"), detail.get("actionDescription")]
    return " ".join(map(a_text, told))


def _number(asked: str, result: Map) -> str:
    info = a_map(result.get("trackingNumberInfo"))
    return first_text(info.get("trackingNumber"), result.get("trackingNumber"), asked)


def _legs(number: str, more: Map) -> tuple[Leg, ...]:
    """The number under which another carrier, mostly the Postal Service, brings the parcel for FedEx, or FedEx itself
    after it was sent another way."""
    told = [
        (a_text(one.get("type")).upper(), a_text(value))
        for one in maps(more.get("packageIdentifiers"))
        for value in _values(one)
    ]
    found = dict.fromkeys(
        Leg("usps" if _USPS.fullmatch(n) else NEXT_NUMBERS[kind], n, Role.LAST_MILE)
        for kind, n in told
        if n and n != number and (_USPS.fullmatch(n) or kind in NEXT_NUMBERS)
    )
    return (Leg(KIND, number, Role.FIRST_MILE), *found) if found else ()


def _values(identifier: Map) -> Iterator[object]:
    """FedEx's schema has `value`, its answers `values`."""
    for name in ("values", "value"):
        told = identifier.get(name)
        yield from told if isinstance(told, list) else (told,)


def _end(result: Map, location: str, party: str) -> str:
    contact = a_map(a_map(result.get(f"{location}Location")).get("locationContactAndAddress"))
    party_address = a_map(a_map(result.get(f"{party}Information")).get("address"))
    return _country(a_map(contact.get("address"))) or _country(party_address)


def _dates(result: Map) -> dict[str, str]:
    told = {
        a_text(d.get("type")).upper(): a_text(d.get("dateTime")) for d in reversed(maps(result.get("dateAndTimes")))
    }
    return {kind: date for kind, date in told.items() if date}


def _eta(result: Map, country: str) -> Window | None:
    """The estimated window, else the estimated day, else the one agreed or promised; local where no offset is told.
    None once a day of delivery is told."""
    dates = _dates(result)
    promised = a_map(a_map(result.get("standardTransitTimeWindow")).get("window"))
    window = a_map(a_map(result.get("estimatedDeliveryTimeWindow")).get("window"))
    sources = (
        (window.get("begins"), window.get("ends")),
        (dates.get("ESTIMATED_DELIVERY"),),
        (dates.get("APPOINTMENT_DELIVERY"),),
        (promised.get("begins"), promised.get("ends")),
        (dates.get("COMMITMENT"),),
    )
    for told in () if dates.get("ACTUAL_DELIVERY") else sources:
        days = sorted(_zoned(d, country) for t in told if (d := a_moment(t)) is not None)
        if days:
            return Window(days[0], days[-1], KIND)
    return None


def _zoned(moment: datetime, country: str) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=zone_of(country, moment) or UTC)


def sent_at(result: Map) -> datetime | None:
    """When a shipment was sent (UTC), for telling apart two that had one number."""
    dates = _dates(result)
    moment = a_moment(first_text(dates.get("ACTUAL_PICKUP"), dates.get("SHIP"), dates.get("ACTUAL_TENDER")))
    return utc(moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC))


def results(told: object) -> list[tuple[str, Map]]:
    """Every result with the number that was asked, wherever a dialect of the API puts them. Those that are about no
    number are left out where others are."""
    found = [pair for one in (told if isinstance(told, list) else [told]) for pair in _results(a_map(one))]
    return [pair for pair in found if _number(*pair)] or found


def _results(top: Map) -> list[tuple[str, Map]]:
    found: list[tuple[str, Map]] = []
    for output in maps(top.get("output")) or [top]:
        of_numbers = maps(output.get("completeTrackResults"))
        some = [(a_text(one.get("trackingNumber")), r) for one in of_numbers for r in maps(one.get("trackResults"))]
        some += [("", result) for result in maps(output.get("trackResults"))]
        if not some and ("scanEvents" in output or "trackingNumberInfo" in output):
            some = [("", output)]
        found += some
    return found or [("", older.result_of(detail)) for detail in older.details(older.reply_of(top))]


def read(body: bytes) -> list[Track]:
    """Every shipment in a raw answer, push or older reply; ValueError where it is none of FedEx's."""
    told = parse_either(body, WHO)
    if found := results(told):
        return read_each(found, lambda pair: [read_track(pair[1], pair[0])])
    raise ValueError(f"{WHO}: {_complaint(a_map(told)) or 'neither an answer nor a push'}")


def _complaint(told: Map) -> str:
    """What went wrong, in one line."""
    output = a_map(told.get("output"))
    faults: Sequence[Map] = [
        *maps(told.get("errors")),
        *older.faults(told),
        *maps(output.get("alerts")),
    ]
    why = first_text(*(f.get(k) for f in faults for k in ("message", "code")))
    return why.splitlines()[0] if why else ""
