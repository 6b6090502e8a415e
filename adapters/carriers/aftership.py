"""AfterShip, the second aggregator: https://www.aftership.com/docs/tracking (API version 2026-07).

A number is registered once and looked at by AfterShip; what changes is pushed, signed. Tags say the step and
subtags more of it; both are tables beside this module. A carrier is AfterShip's slug, ours by `aftership_slugs`.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import Misconfigured, Refused, Temporary
from bot.model.codes import NOTHING, Code, by_country, codes, rows
from bot.model.events import parcel_lane
from bot.model.foreign import (
    Map,
    a_country,
    a_map,
    a_moment,
    a_number,
    a_text,
    country_named,
    first_text,
    maps,
    parse_bodies,
    parse_json,
    utc,
    when,
)
from bot.model.tracks import Leg, Place, Role, Scan, Status, Track, TrackRef, TrackUpdate, Window, heard_at, instant
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import judge, reached

KIND = "aftership"
WHO = "AfterShip"
KEY = "carriers.aftership.api_key"
UNREADABLE = f"x/{KIND}"
LEFT_AT = {
    "locker": Code(Status.PICKUP_READY, "locker"),
    "access point": Code(Status.PICKUP_READY),
    "pickup point": Code(Status.PICKUP_READY),
    "post office": Code(Status.PICKUP_READY, "post_office"),
    "mailbox": Code(Status.DELIVERED, "safe_place"),
    "porch": Code(Status.DELIVERED, "safe_place"),
    "safe place": Code(Status.DELIVERED, "safe_place"),
    "neighbo": Code(Status.DELIVERED, "neighbour"),
}
"""What words of `delivery_location_type` make of a delivery: at a counter or in a locker the buyer has it not yet."""
LONGEST_WINDOW = 3600.0
"""Seconds; its windows are of one second, and an end that is further off is no time of ours."""
EDD = ("datetime", "estimated_delivery_date")
"""What an estimate's point is called, by the age of the object."""
BATCH = 50
"""Numbers of one list call: the API's page holds 200, its URL less."""
REFUSED = {"registered": "no_data_yet", "undetected": "not_found", "invalid": "invalid_number"}
"""What a registration that was refused says of its number; the others say nothing of it."""
DEPTH = 4
"""No dialect of the API puts a tracking deeper into objects and lists."""
RETURNS = frozenset({"Exception_010", "Exception_011"})
GOES_ON = frozenset({"InTransit", "OutForDelivery", "AvailableForPickup", "AttemptFail", "Delivered"})
"""Tags of a whole after which a parcel that was not taken is on its way to the buyer all the same."""
NOT_TAKEN = {
    "Exception_003": Code(Status.DELIVERY_ATTEMPTED, "refused_attempt"),
    "Exception_008": Code(Status.EXCEPTION, "held"),
}
"""What these were where the journey went on. Where it did not, the parcel goes back (facts 6.1)."""


class Settings(BaseModel):
    """`api_key` asks; `webhook_secret` proves pushes, and without it none is taken. The list call allows 6 a second."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr
    webhook_secret: SecretStr | None = None
    base_url: str = "https://api.aftership.com/tracking/2026-07"
    rate: Rate = Rate(per_second=3)


def connect(settings: Settings, http: httpx.AsyncClient) -> "AfterShip":
    return AfterShip(settings, http)


# ---- reading ---------------------------------------------------------------------------------------------


@cache
def _slugs() -> dict[str, str]:
    return {row["slug"]: row["carrier"] for row in rows("aftership_slugs")}


@cache
def _named() -> dict[str, str]:
    named: dict[str, str] = {}
    for slug, carrier in _slugs().items():
        named.setdefault(carrier, slug)
    return named


@cache
def _errors() -> dict[int, str]:
    """What an error's meta code asks for; "refused" where it is our fault and not the one number's."""
    return {int(row["code"]): row["does"] for row in rows("aftership_errors")}


def carrier_of(slug: object) -> str:
    """Our name of AfterShip's slug; the slug itself where the table has none."""
    text = a_text(slug).lower()
    return _slugs().get(text, text)


def read_code(tag: str, subtag: str, country: str, origin: str, destination: str) -> tuple[Code, bool]:
    """What tag and subtag say, and whether the table knew. Departure, arrival and customs go by the country."""
    table = codes("aftership_status")
    code, known = table.get(subtag or tag), (subtag or tag) in table
    code = code or table.get(tag) or table.get(subtag.partition("_")[0]) or NOTHING
    abroad = bool(origin) and origin != destination
    if subtag == "InTransit_007" and abroad and country == origin:
        return Code(Status.DEPARTED_ORIGIN), known
    if subtag == "InTransit_004" and country and destination and not (abroad and country == destination):
        return Code(Status.IN_TRANSIT, "hub_arrived"), known
    if subtag in {"InTransit_003", "InTransit_006"}:
        code = by_country(code, country, origin, destination)
    return code, known


