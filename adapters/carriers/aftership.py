"""AfterShip, the second aggregator: https://www.aftership.com/docs/tracking (API version 2026-07).

A number is registered once and looked at by AfterShip; what changes is pushed, signed. Tags say the step and
subtags more of it; both are tables beside this module. A carrier is AfterShip's slug, ours by `aftership_slugs`.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import Misconfigured, Refused, Temporary
from bot.model.codes import NOTHING, Code, codes, rows
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
    parse_json,
    utc,
    when,
)
from bot.model.tracks import Leg, Place, Role, Scan, Status, Track, TrackRef, TrackUpdate, Window
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import judge, reached

KIND = "aftership"
WHO = "AfterShip"
KEY = "carriers.aftership.api_key"
UNREADABLE = f"x/{KIND}"
BATCH = 50
"""Numbers of one list call: the API's page holds 200, its URL less."""
EXISTS, BAD_COURIER, RETRACKED = 4003, 4012, 4016
"""Meta codes of a refused registration that say something of the number alone."""
NEVER = datetime.fromtimestamp(0, UTC)


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
    if subtag in {"InTransit_003", "InTransit_004"} and country:
        if abroad and country == destination:
            return Code(Status.ARRIVED_DESTINATION), known
        if subtag == "InTransit_004" and destination:
            return Code(Status.IN_TRANSIT, "hub_arrived"), known
    if subtag == "InTransit_006" and abroad:
        cause = {origin: "export_processing", destination: "import_processing"}.get(country, "")
        return Code(Status.CUSTOMS, cause), known
    return code, known


def _country(*values: object) -> str:
    for value in values:
        text = a_text(value).upper()
        if len(text) == 3:
            text = _alpha3().get(text, "")
        if found := a_country(text) or country_named(text):
            return found
    return ""


@cache
def _alpha3() -> dict[str, str]:
    return {row["alpha3"]: row["alpha2"] for row in rows("countries")}


def read_scans(raw: Map, carrier: str, origin: str, destination: str) -> tuple[Scan, ...]:
    """The checkpoints, oldest first."""
    scans: list[Scan] = []
    for point in maps(raw.get("checkpoints")):
        country = _country(point.get("country_region"), point.get("country_iso3"), point.get("country_name"))
        tag, subtag = a_text(point.get("tag")), a_text(point.get("subtag"))
        code, known = read_code(tag, subtag, country, origin, destination)
        at = first_text(point.get("checkpoint_time"), point.get("created_at"))
        time = when(at, country=country)
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
                physical=code.physical,
                carrier=carrier_of(point.get("slug")) or carrier,
                source=KIND,
                known=known,
            )
        )
    scans.sort(key=lambda s: s.at or NEVER)
    return tuple(_paid(scans))


def _paid(scans: Sequence[Scan]) -> list[Scan]:
    """ "Held for payment" is a duty while the parcel is in clearance (facts 6.1, note 3)."""
    found: list[Scan] = []
    for scan in scans:
        clearing = bool(found) and found[-1].status is Status.CUSTOMS and found[-1].cause != "released"
        due = scan.raw_code == "Exception_006" and clearing
        found.append(replace(scan, status=Status.CUSTOMS, cause="duty_due") if due else scan)
    return found


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
    latest = a_map(raw.get("latest_estimated_delivery"))
    ours = a_text(latest.get("source")).lower() in {"aftership edd", "prompted edd", "custom edd"}
    told = [latest.get("datetime_min"), latest.get("datetime_max"), latest.get("datetime")]
    older = a_map(raw.get("courier_estimated_delivery_date")) or a_map(raw.get("aftership_estimated_delivery_date"))
    told += [older.get("estimated_delivery_date_min"), older.get("estimated_delivery_date_max")]
    told += [older.get("estimated_delivery_date"), raw.get("expected_delivery")]
    days = sorted(d if d.tzinfo else d.replace(tzinfo=UTC) for t in told if (d := a_moment(t)) is not None)
    return Window(days[0], days[-1], KIND if ours or not carrier else carrier, said_at) if days else None


def _legs(raw: Map, number: str, carrier: str) -> tuple[Leg, ...]:
    first, last = a_map(raw.get("first_mile")), a_map(raw.get("last_mile"))
    second = a_text(last.get("tracking_number"))
    slug = carrier_of(last.get("slug"))
    if not (second or slug) or (second or number, slug or carrier) == (number, carrier):
        return ()
    start = Leg(
        carrier_of(first.get("slug")) or carrier, a_text(first.get("tracking_number")) or number, Role.FIRST_MILE
    )
    return start, Leg(slug, second or number, Role.LAST_MILE)


def _proof(raw: Map) -> str:
    proof = raw.get("proof_of_delivery")
    return next((u for p in maps(proof) if (u := first_text(p.get("url"), p.get("image_url")))), a_text(proof))


