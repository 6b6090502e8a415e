"""The carriers' emulators: first by their documents, then by our own adapters over the same wire."""

import asyncio
import importlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from bot.errors import Misconfigured, Temporary
from bot.model.clock import Clock
from bot.model.tracks import Track, TrackRef, TrackUpdate
from bot.ports import Item, Request, TrackingSource
from bot.sandbox.carriers import (
    AfterShipApi,
    CarrierApi,
    DhlApi,
    EmsApi,
    FedExApi,
    MyDhlApi,
    SfApi,
    TntApi,
    UpsApi,
    words,
)
from bot.sandbox.shop import SLUGS, Journey, Shop, make_shop
from bot.tracking.timeline import derive, merge

APIS = (UpsApi, FedExApi, DhlApi, SfApi, TntApi, MyDhlApi, AfterShipApi, EmsApi)
CLOCK = Clock()
SHOP: Shop = make_shop(CLOCK.now())
Api = type[CarrierApi]


def journeys(api: Api, story: str = "") -> list[Journey]:
    """The journeys of a carrier; AfterShip knows everybody's, MyDHL those of DHL."""
    whose = {"mydhl": "dhl", "aftership": "yunexpress"}.get(api.name, api.name)
    return [j for j in SHOP.journeys if SLUGS[j.carrier] == whose and story in {"", j.story}]


class Rig:
    """One emulator with an HTTP client on it, and our adapter on the same client."""

    def __init__(self, api: Api) -> None:
        self.clock = Clock()
        self.api = api(self.clock, httpx.AsyncClient(), SHOP.journeys)
        app = Starlette(routes=[Mount(self.api.path, routes=self.api.routes())])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town")

    def adapter(self, **other: Any) -> TrackingSource:
        module = importlib.import_module(f"adapters.carriers.{self.api.name}")
        settings = module.Settings.model_validate({**self.api.settings("http://town"), **other})
        source: TrackingSource = module.connect(settings, self.http)
        return source

    async def track(self, journey: Journey) -> Track:
        source, ref = self.adapter(), TrackRef(journey.number, self.api.name, "1234")
        if self.api.name == "aftership":
            await source.track([ref])  # the first time it is only registered
        (track,) = await source.track([ref])
        assert track is not None
        return track


@pytest.fixture(params=APIS, ids=lambda api: str(api.name))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made = Rig(request.param)
    yield made
    await made.http.aclose()


async def test_every_scan_of_a_journey_comes_over_the_wire_once(rig: Rig) -> None:
    for journey in journeys(type(rig.api))[:12]:
        track = await rig.track(journey)
        happened = [s for s, _ in rig.api.happened(journey)]
        silent = {"InfoReceived"} if rig.api.name in {"sf", "tnt"} else set()
        assert [s.raw_text.rstrip(".") for s in track.scans] == [s.text for s in happened if s.sub not in silent]
        assert track.number == journey.number


async def test_what_is_delivered_held_or_on_its_way_is_read_as_that(rig: Rig) -> None:
    for journey in journeys(type(rig.api)):
        track = merge(None, await rig.track(journey))
        state = derive(track, rig.clock.now())
        done = [s for s, _ in rig.api.happened(journey)]
        last = done[-1].sub if done else ""
        assert (state.status.value == "delivered") is (last == "Delivered_Other"), (journey.story, last)
        if last == "InTransit_CustomsRequiringInformation":
            assert state.status.value == "customs", journey
        if last == "OutForDelivery_Other":
            assert state.status.value == "out_for_delivery", journey


async def test_the_clock_brings_news(rig: Rig) -> None:
    journey = journeys(type(rig.api))[0]
    rig.clock.ahead = journey.started_at + journey.steps[3].after - rig.clock.now()
    before = len((await rig.track(journey)).scans)
    rig.clock.forward(timedelta(days=90))
    assert len((await rig.track(journey)).scans) > before


async def test_an_unknown_number_is_no_track_of_scans(rig: Rig) -> None:
    known = journeys(type(rig.api))[0]
    (track,) = await rig.adapter().track([TrackRef(known.number[:-3] + "999", rig.api.name, "1234")])
    assert track is None or (track.scans, track.cause) == ((), "not_found")


async def test_wrong_credentials_are_told_as_such(rig: Rig) -> None:
    settings = rig.api.settings("http://town")
    secret = next(k for k in ("client_secret", "api_key", "checkword", "password", "authorization") if k in settings)
    with pytest.raises(Misconfigured):
        await rig.adapter(**{secret: "wrong"}).track([TrackRef(journeys(type(rig.api))[0].number, "", "1234")])


