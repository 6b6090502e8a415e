"""17TRACK, the aggregator: https://asset.17track.net/api/document/v2.4_en/index.html (API v2.4).

HTTP 200 does not mean success: the envelope decides per number. Registering a number returns no events; they
come minutes later by push. One number costs one quota unit, asking again is free. The tables beside this
module hold its statuses, errors and carrier keys.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import Misconfigured, Refused, Temporary
from bot.model.codes import NOTHING, Code, codes, rows
from bot.model.events import parcel_lane
from bot.model.foreign import (
    Map,
    When,
    a_country,
    a_list,
    a_map,
    a_moment,
    a_number,
    a_text,
    first_text,
    maps,
    parse_json,
    utc,
    when,
)
from bot.model.tracks import Leg, OffsetFrom, Place, Role, Scan, Status, Track, TrackRef, TrackUpdate, Window
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource

KIND = "seventeentrack"
TOKEN = "carriers.seventeentrack.token"  # noqa: S105 - the name of a setting
UNREADABLE = "x/seventeentrack"
BATCH = 40

REJECTED = {
    "registered": "no_data_yet",
    "waiting": "no_data_yet",
    "undetected": "not_found",
    "invalid": "invalid_number",
}
"""What a rejection says of its number; the others say nothing of it."""


class Settings(BaseModel):
    """`token` is the access key, which also signs the pushes. 3 calls a second are allowed."""

    model_config = ConfigDict(extra="forbid")

    token: SecretStr
    base_url: str = "https://api.17track.net/track/v2.4"
    rate: Rate = Rate(per_second=3)


def connect(settings: Settings, http: httpx.AsyncClient) -> "SeventeenTrack":
    return SeventeenTrack(settings, http)


# ---- tables ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tables:
    """The code tables: statuses, what an error asks for, carriers by key and keys by any of their names."""

    statuses: Mapping[str, Code]
    errors: Mapping[int, str]
    carriers: Mapping[int, str]
    keys: Mapping[str, int]


@cache
def tables() -> Tables:
    carriers = rows("seventeentrack_carriers")
    named = {_plain(row[column]): int(row["key"]) for column in ("name", "slug") for row in carriers}
    return Tables(
        statuses=codes("seventeentrack_status"),
        errors={int(row["code"]): row["does"] for row in rows("seventeentrack_errors")},
        carriers={int(row["key"]): row["slug"] for row in carriers},
        keys=named,
    )


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def carrier_slug(key: object) -> str:
    """Our name of a carrier key; `x-<key>` for one that the table does not have, empty for none."""
    number = a_number(key)
    return tables().carriers.get(number, f"x-{number}") if number > 0 else ""


def carrier_key(carrier: str) -> int | None:
    """17TRACK's key of a carrier as the shop wrote it; None lets 17TRACK detect it."""
    if carrier.startswith("x-") and carrier[2:].isdecimal():
        return int(carrier[2:])
    return tables().keys.get(_plain(carrier))


# ---- reading ---------------------------------------------------------------------------------------------


def _country(address: object) -> str:
    return a_country(a_map(address).get("country"))


def read_time(event: Map) -> When:
    """`time_raw` is the carrier's own; where it names no zone, 17TRACK put one in by the place."""
    raw = a_map(event.get("time_raw"))
    day, hour, zone = a_text(raw.get("date")), a_text(raw.get("time")), a_text(raw.get("timezone"))
    written = f"{day} {hour} {zone}".strip() or first_text(event.get("time_iso"), event.get("time_utc"))
    own = when(written, iso=f"{day}T{hour}{zone}" if day and hour and zone else "-")
    if own.offset_from is OffsetFrom.EXPLICIT:
        return own
    told = when(written, iso=a_text(event.get("time_iso")) or "-")
    if told.offset_from is OffsetFrom.EXPLICIT:
        return told if zone or not raw else told._replace(offset_from=OffsetFrom.LOCATION)
    local = told if told.local else when(written, iso=f"{day}T{hour or '00:00:00'}")
    if (at := utc(a_moment(event.get("time_utc")))) is not None:
        return When(written, at, local.local, OffsetFrom.LOCATION)
    return local


