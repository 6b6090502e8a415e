"""The signed REST by which a shop, a warehouse or a forwarder tells us of orders and scans.

    PUT /api/orders/{number}                    scope orders
    PUT /api/parcels/{carrier}/{number}/scans   scope scans
    GET /api/openapi.json                       the schema, for anybody

Headers X-Wismo-Key, X-Wismo-Timestamp (Unix seconds, within 300 s of the machine's clock) and
X-Wismo-Signature: v1=<hex HMAC-SHA256(secret, timestamp.METHOD.path?query.body)>. A body is checked at once
(422 names each field), stored as an event and answered 202; an older `updated_at` than known is ignored later.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal
from urllib.parse import unquote

import httpx
import msgspec
from msgspec.structs import replace
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from bot.model.events import Event, order_lane, parcel_lane
from bot.model.orders import Consent, Duties, Item, Order, OrderUpdate, Shipment
from bot.model.tokens import token, token_hash
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track, TrackUpdate
from bot.ports import Answer, Port, Request
from bot.ports import Item as Stored

REPLAY_SECONDS = 300
LARGEST = 1024 * 1024
SOURCE = "rest"
Country = Field("", pattern="^([A-Z]{2})?$", description="ISO 3166 alpha-2")
Short = Field("", max_length=300)


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


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ItemBody(_Body):
    """A line of the packing list."""

    title: str = Field(min_length=1, max_length=300)
    quantity: int = Field(1, ge=1, le=100_000)
    specification: str = Short
    accessories: list[str] = Field(default_factory=list, max_length=50)
    sku: str = Short


class ParcelBody(_Body):
    """A parcel that was shipped; `items` are indexes into the order's items, none for all of them."""

    number: str = Field(min_length=4, max_length=50)
    carrier: str = Field("", max_length=50)
    shipped_at: AwareDatetime | None = None
    items: list[int] = Field(default_factory=list)


class ConsentBody(_Body):
    """One opt-in or its withdrawal."""

    purpose: str = Field(min_length=1, max_length=50)
    source: str = Field(min_length=1, max_length=200)
    at: AwareDatetime
    given: bool = True


class OrderBody(_Body):
    """An order as it stands; a later `updated_at` replaces it whole."""

    updated_at: AwareDatetime
    buyer_ref: str = Short
    placed_at: AwareDatetime | None = None
    name: str = Short
    email: str = Short
    phone: str = Field("", max_length=40)
    address: str = Field("", max_length=500)
    postcode: str = Field("", max_length=20)
    city: str = Short
    country: str = Country
    locale: str = Field("", max_length=12, pattern="^([A-Za-z]{2,3}(-[A-Za-z0-9]+)*)?$")
    items: list[ItemBody] = Field(default_factory=list, max_length=500)
    parcels: list[ParcelBody] = Field(default_factory=list, max_length=100)
    incoterm: Literal["", "DDP", "DAP", "DDU"] = ""
    duties: Duties = Duties.UNKNOWN
    promised: date | None = None
    cancelled: bool = False
    consent: list[ConsentBody] = Field(default_factory=list)


class ScanBody(_Body):
    """Something that happened to a parcel, with its instant."""

    at: AwareDatetime
    text: str = Field(min_length=1, max_length=500)
    status: Status = Status.UNKNOWN
    cause: str = Field("", max_length=50)
    place: str = Short
    country: str = Country
    code: str = Field("", max_length=50)
    physical: bool = True


class ScansBody(_Body):
    """All scans that the sender knows of a parcel."""

    updated_at: AwareDatetime
    scans: list[ScanBody] = Field(min_length=1, max_length=500)


def connect(settings: Settings, http: httpx.AsyncClient) -> Port:
    """The shop's REST as a port."""
    return Rest(settings)


