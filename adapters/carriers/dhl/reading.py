"""Reading what DHL answers and pushes, of every division, as tracks."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from msgspec.structs import replace

from adapters.carriers.dhl.divisions import of_division
from adapters.carriers.dhl.words import main_code, read_code
from adapters.carriers.dhl.xml import of_xml
from bot.model.codes import Code, by_country
from bot.model.foreign import (
    Map,
    a_country,
    a_list,
    a_map,
    a_moment,
    a_number,
    a_text,
    country_named,
    first_text,
    maps,
    parse_json,
    utc,
    when,
    zone_of,
)
from bot.model.tracks import Leg, Place, Role, Scan, Status, Track, Window, instant
from bot.model.xml import is_xml

KIND = "dhl"
WHO = "DHL"
CARRIER = "dhl"
DEEPEST = 6
"""Levels of envelopes that are looked through for shipments."""
LAST_MILE = frozenset({"local-tracking-number", "domestic-consignment-id"})
"""The types of references that are the number of the carrier who delivers."""

REASONED = frozenset({Status.CUSTOMS, Status.EXCEPTION, Status.DELIVERY_ATTEMPTED})
"""What has a reason that the buyer or the shop may have to do something about."""

_NAMED = re.compile(r"shipments?/([A-Za-z0-9-]{8,39})(?![A-Za-z0-9-])")


@lru_cache(maxsize=4096)
def _country(locality: str) -> str:
    """The country that a locality is or ends with ("Germany", "MADRID - SPAIN", "Bonn, Germany"). Two letters may be a
    state, and Georgia is one."""
    tail = locality.rpartition(",")[2].strip()
    named = country_named(locality) if len(locality) > 2 else ""
    return named or (country_named(tail) if len(tail) > 2 and tail.casefold() != "georgia" else "")


class _Ends:
    """The two ends of a shipment, to tell in which country an event without one took place."""

    def __init__(self, raw: Map) -> None:
        places = [a_map(a_map(raw.get(end)).get("address")) for end in ("origin", "destination")]
        self.origin, self.destination = (
            a_country(p.get("countryCode")) or _country(a_text(p.get("addressLocality"))) for p in places
        )
        names = [a_text(p.get("addressLocality")).casefold() for p in places]
        self._named = dict(zip(names, (self.origin, self.destination), strict=True)) if names[0] != names[1] else {}

    def place(self, event: Map) -> Place:
        location = event.get("location")
        address = a_map(a_map(location).get("address"))
        text = first_text(address.get("addressLocality"), a_map(a_map(location).get("servicePoint")).get("label"))
        text = text or a_text(location)
        country = a_country(address.get("countryCode")) or self._named.get(text.casefold(), "")
        return Place(text, country or _country(text))


def _scan(event: Map, service: str, ends: _Ends) -> Scan:
    code, word, known = read_code(event, service)
    place = ends.place(event)
    time = when(a_text(event.get("timestamp")), country=place.country)
    word = by_country(word, place.country, ends.origin, ends.destination)
    return Scan(
        raw_code=code,
        raw_text=_words(event, code, word),
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=word.status,
        cause=word.cause,
        place=place,
        physical=word.physical,
        carrier=CARRIER,
        source=KIND,
        voids=word.voids,
        known=known,
    )


def _words(event: Map, code: str, word: Code) -> str:
    """The description, else the status; and of what went wrong or is with customs the remark, which says why."""
    told, remark = first_text(event.get("status"), event.get("divisionalStatus")), a_text(event.get("remark"))
    said = first_text(event.get("description"), "" if told == code else told, remark)
    unsaid = word.status in REASONED and not word.cause and remark and remark not in said
    return f"{said}: {remark}" if unsaid else said


def _oldest_first(scans: Sequence[Scan]) -> list[Scan]:
    """DHL lists the newest first, if it lists in any order; among scans of one instant its order is kept."""
    times = [s.at for s in scans if s.at is not None]
    ascending = bool(times) and times[0] < times[-1]
    return sorted(scans if ascending else reversed(scans), key=instant)


def read_track(raw: Map) -> Track:
    """One shipment as a track; ValueError where it names no number."""
    number = first_text(raw.get("id"), raw.get("trackingNumber"))
    if not number:
        raise ValueError(f"{WHO}: a shipment without an id")
    service, ends, details = a_text(raw.get("service")), _Ends(raw), a_map(raw.get("details"))
    current, events = a_map(raw.get("status")), maps(raw.get("events"))
    scans = [_scan(event, service, ends) for event in events]
    if current and _unlisted(newest := _scan(current, service, ends), scans):
        # The status is the newest event over again, and the only one where none is listed.
        events, scans = [current, *events], [newest, *scans]
    scans = _oldest_first(_of_some_pieces(scans, events, details))
    status, cause = _summary(raw.get("status"), scans, service, ends)
    if True in (raw.get("returnFlag"), details.get("returnFlag")):
        # It went back: what was delivered was delivered to its sender.
        scans = [replace(s, status=Status.RETURNED, cause="") if s.status is Status.DELIVERED else s for s in scans]
        status, cause = (Status.RETURNED, "") if status is Status.DELIVERED else (status, cause)
    return Track(
        carrier=CARRIER,
        number=number,
        scans=tuple(scans),
        status=status,
        cause=cause,
        eta=_eta(raw, ends.destination),
        legs=_legs(number, details),
        origin=ends.origin,
        destination=ends.destination,
        proof_of_delivery=_proof(details),
        source=KIND,
    )


def _unlisted(current: Scan, scans: Sequence[Scan]) -> bool:
    """Whether the shipment's status is later than every listed event and says something else."""
    clocks = [s.local for s in scans if s.local is not None]
    later = current.local is not None and all(current.local > clock for clock in clocks)
    return not scans or (bool(clocks) and later and all(current.raw_text != s.raw_text for s in scans))


