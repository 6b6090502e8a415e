"""The signed REST: who may call, what is refused and how it is told, and what becomes of it."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.shops.rest import Rest, Settings, openapi
from bot.model.orders import OrderUpdate
from bot.model.tracks import Status, TrackUpdate
from bot.ports import Answer, Request

NOW = 1_790_000_000
ORDER = {
    "updated_at": "2026-11-24T10:00:00+08:00",
    "email": "a@example.org",
    "country": "DE",
    "items": [{"title": "Lamp", "quantity": 2, "specification": "warm", "accessories": ["clamp"]}],
    "parcels": [{"number": "RB123456785CN", "carrier": "china-post"}],
    "duties": "seller",
}
KEYS = [{"key": "shop", "secret": "s3cret", "scopes": ["orders"]}, {"key": "depot", "secret": "d", "scopes": ["scans"]}]


@pytest.fixture
def rest() -> Rest:
    return Rest(Settings.model_validate({"keys": KEYS}), lambda: NOW)


def request(
    path: str,
    body: Any,
    *,
    key: str = "shop",
    secret: str = "s3cret",
    at: str = str(NOW),
    method: str = "PUT",
    query: str = "",
    signature: str | None = None,
) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = f"{at}.{method}.{path}{'?' + query if query else ''}.".encode() + raw
    sign = signature if signature is not None else "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    headers = {"x-wismo-key": key, "x-wismo-timestamp": at, "x-wismo-signature": sign}
    return Request(method, path, headers, {}, raw, query)


def told(answer: Answer) -> Any:
    return json.loads(answer.body)


async def test_an_order_is_taken_and_becomes_an_update(rest: Rest) -> None:
    answer = await rest.webhook(request("/api/orders/A-1042", ORDER))
    assert answer.status == 202
    update = rest.decode(answer.items[0])
    assert isinstance(update, OrderUpdate)
    assert update.order.number == "A-1042"
    assert update.order.items[0].accessories == ("clamp",)
    assert update.order.updated_at.isoformat() == "2026-11-24T02:00:00+00:00"


async def test_a_repeat_is_the_same_event(rest: Rest) -> None:
    one, two = [await rest.webhook(request("/api/orders/1", ORDER, at=at)) for at in (str(NOW), str(NOW + 9))]
    assert one.items == two.items


async def test_scans_are_taken_with_their_own_scope(rest: Rest) -> None:
    body = {
        "updated_at": "2026-11-24T10:00:00Z",
        "scans": [
            {"at": "2026-11-24T09:00:00+08:00", "text": "Handed to airline", "status": "in_transit", "country": "CN"}
        ],
    }
    path = "/api/parcels/forwarder/FW123456/scans"
    assert (await rest.webhook(request(path, body))).status == 403
    answer = await rest.webhook(request(path, body, key="depot", secret="d"))
    update = rest.decode(answer.items[0])
    assert isinstance(update, TrackUpdate)
    assert update.track.scans[0].status == Status.IN_TRANSIT
    assert answer.items[0].lane == "p/FW123456"


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "nobody"},
        {"secret": "guess"},
        {"at": str(NOW - 301)},
        {"at": str(NOW + 301)},
        {"at": "soon"},
        {"at": ""},
        {"at": "٣٤"},
        {"signature": ""},
        {"signature": "v1=é"},
        {"key": "", "secret": ""},
    ],
)
async def test_who_does_not_sign_rightly_is_refused(rest: Rest, wrong: dict[str, str]) -> None:
    answer = await rest.webhook(request("/api/orders/1", ORDER, **wrong))
    assert answer.status == 401
    assert not answer.items
    assert "X-Wismo" in told(answer)["error"]


async def test_the_signature_covers_query_and_path(rest: Rest) -> None:
    good = request("/api/orders/1", ORDER, query="a=1")
    assert (await rest.webhook(good)).status == 202
    moved = Request("PUT", "/api/orders/2", good.headers, {}, good.body, "a=1")
    assert (await rest.webhook(moved)).status == 401
    bare = Request("PUT", "/api/orders/1", good.headers, {}, good.body, "")
    assert (await rest.webhook(bare)).status == 401


async def test_a_wrong_field_is_named(rest: Rest) -> None:
    wrong = ORDER | {"items": [{"title": "Lamp", "quantity": 0}], "colour": "red", "country": "Germany"}
    answer = await rest.webhook(request("/api/orders/1", wrong))
    assert answer.status == 422
    assert {f["field"] for f in told(answer)["fields"]} == {"items.0.quantity", "colour", "country"}


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/api/nothing", "PUT", ORDER, 404),
        ("/api/orders/1", "POST", ORDER, 405),
        ("/api/orders/1", "PUT", b"{", 400),
        ("/api/orders/1", "PUT", b"x" * (1024 * 1024 + 1), 413),
        ("/api/orders/", "PUT", ORDER, 404),
    ],
)
async def test_what_is_not_offered_is_refused_plainly(
    rest: Rest, path: str, method: str, body: Any, status: int
) -> None:
    assert (await rest.webhook(request(path, body, method=method))).status == status


async def test_the_schema_is_published_to_anybody(rest: Rest) -> None:
    answer = await rest.webhook(Request("GET", "/api/openapi.json", {}, {}, b""))
    assert answer.status == 200
    assert told(answer) == openapi()
    assert "OrderBody" in openapi()["components"]["schemas"]


@given(st.binary(max_size=300))
async def test_no_signed_body_makes_it_fall_over(body: bytes) -> None:
    port = Rest(Settings.model_validate({"keys": KEYS}), lambda: NOW)
    answer = await port.webhook(request("/api/orders/1", body))
    assert answer.status in {202, 400, 422}