def read_status(code: str, country: str = "", origin: str = "", destination: str = "") -> tuple[Status, str]:
    """Our word for a status or sub-status. An unknown sub falls back to its main, an unknown main to unknown.

    17TRACK says departure and arrival of any port and customs of either side: only the country of the scan
    tells which. Where it does not, the plain step is all that is said.
    """
    known = tables().statuses
    word = known.get(code) or known.get(code.partition("_")[0]) or NOTHING
    status, cause = word.status, word.cause
    if code == "InTransit_Departure" and (not origin or country != origin or origin == destination):
        return Status.IN_TRANSIT, "hub_departed"
    if code == "InTransit_Arrival" and (not destination or country != destination or origin == destination):
        return Status.IN_TRANSIT, "hub_arrived"
    if code == "InTransit_CustomsProcessing" and country and origin != destination:
        return status, {origin: "export_processing", destination: "import_processing"}.get(country, "")
    return status, cause


def read_scan(event: Map, carrier: str, origin: str, destination: str) -> Scan:
    """One event of one provider; `stage` speaks where there is no sub-status."""
    country = _country(event.get("address"))
    code = a_text(event.get("sub_status")) or a_text(event.get("stage"))
    status, cause = read_status(code, country, origin, destination)
    time = read_time(event)
    return Scan(
        raw_code=code,
        raw_text=a_text(event.get("description")),
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=status,
        cause=cause,
        place=Place(a_text(event.get("location")), country),
        physical=status is not Status.LABEL_CREATED,
        carrier=carrier,
        source=KIND,
    )


def read_track(raw: Map) -> Track:
    """An accepted item or a push's `data` as a track; ValueError where it is about no number."""
    number = a_text(raw.get("number"))
    if not number:
        raise ValueError("a 17TRACK item without a tracking number")
    info = a_map(raw.get("track_info"))
    shipping = a_map(info.get("shipping_info"))
    origin, destination = _country(shipping.get("shipper_address")), _country(shipping.get("recipient_address"))
    carrier = carrier_slug(raw.get("carrier"))
    providers = [a_map(p) for p in a_list(a_map(info.get("tracking")).get("providers"))]
    scans = [
        read_scan(event, slug, origin, destination)
        for p in providers
        for slug in [carrier_slug(a_map(p.get("provider")).get("key")) or carrier]
        for event in reversed(a_list(p.get("events")))
        if isinstance(event, dict)
    ]
    newest = a_map(info.get("latest_event"))
    if not scans and newest:
        scans = [read_scan(newest, carrier, origin, destination)]
    scans.sort(key=lambda s: s.at or datetime.min.replace(tzinfo=UTC))
    synced = _synced(providers)
    status, cause = _summary(info, _country(newest.get("address")), origin, destination)
    return Track(
        carrier=carrier,
        number=number,
        scans=tuple(scans),
        status=status,
        cause=cause,
        eta=_eta(info, carrier, synced),
        legs=_legs(number, providers, a_map(info.get("misc_info"))),
        origin=origin,
        destination=destination,
        source=KIND,
        at=synced,
    )


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer or push; ValueError where it is none of 17TRACK's."""
    data = _parsed(body).get("data")
    if isinstance(data, dict) and "accepted" in data:
        return [read_track(item) for item in maps(data["accepted"]) if a_map(item.get("track_info"))]
    found = maps(data)
    if not found:
        raise ValueError("17TRACK: neither an answer nor a push")
    return [read_track(item) for item in found]


def _summary(info: Map, country: str, origin: str, destination: str) -> tuple[Status, str]:
    latest = a_map(info.get("latest_status"))
    code = a_text(latest.get("sub_status")) or a_text(latest.get("status"))
    status, cause = read_status(code, country, origin, destination)
    if status is Status.UNKNOWN and not cause:
        return read_status(a_text(latest.get("status")))
    return status, cause


def _synced(providers: Sequence[Map]) -> datetime | None:
    times = (utc(a_moment(p.get("latest_sync_time"))) for p in providers)
    return max((t for t in times if t is not None), default=None)


def _eta(info: Map, carrier: str, said_at: datetime | None) -> Window | None:
    said = a_map(a_map(info.get("time_metrics")).get("estimated_delivery_date"))
    days = [a_moment(said.get(end)) for end in ("from", "to")]
    ends = sorted(d.replace(tzinfo=d.tzinfo or UTC) for d in days if d is not None)
    if not ends:
        return None
    official = a_text(said.get("source")).casefold() == "official"
    return Window(ends[0], ends[-1], carrier if official and carrier else KIND, said_at)


