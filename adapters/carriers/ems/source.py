"""The calls to the partner platform, and the pushes that it makes."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from adapters.carriers.ems.reading import ENCODING, FINE, HOME, KIND, WHO, read
from adapters.carriers.ems.seal import PREFIX, key_of, opened, sealed
from bot.errors import Misconfigured, Refused, Temporary
from bot.model.events import parcel_lane
from bot.model.foreign import Map, a_map, a_text, first_text, parse_json
from bot.model.tracks import Track, TrackRef, TrackUpdate, heard_at
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import judge, reached

KEY = "carriers.ems.authorization"
PULL = "040001"
VERSION = "V1.0.0"
UNREADABLE = f"x/{KIND}"
NOBODYS = "EA000000005CN"
"""A number that no item has; asked to try the account."""


class Settings(BaseModel):
    """`sender_no`, `authorization` and the SM4 `secret_key` (Base64 or hex of 16 bytes) come with the contract.

    `webhook_token` takes the platform's pushes (040002): it has to stand as `?token=` in the address given to it. What
    is pushed has to open with the key as well.
    """

    model_config = ConfigDict(extra="forbid")

    sender_no: str
    authorization: SecretStr
    secret_key: SecretStr
    webhook_token: SecretStr | None = None
    base_url: str = "https://api.ems.com.cn/amp-prod-api/f/amp/api/open"
    rate: Rate = Rate(per_second=1)

    @field_validator("secret_key")
    @classmethod
    def _sixteen(cls, value: SecretStr) -> SecretStr:
        key_of(value.get_secret_value())
        return value


def connect(settings: Settings, http: httpx.AsyncClient) -> "Ems":
    return Ems(settings, http)


class Ems(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._key = key_of(settings.secret_key.get_secret_value())
        self._token = settings.webhook_token.get_secret_value() if settings.webhook_token else ""
        self._http = http
        self.capabilities = Capabilities(
            carriers=frozenset({"ems", "china-post"}),
            push=bool(self._token),
            batch=1,
            per_second=settings.rate.per_second or 1,
        )

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        return [await self._ask(ref.number) for ref in refs]

    async def _ask(self, number: str) -> Track | None:
        form = {
            "apiCode": PULL,
            "senderNo": self._settings.sender_no,
            "authorization": self._settings.authorization.get_secret_value(),
            "msgType": "0",
            "timeStamp": f"{datetime.now(ZoneInfo(HOME)):%Y-%m-%d %H:%M:%S}",
            "version": VERSION,
            "logitcsInterface": sealed(msgspec.json.encode({"waybillNo": number, "direction": "0"}), self._key),
        }
        response = await reached(self._http.post(self._settings.base_url, data=form), WHO)
        judge(response, WHO, KEY)
        told = self._told(response.content)
        code = first_text(told.get("retCode"), told.get("code"))
        if code and code not in FINE:
            if any(sign in code.upper() for sign in ("AUTH", "SIGN", "B00010", "B00020")):
                raise Misconfigured(f"{WHO} refuses the account ({code})", key=KEY)
            raise Refused(f"{WHO} refused the call with code {code}")
        try:
            tracks = read(json.dumps(told).encode())
        except ValueError:
            return None
        return next((t for t in tracks if t.number.casefold() == number.casefold()), None)

    def _told(self, content: bytes) -> dict[str, Any]:
        try:
            told = dict(a_map(parse_json(content, WHO, ENCODING)))
            body = told.get("retBody")
            if isinstance(body, str) and body.startswith(PREFIX):
                told["retBody"] = parse_json(opened(body, self._key), WHO, ENCODING)
        except ValueError as error:
            raise Temporary(str(error)) from error
        return told

    async def webhook(self, request: Request) -> Answer:
        if not self._token:
            return Answer(404)
        given = request.query.get("token", "")
        if not hmac.compare_digest(self._token.encode(), given.encode(errors="replace")):
            return Answer(401)
        told = _form(request)
        letter = told.get("logitcsInterface")
        try:
            body = opened(letter if isinstance(letter, str) else "", self._key)
        except ValueError:
            return Answer(401)
        return Answer(200, self._thanks(told), {"content-type": "application/json"}, tuple(_split(body)))

    def _thanks(self, told: Map) -> bytes:
        """The answer that the platform waits for, with the number of its message."""
        thanks = {"serialNo": a_text(told.get("serialNo")), "code": "00000", "codeMessage": ""}
        return msgspec.json.encode(thanks | {"senderNo": self._settings.sender_no})

    def decode(self, item: Item) -> TrackUpdate | None:
        (track, *more) = read(item.body)
        if more:
            raise ValueError(f"{WHO}: a push of several numbers")
        return TrackUpdate(item.key, heard_at(track), track)

    async def check(self) -> str:
        await self._ask(NOBODYS)
        return "EMS: the account is answered"


def _form(request: Request) -> Mapping[str, Any]:
    """The fields of a push, sent as JSON or as a form."""
    try:
        return a_map(parse_json(request.body, WHO, ENCODING))
    except ValueError:
        fields = parse_qs(request.body.decode(errors="replace"), max_num_fields=50) if b"=" in request.body else {}
        return {name: values[-1] for name, values in fields.items()}


def _split(body: bytes) -> list[Item]:
    """A push tells of one number; one that cannot be read is kept on a lane of its own."""
    key = hashlib.sha256(body).hexdigest()
    try:
        numbers = [track.number for track in read(body)]
    except ValueError:
        numbers = []
    one = len(numbers) == 1 and numbers[0].isascii()
    return [Item(key, parcel_lane(numbers[0]) if one else UNREADABLE, body)]
