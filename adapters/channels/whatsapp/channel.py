"""The channel itself: signed webhook in, the Graph API out."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.channels.whatsapp.reading import alarms, error_table, items, read
from adapters.channels.whatsapp.templates import Templates
from adapters.channels.whatsapp.writing import BUTTONS, content, encode
from bot.errors import Closed, Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError
from bot.model.events import Event
from bot.model.messages import Limits, Media, MediaKind, Outbound
from bot.ports import Answer, Channel, Item, Rate, Request, TemplateRegistry
from bot.transport import post, ready_headers
from bot.wire import unsent


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    phone_number_id: str = Field(min_length=1)
    access_token: SecretStr = Field(min_length=1)
    app_secret: SecretStr = Field(min_length=1)
    verify_token: SecretStr = Field(min_length=1)
    waba_id: str = ""
    base_url: str = "https://graph.facebook.com/v24.0"
    rate: Rate = Rate(per_second=80, per_recipient=1 / 6, burst=45)


def connect(settings: Settings, http: httpx.AsyncClient) -> Channel:
    return WhatsApp(settings, http)


class WhatsApp(Channel):
    """One phone number."""

    kind = "whatsapp"
    receipts = True
    limits = Limits(
        text=4096,
        caption=1024,
        buttons=BUTTONS,
        button_title=20,
        rows=10,
        row_title=24,
        text_with_buttons=1024,
        ask_contact=True,
        contact_alone=True,
        window=True,
    )

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self._http = http
        self._base = settings.base_url.rstrip("/")
        self._auth = {"Authorization": f"Bearer {settings.access_token.get_secret_value()}"}
        self._messages = httpx.URL(f"{self._base}/{settings.phone_number_id}/messages")
        self._headers = ready_headers(self._messages, **self._auth)
        self._secret = settings.app_secret.get_secret_value().encode()
        self._actions = error_table()
        self._digits = ""

    async def account(self) -> str:
        return self.settings.phone_number_id

    # ---- in ----------------------------------------------------------------------------------------------

    async def webhook(self, request: Request) -> Answer:
        if request.method == "GET":
            return self._handshake(request.query)
        want = b"sha256=" + hmac.new(self._secret, request.body, hashlib.sha256).hexdigest().encode()
        given = request.headers.get("x-hub-signature-256", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, want):
            return Answer(401)
        found = tuple(items(request.body, self.settings.phone_number_id))
        return Answer(items=found, alarms=tuple(a for item in found for a in alarms(item)))

    def _handshake(self, query: Mapping[str, str]) -> Answer:
        want = self.settings.verify_token.get_secret_value().encode()
        given = query.get("hub.verify_token", "").encode()
        if query.get("hub.mode") == "subscribe" and hmac.compare_digest(given, want):
            return Answer(body=query.get("hub.challenge", "").encode(), headers={"content-type": "text/plain"})
        return Answer(403)

    def decode(self, item: Item) -> Event | None:
        return read(item)

    # ---- out ---------------------------------------------------------------------------------------------

    async def send(self, message: Outbound) -> str:
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "biz_opaque_callback_data": message.id,
        }
        body["to" if message.to.chat.isdecimal() else "recipient"] = message.to.chat
        body |= await self._content(message)
        wait = self._http.timeout.read or 20.0
        call = post(self._messages, self._headers, msgspec.json.encode(body), wait)
        answer = await self._told(self._http.send(call))
        try:
            return str(answer["messages"][0]["id"])
        except (KeyError, IndexError, TypeError) as error:
            raise Unknown("WhatsApp took the message and gave no id") from error

    async def _content(self, message: Outbound) -> dict[str, Any]:
        if message.media and message.approved is None:
            return await self._media(message.media[0], encode(message.text))
        return content(message)

    async def _media(self, media: Media, caption: str) -> dict[str, Any]:
        file = await asyncio.to_thread(Path(media.path).read_bytes)
        form = {"messaging_product": "whatsapp", "type": media.mime}
        answer = await self._call(
            "POST",
            f"{self._base}/{self.settings.phone_number_id}/media",
            data=form,
            files={"file": (media.name or media.kind.value, file, media.mime)},
        )
        sent: dict[str, Any] = {"id": answer.get("id")}
        if caption and media.kind != MediaKind.AUDIO:
            sent["caption"] = caption
        if media.kind == MediaKind.DOCUMENT and media.name:
            sent["filename"] = media.name
        return {"type": media.kind.value, media.kind.value: sent}

    def registry(self) -> TemplateRegistry | None:
        business = self.settings.waba_id
        return Templates(self._call, f"{self._base}/{business}/message_templates") if business else None

    async def fetch(self, media: Media) -> AsyncIterator[bytes]:
        """`ref` is what the webhook told of the file (`reading.file_ref`)."""
        file, told, address = media.ref.split(" ", 2)
        async for url in self._addresses(file, address):
            digest = hashlib.sha256()
            try:
                async with self._http.stream("GET", url, headers=self._auth) as response:
                    if response.is_success:
                        async for chunk in response.aiter_bytes():
                            digest.update(chunk)
                            yield chunk
                        _verify(digest.digest(), told)
                        return
                    status = response.status_code
            except httpx.HTTPError as error:
                raise Temporary(f"the file did not come through: {type(error).__name__}") from error
            if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise Temporary(f"WhatsApp does not give the file now: HTTP {status}")
        raise Refused("WhatsApp does not give the file")

    async def _addresses(self, file: str, address: str) -> AsyncIterator[str]:
        """The address in the webhook holds for minutes only."""
        if address:
            yield address
        if file and (fresh := (await self._call("GET", f"{self._base}/{file}")).get("url")):
            yield str(fresh)

    async def check(self) -> str:
        told = await self._call("GET", f"{self._base}/{self.settings.phone_number_id}")
        return f"WhatsApp number {told.get('display_phone_number', self.settings.phone_number_id)} answers"

    def chat_of(self, phone: str) -> str:
        return phone.removeprefix("+")

    async def deep_link(self, token: str) -> str | None:
        if not self._digits:
            told = await self._call("GET", f"{self._base}/{self.settings.phone_number_id}")
            self._digits = "".join(c for c in str(told.get("display_phone_number", "")) if c.isdecimal())
        return f"https://wa.me/{self._digits}?text={token}" if self._digits else None

    async def _call(self, method: str, url: str, **parts: Any) -> dict[str, Any]:
        return await self._told(self._http.request(method, url, headers=self._auth, **parts))

    async def _told(self, call: Awaitable[httpx.Response]) -> dict[str, Any]:
        try:
            response = await call
        except httpx.HTTPError as error:
            if unsent(error):
                raise Temporary("WhatsApp cannot be reached") from error
            raise Unknown(f"the line to WhatsApp broke: {type(error).__name__}") from error
        try:
            told = msgspec.json.decode(response.content)
        except msgspec.DecodeError:
            told = None
        if response.is_success:
            return told if isinstance(told, dict) else {}
        raise self._error(response.status_code, told, response.headers)

    def _error(self, status: int, told: Any, headers: Mapping[str, str]) -> WismoError:
        error = told.get("error") if isinstance(told, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        action, seconds = self._actions.get(str(code), ("", 0.0))
        if not action and isinstance(code, int) and 200 <= code < 300:
            action = "operator"
        action = action or _by_status(status, spoken=code is not None)
        text = f"WhatsApp error {code or f'HTTP {status}'}"
        after = float(headers["retry-after"]) if headers.get("retry-after", "").isdecimal() else None
        if action == "grow":
            return Temporary(text, retry_after=after, growing=seconds)
        if action in {"retry", "wait"}:
            return Temporary(text, retry_after=after or seconds or None, account_wide=action == "wait")
        kinds: dict[str, type[WismoError]] = {"unreachable": Unreachable, "closed": Closed}
        if action == "operator":
            return Misconfigured(text, key="channels.whatsapp")
        if action == "elsewhere":
            return Misconfigured(f"what answers there is not WhatsApp: HTTP {status}", key="channels.whatsapp.base_url")
        return kinds.get(action, Refused)(text)


def _verify(digest: bytes, told: str) -> None:
    """Compare what came with the SHA-256 of the webhook, which is Base64 (hex in answers of the media endpoint)."""
    if told and told.rstrip("=") != base64.b64encode(digest).decode().rstrip("=") and told.lower() != digest.hex():
        raise Temporary("the file did not come through whole: its SHA-256 is another")


def _by_status(status: int, *, spoken: bool) -> str:
    """Where the table has no word. A refusal of WhatsApp's comes with a code; without one it is a gateway's, which
    says nothing of the message."""
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return "retry"
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return "wait"
    return "refused" if spoken or status == httpx.codes.REQUEST_ENTITY_TOO_LARGE else "elsewhere"
