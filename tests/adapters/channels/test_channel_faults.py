"""What a platform may answer to a message, and what must be done about it: every code of every vendor's table,
a slow platform, a line that breaks. One server of ours stands in for all of them and answers as it is told.
"""

import asyncio
import csv
import importlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.app import local_client
from bot.errors import Closed, Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError
from bot.model.messages import Address, Media, MediaKind, Outbound
from bot.ports import Channel

ADAPTERS = Path(importlib.import_module("adapters.channels").__path__[0])
SETTINGS: Mapping[str, dict[str, str]] = {
    "telegram": {"token": "123456:ABC", "secret": "s", "mode": "webhook"},
    "slack": {"bot_token": "xoxb-1", "signing_secret": "s"},
    "whatsapp": {"phone_number_id": "1", "access_token": "t", "app_secret": "s", "verify_token": "v"},
}
CHATS = {"telegram": "5", "slack": "D5", "whatsapp": "4915112340000"}
TAKEN = {
    "telegram": {"ok": True, "result": {"message_id": 9, "date": 1, "chat": {"id": 5, "type": "private"}}},
    "slack": {"ok": True, "ts": "9.1"},
    "whatsapp": {"messages": [{"id": "wamid.9"}]},
}
EACH = pytest.mark.parametrize("name", SETTINGS)


@dataclass
class Vendor:
    """Answers each call with what `says` holds first, or takes the message."""

    name: str
    says: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    wait: float = 0.0
    breaks: bool = False
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((int(h.split(":")[1]) for h in head.split("\r\n") if h.startswith("content-length:")), 0)
        self.bodies.append(await reader.readexactly(length))
        await asyncio.sleep(self.wait)
        if not self.breaks:
            status, headers, body = self.says.pop(0) if self.says else (200, {}, json.dumps(TAKEN[self.name]).encode())
            lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
            lines += ["content-type: application/json", *(f"{k}: {v}" for k, v in headers.items())]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


@asynccontextmanager
async def standing_in(name: str, seconds: float = 5.0) -> AsyncIterator[tuple[Vendor, Channel]]:
    vendor = Vendor(name)
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    vendor.port = server.sockets[0].getsockname()[1]
    async with local_client() as http:
        http.timeout = httpx.Timeout(seconds)
        module = importlib.import_module(f"adapters.channels.{name}")
        told = {**SETTINGS[name], "base_url": f"http://127.0.0.1:{vendor.port}/"}
        channel: Channel = module.connect(module.Settings.model_validate(told), http)
        try:
            yield vendor, channel
        finally:
            await channel.close()
            server.close()
            await asyncio.sleep(vendor.wait)


def a_message(name: str, text: str = "Hello <b>Ann</b>") -> Outbound:
    return Outbound("77", Address(name, "1", CHATS[name]), text)


async def failing(name: str, status: int, body: Any, headers: Mapping[str, str] | None = None) -> WismoError:
    """What `send` raises when the platform answers so, every time."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with standing_in(name) as (vendor, channel):
        vendor.says = [(status, dict(headers or {}), raw)] * 2
        with pytest.raises(WismoError) as raised:
            await channel.send(a_message(name))
    return raised.value


def rows(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader((ADAPTERS / table).read_text(encoding="utf-8").splitlines()))


MEANT: Mapping[str, type[WismoError]] = {
    "retry": Temporary,
    "wait": Temporary,
    "grow": Temporary,
    "pause": Temporary,
    "network": Temporary,
    "operator": Misconfigured,
    "unreachable": Unreachable,
    "closed": Closed,
    "refused": Refused,
    "plain": Refused,
    "done": Refused,
}


@pytest.mark.parametrize("row", rows("whatsapp/errors.csv"), ids=lambda r: r["code"])
async def test_whatsapp_codes(row: dict[str, str]) -> None:
    error = await failing("whatsapp", 400, {"error": {"code": int(row["code"]), "message": "x", "type": "y"}})
    assert type(error) is MEANT[row["action"]]
    if isinstance(error, Temporary) and row["seconds"]:
        assert (error.growing if row["action"] == "grow" else error.retry_after) == float(row["seconds"])


@pytest.mark.parametrize("row", rows("slack/errors.csv"), ids=lambda r: r["code"])
async def test_slack_codes(row: dict[str, str]) -> None:
    error = await failing("slack", 200, {"ok": False, "error": row["code"]})
    assert isinstance(error, MEANT[row["action"]])
    assert isinstance(error, Temporary) == (row["action"] in {"retry", "wait", "pause"})


SIGNS = [r for r in rows("telegram/errors.csv") if r["sign"][0].islower()]


@pytest.mark.parametrize("row", SIGNS, ids=lambda r: r["sign"])
async def test_telegram_descriptions(row: dict[str, str]) -> None:
    told = {"ok": False, "error_code": 400, "description": f"Bad Request: {row['sign']} for this"}
    assert isinstance(await failing("telegram", 400, told), MEANT[row["action"]])


@pytest.mark.parametrize(
    ("status", "parameters", "wanted"),
    [
        (429, {"retry_after": 7}, Temporary),
        (403, {}, Unreachable),
        (401, {}, Misconfigured),
        (404, {}, Misconfigured),
        (409, {}, Misconfigured),
        (400, {}, Refused),
        (400, {"migrate_to_chat_id": -100}, Refused),
        (413, {}, Refused),
        (500, {}, Temporary),
        (502, {}, Temporary),
    ],
)
async def test_telegram_answers(status: int, parameters: dict[str, int], wanted: type[WismoError]) -> None:
    words = "Request Entity Too Large" if status == 413 else "Something"
    told = {"ok": False, "error_code": status, "description": words, "parameters": parameters}
    error = await failing("telegram", status, told)
    assert type(error) is wanted
    if isinstance(error, Temporary) and status == 429:
        assert error.retry_after == 7


@EACH
async def test_the_platforms_own_time_to_wait_is_kept(name: str) -> None:
    told = {
        "telegram": {"ok": False, "error_code": 429, "description": "x", "parameters": {"retry_after": 7}},
        "slack": {"ok": False, "error": "ratelimited"},
        "whatsapp": {"error": {"code": 130429}},
    }
    error = await failing(name, 429, told[name], {"Retry-After": "7"})
    assert isinstance(error, Temporary)
    assert error.retry_after == 7


@EACH
@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[]", b"null", b'{"ok": 1, "messages": []}'])
@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 407, 500, 503])
async def test_what_does_not_speak_like_the_platform_costs_no_message_and_no_person(
    name: str, status: int, body: bytes
) -> None:
    """A gateway's page, say: the message is kept until the platform itself has an answer."""
    error = await failing(name, status, body)
    assert isinstance(error, Temporary | Unknown | Misconfigured)
    if status >= 500:
        assert isinstance(error, Temporary)