def read(body: bytes) -> list[Track]:
    """Every tracking in a raw answer or push; ValueError where it is none of AfterShip's."""
    trackings = _trackings(parse_json(body, WHO))
    return [read_track(raw) for raw in [t for t in trackings if a_text(t.get("tracking_number"))] or trackings]


def _trackings(told: Any) -> Sequence[Map]:
    """The trackings wherever a dialect of the API puts them."""
    top = a_map(told)
    for part in (a_map(top.get("msg")), a_map(a_map(top.get("data")).get("tracking")), a_map(top.get("tracking"))):
        inner = a_map(part.get("tracking")) or part
        if inner:
            return (inner,)
    data = a_map(top.get("data"))
    listed = maps(data.get("trackings")) or maps(top.get("trackings")) or (maps(told) if isinstance(told, list) else ())
    if listed:
        return listed
    for part in (data, top):
        if "tracking_number" in part:
            return (part,)
    if isinstance(data.get("trackings"), list):
        return ()
    meta = a_map(top.get("meta"))
    why = f"{a_text(meta.get('code'))} {a_text(meta.get('message'))}".strip()
    raise ValueError(f"AfterShip: {why}" if why and why != "200" else "AfterShip: neither an answer nor a push")


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
        numbers = ",".join(dict.fromkeys(ref.number for ref in refs))
        response = await self._call("GET", "trackings", params={"tracking_numbers": numbers, "limit": "200"})
        told = _read_or_none(response)
        found = {(t.number.casefold(), t.carrier): t for t in told}
        anyones = {t.number.casefold(): t for t in told}
        return [
            found.get((ref.number.casefold(), ref.carrier))
            or anyones.get(ref.number.casefold())
            or await self._new(ref)
            for ref in refs
        ]

    async def _new(self, ref: TrackRef) -> Track | None:
        """Register a number; it has no news yet."""
        told = {
            "tracking_number": ref.number,
            "slug": _named().get(ref.carrier, ""),
            "destination_postal_code": ref.postcode,
            "destination_country_region": ref.country,
            "shipping_date": ref.shipped_at.strftime("%Y%m%d") if ref.shipped_at else "",
        }
        response = await self._call("POST", "trackings", json={k: v for k, v in told.items() if v})
        meta = a_number(a_map(_body(response).get("meta")).get("code"))
        if response.is_success or meta == EXISTS:
            return Track(ref.carrier, ref.number, cause="no_data_yet", source=KIND)
        return None

    async def resume(self, refs: Sequence[TrackRef]) -> Sequence[TrackRef]:
        """Track expired numbers again, which AfterShip allows once a number; those it will."""
        resumed = []
        for ref in refs:
            path = f"trackings/{_named().get(ref.carrier, ref.carrier)}/{ref.number}/retrack"
            if (await self._call("POST", path)).is_success:
                resumed.append(ref)
        return resumed

    async def _call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"as-api-key": self._settings.api_key.get_secret_value(), "content-type": "application/json"}
        response = await reached(self._http.request(method, f"{self._url}/{path}", headers=headers, **more), WHO)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            # Without Retry-After it says when its window ends, in Unix seconds.
            ends = a_number(response.headers.get("x-ratelimit-reset"))
            wait = ends - datetime.now(UTC).timestamp() if ends else None
            if "retry-after" not in response.headers and wait and wait > 0:
                raise Temporary("AfterShip answered 429", retry_after=wait, account_wide=True)
        if response.status_code not in {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
            judge(response, WHO, KEY)
        elif _meta_code(response) not in {EXISTS, BAD_COURIER, RETRACKED}:
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
        key = hashlib.sha256(request.body).hexdigest()
        try:
            (track,) = read(request.body)
        except ValueError:
            return Answer(200, items=(Item(key, UNREADABLE, request.body),))
        return Answer(200, items=(Item(key, parcel_lane(track.number), request.body),))

    def decode(self, item: Item) -> TrackUpdate | None:
        track = read(item.body)[0]
        heard = track.at or max((s.at for s in track.scans if s.at is not None), default=NEVER)
        return TrackUpdate(item.key, heard, track)

    async def check(self) -> str:
        response = await self._call("GET", "trackings", params={"limit": "1"})
        if not a_map(_body(response).get("meta")):
            raise Misconfigured("AfterShip answers like something else", key="carriers.aftership.base_url")
        pushes = "signed pushes are taken" if self.capabilities.push else "no webhook_secret, so no pushes"
        return f"AfterShip: the key works; {pushes}"


def _read_or_none(response: httpx.Response) -> list[Track]:
    body = _body(response)
    listed = maps(a_map(body.get("data")).get("trackings")) or maps(body.get("trackings"))
    return [read_track(raw) for raw in listed if a_text(raw.get("tracking_number"))]


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