def _country(*values: object) -> str:
    for value in values:
        text = a_text(value).upper()
        if len(text) == 3:
            text = _by_alpha3().get(text, "")
        if found := a_country(text) or country_named(text):
            return found
    return ""


@cache
def _by_alpha3() -> dict[str, str]:
    return {row["alpha3"]: row["alpha2"] for row in rows("countries")}


@cache
def _by_alpha2() -> dict[str, str]:
    return {alpha2: alpha3 for alpha3, alpha2 in _by_alpha3().items()}


def read_scans(raw: Map, carrier: str, origin: str, destination: str) -> tuple[Scan, ...]:
    """The checkpoints, oldest first. What a user marked as completed is data: no carrier said so."""
    went_on = a_text(raw.get("tag")) in GOES_ON
    scans: list[Scan] = []
    for point in _checkpoints(raw):
        names = ("country_region", "country_iso3", "country_region_name", "country_name")
        country = _country(*(point.get(name) for name in names))
        tag, subtag = a_text(point.get("tag")), a_text(point.get("subtag"))
        code, known = read_code(tag, subtag, country, origin, destination)
        if went_on and subtag in NOT_TAKEN:
            code = NOT_TAKEN[subtag]
        time = when(a_text(point.get("checkpoint_time")), country=country)
        scans.append(
            Scan(
                raw_code=subtag or tag or a_text(point.get("raw_tag")),
                raw_text=first_text(point.get("message"), point.get("subtag_message")),
                raw_time=time.raw_time,
                at=time.at,
                local=time.local,
                offset_from=time.offset_from,
                status=code.status,
                cause=code.cause,
                place=Place(first_text(point.get("location"), point.get("city"), point.get("state")), country),
                physical=code.physical and not _users(point),
                carrier=carrier_of(point.get("slug")) or carrier,
                source=KIND,
                known=known,
            )
        )
    scans.sort(key=instant)
    whole = a_text(raw.get("subtag"))
    if whole in RETURNS and scans and scans[-1].status is Status.DELIVERED:
        # What AfterShip calls returned was delivered to its sender.
        scans[-1] = replace(scans[-1], status=codes("aftership_status")[whole].status, cause="")
    return tuple(_left_at(_paid(scans), a_text(raw.get("delivery_location_type"))))


def _checkpoints(raw: Map) -> Sequence[Map]:
    """All of them; the call for the last one alone puts it under a name of its own."""
    return maps(raw.get("checkpoints")) or maps(raw.get("checkpoint"))


def _users(point: Map) -> bool:
    return a_text(point.get("source")).lower() == "user"


def _paid(scans: Sequence[Scan]) -> list[Scan]:
    """ "Held for payment" is a duty while the parcel is in clearance (facts 6.1, note 3)."""
    found: list[Scan] = []
    for scan in scans:
        clearing = bool(found) and found[-1].status is Status.CUSTOMS and found[-1].cause != "released"
        due = scan.raw_code == "Exception_006" and clearing
        found.append(replace(scan, status=Status.CUSTOMS, cause="duty_due") if due else scan)
    return found


def _left_at(scans: list[Scan], where: str) -> list[Scan]:
    """The last delivery with the place where the carrier left it, which AfterShip tells of the whole."""
    told = next((code for word, code in LEFT_AT.items() if word in where.lower()), None)
    last = next((place for place in reversed(range(len(scans))) if scans[place].status is Status.DELIVERED), None)
    if told is not None and last is not None and not scans[last].cause:
        scans[last] = replace(scans[last], status=told.status, cause=told.cause)
    return scans


