"""The channel itself: webhook or long polling in, python-telegram-bot's calls out."""

import asyncio
import csv
import hashlib
import hmac
import os
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import telegram
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, KeyboardButton, ReplyKeyboardMarkup
from telegram.error import NetworkError, RetryAfter, TelegramError
from telegram.request import BaseRequest, RequestData

from adapters.channels.telegram.desk import Taken, TelegramDesk
from adapters.channels.telegram.reading import read
from bot.errors import Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError
from bot.model.events import Event, conversation_lane
from bot.model.markup import plain, runs
from bot.model.messages import Address, Limits, Media, MediaKind, Outbound
from bot.ports import Answer, Channel, Deliver, Item, Posting, Rate, Request
from bot.transport import post, ready_headers
from bot.wire import unsent

# PTB gives `retry_after` as a number and warns at each that it will be a timedelta; this asks for it now.
os.environ.setdefault("PTB_TIMEDELTA", "true")

ALLOWED = ["message", "edited_message", "callback_query", "my_chat_member"]
POLL_SECONDS = 25
ALBUM_QUIET = 1.0
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""What Telegram takes as the secret token of a webhook."""


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    token: SecretStr = Field(min_length=3)
    secret: SecretStr = SecretStr("")
    mode: str = Field("polling", pattern="^(webhook|polling)$")
    base_url: str = "https://api.telegram.org"
    rate: Rate = Rate(per_second=30, per_recipient=1, burst=3)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        secret = self.secret.get_secret_value()
        if self.mode == "webhook" and not SECRET.fullmatch(secret):
            raise ValueError("secret is needed in webhook mode: 1 to 256 of A-Z a-z 0-9 _ -, any random text")
        return self


def connect(settings: Settings, http: httpx.AsyncClient) -> Channel:
    return Telegram(settings, http)


class _SharedClient(BaseRequest):
    """PTB's calls over the HTTP client that the whole app shares."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._endpoints: dict[str, tuple[httpx.URL, httpx.Headers]] = {}

    @property
    def read_timeout(self) -> float | None:
        return self._http.timeout.read

    async def initialize(self) -> None:
        """Nothing: the client is the app's."""

    async def shutdown(self) -> None:
        """Nothing: the app closes it."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = None,
        write_timeout: Any = None,
        connect_timeout: Any = None,
        pool_timeout: Any = None,
    ) -> tuple[int, bytes]:
        wait = read_timeout if isinstance(read_timeout, int | float) else self.read_timeout or 20.0
        if method == "POST" and request_data is not None and not request_data.contains_files:
            whither, headers = self._endpoint(url)
            call = self._http.send(post(whither, headers, msgspec.json.encode(request_data.parameters), wait))
        else:
            parts: dict[str, Any] = {"timeout": httpx.Timeout(wait, connect=5.0)}
            if request_data is not None:
                parts |= {"data": request_data.json_parameters, "files": request_data.multipart_data}
            call = self._http.request(method, url, **parts)
        response = await call
        if response.is_success and b'"result"' not in response.content:
            raise NetworkError("not an answer of Telegram") from httpx.DecodingError("an answer without a result")
        if _is_another(response):
            raise _Elsewhere(f"what answers there is not Telegram: HTTP {response.status_code}")
        return response.status_code, response.content

    def _endpoint(self, url: str) -> tuple[httpx.URL, httpx.Headers]:
        if url not in self._endpoints:
            made = httpx.URL(url)
            self._endpoints[url] = made, ready_headers(made)
        return self._endpoints[url]

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        try:
            told = msgspec.json.decode(payload)
        except msgspec.DecodeError as error:
            raise TelegramError("Telegram's answer is not JSON") from error
        return told if isinstance(told, dict) else {}


class _Elsewhere(TelegramError):
    """A gateway's refusal, which says nothing of the message or the person."""


def _is_another(response: httpx.Response) -> bool:
    """A refusal of Telegram's says why; only a file that is too large is refused by the server before it."""
    refused = not response.is_success and response.status_code < httpx.codes.INTERNAL_SERVER_ERROR
    plain = {httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.TOO_MANY_REQUESTS}
    return refused and response.status_code not in plain and b'"description"' not in response.content


