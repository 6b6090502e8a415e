"""AfterShip: what its trackings say, how it is asked, and which pushes are believed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from adapters.carriers.aftership import AfterShip, Settings, connect, read
from bot.errors import Misconfigured, Refused, Temporary, WismoError
from bot.model.tracks import Leg, OffsetFrom, Role, Status, TrackRef
from bot.ports import Item, Request

RECORDED = Path(__file__).parents[2] / "recorded/carriers/aftership"
SECRET = "hook-secret"


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


def port(answer: Callable[[httpx.Request], httpx.Response] | None = None, secret: str | None = SECRET) -> AfterShip:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer or (lambda _: httpx.Response(500))))
    hook = SecretStr(secret) if secret else None
    return connect(Settings(api_key=SecretStr("k"), webhook_secret=hook, base_url="http://as.test"), http)


def test_a_tracking_becomes_a_timeline_of_both_carriers() -> None:
    (track,) = read(recorded("trackings"))
    assert (track.number, track.carrier, track.origin, track.destination) == ("LW000000005CN", "china-post", "CN", "DE")
    assert [(s.status.value, s.cause) for s in track.scans] == [
        ("accepted", "picked_up"),
        ("customs", "export_processing"),
        ("departed_origin", ""),
        ("arrived_destination", ""),
        ("customs", "held"),
        ("customs", "duty_due"),
        ("in_transit", ""),
        ("delivered", "signed"),
    ]
    assert [s.known for s in track.scans].count(False) == 1
    assert track.legs == (
        Leg("china-post", "LW000000005CN", Role.FIRST_MILE),
        Leg("dhl-paket", "00340000000000000001", Role.LAST_MILE),
    )
    assert track.eta is not None
    assert track.eta.first.date().isoformat() == "2026-10-15"
    assert track.proof_of_delivery == "https://pod.example/1.png"
    assert "NOBODY" not in repr(track)


def test_a_time_without_offset_is_the_places_and_said_to_be() -> None:
    (track,) = read(recorded("trackings"))
    first, second = track.scans[:2]
    assert (first.offset_from, first.at and first.at.isoformat()) == (OffsetFrom.LOCATION, "2026-10-01T02:30:00+00:00")
    assert second.offset_from is OffsetFrom.EXPLICIT


def test_a_push_and_an_answer_say_the_same() -> None:
    assert read(recorded("push")) == read(recorded("trackings"))


def test_an_error_is_one_clear_line() -> None:
    with pytest.raises(ValueError, match="AfterShip: 4004 Tracking does not exist"):
        read(recorded("not_found"))


async def test_known_numbers_are_read_and_new_ones_registered() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.method == "GET":
            return httpx.Response(200, content=recorded("trackings"))
        return httpx.Response(400, json={"meta": {"code": 4003}, "data": {}})

    old, new = await port(answer).track([TrackRef("LW000000005CN", "china-post"), TrackRef("SF1", "sf", country="DE")])
    assert old is not None
    assert old.status is Status.DELIVERED
    assert new is not None
    assert (new.status, new.cause) == (Status.UNKNOWN, "no_data_yet")
    assert asked[0].headers["as-api-key"] == "k"
    assert json.loads(asked[1].content) == {
        "tracking_number": "SF1",
        "slug": "sf-express",
        "destination_country_region": "DEU",
    }


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (401, {}, Misconfigured),
        (429, {"retry-after": "7"}, Temporary),
        (429, {"x-ratelimit-reset": "99999999999"}, Temporary),
        (503, {}, Temporary),
        (422, {}, Refused),
    ],
)
async def test_what_http_says_becomes_our_errors(status: int, headers: dict[str, str], error: type[WismoError]) -> None:
    with pytest.raises(error) as raised:
        await port(lambda _: httpx.Response(status, headers=headers, json={"meta": {"code": 1}})).track([TrackRef("A")])
    if isinstance(raised.value, Temporary) and status == 429:
        assert raised.value.retry_after
        assert raised.value.retry_after <= 3600
        assert raised.value.account_wide


def signed(body: bytes, secret: str = SECRET) -> Request:
    sign = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return Request("POST", "/hooks/aftership", {"aftership-hmac-sha256": sign}, {}, body)


async def test_a_signed_push_becomes_the_parcels_event() -> None:
    ours = port()
    answer = await ours.webhook(signed(recorded("push")))
    (one,) = answer.items
    assert (answer.status, one.lane) == (200, "p/LW000000005CN")
    update = ours.decode(one)
    assert update is not None
    assert update.track == read(recorded("push"))[0]


async def test_a_forged_push_is_refused_and_a_signed_riddle_is_kept() -> None:
    ours = port()
    for request in (signed(recorded("push"), "other"), Request("POST", "/", {"aftership-hmac-sha256": "é"}, {}, b"{}")):
        assert (await ours.webhook(request)).status == 401
    kept = await ours.webhook(signed(b"\xff"))
    assert (kept.status, kept.items[0].lane) == (200, "x/aftership")
    with pytest.raises(ValueError, match="AfterShip"):
        ours.decode(Item("k", "l", b"\xff"))
    assert (await port(secret=None).webhook(signed(recorded("push")))).status == 404


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (4003, "no_data_yet"),
        (4005, "invalid_number"),
        (4008, None),
        (4010, "not_found"),
        (4011, None),
        (4012, "not_found"),
        (4017, "invalid_number"),
    ],
)
async def test_a_number_that_is_refused_costs_itself_alone(code: int, cause: str | None) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, content=recorded("trackings"))
        return httpx.Response(400, json={"meta": {"code": code}, "data": {}})

    old, new = await port(answer).track([TrackRef("LW000000005CN", "china-post"), TrackRef("X1")])
    assert old is not None
    assert (new.cause if new else None) == cause


@pytest.mark.parametrize("code", [4001, 4999])
async def test_a_call_that_is_our_fault_is_said(code: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"meta": {"code": 200}, "data": {"trackings": []}})
        return httpx.Response(400, json={"meta": {"code": code}, "data": {}})

    with pytest.raises(Refused):
        await port(answer).track([TrackRef("X1")])


async def test_a_push_of_several_trackings_is_several_events() -> None:
    one = json.loads(recorded("push"))
    two = {"msg": [one["msg"], one["msg"] | {"tracking_number": "B1", "title": "half a \ud83d"}]}
    ours = port()
    answer = await ours.webhook(signed(json.dumps(two).encode()))
    assert [i.lane for i in answer.items] == ["p/LW000000005CN", "p/B1"]
    assert [u.track.number for i in answer.items if (u := ours.decode(i)) is not None] == ["LW000000005CN", "B1"]