def read_track(raw: Map) -> Track:
    """A tracking as a track; ValueError where it is about no number."""
    number = a_text(raw.get("tracking_number"))
    if not number:
        raise ValueError("AfterShip: a tracking without a number")
    carrier = carrier_of(raw.get("slug"))
    origin = _country(raw.get("origin_country_region"), raw.get("origin_country_iso3"))
    destination = _country(
        raw.get("destination_country_region"),
        raw.get("courier_destination_country_region"),
        raw.get("destination_country_iso3"),
        raw.get("courier_destination_country_iso3"),
    )
    tag, subtag = a_text(raw.get("tag")), a_text(raw.get("subtag"))
    code, _ = read_code(tag, subtag, "", origin, destination)
    if any(map(_users, _checkpoints(raw))):
        # The tag is then the user's word too.
        code = NOTHING
    heard = utc(a_moment(raw.get("updated_at")))
    return Track(
        carrier=carrier,
        number=number,
        scans=read_scans(raw, carrier, origin, destination),
        status=code.status,
        cause=code.cause,
        eta=_eta(raw, carrier, heard),
        legs=_legs(raw, number, carrier),
        origin=origin,
        destination=destination,
        proof_of_delivery=_proof(raw),
        source=KIND,
        at=heard,
    )


def _eta(raw: Map, carrier: str, said_at: datetime | None) -> Window | None:
    """The newest estimate; where the API's version has none, the carrier's, then AfterShip's own."""
    latest = a_map(raw.get("latest_estimated_delivery"))
    theirs = KIND if a_text(latest.get("source")).lower() not in {"carrier edd", ""} else carrier
    for told, basis in (
        (latest, theirs),
        (raw.get("courier_estimated_delivery_date"), carrier),
        (raw.get("expected_delivery"), carrier),
        (raw.get("aftership_estimated_delivery_date"), KIND),
        (raw.get("custom_estimated_delivery_date"), KIND),
    ):
        if days := _days(told):
            return Window(days[0], days[-1], basis or KIND, said_at)
    return None


def _days(told: object) -> list[datetime]:
    """The days of an estimate, first to last: a range's ends rather than the point between them."""
    given = a_map(told)
    ends = [given.get(f"{name}_{end}") for name in EDD for end in ("min", "max")]
    days = [d for t in ends if (d := a_moment(t)) is not None]
    days = days or [d for t in (told, *map(given.get, EDD)) if (d := a_moment(t)) is not None]
    return sorted(d if d.tzinfo else d.replace(tzinfo=UTC) for d in days)


def _legs(raw: Map, number: str, carrier: str) -> tuple[Leg, ...]:
    own = (carrier, number)
    first, last = _mile(raw.get("first_mile"), own), _mile(raw.get("last_mile"), own)
    return () if first == last else (Leg(*first, Role.FIRST_MILE), Leg(*last, Role.LAST_MILE))


def _mile(told: object, own: tuple[str, str]) -> tuple[str, str]:
    """Carrier and number of a leg; the tracking's own where it tells none."""
    carrier, number = carrier_of(a_map(told).get("slug")), a_text(a_map(told).get("tracking_number")) or own[1]
    return (carrier or own[0], number) if number == own[1] else (carrier, number)


def _proof(raw: Map) -> str:
    proof = raw.get("proof_of_delivery")
    return next((u for p in maps(proof) if (u := first_text(p.get("url"), p.get("image_url")))), a_text(proof))


def read(body: bytes) -> list[Track]:
    """Every tracking in a raw answer or push, or in a list of them; ValueError where it is none of AfterShip's."""
    told = parse_bodies(body, WHO)
    trackings = _trackings(told)
    if trackings:
        return [read_track(raw) for raw in trackings]
    top = a_map(told)
    if isinstance(a_map(top.get("data")).get("trackings"), list):
        return []
    meta = a_map(top.get("meta"))
    why = f"{a_text(meta.get('code'))} {a_text(meta.get('message'))}".strip()
    raise ValueError(f"AfterShip: {why}" if why and why != "200" else "AfterShip: neither an answer nor a push")


def _trackings(told: Any, depth: int = DEPTH) -> list[Map]:
    """The trackings with a number wherever a dialect of the API puts them."""
    found: list[Map] = []
    for part in maps(told):
        if a_text(part.get("tracking_number")):
            found.append(part)
        elif depth:
            inner = (_trackings(part.get(name), depth - 1) for name in ("msg", "data", "tracking", "trackings"))
            found += next((some for some in inner if some), [])
    return found


# ---- the port --------------------------------------------------------------------------------------------