class Rest(Port):
    """`clock` is machine time in seconds, for the replay window."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._keys = {k.key: k for k in settings.keys}
        self._clock = clock

    async def webhook(self, request: Request) -> Answer:
        parts = [unquote(p) for p in request.path.strip("/").split("/")]
        if parts == ["api", "openapi.json"]:
            return _json(200, openapi()) if request.method == "GET" else _fault(405, "only GET")
        wanted = _route(parts)
        if wanted is None:
            return _fault(404, "there is no such address; GET /api/openapi.json lists them")
        if request.method != "PUT":
            return _fault(405, "only PUT")
        if len(request.body) > LARGEST:
            return _fault(413, f"a body has at most {LARGEST} bytes")
        key, why = self._signed_by(request)
        if key is None:
            return _fault(401, why)
        scope, model = wanted
        if scope not in key.scopes:
            return _fault(403, f"this key has no scope {scope}; add it to web.api_keys")
        link = _link_token(key, parts[2]) if model is OrderBody else ""
        return _taken(request.body, model, parts, link)

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

    def decode(self, item: Stored) -> Event:
        told = msgspec.json.decode(item.body)
        if "order" in told:
            update = _order(item.key, told["order"], OrderBody.model_validate(told["body"]))
            return replace(update, link=told.get("link", ""))
        return _scans(item.key, told["carrier"], told["number"], ScansBody.model_validate(told["body"]))

    async def check(self) -> str:
        return f"the REST takes {len(self._keys)} key{'s' if len(self._keys) != 1 else ''}"


def _route(parts: Sequence[str]) -> tuple[str, type[_Body]] | None:
    match parts:
        case ["api", "orders", number] if number:
            return "orders", OrderBody
        case ["api", "parcels", carrier, number, "scans"] if carrier and number:
            return "scans", ScansBody
    return None


def _link_token(key: Key, number: str) -> str:
    """The token of an order's link: 128 bits that only the key's secret can tell, the same for every repeat."""
    made = hmac.new(key.secret.get_secret_value().encode(), f"link/{number}".encode(), hashlib.sha256).digest()
    return token(made)


def _taken(raw: bytes, model: type[_Body], parts: Sequence[str], link: str) -> Answer:
    try:
        told = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return _fault(400, "the body is not JSON")
    try:
        model.model_validate(told)
    except ValidationError as error:
        fields = [
            {"field": ".".join(str(p) for p in e["loc"]) or "body", "message": e["msg"]}
            for e in error.errors(include_input=False, include_url=False)
        ]
        return _json(422, {"error": "these fields are not as the schema says", "fields": fields})
    if model is OrderBody:
        content = {"order": parts[2], "body": told, "link": token_hash(link)}
        lane = order_lane(SOURCE, parts[2])
    else:
        content, lane = {"carrier": parts[2], "number": parts[3], "body": told}, parcel_lane(parts[3])
    body = msgspec.json.encode(content)
    key = hashlib.sha256(body).hexdigest()
    return replace(_json(202, {"accepted": True}, (Stored(key, lane, body),)), link=link)


def _json(status: int, told: Mapping[str, Any], items: tuple[Stored, ...] = ()) -> Answer:
    return Answer(status, msgspec.json.encode(told), {"content-type": "application/json"}, items)


def _fault(status: int, error: str) -> Answer:
    return _json(status, {"error": error})


def _order(event: str, number: str, body: OrderBody) -> OrderUpdate:
    order = order_of(number, body)
    return OrderUpdate(event, order.updated_at, order)


def order_of(number: str, body: OrderBody) -> Order:
    """The order that a body tells of."""
    return Order(
        number=number,
        updated_at=body.updated_at.astimezone(UTC),
        source=SOURCE,
        buyer_ref=body.buyer_ref,
        placed_at=_utc(body.placed_at),
        name=body.name,
        email=body.email,
        phone=body.phone,
        address=body.address,
        postcode=body.postcode,
        city=body.city,
        country=body.country,
        locale=body.locale,
        items=tuple(Item(i.title, i.quantity, i.specification, tuple(i.accessories), i.sku) for i in body.items),
        parcels=tuple(Shipment(p.number, p.carrier, _utc(p.shipped_at), tuple(p.items)) for p in body.parcels),
        incoterm=body.incoterm,
        duties=body.duties,
        promised=body.promised,
        cancelled=body.cancelled,
        consent=tuple(Consent(c.purpose, c.source, c.at.astimezone(UTC), c.given) for c in body.consent),
    )


def _scans(event: str, carrier: str, number: str, body: ScansBody) -> TrackUpdate:
    return TrackUpdate(event, body.updated_at.astimezone(UTC), track_of(carrier, number, body))


def track_of(carrier: str, number: str, body: ScansBody) -> Track:
    """The scans that a body tells of."""
    scans = tuple(
        Scan(
            raw_code=s.code,
            raw_text=s.text,
            raw_time=s.at.isoformat(),
            at=s.at.astimezone(UTC),
            local=s.at.replace(tzinfo=None),
            offset_from=OffsetFrom.EXPLICIT,
            status=s.status,
            cause=s.cause,
            place=Place(s.place, s.country),
            physical=s.physical,
            carrier=carrier,
            source=SOURCE,
        )
        for s in sorted(body.scans, key=lambda s: s.at)
    )
    return Track(carrier, number, scans, source=SOURCE, at=body.updated_at.astimezone(UTC))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None


def openapi() -> dict[str, Any]:
    """The schema that bodies are checked against, as OpenAPI 3.1."""
    reference = "#/components/schemas/{model}"
    schemas: dict[str, Any] = {}
    for model in (OrderBody, ScansBody):
        schema = model.model_json_schema(ref_template=reference)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    headers = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": text}
        for name, text in (
            ("X-Wismo-Key", "a key of web.api_keys"),
            ("X-Wismo-Timestamp", f"Unix seconds, within {REPLAY_SECONDS} s"),
            ("X-Wismo-Signature", "v1=<hex HMAC-SHA256(secret, timestamp.METHOD.path?query.body)>"),
        )
    ]

    def put(summary: str, model: str, *names: str) -> dict[str, Any]:
        path = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}
        answers = {"202": "stored", "401": "signature", "403": "scope", "413": "too large", "422": "fields"}
        return {
            "put": {
                "summary": summary,
                "parameters": path + headers,
                "requestBody": {"required": True, "content": content},
                "responses": {code: {"description": text} for code, text in answers.items()},
            }
        }

    return {
        "openapi": "3.1.0",
        "info": {"title": "Wismo", "version": "1"},
        "paths": {
            "/api/orders/{number}": put("An order as it stands", "OrderBody", "number"),
            "/api/parcels/{carrier}/{number}/scans": put("A parcel's scans", "ScansBody", "carrier", "number"),
        },
        "components": {"schemas": schemas},
    }
