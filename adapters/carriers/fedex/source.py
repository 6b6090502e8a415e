"""Asking FedEx and hearing from it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.carriers.fedex.reading import KIND, WHO, read, read_track, results, sent_at
from bot.errors import Temporary
from bot.model.events import parcel_lane
from bot.model.foreign import Map, parse_json
from bot.model.tracks import Status, Track, TrackRef, TrackUpdate, heard_at
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import Tokens, judge

KEY = "carriers.fedex.client_secret"
UNREADABLE = f"x/{KIND}"
BATCH = 30
AROUND = timedelta(days=15)
"""A shipment is looked for this long around the day it was sent: its number may have been another's before."""


class Settings(BaseModel):
    """The project's API key and secret; `webhook_secret` is the token of Advanced Integrated Visibility's pushes.
    FedEx's page on the API names 100,000 calls a day and no rate: one call a second."""

    model_config = ConfigDict(extra="forbid")

    client_id: str
    client_secret: SecretStr
    webhook_secret: SecretStr | None = None
    base_url: str = "https://apis.fedex.com"
    rate: Rate = Rate(per_second=1)
    per_day: int = Field(default=100_000, ge=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "FedEx":
    return FedEx(settings, http)


class FedEx(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._url = settings.base_url.rstrip("/")
        self._http = http
        self._tokens = Tokens(self._token, WHO, KEY)
        self.capabilities = Capabilities(
            carriers=frozenset({KIND}),
            push=settings.webhook_secret is not None,
            batch=BATCH,
            per_second=settings.rate.per_second or 1,
            per_day=settings.per_day,
        )

    async def _token(self) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
        }
        return await self._http.post(f"{self._url}/oauth/token", data=form)

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > BATCH:
            raise ValueError(f"at most {BATCH} numbers a call, not {len(refs)}")
        if not refs:
            return ()
        body = {"includeDetailedScans": True, "trackingInfo": [_asked(ref) for ref in refs]}
        content = msgspec.json.encode(body)

        async def send(authorization: dict[str, str]) -> httpx.Response:
            headers = {"content-type": "application/json", "x-locale": "en_US", **authorization}
            return await self._http.post(f"{self._url}/track/v1/trackingnumbers", content=content, headers=headers)

        response = await self._tokens.call(send)
        judge(response, WHO, KEY)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return [None] * len(refs)
        try:
            told = results(parse_json(response.content, WHO))
        except ValueError as error:
            raise Temporary(str(error)) from error
        return [_ours(ref, told) for ref in refs]

    async def webhook(self, request: Request) -> Answer:
        if self._settings.webhook_secret is None:
            return Answer(404)
        secret = self._settings.webhook_secret.get_secret_value().encode()
        digest = hmac.digest(secret, request.body, "sha256")
        given = request.headers.get("fdx-signature", "").strip().encode(errors="replace")
        # FedEx's page on the webhook says "Base 64 encoded" in one line and "hex encoding" in the next.
        if not any(hmac.compare_digest(given, own) for own in (digest.hex().encode(), base64.b64encode(digest))):
            return Answer(401)
        key = hashlib.sha256(request.body).hexdigest()
        try:
            told = results(parse_json(request.body, WHO))
            tracks = [read_track(result, number) for number, result in told]
        except ValueError:
            tracks = []
        if not tracks:
            return Answer(200, items=(Item(key, UNREADABLE, request.body),))
        if len(tracks) == 1:
            return Answer(200, items=(Item(key, parcel_lane(tracks[0].number), request.body),))
        return Answer(200, items=tuple(_item(track, result) for track, (_, result) in zip(tracks, told, strict=True)))

    def decode(self, item: Item) -> TrackUpdate | None:
        track = read(item.body)[0]
        return TrackUpdate(item.key, heard_at(track), track)

    async def check(self) -> str:
        await self._tokens.bearer()
        return "FedEx: the credentials give a token"


def _item(track: Track, result: Map) -> Item:
    body = json.dumps({"trackResults": [{"trackingNumber": track.number, **result}]}).encode()
    return Item(hashlib.sha256(body).hexdigest(), parcel_lane(track.number), body)


def _asked(ref: TrackRef) -> dict[str, object]:
    around: dict[str, object] = {}
    if ref.shipped_at is not None:
        ends = {"shipDateBegin": ref.shipped_at - AROUND, "shipDateEnd": ref.shipped_at + AROUND}
        around = {name: day.date().isoformat() for name, day in ends.items()}
    return {"trackingNumberInfo": {"trackingNumber": ref.number}, **around}


def _ours(ref: TrackRef, told: Sequence[tuple[str, Map]]) -> Track | None:
    """Of all shipments that had this number the one sent nearest to our day, else the latest; None where FedEx says
    nothing of it, as when its own service failed for this number."""
    mine = []
    for number, result in told:
        track = read_track(result, number or ref.number)
        if not (track.scans or track.cause or track.status is not Status.UNKNOWN):
            continue
        if track.number.casefold() == ref.number.casefold() or number.casefold() == ref.number.casefold():
            mine.append((track, sent_at(result) or heard_at(track)))
    if not mine:
        return None
    if ref.shipped_at is None:
        return max(mine, key=lambda pair: pair[1])[0]
    sent = ref.shipped_at
    return min(mine, key=lambda pair: abs(pair[1] - sent))[0]
