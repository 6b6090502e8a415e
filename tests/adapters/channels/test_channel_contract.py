"""What every channel must keep, whichever platform it speaks to. A new channel is one line in CHANNELS.

Incoming: our own recordings from the vendor's pages, signed as the vendor signs. Outgoing: the sandbox's
platform, which refuses what the vendor's documents do not allow, over a real socket.
"""

import hashlib
import hmac
import importlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from bot.app import local_client
from bot.config import build
from bot.errors import Misconfigured, Temporary, WismoError
from bot.model.events import conversation_lane
from bot.model.markup import plain
from bot.model.messages import Address, Choice, Inbound, Media, MediaKind, Outbound, Receipt
from bot.ports import Channel, Request
from bot.sandbox.platform import Platform
from bot.sandbox.town import PIXEL, Town

RECORDED = Path(__file__).parents[2] / "recorded" / "channels"
SECRET = "s3cret"


def _telegram(body: bytes) -> dict[str, str]:
    return {"x-telegram-bot-api-secret-token": SECRET, "content-type": "application/json"}


def _whatsapp(body: bytes) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}


def _slack(body: bytes) -> dict[str, str]:
    stamp = str(int(time.time()))
    sign = hmac.new(SECRET.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={sign}", "content-type": "application/json"}


class Contract(Struct, frozen=True):
    """A channel under test: its settings, how its vendor signs, and which header carries the signature."""

    name: str
    settings: Mapping[str, str]
    sign: Callable[[bytes], dict[str, str]]
    header: str
    batch: Callable[[int], list[bytes]]


def _telegram_batch(count: int) -> list[bytes]:
    one = json.loads((RECORDED / "telegram" / "text.json").read_text())["body"]
    updates = [one | {"update_id": n} for n in range(count)]
    updates[count // 2] = {"update_id": count // 2, "message": {"chat": 7}}
    return [json.dumps(u).encode() for u in updates]


def _slack_batch(count: int) -> list[bytes]:
    one = json.loads((RECORDED / "slack" / "message.json").read_text())
    events = [one | {"event_id": f"Ev{n}"} for n in range(count)]
    events[count // 2] = {"type": "event_callback", "event_id": "Ev500", "event": ["no", "event"]}
    return [json.dumps(e).encode() for e in events]


def _whatsapp_batch(count: int) -> list[bytes]:
    one = json.loads((RECORDED / "whatsapp" / "text.json").read_text())["body"]
    message = one["entry"][0]["changes"][0]["value"]["messages"][0]
    messages = [message | {"id": f"wamid.{n}"} for n in range(count)]
    messages[count // 2] = {"from": ["not", "a", "name"], "type": 7}
    change = one["entry"][0]["changes"][0]
    change["value"] |= {"messages": messages, "contacts": [{"wa_id": {"no": "id"}}, 7, *change["value"]["contacts"]]}
    one["entry"] = [5, {"changes": "none"}, {"changes": [7]}, *one["entry"]]
    return [json.dumps(one).encode()]


CHANNELS = (
    Contract(
        "telegram",
        {"token": "123456:ABC", "secret": SECRET, "mode": "webhook"},
        _telegram,
        "x-telegram-bot-api-secret-token",
        _telegram_batch,
    ),
    Contract("slack", {"bot_token": "xoxb-1", "signing_secret": SECRET}, _slack, "x-slack-signature", _slack_batch),
    Contract(
        "whatsapp",
        {"phone_number_id": "1", "access_token": "t", "app_secret": SECRET, "verify_token": "v"},
        _whatsapp,
        "x-hub-signature-256",
        _whatsapp_batch,
    ),
)


def make(contract: Contract, http: httpx.AsyncClient) -> Channel:
    module = importlib.import_module(f"adapters.channels.{contract.name}")
    channel: Channel = module.connect(module.Settings.model_validate(dict(contract.settings)), http)
    return channel


def hook(contract: Contract, body: bytes, **headers: str) -> Request:
    return Request("POST", f"/hooks/{contract.name}", contract.sign(body) | headers, {}, body)


def recordings(name: str) -> list[tuple[str, bytes, Any]]:
    found = []
    for path in sorted((RECORDED / name).glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        if "body" in told:
            found.append((path.stem, json.dumps(told["body"]).encode(), told.get("expect")))
    return found


RECORDINGS = [(c, *r) for c in CHANNELS for r in recordings(c.name)]
EACH = pytest.mark.parametrize("contract", CHANNELS, ids=lambda c: c.name)


def a_text(contract: Contract) -> bytes:
    """One valid message of this channel."""
    if contract.name == "slack":
        return json.dumps(json.loads((RECORDED / "slack" / "message.json").read_text())).encode()
    return next(body for name, body, _ in recordings(contract.name) if name == "text")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with local_client() as client:
        yield client


# ---- in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contract", "name", "body", "expect"), RECORDINGS, ids=[f"{c.name}-{n}" for c, n, _, _ in RECORDINGS]
)
async def test_a_recording_is_understood(
    contract: Contract, name: str, body: bytes, expect: Any, http: httpx.AsyncClient
) -> None:
    channel = make(contract, http)
    answer = await channel.webhook(hook(contract, body))
    assert answer.status == 200
    (item,) = answer.items
    event = channel.decode(item)
    if expect is None:
        assert event is None
        return
    if "state" in expect:
        assert isinstance(event, Receipt)
        assert (event.state.value, event.outbound_id, event.closed, event.gone) == (
            expect["state"],
            expect["outbound_id"],
            expect.get("closed", False),
            expect.get("gone", False),
        )
        return
    assert isinstance(event, Inbound)
    assert event.kind.value == expect["kind"]
    assert item.lane == conversation_lane(event.sender)
    assert not expect.get("quiet") or item.quiet > 0
    seen = {
        "text": event.text,
        "choice": event.choice,
        "start": event.start,
        "phone": event.phone,
        "media": event.media[0].kind.value if event.media else None,
        "own": event.contact.own if event.contact else None,
    }
    assert {k: seen[k] for k in expect if k in seen} == {k: v for k, v in expect.items() if k in seen}


@EACH
async def test_a_repeat_is_the_same_item(contract: Contract, http: httpx.AsyncClient) -> None:
    channel = make(contract, http)
    one, two = [await channel.webhook(hook(contract, a_text(contract))) for _ in range(2)]
    assert one.items
    assert one.items == two.items


@EACH
@pytest.mark.parametrize("forged", ["", "wrong", "sha256=00", "v0=é", "x" * 5000])
async def test_a_forged_call_is_401_and_leaves_nothing(
    contract: Contract, forged: str, http: httpx.AsyncClient
) -> None:
    answer = await make(contract, http).webhook(hook(contract, a_text(contract), **{contract.header: forged}))
    assert answer.status == 401
    assert not answer.items


@EACH
async def test_a_call_without_any_header_is_401(contract: Contract, http: httpx.AsyncClient) -> None:
    answer = await make(contract, http).webhook(replace(hook(contract, a_text(contract)), headers={}))
    assert answer.status == 401


@EACH
@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"[]", b"null", b"{}", b'"text"', b"\xff\xfe", b'{"update_id": null}', b'{"a":' * 3000],
    ids=range(9),
)
async def test_a_signed_body_that_cannot_be_read_is_kept_and_never_5xx(
    contract: Contract, body: bytes, http: httpx.AsyncClient
) -> None:
    channel = make(contract, http)
    answer = await channel.webhook(hook(contract, body))
    assert answer.status == 200
    for item in answer.items:
        assert channel.decode(item) is None


@EACH
async def test_a_megabyte_is_split_in_a_moment(contract: Contract, http: httpx.AsyncClient) -> None:
    body = a_text(contract).replace(b"hello", b"hello" * 10)
    padded = json.dumps(json.loads(body) | {"padding": "x" * 1024 * 1024}).encode()
    began = time.monotonic()
    answer = await make(contract, http).webhook(hook(contract, padded))
    assert answer.status == 200
    assert time.monotonic() - began < 1.0


@EACH
async def test_a_bad_message_in_a_batch_of_a_thousand_costs_itself_alone(
    contract: Contract, http: httpx.AsyncClient
) -> None:
    """Where the platform sends one event a call, a batch is a thousand calls."""
    channel = make(contract, http)
    answers = [await channel.webhook(hook(contract, body)) for body in contract.batch(1000)]
    assert {a.status for a in answers} == {200}
    items = [i for a in answers for i in a.items]
    assert len({i.key for i in items}) == len(items) >= 1000
    assert sum(isinstance(channel.decode(i), Inbound) for i in items) == 999


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "message",
                    "entry",
                    "changes",
                    "value",
                    "messages",
                    "from",
                    "chat",
                    "id",
                    "type",
                    "text",
                    "event",
                    "update_id",
                    "contact",
                    "statuses",
                    "callback_query",
                    "channel",
                    "user",
                    "actions",
                    "photo",
                    "interactive",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@EACH
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(told=JSON)
async def test_no_signed_json_makes_it_fall_over(contract: Contract, told: Any) -> None:
    async with httpx.AsyncClient() as http:
        channel = make(contract, http)
        answer = await channel.webhook(hook(contract, json.dumps(told).encode()))
        assert answer.status == 200
        for item in answer.items:
            try:
                channel.decode(item)
            except ValueError:
                continue


# ---- out -------------------------------------------------------------------------------------------------


async def speaking(town: Town, name: str, http: httpx.AsyncClient) -> tuple[Channel, Platform, Address]:
    config = build(town.config(1, "unused"), {})
    module = importlib.import_module(f"adapters.channels.{name}")
    channel: Channel = module.connect(module.Settings.model_validate(config.channels[name]), http)
    platform = {p.name: p for p in town.platforms}[name]
    phone = town.phone(platform)
    phone.last_said = town.clock.now()
    return channel, platform, Address(name, await channel.account(), phone.chat)


OUTGOING: Mapping[str, Callable[[Outbound, Path], Outbound]] = {
    "text": lambda m, f: m,
    "markup": lambda m, f: replace(
        m, text='<b>Order</b> <i>1042</i> <code>x</code> <a href="https://example.org/a?b=1">page</a>'
    ),
    "two buttons": lambda m, f: replace(m, choices=(Choice("yes", "Yes"), Choice("no", "No"))),
    "ten choices": lambda m, f: replace(
        m, choices=tuple(Choice(f"o:{n}", f"Order {n}") for n in range(8)), menu="Choose"
    ),
    "contact request": lambda m, f: replace(m, ask_contact="Share phone number"),
    "photo": lambda m, f: replace(m, media=(Media(MediaKind.IMAGE, mime="image/png", name="parcel.png", path=str(f)),)),
    "document": lambda m, f: replace(
        m, media=(Media(MediaKind.DOCUMENT, mime="application/pdf", name="list.pdf", path=str(f)),)
    ),
    "a long text": lambda m, f: replace(m, text="word " * 700),
}


@EACH
@pytest.mark.parametrize("kind", OUTGOING)
async def test_the_platform_takes_what_is_sent(
    contract: Contract, kind: str, town: Town, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "file.png"
    file.write_bytes(PIXEL)
    channel, platform, to = await speaking(town, contract.name, http)
    message = OUTGOING[kind](Outbound("77", to, "Hello"), file)
    assert await channel.send(message)
    (line,) = town.phone(platform).lines
    shown = "".join(r.text for r in line.runs)
    if kind in {"text", "a long text", "contact request"}:
        assert "".join(shown.replace("\u200b", "").split()) == "".join(plain(message.text).split())
    assert [b.value for b in line.buttons] == [c.value for c in message.choices]
    await channel.close()


@EACH
@pytest.mark.parametrize(
    "text",
    [
        "&lt;b&gt;x&lt;/b&gt; &amp; *bold* _it_ `c` ~s~",
        "@channel &lt;!here&gt; &lt;https://evil.example|x&gt;",
        "&gt; quote",
    ],
)
async def test_what_a_buyer_wrote_never_becomes_markup(
    contract: Contract, text: str, town: Town, http: httpx.AsyncClient
) -> None:
    channel, platform, to = await speaking(town, contract.name, http)
    await channel.send(Outbound("77", to, text))
    (line,) = town.phone(platform).lines
    assert not any(r.bold or r.italic or r.code or r.link for r in line.runs)
    await channel.close()


@EACH
async def test_too_many_requests_name_the_time_to_wait(contract: Contract, town: Town, http: httpx.AsyncClient) -> None:
    channel, platform, to = await speaking(town, contract.name, http)
    platform.faults.too_many = True
    with pytest.raises(Temporary):
        await channel.send(Outbound("77", to, "Hello"))
    await channel.close()


@EACH
async def test_a_chat_that_is_not_there_is_final(contract: Contract, town: Town, http: httpx.AsyncClient) -> None:
    channel, _, to = await speaking(town, contract.name, http)
    with pytest.raises(WismoError) as raised:
        await channel.send(Outbound("77", replace(to, chat="404404"), "Hello"))
    assert not isinstance(raised.value, Temporary | Misconfigured)
    await channel.close()


@EACH
async def test_a_wrong_token_is_the_operators_affair(contract: Contract, town: Town, http: httpx.AsyncClient) -> None:
    platform: Any = {p.name: p for p in town.platforms}[contract.name]
    channel, _, to = await speaking(town, contract.name, http)
    platform.token = platform.token[:-2] + "00"
    with pytest.raises(Misconfigured):
        await channel.send(Outbound("77", to, "Hello"))
    await channel.close()


@EACH
async def test_a_platform_that_is_away_is_tried_again(contract: Contract, http: httpx.AsyncClient) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    channel = make(replace(contract, settings={**contract.settings, "base_url": base}), http)
    with pytest.raises(Temporary):
        await channel.send(Outbound("77", Address(contract.name, "1", "5"), "Hello"))
    await channel.close()


@EACH
async def test_a_photo_of_a_buyer_is_fetched_from_the_platform(
    contract: Contract, town: Town, http: httpx.AsyncClient
) -> None:
    channel, platform, _ = await speaking(town, contract.name, http)
    sent: list[Any] = []
    platform.send = sent.append  # type: ignore[method-assign,assignment]
    platform.hook = "unused"
    if hasattr(channel, "_secret") and contract.name == "telegram":
        platform.secret = channel._secret.decode()  # type: ignore[attr-defined]  # as setWebhook would tell it
    platform.photo(town.phone(platform), PIXEL, "picture")  # type: ignore[attr-defined]
    (event,) = sent
    answer = await channel.webhook(
        Request("POST", "/", {k.lower(): v for k, v in platform.headers(event).items()}, {}, event.body)
    )
    heard = channel.decode(answer.items[0]) if answer.items else None
    assert answer.status == 200
    assert isinstance(heard, Inbound)
    assert b"".join([c async for c in channel.fetch(heard.media[0])]) == PIXEL
    await channel.close()


@EACH
async def test_the_credentials_are_tried_by_a_real_call(
    contract: Contract, town: Town, http: httpx.AsyncClient
) -> None:
    channel, _, _ = await speaking(town, contract.name, http)
    assert "answers" in await channel.check()
    await channel.close()
