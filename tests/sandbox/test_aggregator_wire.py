"""All that 17TRACK and AfterShip are asked for, by our adapters, over the emulators' wire (issue 3)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request as WebRequest
from starlette.responses import Response
from starlette.routing import Mount, Route

from adapters.carriers.aftership import AfterShip
from adapters.carriers.aftership import Settings as AfterShipSettings
from adapters.carriers.seventeentrack import Settings
from adapters.carriers.seventeentrack.source import SeventeenTrack
from bot.errors import Temporary
from bot.model.clock import Clock
from bot.model.tracks import Status, TrackRef
from bot.ports import Request
from bot.sandbox.carriers import AfterShipApi
from bot.sandbox.platform import Bucket
from bot.sandbox.seventeentrack import SeventeenTrackApi
from bot.sandbox.shop import make_shop

CLOCK = Clock()
SHOP = make_shop(CLOCK.now())
REFS = [TrackRef(j.number) for j in SHOP.journeys[:40]]


class Town:
    """Both aggregators and a bot's webhook on one client; `hook` is what the webhook answers."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hook = 200
        self.heard: list[Request] = []
        self.http = httpx.AsyncClient(base_url="http://town")
        self.seventeen = SeventeenTrackApi(self.clock, self.http, "a-token", SHOP.journeys)
        self.seventeen.rates = Bucket(100, 0.0, 10**6)
        self.aftership = AfterShipApi(self.clock, self.http, SHOP.journeys)
        routes = [
            Mount("/17track", routes=self.seventeen.routes()),
            Mount("/aftership", routes=self.aftership.routes()),
            Route("/hook", self._hook, methods=["POST"]),
        ]
        self.http._transport = httpx.ASGITransport(Starlette(routes=routes))

    async def _hook(self, request: WebRequest) -> Response:
        self.heard.append(Request("POST", "/hook", dict(request.headers), {}, await request.body()))
        return Response(status_code=self.hook)

    def ask_17track(self) -> SeventeenTrack:
        settings = Settings.model_validate({"token": "a-token", "base_url": "http://town/17track/track/v2.4"})
        return SeventeenTrack(settings, self.http)

    def ask_aftership(self) -> AfterShip:
        return AfterShip(AfterShipSettings.model_validate(self.aftership.settings("http://town")), self.http)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    made.seventeen.hook = made.aftership.hook = "http://town/hook"
    yield made
    await made.http.aclose()


async def test_17track_registers_forty_reads_them_asks_anew_and_tells_its_quota(town: Town) -> None:
    source = town.ask_17track()
    assert [t is not None and t.cause for t in await source.track(REFS)] == ["no_data_yet"] * 40
    assert await source.check() == "17TRACK: 960 of 1000 numbers left"
    for ask in (source.track, source.refresh):
        tracks = await ask(REFS)
        assert all(t is not None and t.number == r.number for t, r in zip(tracks, REFS, strict=True))
        assert any(t is not None and t.scans for t in tracks)


async def test_17track_stops_a_number_once_and_tracks_it_again_once(town: Town) -> None:
    source = town.ask_17track()
    await source.track(REFS[:2])
    await source.stop(REFS[:1])
    await source.stop(REFS[:1])
    assert await source.resume(REFS[:2]) == REFS[:1]
    await source.stop(REFS[:1])
    assert await source.resume(REFS[:1]) == []


async def test_17tracks_push_is_believed_and_one_that_nobody_took_is_found_again(town: Town) -> None:
    source = town.ask_17track()
    await source.track(REFS[:1])
    (event,) = [town.seventeen._queue.get_nowait() for _ in range(town.seventeen._queue.qsize())]
    await town.seventeen._deliver(event)
    answer = await source.webhook(town.heard[-1])
    (item,) = answer.items
    update = source.decode(item)
    assert answer.status == 200
    assert update is not None
    assert update.track.number == REFS[0].number
    assert await source.missed(town.clock.now() - timedelta(hours=6)) == []
    town.hook, town.seventeen.tries = 503, 1
    await town.seventeen._deliver(event)
    missed = await source.missed(town.clock.now() - timedelta(hours=6))
    assert [ref.number for ref in missed] == [REFS[0].number]


async def test_aftership_registers_reads_tracks_again_and_its_push_is_believed(town: Town) -> None:
    source = town.ask_aftership()
    refs = REFS[:3]
    assert [t is not None and t.cause for t in await source.track(refs)] == ["no_data_yet"] * 3
    (wrong,) = await source.track([TrackRef("ZZ0000000000")])
    assert wrong is not None
    assert (wrong.status, wrong.cause) == (Status.UNKNOWN, "not_found")
    tracks = await source.track(refs)
    assert [t is not None and t.number for t in tracks] == [r.number for r in refs]
    assert await source.resume(refs) == []
    key = town.aftership.registered[refs[0].number]
    url = f"http://town/aftership/tracking/2026-07/trackings/{key}/mark-as-completed"
    assert (await town.http.post(url, headers={"as-api-key": town.aftership.secret})).is_success
    assert await source.resume(refs) == refs[:1]
    town.aftership.push()
    await town.aftership._deliver(town.aftership._queue.get_nowait())
    answer = await source.webhook(town.heard[-1])
    assert (answer.status, len(answer.items)) == (200, 1)
    assert source.decode(answer.items[0]) is not None


async def test_a_limit_is_said_with_its_wait(town: Town) -> None:
    town.aftership.faults.too_many = town.seventeen.faults.too_many = True
    for source in (town.ask_17track(), town.ask_aftership()):
        with pytest.raises(Temporary) as raised:
            await source.track(REFS[:1])
        assert raised.value.account_wide
