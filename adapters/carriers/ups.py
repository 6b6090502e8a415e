"""UPS: Track v1 by number and Track Alert by push (https://github.com/UPS-API/api-documentation, MIT).

A status is read by its number first, then by type and code, then by the type alone. The types promise little: D
is a loaded van as much as a delivery, X may still come on time. GMT fields are the instant, `date` and `time` the
wall clock on the spot. A number that UPS does not know is a 200 with a warning (TW0001) as often as a 404.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import Temporary
from bot.model.codes import NOTHING, Code, codes
from bot.model.events import parcel_lane
from bot.model.foreign import (
    THIS_AGE,
    Map,
    When,
    a_country,
    a_list,
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
from bot.model.tracks import Leg, OffsetFrom, Place, Role, Scan, Status, Track, TrackRef, TrackUpdate, Window
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import Tokens, judge

KIND = "ups"
WHO = "UPS"
UNREADABLE = f"x/{KIND}"
SECRET = "carriers.ups.client_secret"  # noqa: S105 - the name of a setting
NO_SUCH_NUMBER = re.compile(r"invalid (?:inquiry|tracking) ?number", re.IGNORECASE)
NUMBER = re.compile(r"[A-Za-z0-9]{7,34}")
KEPT_DAYS = 120
TIME = ("date", "time", "gmtDate", "gmtTime", "gmtOffset")
ALERT_TIME = ("localActivityDate", "localActivityTime", "gmtActivityDate", "gmtActivityTime", "gmtOffset")

_CAPITALS = re.compile(r"^(?:[A-Z]+(?=[A-Z][a-z])|[A-Z])")
_STATUS_NUMBER = re.compile(r"[0-9]{1,4}")
_OFFSET = re.compile(r"([+-])([0-9]{1,2})[:.]?([0-5][0-9])")
_USPS = re.compile(r"(?:420[0-9]{5}(?:[0-9]{4})?)?9[1-5][0-9]{18,24}")


class Settings(BaseModel):
    """`client_id` and `client_secret` of the app in UPS's portal; `webhook_credential` is what Track Alert was told to
    send along, no push is believed without it. UPS names no limit: one call a second."""

    model_config = ConfigDict(extra="forbid")

    client_id: str
    client_secret: SecretStr
    webhook_credential: SecretStr = SecretStr("")
    base_url: str = "https://onlinetools.ups.com"
    source: str = "wismo"
    rate: Rate = Rate(per_second=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "Ups":
    return Ups(settings, http)


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
    raise ValueError(f"{WHO}: {_complaint(raw.get('warnings')) or 'a shipment without number and packages'}")


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
    raise ValueError(f"{WHO}: {_complaint(_errors(told)) or 'neither an answer nor a push'}")


def _uncapped(value: Any) -> Any:
    """The answer of the Track service before v1, whose names begin with capitals ("Activity", "GMTDate")."""
    if isinstance(value, list):
        return [_uncapped(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {_CAPITALS.sub(lambda m: m[0].lower(), k): _uncapped(v) for k, v in value.items()}


def _errors(told: Map) -> object:
    return a_map(told.get("response")).get("errors") or told.get("errors")


def _complaint(errors: object) -> str:
    """UPS's errors or warnings in one line."""
    lines = [first_text(e.get("code")) + " " + first_text(e.get("message")) for e in maps(errors)]
    return " ".join("; ".join(lines).split())[:200]


# ---- the port --------------------------------------------------------------------------------------------


class Ups(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._auth = (settings.client_id, settings.client_secret.get_secret_value())
        self._credential = settings.webhook_credential.get_secret_value().encode()
        self._source = settings.source
        self._url = settings.base_url.rstrip("/")
        self._http = http
        self._tokens = Tokens(self._ask_token, WHO, SECRET)
        self.capabilities = Capabilities(
            carriers=frozenset({"ups"}),
            push=bool(self._credential),
            batch=1,
            history_days=KEPT_DAYS,
            per_second=settings.rate.per_second or 1,
        )

    async def _ask_token(self) -> httpx.Response:
        form = {"grant_type": "client_credentials"}
        return await self._http.post(f"{self._url}/security/v1/oauth/token", data=form, auth=self._auth)

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > 1:
            raise ValueError(f"at most 1 number a call, not {len(refs)}")
        return [await self._one(ref) for ref in refs]

    async def _one(self, ref: TrackRef) -> Track | None:
        number = "".join(ref.number.split()).upper()
        if not NUMBER.fullmatch(number):
            return Track(KIND, ref.number, cause="invalid_number", source=KIND)
        response = await self._tokens.call(lambda bearer: self._get(number, bearer))
        if response.status_code == HTTPStatus.BAD_REQUEST and NO_SUCH_NUMBER.search(_refusal(response)):
            return Track(KIND, ref.number, cause="invalid_number", source=KIND)
        judge(response, WHO, SECRET)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return Track(KIND, ref.number, cause="not_found", source=KIND) if _refusal(response) else None
        return _answered(response, ref.number, number)

    async def _get(self, number: str, bearer: dict[str, str]) -> httpx.Response:
        flags = {"locale": "en_US"} | dict.fromkeys(("returnSignature", "returnMilestones", "returnPOD"), "false")
        headers = bearer | {"transId": uuid4().hex, "transactionSrc": self._source}
        url = f"{self._url}/api/track/v1/details/{quote(number, safe='')}"
        return await self._http.get(url, params=flags, headers=headers)

    async def webhook(self, request: Request) -> Answer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = request.headers.get("credential", "") or (token if scheme.lower() == "bearer" else "")
        matches = hmac.compare_digest(self._credential, given.strip().encode(errors="replace"))
        if not matches or not self._credential:
            return Answer(401)
        return Answer(200, items=tuple(_split(request.body)))

    def decode(self, item: Item) -> TrackUpdate | None:
        tracks = read(item.body)
        if len(tracks) != 1:
            raise ValueError(f"{WHO}: a push of {len(tracks)} numbers")
        (track,) = tracks
        heard = max((s.at for s in track.scans if s.at is not None), default=datetime.fromtimestamp(0, UTC))
        return TrackUpdate(item.key, heard, track)

    async def check(self) -> str:
        await Tokens(self._ask_token, WHO, SECRET).bearer()
        return f"{WHO}: the credentials give a token"


def _refusal(response: httpx.Response) -> str:
    """The errors of a refusing answer in one line; empty where it is none of UPS's."""
    try:
        return _complaint(_errors(a_map(parse_json(response.content, WHO))))
    except ValueError:
        return ""


def _answered(response: httpx.Response, asked: str, number: str) -> Track | None:
    """The track of the number asked for; the first where UPS files it under another."""
    try:
        tracks = read(response.content)
    except ValueError as error:
        raise Temporary(f"{WHO} gave an answer that cannot be read") from error
    named = (t for t in tracks if t.number.casefold() == number.casefold())
    return replace(next(named, tracks[0]), number=asked)


def _split(body: bytes) -> list[Item]:
    """One item an event; what was signed and cannot be read is kept on a lane of its own."""
    try:
        events = a_list(parse_json(body, WHO))
        numbers = [a_text(a_map(event).get("trackingNumber")) for event in events]
    except ValueError:
        events, numbers = (), []
    if not numbers or not all(numbers):
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    whole = [body] if len(events) == 1 else [msgspec.json.encode(e) for e in events]
    return [Item(hashlib.sha256(b).hexdigest(), parcel_lane(n), b) for b, n in zip(whole, numbers, strict=True)]
