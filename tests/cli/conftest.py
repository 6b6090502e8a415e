"""A shop's folder with a config in it, and the `wismo` command as a person types it."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import pytest
import yaml
from typer.testing import CliRunner, Result

from bot.app import local_client, serve
from bot.cli.main import create_cli
from bot.model.clock import Clock
from bot.sandbox.town import Town, make_town
from bot.store import Store

T = TypeVar("T")
Wismo = Callable[..., Result]
WithStore = Callable[[Callable[[Store], Awaitable[Any]]], Any]

SHOP = {"name": "Lantern", "country": "DE", "timezone": "Europe/Berlin", "hours": {"mon-fri": "09:00-18:00"}}
TOKEN = "EAA-never-print-me"


class Platform(BaseHTTPRequestHandler):
    """As much of WhatsApp's Graph API as credentials are tried with: GET /<version>/<phone number id>."""

    hook = ""

    def do_GET(self) -> None:
        good = self.headers["Authorization"] == f"Bearer {TOKEN}"
        body = (
            b'{"id": "106", "display_phone_number": "+49 30 901820", "verified_name": "Lantern"}'
            if good
            else b'{"error": {"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190}}'
        )
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Telegram's Bot API, as far as `doctor` asks it: who the bot is, and where its events go."""
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        told = {
            "getMe": {"id": 111, "is_bot": True, "first_name": "Lantern", "username": "lanternbot"},
            "getWebhookInfo": {"url": self.hook, "has_custom_certificate": False, "pending_update_count": 0},
        }[self.path.rpartition("/")[2]]
        body = json.dumps({"ok": True, "result": told}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def platform() -> Iterator[str]:
    """The base URL of a WhatsApp that knows one token."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Platform)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v24.0"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def whole_town() -> Iterator[Town]:
    """The emulated platforms in a thread of their own: the command has a loop of its own."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    made: list[Town] = []
    loop, ended = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with local_client() as client:
            made.append(make_town(Clock(), client, listening.getsockname()[1]))
            await serve(made[0].app, listening, ended)

    thread = Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    while not made:
        thread.join(0.01)
    yield made[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Writes config.yaml from its parts."""

    def write(**parts: Any) -> Path:
        file = tmp_path / "config.yaml"
        values = {"shop": SHOP, "database": {"data": str(tmp_path / "data")}, **parts}
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        return file

    return write


@pytest.fixture
def whatsapp(platform: str) -> dict[str, Any]:
    """A WhatsApp account whose credentials work."""
    return {
        "phone_number_id": "106",
        "access_token": TOKEN,
        "app_secret": "app-never-print-me",
        "verify_token": "verify-never-print-me",
        "base_url": platform,
    }


@pytest.fixture
def wismo(tmp_path: Path) -> Wismo:
    """Runs the command with this shop's config."""

    def run(*words: str, config: Path | None = None, typed: str | None = None) -> Result:
        file = config or tmp_path / "config.yaml"
        env = {"WISMO_CONFIG": str(file), "COLUMNS": "200"}
        return CliRunner(env=env).invoke(create_cli(), list(words), input=typed, catch_exceptions=False)

    return run


@pytest.fixture
def with_store(tmp_path: Path) -> WithStore:
    """Does something with the shop's SQLite store, brought up to date."""

    def act(work: Callable[[Store], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            (tmp_path / "data").mkdir(exist_ok=True)
            store = Store(f"sqlite:///{tmp_path / 'data' / 'wismo.db'}", Clock())
            try:
                await store.migrate()
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(run())

    return act
