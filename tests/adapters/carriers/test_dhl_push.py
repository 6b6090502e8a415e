"""DHL's pushes: who may send them, the handshake of a subscription, and whose lane they go to."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.carriers.dhl import Dhl, Settings, connect
from adapters.carriers.dhl.source import division_of
from bot.model.tracks import Status
from bot.ports import Item, Request

SELF = "https://api-eu.dhl.com/tracking/push/v1/subscription/0a1b2c3d-0000-4000-8000-000000000001"
VALIDATE = {"scope": "subscription.validate", "self": SELF, "secret": "once", "note": "x"}


def port(answer: int = 204, token: str = "t") -> tuple[Dhl, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(answer)

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    settings = Settings(api_key=SecretStr("k"), webhook_token=SecretStr(token), base_url="https://dhl.example")
    return connect(settings, http), asked


def sent(body: Any, token: str = "t") -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", "/hooks/dhl", {"x-wismo-token": token}, {}, raw)


def shipment(number: str, code: str = "OK") -> dict[str, Any]:
    status = {"timestamp": "2026-11-14T09:05:00+01:00", "statusCode": "delivered", "status": code}
    return {"id": number, "service": "express", "status": status}


async def test_a_push_is_split_by_shipment_and_its_status_is_a_scan() -> None:
    source, _ = port()
    body = {"scope": "subscription.push", "self": SELF, "shipments": [shipment("1234567890"), shipment("1234567891")]}
    answer = await source.webhook(sent(body))
    assert (answer.status, len({item.lane for item in answer.items})) == (200, 2)
    updates = [source.decode(item) for item in answer.items]
    assert [u.track.number for u in updates if u] == ["1234567890", "1234567891"]
    assert {s.status for u in updates if u for s in u.track.scans} == {Status.DELIVERED}
    again = await source.webhook(sent(body))
    assert [i.key for i in again.items] == [i.key for i in answer.items]
    assert source.capabilities.push


async def test_only_who_knows_the_token_is_heard() -> None:
    source, asked = port()
    for token in ("", "x", "é☃"):
        assert (await source.webhook(sent(VALIDATE, token))).status == 401
    assert (await port(token="")[0].webhook(sent(VALIDATE, ""))).status == 404
    assert asked == []


async def test_the_subscription_is_affirmed_at_dhls_own_address_with_its_secret() -> None:
    source, asked = port()
    elsewhere = VALIDATE | {"self": SELF.replace("api-eu.dhl.com", "evil.example")}
    assert (await source.webhook(sent(elsewhere))).status == 200
    (request,) = asked
    assert str(request.url) == SELF.replace("api-eu.dhl.com", "dhl.example")
    assert (request.headers["dhl-api-hook-secret"], request.headers["dhl-api-key"]) == ("once", "k")


@pytest.mark.parametrize(
    ("body", "answer", "status"),
    [
        (VALIDATE, 500, 502),
        (VALIDATE, 404, 502),
        (VALIDATE, 401, 502),
        (VALIDATE | {"self": "nothing"}, 204, 400),
        (VALIDATE | {"secret": "ü"}, 204, 400),
    ],
)
async def test_a_handshake_that_fails_is_told_so_that_dhl_asks_again(body: Any, answer: int, status: int) -> None:
    assert (await port(answer)[0].webhook(sent(body))).status == status


async def test_news_of_the_subscription_concern_no_parcel_and_nonsense_is_kept() -> None:
    source, _ = port()
    for body in ({"scope": "subscription.ready", "self": SELF}, b"<html>", {"a": 1}):
        answer = await source.webhook(sent(body))
        assert (answer.status, [i.lane for i in answer.items]) == (200, ["x/dhl"])
    assert source.decode(Item("k", "x/dhl", json.dumps({"scope": "subscription.ready"}).encode())) is None
    ended = await source.webhook(sent({"scope": "subscription.deleted", "self": SELF}))
    assert [alarm.about for alarm in ended.alarms] == ["DHL says subscription.deleted"]
    with pytest.raises(ValueError, match="neither"):
        source.decode(Item("k", "x/dhl", b'{"a": 1}'))


@pytest.mark.parametrize(
    ("number", "service"),
    [
        ("00340434161094000001", "parcel-de"),
        ("3SABCD012345678", "parcel-nl"),
        ("RR123456785DE", "post-de"),
        ("1234567890", ""),
        ("JD014600000000000001", ""),
    ],
)
def test_a_number_that_one_division_alone_gives_is_asked_of_it(number: str, service: str) -> None:
    assert division_of(number) == service


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["\ud800", "1", "delivered"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["shipments", "id", "status", "events", "scope", "package"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(body=ODD)
async def test_whatever_came_with_the_token_is_kept(body: Any) -> None:
    answer = await port()[0].webhook(sent(body))
    assert answer.status == 200
    assert answer.items
    assert all(item.lane for item in answer.items)
