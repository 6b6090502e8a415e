"""DHL's Shipment Tracking - Unified v1.5.8: https://developer.dhl.com/api-reference/shipment-tracking.

One answer for all divisions, each in its own words: an event's `status` is two letters with Express, a number or a
fixed sentence elsewhere. Where no table has it, the event's `statusCode` is all that is said. Numbers clash between
divisions, so `service` is always sent. The push API's body differs by division and is not documented: no webhook.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus

import httpx
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.errors import Misconfigured, Temporary
from bot.model.codes import NOTHING, Code, codes
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
from bot.model.tracks import Leg, Place, Role, Scan, Status, Track, TrackRef, TrackUpdate, Window
from bot.ports import Capabilities, Item, Rate, TrackingSource
from bot.wire import judge, reached

KIND = "dhl"
WHO = "DHL"
CARRIER = "dhl"
KEY = "carriers.dhl.api_key"
BATCH = 1
KEPT_DAYS = 90
NOBODYS = "0000000000"
"""A number that no shipment has; asked to try the key."""
LAST_MILE = frozenset({"local-tracking-number", "domestic-consignment-id"})
"""The types of references that are the number of the carrier who delivers."""

_CODE = re.compile(r"[A-Z]{2}|[0-9]{2,5}")
_NAMED = re.compile(r"shipments?/([A-Za-z0-9-]{8,39})(?![A-Za-z0-9-])")
_NO_WORD = re.compile(r"[^A-Z0-9]+")


class Settings(BaseModel):
    """`service` is the division asked (express, ecommerce, parcel-de …), empty for any. The Starter plan allows 250
    calls a day and one a second."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr
    service: str = "express"
    base_url: str = "https://api-eu.dhl.com"
    rate: Rate = Rate(per_second=1)
    per_day: int = Field(default=250, ge=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "Dhl":
    return Dhl(settings, http)


# ---- codes -----------------------------------------------------------------------------------------------


def main_code(told: object) -> str:
    """A `statusCode` as the table writes it."""
    return a_text(told).lower().replace("_", "-").replace(" ", "-")


def division_code(told: str, service: str) -> Code | None:
    """What a division's own code or fixed sentence says; None where no table has it."""
    division = service.casefold()
    word = told.upper()
    table = {"": "mydhl_event", "express": "mydhl_event"}.get(division, "")
    if division.startswith("ecommerce"):
        table = "dhl_ecommerce"
    found = codes(table).get(word) if table else None
    return found or codes("dhl_text").get(_NO_WORD.sub(" ", word).strip())


def read_code(event: Map, service: str) -> tuple[str, Code, bool]:
    """The raw code of an event, what it says, and whether a table has it. The division's word comes first."""
    told, main = a_text(event.get("status")), a_text(event.get("statusCode"))
    coded = _CODE.fullmatch(told.upper()) is not None
    found = division_code(told, service) or (
        None if coded else division_code(a_text(event.get("description")), service)
    )
    if found is not None:
        return (told if coded else main or told), found, True
    fallback = codes("dhl_status").get(main_code(main))
    if coded:
        return told, fallback or NOTHING, False
    return main or told, fallback or NOTHING, fallback is not None


# ---- reading ---------------------------------------------------------------------------------------------


def _country(locality: str) -> str:
    """The country that a locality is or ends with ("Germany", "MADRID - SPAIN"); two letters may be a state."""
    return country_named(locality) if len(locality) > 2 else ""


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

    def side(self, word: Code, country: str) -> tuple[Status, str]:
        """Arrival and clearance said of a hub, told by the country: here or there."""
        if not country or not self.origin or not self.destination or self.origin == self.destination:
            return word.status, word.cause
        if word.status is Status.CUSTOMS and not word.cause:
            sides = {self.origin: "export_processing", self.destination: "import_processing"}
            return word.status, sides.get(country, "")
        if word.cause == "hub_arrived" and country == self.destination:
            return Status.ARRIVED_DESTINATION, ""
        return word.status, word.cause


def _scan(event: Map, service: str, ends: _Ends) -> Scan:
    code, word, known = read_code(event, service)
    place = ends.place(event)
    time = when(a_text(event.get("timestamp")), country=place.country)
    status, cause = ends.side(word, place.country)
    told = a_text(event.get("status"))
    return Scan(
        raw_code=code,
        raw_text=first_text(event.get("description"), "" if told == code else told, event.get("remark")),
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=status,
        cause=cause,
        place=place,
        physical=word.physical,
        carrier=CARRIER,
        source=KIND,
        voids=word.voids,
        known=known,
    )


def _oldest_first(scans: Sequence[Scan]) -> list[Scan]:
    """DHL lists the newest first, if it lists in any order; among scans of one instant its order is kept."""
    times = [s.at for s in scans if s.at is not None]
    ascending = bool(times) and times[0] < times[-1]
    return sorted(scans if ascending else reversed(scans), key=lambda s: s.at or datetime.min.replace(tzinfo=UTC))


def read_track(raw: Map) -> Track:
    """One shipment as a track; ValueError where it names no number."""
    number = a_text(raw.get("id"))
    if not number:
        raise ValueError(f"{WHO}: a shipment without an id")
    service, ends = a_text(raw.get("service")), _Ends(raw)
    current, events = a_map(raw.get("status")), maps(raw.get("events"))
    scans = _oldest_first([_scan(event, service, ends) for event in events or ([current] if current else [])])
    status, cause = _summary(raw.get("status"), scans, service, ends)
    details = a_map(raw.get("details"))
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


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer; ValueError where it is none of DHL's."""
    found = parse_json(body, WHO)
    envelope = a_map(found)
    shipments = maps(envelope.get("shipments")) or [
        s for s in maps(found) if "events" in s or ("status" in s and "id" in s)
    ]
    if shipments:
        return [read_track(s) for s in [s for s in shipments if a_text(s.get("id"))] or shipments]
    if isinstance(envelope.get("shipments"), list):
        return []
    if a_number(envelope.get("status")) == HTTPStatus.NOT_FOUND:
        named = _NAMED.search(a_text(envelope.get("instance")))
        if named:
            return [Track(CARRIER, named[1], cause="not_found", source=KIND)]
    problem = " ".join(first_text(envelope.get("detail"), envelope.get("title")).split())
    raise ValueError(f"{WHO}: {problem or 'neither a shipment nor an error of theirs'}")


def _summary(told: object, scans: Sequence[Scan], service: str, ends: _Ends) -> tuple[Status, str]:
    """The shipment's own status. It is the newest event in fewer words: that event's where the times agree."""
    current = a_map(told) or ({"statusCode": told} if a_text(told) else {})
    newest = scans[-1] if scans else None
    if newest is not None and (not current or newest.raw_time == a_text(current.get("timestamp"))):
        return newest.status, newest.cause
    return ends.side(read_code(current, service)[1], ends.place(current).country)


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


# ---- the port --------------------------------------------------------------------------------------------


class Dhl(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._key = settings.api_key.get_secret_value()
        self._service = settings.service
        self._url = settings.base_url.rstrip("/") + "/track/shipments"
        self._http = http
        self.capabilities = Capabilities(
            carriers=frozenset({"dhl"}),
            batch=BATCH,
            history_days=KEPT_DAYS,
            per_second=settings.rate.per_second or 1.0,
            per_day=settings.per_day,
        )

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > BATCH:
            raise ValueError(f"{WHO}: one number a call, not {len(refs)}")
        return [await self._one(ref) for ref in refs]

    async def _one(self, ref: TrackRef) -> Track | None:
        if not ref.number.strip():
            return None
        response = await self._ask(ref.number.strip(), ref.postcode)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        try:
            answer = a_map(parse_json(response.content, WHO))
            if not isinstance(answer.get("shipments"), list | dict):
                raise ValueError(f"{WHO} answered without shipments")  # noqa: TRY004 - caught below
            raw = _theirs(maps(answer["shipments"]), ref.number.strip(), self._service)
            return replace(read_track(raw), number=ref.number) if raw is not None else None
        except ValueError as error:
            raise Temporary(str(error)) from error

    async def _ask(self, number: str, postcode: str = "") -> httpx.Response:
        """One call; 404 is the caller's."""
        told = {
            "trackingNumber": number,
            "service": self._service,
            "language": "en",
            "recipientPostalCode": postcode.strip(),
        }
        params = {name: value for name, value in told.items() if value}
        headers = {"DHL-API-Key": self._key, "accept": "application/json"}
        response = await reached(self._http.get(self._url, params=params, headers=headers), WHO)
        judge(response, WHO, KEY)
        return response

    def decode(self, item: Item) -> TrackUpdate | None:
        """Nothing is pushed here."""
        raise ValueError(f"{WHO} pushes nothing that we read")

    async def check(self) -> str:
        response = await self._ask(NOBODYS)
        if response.status_code == HTTPStatus.NOT_FOUND and not _is_problem(response.content):
            raise Misconfigured(f"{WHO} has no such address", key="carriers.dhl.base_url")
        return f"{WHO}: the key works for {self._service or 'all services'}"


def _is_problem(body: bytes) -> bool:
    """Whether a 404 is DHL's own word on a number, and not a wrong address."""
    try:
        return "title" in a_map(parse_json(body, WHO))
    except ValueError:
        return False


def _plain(number: object) -> str:
    """A number sent as a JSON number has lost its leading zeros."""
    return a_text(number).casefold().lstrip("0")


def _theirs(shipments: Sequence[Map], number: str, service: str) -> Map | None:
    """The shipment that was asked for, by its id or a piece's; None where it cannot be told from another."""
    named = [
        s
        for s in shipments
        if _plain(number) in {_plain(i) for i in (s.get("id"), *a_list(a_map(s.get("details")).get("pieceIds")))}
    ]
    found = named or shipments
    same = [s for s in found if a_text(s.get("service")).casefold() == service.casefold()]
    best = same or found
    return best[0] if len(best) == 1 or (best and named and same) else None
