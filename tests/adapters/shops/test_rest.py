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

NOW = 1_795_516_200
"""2026-11-24 10:30 UTC."""
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


SCANS = {"updated_at": "2026-11-24T10:00:00Z", "scans": [{"at": "2026-11-24T09:00:00+08:00", "text": "Handed over"}]}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/orders/1", ORDER | {"updated_at": "2026-11-24T10:36:00Z"}, "updated_at"),
        ("/api/orders/1", ORDER | {"updated_at": "2099-01-01T00:00:00Z"}, "updated_at"),
        ("/api/orders/1", ORDER | {"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at"),
        ("/api/orders/1", ORDER | {"updated_at": 1_795_516_200}, "updated_at"),
        ("/api/orders/1", ORDER | {"updated_at": "1795516200"}, "updated_at"),
        ("/api/orders/1", ORDER | {"placed_at": "9999-12-31T23:59:59-14:00"}, "placed_at"),
        ("/api/orders/1", ORDER | {"cancelled": "yes"}, "cancelled"),
        ("/api/orders/1", ORDER | {"name": "A\x00B"}, "name"),
        ("/api/orders/1", ORDER | {"items": [{"title": "Lamp", "quantity": "2"}]}, "items.0.quantity"),
        ("/api/orders/1", ORDER | {"parcels": [{"number": "RB123", "items": [1]}]}, "parcels.0.items"),
        ("/api/orders/1", ORDER | {"parcels": [{"number": "RB123", "items": [-1]}]}, "parcels.0.items.0"),
        ("/api/orders/a%00", ORDER, "number"),
        ("/api/orders/%20", ORDER, "number"),
        ("/api/orders/" + "9" * 101, ORDER, "number"),
        ("/api/parcels/dhl/JD%000001/scans", SCANS, "number"),
        ("/api/orders/1", ORDER | {"parcels": [{"number": "- - - -"}]}, "parcels.0.number"),
        ("/api/parcels/dhl/1/scans", SCANS, "number"),
        ("/api/parcels/" + "d" * 51 + "/JD0001/scans", SCANS, "carrier"),
        ("/api/parcels/dhl/JD0001/scans", SCANS | {"updated_at": "2026-11-24T10:36:00Z"}, "updated_at"),
        (
            "/api/parcels/dhl/JD0001/scans",
            SCANS | {"scans": [{"at": "2026-11-25T10:31:00Z", "text": "Delivered"}]},
            "scans.0.at",
        ),
    ],
)
async def test_what_could_not_be_handled_later_is_refused_at_once(path: str, body: Any, field: str) -> None:
    keys = [{"key": "shop", "secret": "s3cret", "scopes": ["orders", "scans"]}]
    answer = await Rest(Settings.model_validate({"keys": keys}), lambda: NOW).webhook(request(path, body))
    assert answer.status == 422
    assert [f["field"] for f in told(answer)["fields"]] == [field]
    assert not answer.items


async def test_a_number_is_the_same_however_it_is_spelled(rest: Rest) -> None:
    answer = await rest.webhook(
        request("/api/orders/1", ORDER | {"parcels": [{"number": "rb 123456785-cn", "carrier": "China-Post"}]})
    )
    order = rest.decode(answer.items[0])
    assert isinstance(order, OrderUpdate)
    path = "/api/parcels/China-Post/rb%20123456785cn/scans"
    scans = await rest.webhook(request(path, SCANS, key="depot", secret="d"))
    track = rest.decode(scans.items[0])
    assert isinstance(track, TrackUpdate)
    shipment = order.order.parcels[0]
    assert (shipment.carrier, shipment.number) == (track.track.carrier, track.track.number)
    assert scans.items[0].lane == f"p/{shipment.number}"


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