def _of_some_pieces(scans: Sequence[Scan], events: Sequence[Map], details: Map) -> Sequence[Scan]:
    """The delivery of some of several pieces is not the shipment's."""
    pieces = [{a_text(p) for p in a_list(event.get("pieceIds"))} for event in events]
    every = {a_text(p) for p in a_list(details.get("pieceIds"))}
    there = [p for s, p in zip(scans, pieces, strict=True) if s.status is Status.DELIVERED]
    if len(every) < 2 or not all(there) or every <= set().union(*there):
        return scans
    return [replace(s, cause="partial") if s.status is Status.DELIVERED and not s.cause else s for s in scans]


def _summary(told: object, scans: Sequence[Scan], service: str, ends: _Ends) -> tuple[Status, str]:
    """The shipment's own status. It is the newest event in fewer words: that event's where the times agree."""
    current = a_map(told) or ({"statusCode": told} if a_text(told) else {})
    newest = scans[-1] if scans else None
    if newest is not None and (not current or newest.raw_time == a_text(current.get("timestamp"))):
        return newest.status, newest.cause
    word = by_country(read_code(current, service)[1], ends.place(current).country, ends.origin, ends.destination)
    return word.status, word.cause


def _eta(raw: Map, destination: str) -> Window | None:
    point = raw.get("estimatedTimeOfDelivery")
    frame = a_map(raw.get("estimatedDeliveryTimeFrame")) or a_map(point)
    told = [frame.get(f"estimated{end}") for end in ("From", "Through")]
    days = _days(told, destination) or _days([point], destination)
    return Window(days[0], days[-1], CARRIER) if days else None


def _days(told: Sequence[object], destination: str) -> list[datetime]:
    moments = [m for t in told if (m := a_moment(t)) is not None]
    zoned = [m if m.tzinfo else m.replace(tzinfo=zone_of(destination, m) or UTC) for m in moments]
    instants = sorted((at, m) for m in zoned if (at := utc(m)) is not None)
    return [m for _, m in instants]


def _proof(details: Map) -> str:
    """The address of the document, or of the signature's picture; never who signed."""
    proof = a_map(details.get("proofOfDelivery"))
    found = first_text(proof.get("documentUrl"), proof.get("signatureUrl"), details.get("proofOfDelivery"))
    return found if found.startswith(("https://", "http://")) else ""


def _legs(number: str, details: Map) -> tuple[Leg, ...]:
    """The number of whoever delivers, where it is another one."""
    local = next(
        (
            a_text(r.get("number"))
            for r in maps(details.get("references"))
            if a_text(r.get("type")).casefold() in LAST_MILE and a_text(r.get("number")) not in {"", number}
        ),
        "",
    )
    return (Leg(CARRIER, number, Role.FIRST_MILE), Leg("", local, Role.LAST_MILE)) if local else ()


# ---- envelopes -------------------------------------------------------------------------------------------


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer or push; ValueError where it is none of DHL's."""
    told = of_xml(body, WHO) if is_xml(body) else parse_json(body, WHO)
    shipments = list(found_shipments(told))
    if shipments:
        return [read_track(s) for s in [s for s in shipments if named(s)] or shipments]
    envelope = a_map(told)
    if isinstance(envelope.get("shipments"), list):
        return []
    problem = a_map(envelope.get("failure")) or envelope
    if a_number(problem.get("status")) == HTTPStatus.NOT_FOUND:
        asked = _NAMED.search(a_text(problem.get("instance")))
        if asked:
            return [Track(CARRIER, asked[1], cause="not_found", source=KIND)]
    why = first_text(problem.get("detail"), problem.get("title"), problem.get("message"))
    scope = a_text(envelope.get("scope"))
    why = why or (f"a message about a subscription ({scope}) and no shipment" if scope else "")
    raise ValueError(f"{WHO}: {' '.join(why.split()) or 'neither a shipment nor an error of theirs'}")


def named(shipment: Map) -> str:
    """The number of a shipment, empty where it names none."""
    return first_text(shipment.get("id"), shipment.get("trackingNumber"))


def found_shipments(told: Any, depth: int = 0) -> Iterator[Map]:
    """The shipments, in whatever envelope they come."""
    if depth > DEEPEST:
        return
    if isinstance(told, list):
        for part in told:
            yield from found_shipments(part, depth + 1)
        return
    if isinstance(told, str) and told.lstrip()[:1] in {"{", "["}:
        try:
            yield from found_shipments(parse_json(told.encode(errors="replace"), WHO), depth + 1)
        except ValueError:
            return
    part = a_map(told)
    if own := of_division(part):
        yield own
    elif _is_shipment(part):
        yield part
    else:
        for name, value in part.items():
            listed = maps(value) if name == "shipments" else ()
            yield from listed or found_shipments(value, depth + 1)


def _is_shipment(part: Map) -> bool:
    """Whether this is one without its envelope; an error has a status and an id too."""
    status = part.get("status")
    told = "events" in part or isinstance(status, dict) or main_code(a_text(status)) is not None
    return told and ("id" in part or "trackingNumber" in part) and "scope" not in part and "shipments" not in part