class AfterShip(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._url = settings.base_url.rstrip("/")
        self._http = http
        # One look-up can need a call more for each number that is new.
        self.capabilities = Capabilities(
            push=settings.webhook_secret is not None, batch=BATCH, per_second=(settings.rate.per_second or 3) / 3
        )

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        told = [read_track(raw) for raw in await self._listed(refs)]
        found = {(t.number.casefold(), t.carrier): t for t in told}
        anyones = {t.number.casefold(): t for t in told}
        return [
            found.get((ref.number.casefold(), ref.carrier))
            or anyones.get(ref.number.casefold())
            or await self._new(ref)
            for ref in refs
        ]

    async def _listed(self, refs: Sequence[TrackRef]) -> Sequence[Map]:
        numbers = ",".join(dict.fromkeys(ref.number for ref in refs))
        response = await self._call("GET", "trackings", params={"tracking_numbers": numbers, "limit": "200"})
        return _trackings(_body(response))

    async def _new(self, ref: TrackRef) -> Track | None:
        """Register a number; it has no news yet."""
        told = {
            "tracking_number": ref.number,
            "slug": _named().get(ref.carrier, ""),
            "destination_postal_code": ref.postcode,
            "destination_country_region": _by_alpha2().get(ref.country, ""),
            "tracking_ship_date": ref.shipped_at.date().isoformat() if ref.shipped_at else "",
        }
        response = await self._call("POST", "trackings", json={k: v for k, v in told.items() if v})
        does = "registered" if response.is_success else _errors().get(_meta_code(response), "")
        cause = REFUSED.get(does)
        return Track(ref.carrier, ref.number, cause=cause, source=KIND) if cause else None

    async def resume(self, refs: Sequence[TrackRef]) -> Sequence[TrackRef]:
        """Track expired numbers again, which AfterShip allows a few times a number; those it will."""
        ids = {a_text(raw.get("tracking_number")).casefold(): a_text(raw.get("id")) for raw in await self._listed(refs)}
        known = [(ref, key) for ref in refs if (key := ids.get(ref.number.casefold()))]
        return [ref for ref, key in known if (await self._call("POST", f"trackings/{key}/retrack")).is_success]

    async def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"as-api-key": self._settings.api_key.get_secret_value(), "content-type": "application/json"}
        response = await reached(self._http.request(method, f"{self._url}/{path}", headers=headers, **more), WHO)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            # Without Retry-After it says when its window ends, in Unix seconds.
            ends = a_number(response.headers.get("x-ratelimit-reset"))
            wait = ends - datetime.now(UTC).timestamp() if ends else None
            if "retry-after" not in response.headers and wait and wait > 0:
                raise Temporary("AfterShip answered 429", retry_after=min(wait, LONGEST_WINDOW), account_wide=True)
        if response.status_code not in {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
            judge(response, WHO, KEY)
        elif _errors().get(_meta_code(response), "refused") == "refused":
            raise Refused(f"AfterShip refused the call with error {_meta_code(response)}")
        return response

    async def webhook(self, request: Request) -> Answer:
        if self._settings.webhook_secret is None:
            return Answer(404)
        secret = self._settings.webhook_secret.get_secret_value().encode()
        wanted = base64.b64encode(hmac.new(secret, request.body, hashlib.sha256).digest())
        given = request.headers.get("aftership-hmac-sha256", "").strip().encode(errors="replace")
        if not hmac.compare_digest(wanted, given):
            return Answer(401)
        return Answer(200, items=tuple(_split(request.body)))

    def decode(self, item: Item) -> TrackUpdate | None:
        track = read(item.body)[0]
        return TrackUpdate(item.key, heard_at(track), track)

    async def check(self) -> str:
        response = await self._call("GET", "trackings", params={"limit": "1"})
        if not a_map(_body(response).get("meta")):
            raise Misconfigured("AfterShip answers like something else", key="carriers.aftership.base_url")
        pushes = "signed pushes are taken" if self.capabilities.push else "no webhook_secret, so no pushes"
        return f"AfterShip: the key works; {pushes}"


def _split(body: bytes) -> list[Item]:
    """One item a tracking; what was signed and cannot be read is kept on a lane of its own."""
    try:
        trackings = _trackings(parse_json(body, WHO))
    except ValueError:
        trackings = []
    if not trackings:
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    whole = [body] if len(trackings) == 1 else [json.dumps({"msg": raw}).encode() for raw in trackings]
    lanes = [parcel_lane(a_text(raw.get("tracking_number"))) for raw in trackings]
    return [Item(hashlib.sha256(b).hexdigest(), lane, b) for b, lane in zip(whole, lanes, strict=True)]


def _body(response: httpx.Response) -> Map:
    try:
        return a_map(parse_json(response.content, WHO))
    except ValueError as error:
        raise Temporary(str(error)) from error


def _meta_code(response: httpx.Response) -> int:
    try:
        return a_number(a_map(_body(response).get("meta")).get("code"))
    except Temporary:
        return response.status_code
