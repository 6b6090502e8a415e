"""The port: whose signature it is, what they may say, and what is stored of it."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import unquote

import httpx
import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from adapters.shops.rest.bodies import SOURCE, OrderBody, ScansBody, beyond, order_of, track_of, unnamed
from adapters.shops.rest.schema import LARGEST, REPLAY_SECONDS, openapi
from bot.model.events import Event, order_lane, parcel_lane
from bot.model.orders import OrderUpdate
from bot.model.tokens import token, token_hash
from bot.model.tracks import TrackUpdate
from bot.ports import Answer, Item, Port, Request
from bot.tracking.numbers import compact

Model = type[OrderBody] | type[ScansBody]


class Key(BaseModel):
    """Who may call, what they sign with, and what for."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    key: str
    secret: SecretStr
    scopes: frozenset[Literal["orders", "scans"]] = frozenset({"orders"})


class Settings(BaseModel):
    """The keys of `web.api_keys`."""

    model_config = ConfigDict(extra="forbid")

    keys: list[Key] = Field(default_factory=list)


def connect(settings: Settings, http: httpx.AsyncClient) -> Port:
    """The shop's REST as a port."""
    return Rest(settings)


class Rest(Port):
    """`clock` is machine time in seconds, for the replay window and for what cannot have happened yet."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._keys = {k.key: k for k in settings.keys}
        self._clock = clock

    async def webhook(self, request: Request) -> Answer:
        parts = [unquote(p) for p in request.path.strip("/").split("/")]
        if parts == ["api", "openapi.json"]:
            return _json(200, openapi()) if request.method == "GET" else _fault(405, "only GET", {"allow": "GET"})
        wanted = _route(parts)
        if wanted is None:
            return _fault(404, "there is no such address; GET /api/openapi.json lists them")
        if request.method != "PUT":
            return _fault(405, "only PUT", {"allow": "PUT"})
        if len(request.body) > LARGEST:
            return _fault(413, f"a body has at most {LARGEST} bytes")
        key, why = self._signed_by(request)
        if key is None:
            return _fault(401, why)
        scope, model, names = wanted
        if scope not in key.scopes:
            return _fault(403, f"this key has no scope {scope}; add it to web.api_keys")
        answer = _taken(request.body, model, names, datetime.fromtimestamp(self._clock(), UTC))
        return _linked(answer, key, names[0]) if model is OrderBody and answer.items else answer

    def _signed_by(self, request: Request) -> tuple[Key | None, str]:
        """Whose signature it is, or None and what to do."""
        stamp = request.headers.get("x-wismo-timestamp", "")
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):
            return None, "X-Wismo-Timestamp must be the time in Unix seconds"
        key = self._keys.get(request.headers.get("x-wismo-key", ""))
        secret = key.secret.get_secret_value() if key is not None else ""
        query = f"?{request.raw_query}" if request.raw_query else ""
        signed = f"{stamp}.{request.method}.{request.path}{query}.".encode() + request.body
        want = "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        given = request.headers.get("x-wismo-signature", "").encode("utf-8", "replace")
        if key is None or not secret or not hmac.compare_digest(given, want.encode()):
            return None, "X-Wismo-Key and X-Wismo-Signature do not fit: sign timestamp.METHOD.path?query.body"
        if abs(self._clock() - int(stamp)) > REPLAY_SECONDS:
            return None, f"X-Wismo-Timestamp is more than {REPLAY_SECONDS} s off; set the machine's clock"
        return key, ""

    def decode(self, item: Item) -> Event | None:
        if item.lane.startswith("x/"):
            return None
        told = msgspec.json.decode(item.body)
        if "order" in told:
            order = order_of(told["order"], OrderBody.model_validate(told["body"]))
            return OrderUpdate(item.key, order.updated_at, order, told.get("link", ""))
        scans = ScansBody.model_validate(told["body"])
        track = track_of(told["carrier"], told["number"], scans)
        return TrackUpdate(item.key, scans.updated_at.astimezone(UTC), track)

    async def check(self) -> str:
        return f"the REST takes {len(self._keys)} key{'s' if len(self._keys) != 1 else ''}"


def _route(parts: Sequence[str]) -> tuple[str, Model, Sequence[str]] | None:
    """The scope that an address needs, what its body is, and the names in it."""
    match parts:
        case ["api", "orders", number] if number:
            return "orders", OrderBody, [number]
        case ["api", "parcels", carrier, number, "scans"] if carrier and number:
            return "scans", ScansBody, [carrier, number]
    return None


def _taken(raw: bytes, model: Model, names: Sequence[str], now: datetime) -> Answer:
    """The body as an event to be stored, or what is wrong with it."""
    try:
        told = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return _fault(400, "the body is not JSON")
    try:
        body = model.model_validate(told)
    except ValidationError as error:
        listed = error.errors(include_input=False, include_url=False)
        return _wrong((".".join(str(p) for p in e["loc"]) or "body", e["msg"]) for e in listed)
    if faults := [*unnamed(model, names), *beyond(body, now)]:
        return _wrong(faults)
    if model is OrderBody:
        return _event({"order": names[0], "body": told}, order_lane(SOURCE, names[0]))
    carrier, number = names[0], compact(names[1])
    return _event({"carrier": carrier, "number": number, "body": told}, parcel_lane(number))


def _event(content: Mapping[str, Any], lane: str) -> Answer:
    body = msgspec.json.encode(content)
    return _json(202, {"accepted": True}, (Item(hashlib.sha256(body).hexdigest(), lane, body),))


def _linked(answer: Answer, key: Key, number: str) -> Answer:
    """With a token for the order's link: 128 bits that only the key's secret can tell, the same for every repeat.
    Its hash is stored with the order."""
    made = hmac.new(key.secret.get_secret_value().encode(), f"link/{number}".encode(), hashlib.sha256).digest()
    link = token(made)
    content = msgspec.json.decode(answer.items[0].body) | {"link": token_hash(link)}
    return replace(_event(content, answer.items[0].lane), link=link)


def _wrong(fields: Iterable[tuple[str, str]]) -> Answer:
    listed = [{"field": field, "message": message} for field, message in fields]
    return _json(422, {"error": "these fields are not as the schema says", "fields": listed})


def _fault(status: int, error: str, headers: Mapping[str, str] | None = None) -> Answer:
    return _json(status, {"error": error}, headers=headers)


def _json(
    status: int, told: Mapping[str, Any], items: tuple[Item, ...] = (), headers: Mapping[str, str] | None = None
) -> Answer:
    return Answer(status, msgspec.json.encode(told), {"content-type": "application/json", **(headers or {})}, items)
