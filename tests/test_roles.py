"""Roles in processes of their own: each tells of itself."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bot import app as composition
from bot.app import Adapters, local_client, open_app
from bot.config import Config, Faults
from bot.model.clock import Clock
from bot.ports import Item
from bot.store.buckets import Rates
from bot.store.queue import Arrival
from tests.house import Wire

SHOP = {"name": "Lantern", "country": "DE", "timezone": "Europe/Berlin", "hours": {"mon-fri": "09:00-18:00"}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def running(data: Path, role: str, port: int) -> AsyncIterator[Wire]:
    """A role as a process has it: an app of its own on the database that all share."""
    config = Config.model_validate({"shop": SHOP, "database": {"data": str(data)}})
    wire, stop = Wire(), asyncio.Event()
    async with open_app(config, adapters=Adapters({"wire": wire}, {}, {}, {"wire": Rates(0, 0)})) as app:
        await app.store.migrate()
        serving = asyncio.create_task(composition.run(app, role, stop, metrics_port=port))
        try:
            yield wire
        finally:
            stop.set()
            await serving


async def told(client: httpx.AsyncClient, port: int, path: str = "/metrics") -> str:
    for _ in range(200):
        try:
            return (await client.get(f"http://127.0.0.1:{port}{path}")).text
        except httpx.ConnectError:
            await asyncio.sleep(0.05)
    raise AssertionError("nobody listens")


async def test_each_role_tells_what_it_counted_itself(tmp_path: Path) -> None:
    work, send = free_port(), free_port()
    hello = json.dumps({"at": Clock().now().isoformat(), "text": "hello"}).encode()
    async with running(tmp_path, "worker", work), running(tmp_path, "sender", send) as wire, local_client() as client:
        config = Config.model_validate({"shop": SHOP, "database": {"data": str(tmp_path)}})
        async with open_app(config, adapters=Adapters({}, {}, {}, {})) as web:
            await web.store.receive([Arrival("wire", Item("1", "c/test/shop/7", hello))])
        while not wire.sent:
            await asyncio.sleep(0.05)
        counted = 'wismo_sends_total{channel="test",state="sent"} 1.0'
        for _ in range(100):
            if counted in (sender := await told(client, send)):
                break
            await asyncio.sleep(0.05)
        worker = await told(client, work)
        assert counted in sender
        assert counted not in worker
        assert "wismo_database_up 1.0" in worker
        assert await told(client, work, "/readyz") == "ready"


async def test_a_metrics_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Faults, match="--metrics-port: cannot listen"):
        async with running(tmp_path, "sender", taken.getsockname()[1]):
            await asyncio.sleep(5)
