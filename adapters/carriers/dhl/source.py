"""The calls to DHL, and the pushes that it makes."""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

import httpx
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.carriers.dhl.reading import CARRIER, KIND, WHO, found_shipments, named, read, read_track
from bot.errors import Misconfigured, Temporary, WismoError
from bot.model.events import parcel_lane
from bot.model.foreign import Map, a_list, a_map, a_text, maps, parse_json
from bot.model.tracks import Track, TrackRef, TrackUpdate, heard_at
from bot.ports import Alarm, Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import judge, reached

KEY = "carriers.dhl.api_key"
UNREADABLE = f"x/{KIND}"
BATCH = 1
KEPT_DAYS = 90
NOBODYS = "0000000000"
"""A number that no shipment has; asked to try the key."""
TOKEN_HEADER = "x-wismo-token"  # noqa: S105 - the name of a header
VALIDATE = "subscription.validate"
"""The scope of the message by which DHL asks whether an address wants a subscription's pushes."""

SETTLED = frozenset({"", "subscription.push", "subscription.ready", "subscription.activate"})
"""Scopes that ask nobody to look at the subscription; others say that it failed or ended."""

DIVISIONS = (
    (re.compile(r"00340\d{15}"), "parcel-de"),
    (re.compile(r"3S[A-Z]{4}\d{6,12}"), "parcel-nl"),
    (re.compile(r"[LR][A-Z]\d{9}DE"), "post-de"),
)
"""Numbers that one division alone gives."""

_SUBSCRIPTION = re.compile(r"/subscription/([A-Za-z0-9-]{8,64})(?:[/?#]|$)")


class Settings(BaseModel):
    """`service` is the division asked (express, ecommerce, parcel-de …) for numbers that do not tell theirs, empty for
    any. The Starter plan allows 250 calls a day and one a second.

    `webhook_token` takes pushes: the subscription, made once with DHL, names in `hook.authentication` the type
    ApiKeyAuthentication, the header X-Wismo-Token and this token. DHL's question whether the address is meant is
    answered by itself.
    """

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr
    service: str = "express"
    webhook_token: SecretStr | None = None
    base_url: str = "https://api-eu.dhl.com"
    rate: Rate = Rate(per_second=1)
    per_day: int = Field(default=250, ge=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "Dhl":
    return Dhl(settings, http)


class Dhl(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._key = settings.api_key.get_secret_value()
        self._service = settings.service
        self._token = settings.webhook_token.get_secret_value() if settings.webhook_token else ""
        self._base = settings.base_url.rstrip("/")
        self._http = http
        self.capabilities = Capabilities(
            carriers=frozenset({CARRIER}),
            push=bool(self._token),
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
        number = ref.number.strip()
        if not number:
            return None
        service = division_of(number) or self._service
        response = await self._ask(number, service, ref.postcode)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        try:
            answer = a_map(parse_json(response.content, WHO))
            if not isinstance(answer.get("shipments"), list | dict):
                raise ValueError(f"{WHO} answered without shipments")  # noqa: TRY004 - caught below
            raw = _theirs(maps(answer["shipments"]), number, service)
            return replace(read_track(raw), number=ref.number) if raw is not None else None
        except ValueError as error:
            raise Temporary(str(error)) from error

    async def _ask(self, number: str, service: str, postcode: str = "") -> httpx.Response:
        """One call; 404 is the caller's."""
        told = {
            "trackingNumber": number,
            "service": service,
            "language": "en",
            "recipientPostalCode": postcode.strip(),
        }
        params = {name: value for name, value in told.items() if value}
        headers = {"DHL-API-Key": self._key, "accept": "application/json"}
        call = self._http.get(f"{self._base}/track/shipments", params=params, headers=headers)
        response = await reached(call, WHO)
        judge(response, WHO, KEY)
        return response

    async def webhook(self, request: Request) -> Answer:
        if not self._token:
            return Answer(404)
        given = request.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(self._token.encode(), given.encode(errors="replace")):
            return Answer(401)
        try:
            told = a_map(parse_json(request.body, WHO))
        except ValueError:
            told = {}
        scope = a_text(told.get("scope"))
        if scope == VALIDATE:
            return await self._wanted(told)
        alarms = () if scope in SETTLED else (Alarm("subscription", f"{WHO} says {scope[:40]}"),)
        return Answer(200, items=tuple(_split(request.body)), alarms=alarms)

    async def _wanted(self, told: Map) -> Answer:
        """Say yes to a subscription: the part of the handshake that is a call back, at DHL's own address and never at
        one that a message names. Saying it twice does no harm; where it fails, DHL is to ask again."""
        subscription, secret = _SUBSCRIPTION.search(a_text(told.get("self"))), a_text(told.get("secret"))
        if subscription is None or not secret.isascii() or not secret.isprintable():
            return Answer(400)
        url = f"{self._base}/tracking/push/v1/subscription/{quote(subscription[1], safe='')}"
        headers = {"DHL-API-Key": self._key, "DHL-API-Hook-Secret": secret}
        try:
            response = await reached(self._http.post(url, headers=headers), WHO)
            judge(response, WHO, KEY)
        except WismoError:
            return Answer(502)
        return Answer(502 if response.status_code == HTTPStatus.NOT_FOUND else 200)

    def decode(self, item: Item) -> TrackUpdate | None:
        told = parse_json(item.body, WHO)
        if a_text(a_map(told).get("scope")) and not any(True for _ in found_shipments(told)):
            # A subscription is ready, ends or was refused: no parcel's news.
            return None
        tracks = read(item.body)
        if len(tracks) != 1:
            raise ValueError(f"{WHO}: a push of {len(tracks)} shipments that was not split")
        (track,) = tracks
        return TrackUpdate(item.key, heard_at(track), track)

    async def check(self) -> str:
        response = await self._ask(NOBODYS, self._service)
        if response.status_code == HTTPStatus.NOT_FOUND and not _is_problem(response.content):
            raise Misconfigured(f"{WHO} has no such address", key="carriers.dhl.base_url")
        return f"{WHO}: the key works for {self._service or 'all services'}"


def division_of(number: str) -> str:
    """The service whose number this can only be, empty where several give such."""
    return next((service for pattern, service in DIVISIONS if pattern.fullmatch(number.upper())), "")


def _split(body: bytes) -> list[Item]:
    """One item a shipment; what came with the token and cannot be read is kept on a lane of its own."""
    try:
        shipments = list(found_shipments(parse_json(body, WHO)))
        bodies = [json.dumps({"shipments": [s]}).encode() for s in shipments]
    except (ValueError, RecursionError):
        shipments, bodies = [], []
    numbers = [named(s) for s in shipments]
    if not numbers or not all(number and number.isascii() for number in numbers):
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    bodies = [body] if len(bodies) == 1 else bodies
    return [Item(hashlib.sha256(b).hexdigest(), parcel_lane(n), b) for b, n in zip(bodies, numbers, strict=True)]


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
    same_number = [
        s
        for s in shipments
        if _plain(number) in {_plain(i) for i in (s.get("id"), *a_list(a_map(s.get("details")).get("pieceIds")))}
    ]
    found = same_number or shipments
    same = [s for s in found if a_text(s.get("service")).casefold() == service.casefold()]
    best = same or found
    return best[0] if len(best) == 1 or (best and same_number and same) else None
