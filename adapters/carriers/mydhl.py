"""MyDHL API, DHL Express for its own customers: https://developer.dhl.com/api-reference/dhl-express-mydhl-api.

Every event has a type code and its wall clock with an offset. The `status` of a shipment ("Success") is the call's
and not the parcel's. Pieces repeat the shipment's events and may add their own. There is no push. The TrackingResponse
of the XML Services and of MyDHL's first API (trackShipmentRequestResponse, in JSON or SOAP) before it has the same
events and codes, and no offsets; it is read as well.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC
from functools import cache
from http import HTTPStatus
from urllib.parse import quote

import httpx
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import Misconfigured, Temporary
from bot.model.codes import NOTHING, by_country, codes, rows
from bot.model.foreign import (
    Map,
    When,
    a_country,
    a_map,
    a_moment,
    a_number,
    a_text,
    country_named,
    day_and_clock,
    first_text,
    maps,
    parse_json,
    utc,
    when,
    zone_of,
)
from bot.model.tracks import Place, Scan, Status, Track, TrackRef, TrackUpdate, Window, instant
from bot.model.xml import parse_either
from bot.ports import Capabilities, Item, Rate, TrackingSource
from bot.wire import judge, reached

KIND = "mydhl"
WHO = "MyDHL"
CARRIER = "dhl"
KEY = "carriers.mydhl.password"
BATCH = 1
DEPTH = 6
"""Levels of envelopes about an older answer."""
KEPT_DAYS = 90
NOBODYS = "0000000000"
"""A number that no shipment has; asked to try the account."""

_NUMBER = re.compile(r"[A-Za-z0-9]{5,39}")
_OFFSET = re.compile(r"(?:GMT|UTC)?\s*([+-]?)([0-9]{1,2}):?([0-5][0-9])?", re.IGNORECASE)
_NAMED = re.compile(r"shipments?/([A-Za-z0-9]{8,39})(?![A-Za-z0-9])")


class Settings(BaseModel):
    """The account's API user and its password, from DHL Express."""

    model_config = ConfigDict(extra="forbid")

    username: str
    password: SecretStr
    base_url: str = "https://express.api.dhl.com/mydhlapi"
    rate: Rate = Rate(per_second=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "MyDhl":
    return MyDhl(settings, http)


# ---- reading ---------------------------------------------------------------------------------------------


def read_time(event: Map, country: str = "") -> When:
    """Day, clock and offset stand apart."""
    parts = [a_text(event.get(name)) for name in ("date", "time", "GMTOffset")]
    written = " ".join(p for p in parts if p)
    if "T" in parts[0] and a_moment(parts[0]) is not None:
        return when(written, iso=parts[0], country=country)
    iso = day_and_clock(parts[0], parts[1])
    offset = _OFFSET.fullmatch("+00:00" if parts[2].upper() == "Z" else parts[2])
    if offset and "T" in iso:
        time = when(written, iso=f"{iso}{offset[1] or '+'}{int(offset[2]):02d}:{offset[3] or '00'}")
        if time.at is not None:
            return time
    return when(written, iso=iso or parts[0] or "-", country=country)


def _area(value: object) -> Map:
    """The first service area that is told, however deep it stands."""
    return next(iter(maps(value)), {})


def _suffix(description: str) -> str:
    """The country at the end of a service area's description, as DHL writes it: "Leipzig-DEU"."""
    return description.rpartition("-")[2].strip().casefold() if "-" in description else ""


def _country_of(suffix: str) -> str:
    return _alpha3().get(suffix, "") or country_named(suffix)


@cache
def _alpha3() -> dict[str, str]:
    """ISO 3166 alpha-2 by alpha-3 in small letters."""
    return {row["alpha3"].casefold(): row["alpha2"] for row in rows("countries")}


class _Ends:
    """The two ends of a shipment, to tell in which country a service area lies."""

    def __init__(self, raw: Map) -> None:
        sides = [("shipperDetails", "originServiceArea"), ("receiverDetails", "destinationServiceArea")]
        found = []
        self._areas: dict[str, str] = {}
        for details, area in sides:
            told = a_map(raw.get(details))
            own = _area(raw.get(area)) or _area(told.get("serviceArea"))
            suffix = _suffix(a_text(own.get("description")))
            country = a_country(a_map(told.get("postalAddress")).get("countryCode")) or _country_of(suffix)
            found.append(country)
            for name in (a_text(own.get("code")).casefold(), suffix):
                if name and country:
                    self._areas.setdefault(name, country)
        self.origin, self.destination = found

    def place(self, event: Map) -> Place:
        area = _area(event.get("serviceArea"))
        code, text = a_text(area.get("code")), a_text(area.get("description"))
        country = self._areas.get(code.casefold()) or self._areas.get(_suffix(text))
        return Place(text or code, country or _country_of(_suffix(text)))


def _scan(event: Map, ends: _Ends, whole: bool) -> Scan:
    """One event. `whole` is False for one piece of several, whose delivery is not the shipment's."""
    code = a_text(event.get("typeCode"))
    listed = codes("mydhl_event").get(code.upper())
    place = ends.place(event)
    time = read_time(event, place.country)
    word = by_country(listed or NOTHING, place.country, ends.origin, ends.destination)
    partial = word.status is Status.DELIVERED and not word.cause and not whole
    return Scan(
        raw_code=code,
        raw_text=a_text(event.get("description")),
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=word.status,
        cause="partial" if partial else word.cause,
        place=place,
        physical=word.physical,
        carrier=CARRIER,
        source=KIND,
        known=listed is not None,
    )


def _events(raw: Map) -> Iterator[tuple[Map, bool]]:
    """The shipment's events and what its pieces add; one that is told twice comes once."""
    told = set()
    pieces = [events for p in maps(raw.get("pieces")) if (events := maps(p.get("events")))]
    arrived = [any(_type(e) == "OK" for e in events) for events in pieces]
    for event in maps(raw.get("events")):
        told.add(_same(event))
        yield event, all(arrived) or not any(arrived)
    for event in (e for events in pieces for e in events):
        if _same(event) not in told:
            told.add(_same(event))
            yield event, all(arrived)


def _type(event: Map) -> str:
    return a_text(event.get("typeCode")).upper()


def _same(event: Map) -> tuple[str, ...]:
    area = _area(event.get("serviceArea"))
    return (_type(event), *(a_text(event.get(n)) for n in ("date", "time", "GMTOffset")), a_text(area.get("code")))


def _oldest_first(scans: Sequence[Scan]) -> list[Scan]:
    """Among scans of one instant DHL's order is kept, which may be either."""
    times = [s.at for s in scans if s.at is not None]
    descending = bool(times) and times[0] > times[-1]
    return sorted(reversed(scans) if descending else scans, key=instant)


def read_track(raw: Map) -> Track:
    """One shipment as a track; ValueError where it names no number."""
    number = a_text(raw.get("shipmentTrackingNumber"))
    if not number:
        raise ValueError(f"{WHO}: a shipment without a number")
    ends = _Ends(raw)
    scans = _oldest_first([_scan(event, ends, whole) for event, whole in _events(raw)])
    newest = next((s for s in reversed(scans) if s.status is not Status.UNKNOWN), None)
    return Track(
        carrier=CARRIER,
        number=number,
        scans=tuple(scans),
        status=newest.status if newest else Status.UNKNOWN,
        cause=newest.cause if newest else "" if scans else _silence(raw),
        eta=_eta(raw.get("estimatedDeliveryDate"), ends.destination),
        origin=ends.origin,
        destination=ends.destination,
        source=KIND,
    )


def _silence(raw: Map) -> str:
    """Why a shipment has no events: nobody knows it, or nothing has happened."""
    return "not_found" if "no shipment" in a_text(raw.get("status")).casefold() else "no_data_yet"


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer; ValueError where it is none of DHL's."""
    told = parse_either(body, WHO)
    envelope = a_map(told)
    shipments = _shipments(told) or _older(told)
    if shipments:
        return [read_track(s) for s in [s for s in shipments if a_text(s.get("shipmentTrackingNumber"))] or shipments]
    if isinstance(envelope.get("shipments"), list):
        return []
    if a_number(envelope.get("status")) == HTTPStatus.NOT_FOUND:
        named = _NAMED.search(a_text(envelope.get("instance")))
        if named:
            return [Track(CARRIER, named[1], cause="not_found", source=KIND)]
    reasons = (reason.get("msg") for reason in maps(envelope.get("reasons")))
    told_why = first_text(
        envelope.get("detail"), envelope.get("title"), envelope.get("message"), *reasons, _refusal(told)
    )
    problem = " ".join(told_why.split())
    raise ValueError(f"{WHO}: {problem or 'neither a shipment nor an error of theirs'}")


def _shipments(told: object) -> Sequence[Map]:
    """The shipments: in their envelope, as a list of their own, or one alone."""
    if isinstance(told, list):
        return [s for s in maps(told) if "shipmentTrackingNumber" in s] or [
            s for part in maps(told) for s in maps(part.get("shipments"))
        ]
    envelope = a_map(told)
    lone = (envelope,) if "shipmentTrackingNumber" in envelope else ()
    return maps(envelope.get("shipments")) or maps(envelope.get("Shipments")) or lone


def _older(told: object) -> list[Map]:
    """The airwaybills of a TrackingResponse in the words of MyDHL."""
    return [_airwaybill(waybill) for waybill in _listed(_response(told).get("AWBInfo"), "AWBInfo")]


def _response(told: object, depth: int = DEPTH) -> Map:
    """The TrackingResponse, or the answer about an error, in whatever envelope it comes."""
    part = a_map(told)
    if "AWBInfo" in part or "Response" in part or "faultstring" in part:
        return part
    return next((found for inner in part.values() if depth and (found := _response(inner, depth - 1))), {})


def _listed(told: object, name: str) -> Sequence[Map]:
    """A list, also within the `ArrayOf…Item` that MyDHL's first API has about each."""
    return maps(a_map(told).get(f"ArrayOf{name}Item", told))


def _refusal(told: object) -> str:
    """What an older answer says went wrong."""
    answer = _response(told)
    status = a_map(a_map(answer.get("Response")).get("Status"))
    conditions = _listed(status.get("Condition"), "Condition")
    return first_text(*(c.get("ConditionData") for c in conditions), answer.get("faultstring"))


def _airwaybill(told: Map) -> Map:
    info = a_map(told.get("ShipmentInfo"))
    ends = {"shipperDetails": "Shipper", "receiverDetails": "Consignee"}
    areas = {"originServiceArea": "OriginServiceArea", "destinationServiceArea": "DestinationServiceArea"}
    pieces = _listed(a_map(told.get("Pieces")).get("PieceInfo"), "PieceInfo")
    return {
        "shipmentTrackingNumber": told.get("AWBNumber"),
        "status": a_map(told.get("Status")).get("ActionStatus"),
        "estimatedDeliveryDate": info.get("EstDlvyDate"),
        **{n: {"postalAddress": {"countryCode": a_map(info.get(at)).get("CountryCode")}} for n, at in ends.items()},
        **{name: _named_area(info.get(at)) for name, at in areas.items()},
        "events": _named_events(info.get("ShipmentEvent"), "ShipmentEvent"),
        "pieces": [{"events": _named_events(piece.get("PieceEvent"), "PieceEvent")} for piece in pieces],
    }


def _named_events(told: object, name: str) -> list[Map]:
    return [
        {
            "date": event.get("Date"),
            "time": event.get("Time"),
            "typeCode": a_map(event.get("ServiceEvent")).get("EventCode"),
            "description": a_map(event.get("ServiceEvent")).get("Description"),
            "serviceArea": _named_area(event.get("ServiceArea")),
        }
        for event in _listed(told, name)
    ]


def _named_area(told: object) -> Map:
    return {"code": a_map(told).get("ServiceAreaCode"), "description": a_map(told).get("Description")}


def _eta(told: object, destination: str) -> Window | None:
    moment = a_moment(told)
    if moment is None:
        return None
    day = moment if moment.tzinfo else moment.replace(tzinfo=zone_of(destination, moment) or UTC)
    return Window(day, day, CARRIER) if utc(day) is not None else None


# ---- the port --------------------------------------------------------------------------------------------


class MyDhl(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._auth = httpx.BasicAuth(settings.username, settings.password.get_secret_value())
        self._url = settings.base_url.rstrip("/")
        self._http = http
        self.capabilities = Capabilities(
            carriers=frozenset({"dhl"}), batch=BATCH, history_days=KEPT_DAYS, per_second=settings.rate.per_second or 1.0
        )

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > BATCH:
            raise ValueError(f"{WHO}: one number a call, not {len(refs)}")
        return [await self._one(ref) for ref in refs]

    async def _one(self, ref: TrackRef) -> Track | None:
        number = ref.number.strip()
        if not _NUMBER.fullmatch(number):
            return None
        response = await self._ask(number)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        try:
            tracks = read(response.content)
        except ValueError as error:
            raise Temporary(str(error)) from error
        own = [t for t in tracks if t.number.lstrip("0") == number.lstrip("0")] or tracks
        return replace(own[0], number=ref.number) if len(own) == 1 else None

    async def _ask(self, number: str) -> httpx.Response:
        """One call; 404 is the caller's."""
        url = f"{self._url}/shipments/{quote(number, safe='')}/tracking"
        params = {"trackingView": "all-checkpoints", "levelOfDetail": "all"}
        headers = {"accept": "application/json"}
        response = await reached(self._http.get(url, params=params, headers=headers, auth=self._auth), WHO)
        judge(response, WHO, KEY)
        return response

    def decode(self, item: Item) -> TrackUpdate | None:
        """Nothing is pushed here."""
        raise ValueError(f"{WHO} pushes nothing")

    async def check(self) -> str:
        response = await self._ask(NOBODYS)
        if response.status_code == HTTPStatus.NOT_FOUND and not _is_problem(response.content):
            raise Misconfigured(f"{WHO} has no such address", key="carriers.mydhl.base_url")
        return f"{WHO}: the account works"


def _is_problem(body: bytes) -> bool:
    """Whether a 404 is DHL's own word on a number, and not a wrong address."""
    try:
        return bool(first_text(*(a_map(parse_json(body, WHO)).get(name) for name in ("detail", "title"))))
    except ValueError:
        return False
