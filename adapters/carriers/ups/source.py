"""Asking UPS, hearing from it, and having it push."""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, SecretStr

from adapters.carriers.ups.reading import KIND, WHO, complaint, errors, read
from bot.errors import Temporary, WismoError
from bot.model.events import parcel_lane
from bot.model.foreign import a_list, a_map, a_text, parse_json
from bot.model.tracks import Track, TrackRef, TrackUpdate, heard_at
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import Tokens, judge

UNREADABLE = f"x/{KIND}"
SECRET = "carriers.ups.client_secret"  # noqa: S105 - the name of a setting
NO_SUCH_NUMBER = re.compile(r"invalid (?:inquiry|tracking) ?number", re.IGNORECASE)
NUMBER = re.compile(r"[A-Za-z0-9]{7,34}")
PUSHED = re.compile(r"1[ZR][A-Z0-9]{12,16}")
"""The numbers that Track Alert takes: UPS's own and Roadie's."""
RENEWED_DAYS = 12
"""A subscription ends after 14 days and knows nothing of its own age: it is renewed on each twelfth day since the
parcel was sent, whenever the parcel is looked at."""
KEPT_DAYS = 120


class Settings(BaseModel):
    """`client_id` and `client_secret` of the app in UPS's portal; `webhook_credential` is what Track Alert was told to
    send along, no push is believed without it. UPS names no limit: one call a second."""

    model_config = ConfigDict(extra="forbid")

    client_id: str
    client_secret: SecretStr
    webhook_credential: SecretStr = SecretStr("")
    base_url: str = "https://onlinetools.ups.com"
    source: str = "wismo"
    rate: Rate = Rate(per_second=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "Ups":
    return Ups(settings, http)


class Ups(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._auth = (settings.client_id, settings.client_secret.get_secret_value())
        self._credential = settings.webhook_credential.get_secret_value().encode()
        self._source = settings.source
        self._url = settings.base_url.rstrip("/")
        self._http = http
        self._tokens = Tokens(self._ask_token, WHO, SECRET)
        self.capabilities = Capabilities(
            carriers=frozenset({"ups"}),
            push=bool(self._credential),
            batch=1,
            history_days=KEPT_DAYS,
            # Where pushes are wanted one look-up can be two calls: at half the rate no second holds more.
            per_second=(settings.rate.per_second or 1) / (2 if self._credential else 1),
        )

    async def _ask_token(self) -> httpx.Response:
        form = {"grant_type": "client_credentials"}
        return await self._http.post(f"{self._url}/security/v1/oauth/token", data=form, auth=self._auth)

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > 1:
            raise ValueError(f"at most 1 number a call, not {len(refs)}")
        return [await self._one(ref) for ref in refs]

    async def _one(self, ref: TrackRef) -> Track | None:
        number = "".join(ref.number.split()).upper()
        if not NUMBER.fullmatch(number):
            return Track(KIND, ref.number, cause="invalid_number", source=KIND)
        response = await self._tokens.call(lambda bearer: self._get(number, bearer))
        if response.status_code == HTTPStatus.BAD_REQUEST and NO_SUCH_NUMBER.search(_refusal(response)):
            return Track(KIND, ref.number, cause="invalid_number", source=KIND)
        judge(response, WHO, SECRET)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return Track(KIND, ref.number, cause="not_found", source=KIND) if _refusal(response) else None
        track = _answered(response, ref.number, number)
        if self._credential and PUSHED.fullmatch(number) and _to_renew(ref, datetime.now(UTC)):
            await self._subscribe(number)
        return track

    async def _subscribe(self, number: str) -> None:
        """Have what happens to this number pushed to the address that UPS's portal was given; where that fails, the
        next look tries again and looks go on."""
        content = msgspec.json.encode({"locale": "en_US", "countryCode": "US", "trackingNumberList": [number]})
        url = f"{self._url}/api/track/v2/subscription/standard/package"

        async def send(bearer: dict[str, str]) -> httpx.Response:
            told = {"transId": uuid4().hex, "transactionSrc": self._source, "content-type": "application/json"}
            return await self._http.post(url, content=content, headers=bearer | told)

        with suppress(WismoError):
            await self._tokens.call(send)

    async def _get(self, number: str, bearer: dict[str, str]) -> httpx.Response:
        flags = {"locale": "en_US"} | dict.fromkeys(("returnSignature", "returnMilestones", "returnPOD"), "false")
        headers = bearer | {"transId": uuid4().hex, "transactionSrc": self._source}
        url = f"{self._url}/api/track/v1/details/{quote(number, safe='')}"
        return await self._http.get(url, params=flags, headers=headers)

    async def webhook(self, request: Request) -> Answer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = request.headers.get("credential", "") or (token if scheme.lower() == "bearer" else "")
        matches = hmac.compare_digest(self._credential, given.strip().encode(errors="replace"))
        if not matches or not self._credential:
            return Answer(401)
        return Answer(200, items=tuple(_split(request.body)))

    def decode(self, item: Item) -> TrackUpdate | None:
        tracks = read(item.body)
        if len(tracks) != 1:
            raise ValueError(f"{WHO}: a push of {len(tracks)} numbers")
        (track,) = tracks
        return TrackUpdate(item.key, heard_at(track), track)

    async def check(self) -> str:
        await Tokens(self._ask_token, WHO, SECRET).bearer()
        return f"{WHO}: the credentials give a token"


def _to_renew(ref: TrackRef, now: datetime) -> bool:
    return ref.shipped_at is None or (now - ref.shipped_at).days % RENEWED_DAYS == 0


def _refusal(response: httpx.Response) -> str:
    """The errors of a refusing answer in one line; empty where it is none of UPS's."""
    try:
        return complaint(errors(a_map(parse_json(response.content, WHO))))
    except ValueError:
        return ""


def _answered(response: httpx.Response, asked: str, number: str) -> Track | None:
    """The track of the number asked for; the first where UPS files it under another."""
    try:
        tracks = read(response.content)
    except ValueError as error:
        raise Temporary(f"{WHO} gave an answer that cannot be read") from error
    named = (t for t in tracks if t.number.casefold() == number.casefold())
    return replace(next(named, tracks[0]), number=asked)


def _split(body: bytes) -> list[Item]:
    """One item an event; what was signed and cannot be read is kept on a lane of its own."""
    try:
        events = a_list(parse_json(body, WHO))
        numbers = [a_text(a_map(event).get("trackingNumber")) for event in events]
    except ValueError:
        events, numbers = (), []
    if not numbers or not all(numbers):
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    whole = [body] if len(events) == 1 else [json.dumps(e).encode() for e in events]
    return [Item(hashlib.sha256(b).hexdigest(), parcel_lane(n), b) for b, n in zip(whole, numbers, strict=True)]
