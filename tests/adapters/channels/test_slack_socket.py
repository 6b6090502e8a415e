"""Slack's Socket Mode: the sandbox's connections, tried with Slack's own client first, then our adapter on them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import httpx
import pytest
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.channels.slack import Settings
from adapters.channels.slack.channel import Slack
from bot.errors import Misconfigured
from bot.model.events import StaffAct
from bot.model.messages import Inbound
from bot.ports import Item, Posting
from bot.sandbox.platform import Event
from bot.sandbox.slack import SlackApi
from bot.sandbox.slacksocket import CONNECTIONS, FORM
from bot.sandbox.town import Town
from bot.transport import Client, Transport

RECORDED = Path(__file__).parents[2] / "recorded" / "channels" / "slack"
LANE = "c/slack/T0001/D0001"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def told(payload: Any) -> Event:
    return Event(json.dumps(payload).encode())


def pressed(payload: Any) -> Event:
    return Event(urlencode({"payload": json.dumps(payload)}).encode(), FORM)


async def until(done: Callable[[], object]) -> None:
    while not done():
        await asyncio.sleep(0.02)


@pytest.fixture
async def slack(town: Town) -> AsyncIterator[SlackApi]:
    """The sandbox's Slack, which delivers over connections alone."""
    town.slack.socket.on = True
    delivering = asyncio.create_task(town.slack.deliver())
    yield town.slack
    delivering.cancel()


# ---- the sandbox's Slack, with Slack's own client ----------------------------------------------------------


@asynccontextmanager
async def own_client(slack: SlackApi) -> AsyncIterator[tuple[SocketModeClient, list[SocketModeRequest]]]:
    """Slack's client, which acknowledges what it hears, and what that was."""
    web = AsyncWebClient(base_url=f"{slack.base}/api/")
    client = SocketModeClient(app_token=slack.socket.token, web_client=web, ping_interval=0.5)
    requests: list[SocketModeRequest] = []

    async def hear(_: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        requests.append(request)
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

    client.socket_mode_request_listeners.append(hear)
    await client.connect()  # type: ignore[no-untyped-call]
    yield client, requests
    await client.close()  # type: ignore[no-untyped-call]


async def test_slacks_own_client_hears_and_connects_anew(town: Town, slack: SlackApi) -> None:
    phone = town.phone(slack)
    async with asyncio.timeout(20), own_client(slack) as (_, requests):
        slack.say(phone, "hello")
        await until(lambda: slack.undelivered == 0)
        (first,) = requests
        assert (first.type, first.accepts_response_payload, first.retry_attempt) == ("events_api", False, 0)
        assert first.payload["event"]["text"] == "hello"
        assert slack.socket.acks == [{"envelope_id": first.envelope_id}]
        (link,) = slack.socket.links
        await slack.socket.refresh()
        await until(lambda: slack.socket.links)
        assert slack.socket.links != [link]
        web = AsyncWebClient(token=slack.token, base_url=f"{slack.base}/api/")
        button = {"type": "button", "text": {"type": "plain_text", "text": "Yes"}, "action_id": "a", "value": "yes"}
        await web.chat_postMessage(channel=phone.chat, text="?", blocks=[{"type": "actions", "elements": [button]}])
        slack.press(phone, phone.lines[-1], "yes")
        await until(lambda: slack.undelivered == 0)
        assert (requests[-1].type, requests[-1].accepts_response_payload) == ("interactive", True)
        assert requests[-1].payload["actions"][0]["value"] == "yes"


async def test_what_nobody_hears_comes_when_somebody_connects(town: Town, slack: SlackApi) -> None:
    slack.say(town.phone(slack), "hello")
    await asyncio.sleep(0.1)
    assert slack.undelivered == 1
    async with asyncio.timeout(20), own_client(slack) as (_, requests):
        await until(lambda: slack.undelivered == 0)
        assert requests[0].retry_attempt
        assert requests[0].retry_reason == "timeout"


async def test_connections_are_for_the_app_level_token_each_address_once_and_ten_at_a_time(slack: SlackApi) -> None:
    for token, error in ((slack.token, "not_allowed_token_type"), ("xapp-1-x", "invalid_auth")):
        with pytest.raises(SlackApiError, match=error):
            await AsyncWebClient(base_url=f"{slack.base}/api/").apps_connections_open(app_token=token)
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        address = slack.socket.ticket()
        for wrong in (address.replace("ticket=", "ticket=x"), address):
            if wrong == address:
                first = await session.ws_connect(address)
                assert (await first.receive_json())["type"] == "hello"
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(wrong)
        more = [await session.ws_connect(slack.socket.ticket()) for _ in range(CONNECTIONS)]
        hellos = [await ws.receive_json() for ws in more]
        assert [h["num_connections"] for h in hellos[:-1]] == list(range(2, CONNECTIONS + 1))
        assert (hellos[-1]["type"], hellos[-1]["reason"]) == ("disconnect", "too_many_websockets")


# ---- our adapter ------------------------------------------------------------------------------------------


@dataclass
class Inbox:
    """Stores items; while `down` it raises."""

    down: bool = False
    items: list[Item] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, items: Sequence[Item]) -> None:
        await self.gate.wait()
        if self.down:
            raise OSError("the database is away")
        self.items += items


def settings(slack: SlackApi, app_token: str) -> Settings:
    return Settings(
        bot_token=SecretStr(slack.token),
        base_url=f"{slack.base}/api/",
        mode="socket",
        app_token=SecretStr(app_token),
    )


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with Client(transport=Transport()) as client:
        yield client