def _legs(number: str, providers: Sequence[Map], misc: Map) -> tuple[Leg, ...]:
    """Who carries it under which number; one carrier with one number needs no telling."""
    local, local_key = a_text(misc.get("local_number")), a_number(misc.get("local_key"))
    keys = list(dict.fromkeys(k for p in providers if (k := a_number(a_map(p.get("provider")).get("key"))) > 0))
    if local_key > 0 and local_key not in keys:
        keys.append(local_key)
    several = len(keys) > 1
    if not several and (not local or local == number):
        return ()
    last = local_key if local_key > 0 else keys[-1] if several else 0
    first_mile = tuple(Leg(carrier_slug(k), number, Role.FIRST_MILE) for k in keys if k != last)
    return (*first_mile, Leg(carrier_slug(last), local or number, Role.LAST_MILE))


# ---- the port --------------------------------------------------------------------------------------------


class SeventeenTrack(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._token = settings.token.get_secret_value()
        self._url = settings.base_url.rstrip("/")
        self._http = http
        # One look-up can be two calls, the second to register what is new: at a third of the rate no second holds more.
        self.capabilities = Capabilities(push=True, batch=BATCH, per_second=(settings.rate.per_second or 3) / 3)

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > BATCH:
            raise ValueError(f"at most {BATCH} numbers a call, not {len(refs)}")
        if not refs:
            return ()
        answers = await self._ask("gettrackinfo", [_asked(ref) for ref in refs])
        tracks = [_found(ref, answers) for ref in refs]
        fresh = [ref for ref in refs if answers.does(ref) == "register"]
        if fresh:
            registered = await self._ask("register", [_asked(ref) | _extras(ref) for ref in fresh])
            tracks = [_found(ref, registered) if ref in fresh else t for ref, t in zip(refs, tracks, strict=True)]
            if not any(tracks):
                registered.complain()
        return tracks

    async def _ask(self, call: str, body: Sequence[Map]) -> "_Answers":
        data = _envelope(await self._post(call, body))
        return _Answers(
            [a_map(a) for a in a_list(data.get("accepted"))], [a_map(r) for r in a_list(data.get("rejected"))]
        )

    async def _post(self, call: str, body: Sequence[Map] | None = None) -> httpx.Response:
        headers = {"17token": self._token, "content-type": "application/json"}
        try:
            content = msgspec.json.encode(body or [])
            return await self._http.post(f"{self._url}/{call}", content=content, headers=headers)
        except httpx.TransportError as error:
            raise Temporary(f"17TRACK cannot be reached: {type(error).__name__}") from error

    async def webhook(self, request: Request) -> Answer:
        wanted = hashlib.sha256(request.body + b"/" + self._token.encode()).hexdigest()
        given = request.headers.get("sign", "")
        if not hmac.compare_digest(wanted.encode(), given.strip().lower().encode(errors="replace")):
            return Answer(401)
        return Answer(200, items=tuple(_split(request.body)))

    def decode(self, item: Item) -> TrackUpdate | None:
        body = _parsed(item.body)
        data = a_map(body.get("data"))
        if body.get("event") not in {"TRACKING_UPDATED", "TRACKING_STOPPED"}:
            raise ValueError("not a push of 17TRACK that we know")
        if body["event"] == "TRACKING_STOPPED" and not a_map(data.get("track_info")):
            return None
        track = read_track(data)
        heard = track.at or max((s.at for s in track.scans if s.at is not None), default=datetime.fromtimestamp(0, UTC))
        return TrackUpdate(item.key, heard, track)

    async def check(self) -> str:
        quota = _envelope(await self._post("getquota"))
        left, whole = (a_text(quota.get(k)) for k in ("quota_remain", "quota_total"))
        return f"17TRACK: {left} of {whole} numbers left" if left and whole else "17TRACK: the key works; no quota told"


def _split(body: bytes) -> list[Item]:
    """One item a tracking; what was signed and cannot be read is kept on a lane of its own."""
    try:
        parsed = _parsed(body)
        data = parsed.get("data")
        parts = [a_map(p) for p in (data if isinstance(data, list) else [data])]
        numbers = [a_text(p.get("number")) for p in parts]
    except ValueError:
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    if not parts or not all(numbers):
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    whole = (
        [body]
        if len(parts) == 1 and isinstance(data, dict)
        else [msgspec.json.encode({"event": parsed.get("event"), "data": p}) for p in parts]
    )
    return [Item(hashlib.sha256(b).hexdigest(), parcel_lane(n), b) for b, n in zip(whole, numbers, strict=True)]


def _parsed(body: bytes) -> Map:
    found = parse_json(body, "17TRACK")
    if not isinstance(found, dict):
        raise ValueError("17TRACK sent JSON that is no object")  # noqa: TRY004 - what a caller handles is ValueError
    return found


def _asked(ref: TrackRef) -> dict[str, Any]:
    key = carrier_key(ref.carrier)
    return {"number": ref.number} | ({"carrier": key} if key is not None else {})


def _extras(ref: TrackRef) -> dict[str, Any]:
    """v2.4's named parameters; 17TRACK hands on what the carrier wants."""
    told = {
        "destination_postal_code": ref.postcode,
        "phone_number_last_4": ref.phone_last4,
        "destination_country": ref.country,
        "ship_date": ref.shipped_at.date().isoformat() if ref.shipped_at else "",
    }
    return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class _Answers:
    """An envelope's two lists."""

    accepted: Sequence[Map]
    rejected: Sequence[Map]

    def item(self, ref: TrackRef, rejected: bool = False) -> Map | None:
        """What was said of this number; with its own carrier rather than with another."""
        number, key = ref.number.casefold(), carrier_key(ref.carrier)
        items = self.rejected if rejected else self.accepted
        said = [i for i in items if a_text(i.get("number")).casefold() == number]
        return next((i for i in said if key is None or a_number(i.get("carrier")) == key), said[0] if said else None)

    def does(self, ref: TrackRef) -> str:
        """What the rejection of this number asks for; empty where it was not rejected."""
        rejection = self.item(ref, rejected=True)
        return tables().errors.get(_code(rejection), "unknown") if rejection is not None else ""

    def complain(self) -> None:
        """Nothing was learned: raise what all of the account suffers from."""
        for rejection in self.rejected:
            _raise(_code(rejection))


def _code(rejection: Map) -> int:
    return a_number(a_map(rejection.get("error")).get("code"))


def _found(ref: TrackRef, answers: _Answers) -> Track | None:
    """The track of an accepted number, or what its rejection says of it; None where nothing is known."""
    item = answers.item(ref)
    if item is not None and a_map(item.get("track_info")):
        return read_track({**item, "number": ref.number})
    cause = "no_data_yet" if item is not None else REJECTED.get(answers.does(ref))
    carrier = carrier_slug(item.get("carrier")) if item is not None else ""
    return Track(carrier or ref.carrier, ref.number, cause=cause, source=KIND) if cause else None


def _envelope(response: httpx.Response) -> Map:
    """The `data` of an answer, or the error that the account as a whole has."""
    status = response.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Misconfigured(f"17TRACK refuses the key or this address ({status})", key=TOKEN)
    if status == HTTPStatus.NOT_FOUND:
        raise Misconfigured("17TRACK has no such address", key="carriers.seventeentrack.base_url")
    limited = status == HTTPStatus.TOO_MANY_REQUESTS
    if limited or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = a_number(response.headers.get("retry-after"))
        retry = float(wait) if wait > 0 else None
        raise Temporary(f"17TRACK answered {status}", retry_after=retry, account_wide=limited)
    if status != HTTPStatus.OK:
        raise Refused(f"17TRACK answered {status}")
    try:
        envelope = _parsed(response.content)
    except ValueError as error:
        raise Temporary(str(error)) from error
    data = a_map(envelope.get("data"))
    faults = [a_number(envelope.get("code")), *(a_number(a_map(e).get("code")) for e in a_list(data.get("errors")))]
    for code in faults:
        if code:
            _raise(code)
            raise Refused(f"17TRACK refused the call with error {code}")
    return data


def _raise(code: int) -> None:
    """The error of ours for one of 17TRACK's that concerns the whole account."""
    does = tables().errors.get(code)
    if does == "misconfigured":
        raise Misconfigured(f"17TRACK refuses the account (error {code})", key=TOKEN)
    if does == "quota":
        raise Misconfigured("17TRACK's quota is used up: no new numbers can be registered", key=TOKEN)
    if does == "limit":
        raise Temporary("17TRACK's limit of the day is reached", retry_after=3600.0, account_wide=True)
    if does == "temporary":
        raise Temporary(f"17TRACK has an error of its own ({code})")
