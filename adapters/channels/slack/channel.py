"""The channel itself: signed webhook or Socket Mode in, chat.postMessage and the three-step upload out."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from adapters.channels.slack.acts import act_of
from adapters.channels.slack.blocks import METADATA, blocks, mrkdwn, payload, plain_payload
from adapters.channels.slack.calls import Calls, Malformed
from adapters.channels.slack.desk import SlackDesk
from adapters.channels.slack.reading import NONSENSE, kept, payload_of, read, split
from bot.errors import Refused, Temporary, Unknown
from bot.model.events import StaffAct
from bot.model.messages import Inbound, Limits, Media, Outbound
from bot.ports import Answer, Channel, Deliver, Item, Posting, Rate, Request

log = logging.getLogger(__name__)

REPLAY_SECONDS = 300
"""How old or early a signed request may be, by machine time."""
STAMP_DIGITS = 12
"""More than any time has; int() raises on thousands of them."""
SOCKET_CHECK_SECONDS = 10.0
SOCKET_LOST_CHECKS = 6
"""So many checks in a row without a connection end the listening; the worker begins it anew."""
HISTORY = 100
"""How many of a chat's newest messages are searched for one whose outcome is unknown."""
FILES_HOST = "https://files.slack.com"


class Settings(BaseModel):
    """`rate` by default is Slack's documented one message a second to a conversation; Slack gives the
    workspace's own limit only as "several hundred a minute"."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    bot_token: SecretStr = Field(min_length=1)
    signing_secret: SecretStr = SecretStr("")
    app_token: SecretStr = SecretStr("")
    mode: Literal["http", "socket"] = "http"
    team_id: str = ""
    base_url: str = "https://slack.com/api/"
    rate: Rate = Rate(per_second=5, per_recipient=1, burst=3)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode == "http" and not self.signing_secret.get_secret_value().strip():
            raise ValueError("signing_secret is needed in http mode (Basic Information, App Credentials)")
        if self.mode == "socket" and not self.app_token.get_secret_value().strip():
            raise ValueError("app_token (xapp-…) is needed in socket mode (Basic Information, App-Level Tokens)")
        return self


def connect(settings: Settings, http: httpx.AsyncClient) -> Channel:
    return Slack(settings, http)


class Slack(Channel):
    """One bot in one workspace. `clock` is machine time in seconds, for the replay window."""

    kind = "slack"
    limits = Limits(text=4000, caption=3000, buttons=25, button_title=75, amends=True)

    def __init__(self, settings: Settings, http: httpx.AsyncClient, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.listens = settings.mode == "socket"
        self._http = http
        self._clock = clock
        self._token = settings.bot_token.get_secret_value()
        self._secret = settings.signing_secret.get_secret_value().encode()
        self._calls = Calls(self._token, settings.base_url, http)
        self._team = settings.team_id
        self._desk: SlackDesk | None = None

    async def account(self) -> str:
        if not self._team:
            self._team = str((await self._calls.ask("auth.test"))["team_id"])
        return self._team

    # ---- in ----------------------------------------------------------------------------------------------

    async def webhook(self, request: Request) -> Answer:
        if not self._secret or request.method != "POST":
            return Answer(404)
        if not self._is_signed(request):
            return Answer(401)
        try:
            told, raw = payload_of(request.body, request.headers.get("content-type", ""))
        except (ValueError, RecursionError):
            return Answer(items=(kept(request.body),))
        if isinstance(told, dict) and told.get("type") == "url_verification":
            return Answer(body=str(told.get("challenge", "")).encode(), headers={"content-type": "text/plain"})
        return Answer(items=await self._items(told, raw))

    async def _items(self, told: Any, raw: bytes) -> tuple[Item, ...]:
        if self._desk is not None and isinstance(told, dict):
            try:
                items = await self._desk.items(told, raw)
            except NONSENSE:
                return (kept(raw),)
            if items is not None:
                return items
        return split(told, raw)

    def desk(self, posting: Posting) -> SlackDesk:
        self._desk = SlackDesk(self._calls, self._upload, posting)
        return self._desk

    def _is_signed(self, request: Request) -> bool:
        """Over bytes: slack_sdk's verifier raises on a stamp that is no number and on a non-ASCII header."""
        stamp = request.headers.get("x-slack-request-timestamp", "")
        if not (stamp.isdecimal() and len(stamp) <= STAMP_DIGITS) or abs(self._clock() - int(stamp)) > REPLAY_SECONDS:
            return False
        signed = b"v0:%b:%b" % (stamp.encode(), request.body)
        want = "v0=" + hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
        given = request.headers.get("x-slack-signature", "").encode("utf-8", "replace")
        return hmac.compare_digest(given, want.encode())

    def decode(self, item: Item) -> Inbound | StaffAct | None:
        if self._desk is not None and item.lane.startswith("c/"):
            try:
                act = act_of(item, msgspec.json.decode(item.body), self._desk.posting)
            except NONSENSE as error:
                raise ValueError(f"not a payload of Slack's desk: {type(error).__name__}") from error
            if act is not None:
                return act
        return read(item)

    async def listen(self, deliver: Deliver) -> None:
        """Socket Mode; ends with an error where the connection cannot be made or stays lost."""
        client = await self._socket()

        async def hear(_: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
            items = await self._items(request.payload, msgspec.json.encode(request.payload))
            try:
                if items:
                    await deliver(items)
            except Exception as error:
                # Not acknowledged: Slack sends it again.
                log.error("slack: an event was not stored: %s", type(error).__name__)
                return
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

        client.socket_mode_request_listeners.append(hear)
        try:
            await self._stay_connected(client)
        finally:
            await client.close()  # type: ignore[no-untyped-call]

    async def _socket(self) -> AsyncBaseSocketModeClient:
        # aiohttp with it: 14 MiB that only a shop without an address of its own needs.
        from slack_sdk.socket_mode.aiohttp import SocketModeClient  # noqa: PLC0415

        token = self.settings.app_token.get_secret_value()
        told = await self._calls.ask("apps.connections.open", params={"token": token})
        # Its own log would hold the socket's address, which is a secret.
        quiet = logging.Logger("slack_sdk.socket_mode", logging.CRITICAL)
        client = SocketModeClient(app_token=token, web_client=self._calls.client, logger=quiet)
        client.proxy = None
        client.wss_uri = str(told["url"])
        return client

    async def _stay_connected(self, client: AsyncBaseSocketModeClient) -> None:
        try:
            # The client would try a used-up address for ever.
            async with asyncio.timeout(SOCKET_CHECK_SECONDS):
                await client.connect()  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise Temporary("Slack's socket cannot be reached") from error
        lost = 0
        while lost < SOCKET_LOST_CHECKS:
            await asyncio.sleep(SOCKET_CHECK_SECONDS)
            lost = 0 if await client.is_connected() else lost + 1
        raise Temporary("the socket to Slack stays lost")

    async def fetch(self, media: Media) -> AsyncIterator[bytes]:
        """Slack's own hosts only: the token goes along."""
        address = media.ref if "://" in media.ref else await self._address(media.ref)
        if _origin(address) not in {FILES_HOST, _origin(self.settings.base_url)}:
            raise Refused("the file is not kept by Slack")
        try:
            async with self._http.stream("GET", address, headers={"Authorization": f"Bearer {self._token}"}) as answer:
                if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
                    raise Temporary(f"Slack does not give the file now: HTTP {answer.status_code}")
                if not answer.is_success:
                    raise Refused(f"Slack does not give the file: HTTP {answer.status_code}")
                async for chunk in answer.aiter_bytes():
                    yield chunk
        except httpx.HTTPError as error:
            raise Temporary(f"the file did not come through: {type(error).__name__}") from error

    async def _address(self, file: str) -> str:
        told = (await self._calls.ask("files.info", data={"file": file})).get("file") or {}
        return str(told.get("url_private") or "")

    # ---- out ---------------------------------------------------------------------------------------------

    async def send(self, message: Outbound) -> str:
        if message.amends:
            return await self._amend(message)
        if message.media:
            return await self._share(message)
        try:
            told = await self._calls.call("chat.postMessage", json=payload(message))
        except Malformed:
            told = await self._calls.call("chat.postMessage", json=plain_payload(message))
        if not told.get("ts"):
            raise Unknown("Slack took the message and gave no id")
        return str(told["ts"])

    async def _amend(self, message: Outbound) -> str:
        where = {"channel": message.to.chat, "ts": message.amends}
        if message.text:
            await self._calls.call(
                "chat.update", json={"text": plain_payload(message)["text"], "blocks": blocks(message)} | where
            )
            return message.amends
        try:
            await self._calls.call("chat.delete", json=where)
        except Refused as error:
            # A deletion whose outcome was not known went through; of a file we have its id and no message's.
            if "." not in message.amends or "message_not_found" not in str(error):
                raise
        return message.amends

    async def _share(self, message: Outbound) -> str:
        """The three-step upload. Only the last step can be seen by anybody."""
        uploaded = [await self._upload(media) for media in message.media]
        form = {"files": json.dumps(uploaded), "channel_id": message.to.chat}
        if message.choices:
            form["blocks"] = json.dumps(blocks(message))
        elif message.text:
            form["initial_comment"] = mrkdwn(message.text)
        await self._calls.call("files.completeUploadExternal", data=form)
        return uploaded[0]["id"]

    async def _upload(self, media: Media) -> dict[str, str]:
        content = await asyncio.to_thread(Path(media.path).read_bytes)
        name = media.name or Path(media.path).name
        told = await self._calls.ask("files.getUploadURLExternal", data={"filename": name, "length": len(content)})
        try:
            answer = await self._http.post(str(told["upload_url"]), content=content)
        except httpx.HTTPError as error:
            raise Temporary(f"the upload to Slack broke: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            raise Refused("Slack does not take a file of this size")
        if not answer.is_success:
            raise Temporary(f"Slack did not take the upload: HTTP {answer.status_code}")
        return {"id": str(told["file_id"]), "title": name}

    async def find(self, message: Outbound) -> str | None:
        """By the id in the metadata of the chat's newest messages; a shared file carries none."""
        form = {"channel": message.to.chat, "limit": HISTORY, "include_all_metadata": "true"}
        told = await self._calls.ask("conversations.history", data=form)
        return next((str(m["ts"]) for m in told.get("messages") or () if _is_ours(m, message.id)), None)

    async def check(self) -> str:
        told = await self._calls.ask("auth.test")
        return f"Slack workspace {told.get('team') or told.get('team_id')}, bot {told.get('user')} answers"

    async def register(self, url: str) -> str:
        if self.settings.mode == "socket":
            return "nothing to set: Socket Mode needs no address"
        return f"set {url} as Request URL under both Event Subscriptions and Interactivity at api.slack.com/apps"


def _is_ours(message: Any, outbound: str) -> bool:
    metadata = message.get("metadata") or {}
    return bool(metadata.get("event_type") == METADATA and (metadata.get("event_payload") or {}).get("id") == outbound)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
