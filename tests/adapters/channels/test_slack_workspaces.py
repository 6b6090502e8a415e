"""Two workspaces as desks of one shop, over HTTP and Socket Mode: a case goes from one to the other, and each hears its
own people alone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from bot.app import local_client, open_app, serve
from bot.config import build
from bot.sandbox.slack import SlackApi
from bot.sandbox.slackrooms import Room
from bot.sandbox.town import Town
from tests.adapters.channels.test_slack_desk import KIM, LEE, Shop

DESK = {
    "queues": {"returns": {"kinds": ["return_refund"]}},
    "channels": {
        "slack": {"queues": {"default": "C0DESK"}, "staff": {LEE: "Lee"}},
        "warehouse": {"queues": {"returns": "C0RETURNS"}, "staff": {KIM: "Kim"}},
    },
}


@dataclass
class Two:
    """The shop, whose first workspace is the town's, and the second with its desk's channel."""

    shop: Shop
    other: SlackApi
    room: Room

    def press(self, who: str, act: str, message: dict[str, Any]) -> None:
        elements = [e for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]]
        value = next(e["value"] for e in elements if e["value"].startswith(f"{act}:"))
        self.other.staff_press(who, self.room.id, message, value)


def listening() -> tuple[socket.socket, int]:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made, int(made.getsockname()[1])


def second(town: Town, http: httpx.AsyncClient, port: int, web: int) -> tuple[SlackApi, dict[str, str]]:
    """Another workspace, and its account as the config names it."""
    made = SlackApi(
        town.clock, http, "xoxb-of-the-warehouse", "secret-of-the-warehouse", f"http://127.0.0.1:{port}/slack"
    )
    made.team, made.hook = "T0WAREHOUSE", f"http://127.0.0.1:{web}/hooks/warehouse"
    made.socket.on = town.slack.socket.on
    mode = {"mode": "socket", "app_token": made.socket.token} if made.socket.on else {"signing_secret": made.secret}
    return made, {"adapter": "slack", "bot_token": made.token, "base_url": f"{made.base}/api/", **mode}


@pytest.fixture(params=["http", "socket"])
async def two(request: pytest.FixtureRequest, town: Town, tmp_path: Path) -> AsyncIterator[Two]:
    town.slack.socket.on = request.param == "socket"
    (web, port), (at, other_port), stop, done = listening(), listening(), asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        other, account = second(town, await stack.enter_async_context(local_client()), other_port, port)
        config: dict[str, Any] = {**town.config(port, str(tmp_path)), "desk": DESK, "carriers": {}}
        config["channels"] = {**config["channels"], "warehouse": account}
        app = await stack.enter_async_context(open_app(build(config, {}), town.clock))
        await app.store.migrate()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        served = group.create_task(serve(Starlette(routes=[Mount("/slack", routes=other.routes())]), at, done))
        works = (serve(app.web, web, stop), app.worker.run(), app.sender.run())
        tasks = [group.create_task(work) for work in works]
        living = [group.create_task(work) for work in (town.live(port), other.deliver())]
        await app.adapters.channels["telegram"].register(f"http://127.0.0.1:{port}/hooks/telegram")
        first = Shop(town, app, town.slack.staff.add("C0DESK", LEE, KIM), town.phone(town.telegram))
        yield Two(first, other, other.staff.add("C0RETURNS", KIM))
        app.worker.stop()
        await app.sender.stop()
        stop.set()
        for task in living:
            task.cancel()
        await asyncio.wait(tasks, timeout=10)
        done.set()
        await served


async def test_a_case_goes_from_one_workspace_to_the_other(two: Two) -> None:
    shop, room = two.shop, two.room
    await shop.open_case()
    shop.say(LEE, "r: Hello from Lee")
    await shop.until(lambda: "Hello from Lee" in shop.read())
    assert not room.messages
    shop.press(LEE, "assign")
    view = await shop.until(lambda: next(iter(shop.town.slack.staff.views.values()), None))
    shop.town.slack.staff_submit(view, "queue:returns")
    root = await shop.until(lambda: next(iter(room.roots()), None))
    assert "Lee speaks" in root["text"]
    await shop.until(lambda: "It goes on in the queue returns" in shop.root()["text"])
    two.other.staff_say(KIM, room.id, root["ts"], "r: Hello from Kim")
    who, told = await shop.until(lambda: next(iter(room.whispers), None))
    assert (who, "Lee speaks" in told["text"], "Hello from Kim" in told["text"]) == (KIM, True, True)
    two.press(KIM, "take", told)
    await shop.held_by("staff:Kim")
    shop.say(LEE, "r: Lee again")
    who, told = await shop.until(lambda: next(iter(shop.room.whispers), None))
    assert (who, "Kim speaks" in told["text"], "Lee again" in told["text"]) == (LEE, True, True)
    shop.say(KIM, "r: Kim works elsewhere")
    two.other.staff_say(KIM, room.id, root["ts"], "r: Kim once more")
    await shop.until(lambda: "Kim once more" in shop.read())
    people = [said for said in shop.read() if said.startswith(("Hello", "Lee", "Kim"))]
    assert people == ["Hello from Lee", "Kim once more"]