async def test_a_busy_or_broken_carrier_is_temporary(rig: Rig) -> None:
    ref = TrackRef(journeys(type(rig.api))[0].number, "", "1234")
    source = rig.adapter()
    await source.track([ref])
    for fault in ("too_many", "down"):
        setattr(rig.api.faults, fault, True)
        with pytest.raises(Temporary):
            await source.track([ref])
        setattr(rig.api.faults, fault, False)


async def test_a_token_that_ended_is_renewed_by_itself() -> None:
    for api in (UpsApi, FedExApi):
        rig = Rig(api)
        source = rig.adapter()
        ref = TrackRef(journeys(api)[0].number)
        await source.track([ref])
        rig.api.token = "another"  # type: ignore[attr-defined]
        assert (await source.track([ref]))[0] is not None


async def test_sf_refuses_a_form_that_was_changed_on_the_way() -> None:
    rig = Rig(SfApi)
    form = {"partnerID": rig.api.user, "serviceCode": "EXP_RECE_SEARCH_ROUTES", "timestamp": "1", "msgData": "{}"}
    answer = await rig.http.post("/sf/std/service", data={**form, "msgDigest": "AAAA"})
    assert answer.json()["apiResultCode"] == "A1006"


def test_every_step_of_every_story_has_a_word() -> None:
    assert {s.sub for j in SHOP.journeys for s in j.steps} <= set(words())


async def test_ups_takes_a_subscription_of_its_own_numbers_only() -> None:
    rig = Rig(UpsApi)
    (journey, *_) = journeys(UpsApi)
    source = rig.adapter(webhook_credential="let-me-in")
    assert await source.track([TrackRef(journey.number, "ups")])
    token = (await rig.http.post("/ups/security/v1/oauth/token", auth=(rig.api.user, rig.api.secret))).json()
    bearer = {"authorization": f"Bearer {token['access_token']}"}
    url = "/ups/api/track/v2/subscription/standard/package"
    taken = await rig.http.post(url, json={"trackingNumberList": ["1Z1", "x"]}, headers=bearer)
    assert taken.json() == {"validTrackingNumbers": ["1Z1"], "invalidTrackingNumbers": ["x"]}
    assert (await rig.http.post(url, json={"trackingNumberList": ["x"]}, headers=bearer)).status_code == 400
    assert (await rig.http.post(url, json={})).status_code == 401


async def test_dhl_pushes_once_its_subscription_was_affirmed() -> None:
    rig = Rig(DhlApi)
    journey = next(j for j in journeys(DhlApi) if rig.api.happened(j))
    source = rig.adapter(webhook_token="let-me-in")
    told: list[Item] = []

    async def hook(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = await source.webhook(Request("POST", "/hooks/dhl", headers, {}, await request.aread()))
        told.extend(answer.items)
        return httpx.Response(answer.status)

    rig.api.http, rig.api.hook = httpx.AsyncClient(transport=httpx.MockTransport(hook)), "http://bot/hooks/dhl"
    named = {"type": "ApiKeyAuthentication", "header": "X-Wismo-Token", "token": "let-me-in"}
    wanted = {"hook": {"uri": rig.api.hook, "authentication": named}, "type": "Shipment", "service": "express"}
    asked = wanted | {"format": "Default", "events": ["Transit"], "shipmentIDs": [journey.number]}
    key = {"DHL-API-Key": rig.api.secret}
    url = "/dhl/tracking/push/v1/subscription"
    assert (await rig.http.post(url, json=asked)).status_code == 401
    assert (await rig.http.post(url, json=asked | {"shipmentIDs": []}, headers=key)).status_code == 400
    assert (await rig.http.post(url, json=asked, headers=key)).status_code == 202
    delivering = asyncio.create_task(rig.api.deliver())
    assert isinstance(rig.api, DhlApi)
    async with asyncio.timeout(10):
        while rig.api.undelivered:
            await asyncio.sleep(0.01)
        rig.api.push()
        while rig.api.undelivered:
            await asyncio.sleep(0.01)
    delivering.cancel()
    updates = [update for item in told if isinstance(update := source.decode(item), TrackUpdate)]
    (last,) = rig.api.happened(journey)[-1:]
    assert [(u.track.number, u.track.scans[-1].raw_text) for u in updates] == [(journey.number, last[0].text)]