@pytest.fixture
async def channel(slack: SlackApi, http: httpx.AsyncClient) -> AsyncIterator[Slack]:
    made = Slack(settings(slack, slack.socket.token), http)
    yield made
    await made.close()


@asynccontextmanager
async def listening(channel: Slack, inbox: Inbox, slack: SlackApi) -> AsyncIterator[None]:
    """`listen` in the background, for as long as the block lasts."""
    task = asyncio.create_task(channel.listen(inbox.deliver))
    async with asyncio.timeout(10):
        await until(lambda: slack.socket.links or task.done())
        yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_envelope_is_acknowledged_only_after_its_event_is_stored(channel: Slack, slack: SlackApi) -> None:
    inbox = Inbox()
    async with listening(channel, inbox, slack):
        message = recorded("message")
        message["event"]["text"] = "hello"
        slack.send(told(message))
        await asyncio.sleep(0.2)
        assert slack.socket.acks == []
        inbox.gate.set()
        await until(lambda: slack.undelivered == 0)
        (ack,) = slack.socket.acks
        assert set(ack) == {"envelope_id"}
        (item,) = inbox.items
        said = channel.decode(item)
        assert isinstance(said, Inbound)
        assert (item.key, item.lane, said.text) == ("e:Ev08MFMKH6", LANE, "hello")


async def test_an_event_that_was_not_stored_is_not_acknowledged_and_comes_again(
    channel: Slack, slack: SlackApi
) -> None:
    slack.socket.patience = 0.3
    inbox = Inbox(down=True)
    inbox.gate.set()
    async with listening(channel, inbox, slack):
        slack.send(told(recorded("message")))
        await asyncio.sleep(0.2)
        assert slack.socket.acks == []
        inbox.down = False
        await until(lambda: slack.undelivered == 0)
        assert len(inbox.items) == 1


async def test_noise_is_acknowledged_and_not_stored(channel: Slack, slack: SlackApi) -> None:
    inbox = Inbox()
    inbox.gate.set()
    async with listening(channel, inbox, slack):
        slack.send(told(recorded("message_bot")))
        await until(lambda: slack.undelivered == 0)
        assert len(slack.socket.acks) == 1
        assert inbox.items == []


async def test_a_disconnect_is_followed_by_a_new_connection(channel: Slack, slack: SlackApi) -> None:
    inbox = Inbox()
    inbox.gate.set()
    async with listening(channel, inbox, slack):
        (first,) = slack.socket.links
        await slack.socket.refresh()
        await until(lambda: slack.socket.links)
        assert slack.socket.links != [first]
        slack.send(pressed(recorded("block_actions")))
        await until(lambda: slack.undelivered == 0)
        said = channel.decode(inbox.items[0])
        assert isinstance(said, Inbound)
        assert said.choice == "push:1:on"


async def test_a_desks_button_opens_its_form_and_its_submission_is_stored_and_acknowledged_empty(
    channel: Slack, slack: SlackApi
) -> None:
    desk = channel.desk(Posting("slack", {"default": "C0DESK"}, {"U0LEE": "Lee"}))
    assert desk.posting.name == "slack"
    button = {"action_id": "desk-choice-1", "value": "reply:12:3", "action_ts": "1795460403.25"}
    press = {
        "type": "block_actions",
        "team": {"id": "T0001"},
        "user": {"id": "U0LEE"},
        "channel": {"id": "C0DESK"},
        "message": {"ts": "1795460400.1"},
        "actions": [button],
        "trigger_id": "1.2",
    }
    slack.staff.add("C0DESK", "U0LEE")
    slack.staff.triggers["1.2"] = (time.monotonic(), "U0LEE")
    inbox = Inbox()
    inbox.gate.set()
    async with listening(channel, inbox, slack):
        slack.send(pressed(press))
        await until(lambda: slack.undelivered == 0)
        (view,) = slack.staff.views.values()
        assert inbox.items == []
        values = {"asked": {"value": {"type": "plain_text_input", "value": "We look into it"}}}
        sent = {
            "type": "view_submission",
            "team": {"id": "T0001"},
            "user": {"id": "U0LEE"},
            "view": view | {"state": {"values": values}},
        }
        slack.send(pressed(sent))
        await until(lambda: slack.undelivered == 0)
        assert [set(ack) for ack in slack.socket.acks] == [{"envelope_id"}] * 2
        (item,) = inbox.items
        assert item.lane == "k/12"
        act = channel.decode(Item(item.key, "c/test/shop/anna", item.body))
        assert isinstance(act, StaffAct)
        assert (act.staff, act.kind, act.text, act.version) == ("Lee", "reply", "We look into it", 3)
        slack.send(pressed({**sent, "user": {"id": "U0GUEST"}}))
        await until(lambda: slack.undelivered == 0)
        assert len(inbox.items) == 1


@pytest.mark.parametrize("wrong", ["xapp-1-x", "of the bot"])
async def test_a_wrong_app_token_ends_the_listening_with_its_reason(
    slack: SlackApi, http: httpx.AsyncClient, wrong: str
) -> None:
    token, reason = (slack.token, "not_allowed_token_type") if wrong == "of the bot" else (wrong, "invalid_auth")
    channel = Slack(settings(slack, token), http)
    with pytest.raises(Misconfigured, match=reason):
        await channel.listen(Inbox().deliver)
    await channel.close()