class Telegram(Channel):
    """One bot."""

    kind = "telegram"
    limits = Limits(text=4096, caption=1024, buttons=8, button_title=40, ask_contact=True, amends=True)

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self.listens = settings.mode == "polling"
        self._http = http
        self._token = settings.token.get_secret_value()
        self._account = self._token.split(":", 1)[0]
        self._secret = settings.secret.get_secret_value().encode()
        base = settings.base_url.rstrip("/")
        self._files = f"{base}/file/bot{self._token}/"
        self._bot = telegram.Bot(
            self._token,
            f"{base}/bot",
            f"{base}/file/bot",
            request=_SharedClient(http),
            get_updates_request=_SharedClient(http),
        )
        self._actions = _error_table()
        self._name = ""
        self._desk: TelegramDesk | None = None

    async def account(self) -> str:
        return self._account

    # ---- in ----------------------------------------------------------------------------------------------

    async def webhook(self, request: Request) -> Answer:
        given = request.headers.get("x-telegram-bot-api-secret-token", "").encode("latin-1", "replace")
        if not self._secret or not hmac.compare_digest(given, self._secret):
            return Answer(401)
        taken = self._taken(request.body)
        if not taken.pressed:
            return Answer(items=taken.items)
        # Telegram carries out a method that the answer names: the button stops spinning without another call.
        told = {"method": "answerCallbackQuery", "callback_query_id": taken.pressed}
        body = msgspec.json.encode(told | ({"text": taken.alert, "show_alert": True} if taken.alert else {}))
        return Answer(body=body, headers={"content-type": "application/json"}, items=taken.items)

    def _taken(self, raw: bytes) -> Taken:
        if self._desk is not None:
            try:
                taken = self._desk.taken(msgspec.json.decode(raw), raw)
            except (msgspec.DecodeError, RecursionError, KeyError, TypeError, ValueError, AttributeError):
                taken = None
            if taken is not None:
                return taken
        item, pressed = self._item(raw)
        return Taken((item,), pressed)

    def desk(self, posting: Posting) -> TelegramDesk:
        self._desk = TelegramDesk(self._desk_call, self._desk_file, encode, posting)
        return self._desk

    async def _desk_call(self, method: str, body: dict[str, Any]) -> Any:
        try:
            return await self._bot._post(method, body)  # noqa: SLF001 - of the answer only ids are wanted
        except TelegramError as error:
            raise self._error(error) from error

    async def _desk_file(self, media: Media, caption: str, parts: dict[str, Any]) -> Any:
        try:
            return await self._send_media(media, caption, parts)
        except TelegramError as error:
            raise self._error(error) from error

    def _item(self, raw: bytes) -> tuple[Item, str]:
        """The stored form of an update, and the id of the button press it is, or empty."""
        try:
            update = msgspec.json.decode(raw)
            kind = next((k for k in ALLOWED if k in update), "")
            part = update[kind]
            chat = (part["message"] if kind == "callback_query" and part.get("message") else part).get("chat")
            if (chat or {}).get("type", "private") != "private":
                return Item(str(update["update_id"]), f"x/telegram/{self._account}", raw), ""
            lane = conversation_lane(Address("telegram", self._account, str((chat or part["from"])["id"])))
            quiet = ALBUM_QUIET if part.get("media_group_id") else 0.0
            pressed = str(part["id"]) if kind == "callback_query" else ""
            return Item(str(update["update_id"]), lane, raw, quiet=quiet), pressed
        except (msgspec.DecodeError, RecursionError, KeyError, TypeError, AttributeError):
            return Item(hashlib.sha256(raw).hexdigest(), f"x/telegram/{self._account}", raw), ""

    async def listen(self, deliver: Deliver) -> None:
        offset = None
        while True:
            try:
                got = await self._bot._post(  # noqa: SLF001 - the raw update: PTB's own method drops what it cannot read
                    "getUpdates",
                    {"offset": offset, "timeout": POLL_SECONDS, "allowed_updates": ALLOWED},
                    read_timeout=POLL_SECONDS + 10.0,
                )
            except TelegramError as error:
                raise self._error(error) from error
            updates: list[Any] = list(got) if isinstance(got, list | tuple) else []
            if not updates:
                continue
            taken = [self._taken(msgspec.json.encode(update)) for update in updates]
            await deliver([item for t in taken for item in t.items])
            told = [u["update_id"] for u in updates if isinstance(u, dict) and isinstance(u.get("update_id"), int)]
            if not told:
                raise Refused("Telegram gives updates without an id")
            offset = max(told) + 1
            for t in taken:
                if t.pressed:
                    await self._stop_spinning(t)

    async def _stop_spinning(self, taken: Taken) -> None:
        try:
            await self._bot.answer_callback_query(taken.pressed, taken.alert or None, bool(taken.alert))
        except TelegramError:
            return  # too late or already done: the button merely spins a little longer

    def decode(self, item: Item) -> Event | None:
        if item.lane.startswith("x/"):
            return None
        act = self._desk.act_of(item, self._bot) if self._desk is not None else None
        return act or read(item, self._bot)

    # ---- out ---------------------------------------------------------------------------------------------

    async def send(self, message: Outbound) -> str:
        if message.amends:
            return await self._amend(message)
        parts: dict[str, Any] = {"chat_id": message.to.chat, "reply_markup": _keyboard(message)}
        try:
            return await self._sent(message, encode(message.text), parts | {"parse_mode": "HTML"})
        except _Malformed:
            return await self._sent(message, plain(message.text), parts)

    async def _sent(self, message: Outbound, text: str, parts: dict[str, Any]) -> str:
        try:
            if message.media:
                return str((await self._send_media(message.media[0], text, parts)).message_id)
            # Of the answer only the id is wanted: `send_message` reads it into objects, at 150 us.
            told = await self._bot._post("sendMessage", {"text": text, "link_preview_options": _NO_PREVIEW, **parts})  # noqa: SLF001
            return str(told["message_id"])
        except TelegramError as error:
            raise self._error(error) from error
        except (KeyError, TypeError) as error:
            raise Unknown("Telegram took the message and gave no id") from error

    async def _amend(self, message: Outbound) -> str:
        where: dict[str, Any] = {"chat_id": message.to.chat, "message_id": int(message.amends)}
        try:
            if message.text:
                text = {"text": encode(message.text), "parse_mode": "HTML", "link_preview_options": _NO_PREVIEW}
                await self._bot._post("editMessageText", where | text)  # noqa: SLF001 - as for `sendMessage`
            else:
                await self._bot.delete_message(**where)
        except TelegramError as error:
            if not any(done in str(error) for done in _DONE):
                raise self._error(error) from error
        return message.amends

    async def _send_media(self, media: Media, caption: str, parts: dict[str, Any]) -> telegram.Message:
        content = await asyncio.to_thread(Path(media.path).read_bytes)
        calls = {
            MediaKind.IMAGE: self._bot.send_photo,
            MediaKind.VIDEO: self._bot.send_video,
            MediaKind.AUDIO: self._bot.send_audio,
            MediaKind.DOCUMENT: self._bot.send_document,
        }
        name = media.kind.value if media.kind != MediaKind.IMAGE else "photo"
        sent: telegram.Message = await calls[media.kind](
            **{name: content}, filename=media.name or None, caption=caption, **parts
        )  # type: ignore[operator]
        return sent

    async def fetch(self, media: Media) -> AsyncIterator[bytes]:
        try:
            file = await self._bot.get_file(media.ref)
        except TelegramError as error:
            raise self._error(error) from error
        path = (file.file_path or "").removeprefix(self._files)
        try:
            async with self._http.stream("GET", self._files + path) as response:
                if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
                    raise Temporary(f"Telegram does not give the file now: HTTP {response.status_code}")
                if not response.is_success:
                    raise Refused(f"Telegram does not give the file: HTTP {response.status_code}")
                async for chunk in response.aiter_bytes():
                    yield chunk
        except httpx.HTTPError as error:
            raise Temporary(f"the file did not come through: {type(error).__name__}") from error

    async def check(self) -> str:
        try:
            me = await self._bot.get_me()
            hook = await self._bot.get_webhook_info()
        except TelegramError as error:
            raise self._error(error) from error
        if self.listens and hook.url:
            raise Misconfigured(
                "a webhook is set, so polling gets nothing; `wismo doctor --fix` removes it",
                key="channels.telegram.mode",
            )
        how = "polling" if self.listens else f"webhook {hook.url}" if hook.url else "no webhook is set"
        return f"@{me.username} answers; {how}"

    async def register(self, url: str) -> str:
        try:
            if self.listens:
                await self._bot.delete_webhook()
                return "removed the webhook: this bot polls"
            await self._bot.set_webhook(url, allowed_updates=ALLOWED, secret_token=self._secret.decode())
        except TelegramError as error:
            raise self._error(error) from error
        return f"set the webhook to {url}"

    async def registered(self) -> str | None:
        try:
            return str((await self._bot.get_webhook_info()).url)
        except TelegramError as error:
            raise self._error(error) from error

    async def deep_link(self, token: str) -> str | None:
        if not self._name:
            try:
                self._name = (await self._bot.get_me()).username or ""
            except TelegramError as error:
                raise self._error(error) from error
        return f"https://t.me/{self._name}?start={token}" if self._name else None

    def _error(self, error: TelegramError) -> WismoError:
        """The vendor's exception as what is to be done: by its words, else by its kind."""
        if isinstance(error, _Elsewhere):
            return Misconfigured(error.message, key="channels.telegram.base_url")
        told = error.message.lower()
        action = next((a for sign, a in self._actions.items() if sign in told), "") or next(
            self._actions[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in self._actions
        )
        if isinstance(error, RetryAfter):
            wait = error.retry_after
            seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
            return Temporary("Telegram says: too many requests", retry_after=seconds)
        if action == "network":
            return _network(error)
        if action == "operator":
            return Misconfigured(f"Telegram: {error.message}", key="channels.telegram.token")
        if action == "unreachable":
            return Unreachable("Telegram: the person blocked the bot or is gone")
        return _Malformed("Telegram: our markup") if action == "plain" else Refused(f"Telegram: {error.message}")


class _Malformed(Refused):
    """Telegram did not understand our markup; the same words may pass without any."""


_DONE = ("not modified", "to delete not found")
"""What is said to a change or a deletion that went through before, when its outcome was not known."""
_NO_PREVIEW = telegram.LinkPreviewOptions(is_disabled=True)


def _error_table() -> dict[str, str]:
    raw = files("adapters.channels.telegram").joinpath("errors.csv").read_text(encoding="utf-8")
    return {row["sign"]: row["action"] for row in csv.DictReader(raw.splitlines())}


def _network(error: TelegramError) -> WismoError:
    cause = error.__cause__
    if isinstance(cause, httpx.HTTPError) and not unsent(cause):
        return Unknown(f"the line to Telegram broke: {type(cause).__name__}")
    return Temporary("Telegram cannot be reached" if cause else "Telegram has a fault of its own")


def encode(markup: str) -> str:
    """Neutral markup as Telegram's HTML."""
    parts = []
    for run in runs(markup):
        text = escape(run.text, quote=False)
        for wanted, tag in ((run.code, "code"), (run.italic, "i"), (run.bold, "b")):
            text = f"<{tag}>{text}</{tag}>" if wanted else text
        parts.append(f'<a href="{escape(run.link)}">{text}</a>' if run.link else text)
    return "".join(parts)


def _keyboard(message: Outbound) -> InlineKeyboardMarkup | ReplyKeyboardMarkup | None:
    if message.ask_contact:
        # A message has one keyboard, and only this kind can ask for the number. A choice's title is sent as if typed.
        keys: list[str | KeyboardButton] = [
            KeyboardButton(message.ask_contact, request_contact=True),
            *(c.title for c in message.choices),
        ]
        return ReplyKeyboardMarkup([[key] for key in keys], resize_keyboard=True, one_time_keyboard=True)
    if message.choices:
        return InlineKeyboardMarkup([[InlineKeyboardButton(c.title, callback_data=c.value)] for c in message.choices])
    return None