@EACH
async def test_a_slow_platform_is_waited_for(name: str) -> None:
    async with standing_in(name) as (vendor, channel):
        vendor.wait = 0.5
        assert await channel.send(a_message(name))


@EACH
async def test_a_platform_that_is_too_slow_leaves_the_outcome_unknown(name: str) -> None:
    async with standing_in(name, seconds=0.3) as (vendor, channel):
        vendor.wait = 1.0
        with pytest.raises(Unknown):
            await channel.send(a_message(name))
        assert len(vendor.bodies) == 1


@EACH
async def test_a_line_that_breaks_after_the_request_leaves_the_outcome_unknown_and_nothing_is_sent_twice(
    name: str,
) -> None:
    async with standing_in(name) as (vendor, channel):
        vendor.breaks = True
        with pytest.raises(Unknown):
            await channel.send(a_message(name))
        assert len(vendor.bodies) == 1


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("telegram", 400, {"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities: x"}),
        ("slack", 200, {"ok": False, "error": "invalid_blocks"}),
    ],
)
async def test_markup_that_is_not_understood_goes_once_more_as_plain_words(name: str, status: int, told: Any) -> None:
    async with standing_in(name) as (vendor, channel):
        vendor.says = [(status, {}, json.dumps(told).encode())]
        assert await channel.send(a_message(name))
        first, second = vendor.bodies
        assert b"Hello Ann" in second
        assert b"<b>" not in second
        assert b"HTML" not in second
        assert first != second


@EACH
@pytest.mark.parametrize("status", [500, 429])
async def test_a_file_that_is_not_given_now_is_asked_for_again(name: str, status: int) -> None:
    async with standing_in(name) as (vendor, channel):
        base = f"http://127.0.0.1:{vendor.port}"
        ref = {"telegram": "file-1", "slack": f"{base}/f", "whatsapp": f"  {base}/f"}[name]
        file = {"ok": True, "result": {"file_id": "f", "file_unique_id": "u", "file_path": "a.jpg"}}
        vendor.says = [(status, {}, b"")]
        if name == "telegram":
            vendor.says.insert(0, (200, {}, json.dumps(file).encode()))
        with pytest.raises(Temporary):
            _ = [c async for c in channel.fetch(Media(MediaKind.IMAGE, ref=ref))]


async def test_a_whatsapp_file_whose_address_ran_out_is_asked_for_by_its_id() -> None:
    async with standing_in("whatsapp") as (vendor, channel):
        base = f"http://127.0.0.1:{vendor.port}"
        vendor.says = [(404, {}, b""), (200, {}, json.dumps({"url": f"{base}/new"}).encode()), (200, {}, b"photo")]
        media = Media(MediaKind.IMAGE, ref=f"123  {base}/old")
        assert b"".join([c async for c in channel.fetch(media)]) == b"photo"


def test_every_action_of_the_vendors_tables_is_one_that_is_carried_out() -> None:
    tables = [table.relative_to(ADAPTERS) for table in ADAPTERS.rglob("*errors.csv")]
    assert len(tables) == 3
    for table in tables:
        assert {row["action"] for row in rows(str(table))} <= set(MEANT), table
