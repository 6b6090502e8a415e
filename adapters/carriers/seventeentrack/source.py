"""Asking 17TRACK and hearing from it."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, SecretStr

from adapters.carriers.seventeentrack.reading import KIND, carrier_key, carrier_slug, parsed, read_track, tables
from bot.errors import Misconfigured, Refused, Temporary
from bot.model.events import parcel_lane
from bot.model.foreign import Map, a_list, a_map, a_number, a_text, maps
from bot.model.tracks import Track, TrackRef, TrackUpdate, heard_at
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import reached, retry_after

TOKEN = "carriers.seventeentrack.token"  # noqa: S105 - the name of a setting
UNREADABLE = "x/seventeentrack"
BATCH = 40
MOST_PAGES = 25
"""Of 40 failed pushes each; beyond that everything is due for a look by itself sooner."""

REJECTED = {
    "registered": "no_data_yet",
    "waiting": "no_data_yet",
    "undetected": "not_found",
    "invalid": "invalid_number",
}
"""What a rejection says of its number; the others say nothing of it."""


class Settings(BaseModel):
    """`token` is the access key, which also signs the pushes. 3 calls a second are allowed."""

    model_config = ConfigDict(extra="forbid")

    token: SecretStr
    base_url: str = "https://api.17track.net/track/v2.4"
    rate: Rate = Rate(per_second=3)


def connect(settings: Settings, http: httpx.AsyncClient) -> "SeventeenTrack":
    return SeventeenTrack(settings, http)


class SeventeenTrack(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._token = settings.token.get_secret_value()
        self._url = settings.base_url.rstrip("/")
        self._http = http
        # One look-up can be two calls, the second to register what is new: at a third of the rate no second holds more.
        self.capabilities = Capabilities(push=True, batch=BATCH, per_second=(settings.rate.per_second or 3) / 3)

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > BATCH:
            raise ValueError(f"at most {BATCH} numbers a call, not {len(refs)}")
        if not refs:
            return ()
        answers = await self._ask("gettrackinfo", [_asked(ref) for ref in refs])
        tracks = [_found(ref, answers) for ref in refs]
        fresh = [ref for ref in refs if answers.does(ref) == "register"]
        if fresh:
            registered = await self._ask("register", [_asked(ref) | _extras(ref) for ref in fresh])
            tracks = [_found(ref, registered) if ref in fresh else t for ref, t in zip(refs, tracks, strict=True)]
            if not any(tracks):
                registered.complain()
        return tracks

    async def refresh(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        """`getRealTimeTrackInfo`: 17TRACK asks the carrier now, which is billed apart."""
        answers = await self._ask("getRealTimeTrackInfo", [_asked(ref) for ref in refs])
        tracks = [_found(ref, answers) for ref in refs]
        if not any(tracks):
            answers.complain()
        return tracks

    async def stop(self, refs: Sequence[TrackRef]) -> None:
        """`stoptrack`: no more looks and pushes; a number that is not tracked is well stopped."""
        (await self._ask("stoptrack", [_asked(ref) for ref in refs])).complain()

    async def resume(self, refs: Sequence[TrackRef]) -> Sequence[TrackRef]:
        """`retrack`: track stopped numbers again, which 17TRACK allows once a number; which of them are."""
        answers = await self._ask("retrack", [_asked(ref) for ref in refs])
        resumed = [ref for ref in refs if answers.item(ref) is not None]
        if not resumed:
            answers.complain()
        return resumed

    async def missed(self, since: datetime) -> Sequence[TrackRef]:
        """`gettracklist`: numbers whose push failed since then; 17TRACK tries three times and then drops it."""
        found: list[TrackRef] = []
        page, pages = 1, 1
        while page <= min(pages, MOST_PAGES):
            asked = {"push_status": "Failure", "push_time_from": since.date().isoformat(), "page_no": page}
            envelope = _answer(await self._post("gettracklist", asked))
            listed = maps(a_map(envelope.get("data")).get("accepted"))
            found += [
                TrackRef(number, carrier_slug(i.get("carrier"))) for i in listed if (number := a_text(i.get("number")))
            ]
            pages = a_number(a_map(envelope.get("page")).get("page_total"))
            page += 1
        return found

    async def _ask(self, call: str, body: Sequence[Map]) -> "_Answers":
        data = _envelope(await self._post(call, body))
        return _Answers(
            [a_map(a) for a in a_list(data.get("accepted"))], [a_map(r) for r in a_list(data.get("rejected"))]
        )

    async def _post(self, call: str, body: Sequence[Map] | Map | None = None) -> httpx.Response:
        headers = {"17token": self._token, "content-type": "application/json"}
        content = msgspec.json.encode(body or [])
        return await reached(self._http.post(f"{self._url}/{call}", content=content, headers=headers), "17TRACK")

    async def webhook(self, request: Request) -> Answer:
        wanted = hashlib.sha256(request.body + b"/" + self._token.encode()).hexdigest()
        given = request.headers.get("sign", "")
        if not hmac.compare_digest(wanted.encode(), given.strip().lower().encode(errors="replace")):
            return Answer(401)
        return Answer(200, items=tuple(_split(request.body)))

    def decode(self, item: Item) -> TrackUpdate | None:
        body = parsed(item.body)
        data = a_map(body.get("data"))
        event = a_text(body.get("event"))
        if event not in {"TRACKING_UPDATED", "TRACKING_STOPPED"}:
            raise ValueError("not a push of 17TRACK that we know")
        if event == "TRACKING_STOPPED" and not a_map(data.get("track_info")):
            return None
        track = read_track(data)
        return TrackUpdate(item.key, heard_at(track), track)

    async def check(self) -> str:
        quota = _envelope(await self._post("getquota"))
        left, whole = (a_text(quota.get(k)) for k in ("quota_remain", "quota_total"))
        return f"17TRACK: {left} of {whole} numbers left" if left and whole else "17TRACK: the key works; no quota told"


def _split(body: bytes) -> list[Item]:
    """One item a tracking; what was signed and cannot be read is kept on a lane of its own."""
    try:
        push = parsed(body)
        data = push.get("data")
        parts = [a_map(p) for p in (data if isinstance(data, list) else [data])]
        numbers = [a_text(p.get("number")) for p in parts]
    except ValueError:
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    if not parts or not all(numbers):
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    whole = (
        [body]
        if len(parts) == 1 and isinstance(data, dict)
        else [json.dumps({"event": push.get("event"), "data": p}).encode() for p in parts]
    )
    return [Item(hashlib.sha256(b).hexdigest(), parcel_lane(n), b) for b, n in zip(whole, numbers, strict=True)]


def _asked(ref: TrackRef) -> dict[str, Any]:
    key = carrier_key(ref.carrier)
    return {"number": ref.number} | ({"carrier": key} if key is not None else {})


def _extras(ref: TrackRef) -> dict[str, Any]:
    """v2.4's named parameters; 17TRACK hands on what the carrier wants."""
    told = {
        "destination_postal_code": ref.postcode,
        "phone_number_last_4": ref.phone_last4,
        "destination_country": ref.country,
        "ship_date": ref.shipped_at.date().isoformat() if ref.shipped_at else "",
    }
    return {name: value for name, value in told.items() if value}


class _Answers(Struct, frozen=True):
    """An envelope's two lists."""

    accepted: Sequence[Map]
    rejected: Sequence[Map]

    def item(self, ref: TrackRef, rejected: bool = False) -> Map | None:
        """What was said of this number; with its own carrier rather than with another."""
        number, key = ref.number.casefold(), carrier_key(ref.carrier)
        items = self.rejected if rejected else self.accepted
        said = [i for i in items if a_text(i.get("number")).casefold() == number]
        return next((i for i in said if key is None or a_number(i.get("carrier")) == key), said[0] if said else None)

    def does(self, ref: TrackRef) -> str:
        """What the rejection of this number asks for; empty where it was not rejected."""
        rejection = self.item(ref, rejected=True)
        return tables().errors.get(_code(rejection), "unknown") if rejection is not None else ""

    def complain(self) -> None:
        """Nothing was learned: raise what all of the account suffers from."""
        for rejection in self.rejected:
            _raise(_code(rejection))


def _code(rejection: Map) -> int:
    return a_number(a_map(rejection.get("error")).get("code"))


def _found(ref: TrackRef, answers: _Answers) -> Track | None:
    """The track of an accepted number, or what its rejection says of it; None where nothing is known."""
    item = answers.item(ref)
    if item is not None and a_map(item.get("track_info")):
        return read_track({**item, "number": ref.number})
    cause = "no_data_yet" if item is not None else REJECTED.get(answers.does(ref))
    carrier = carrier_slug(item.get("carrier")) if item is not None else ""
    return Track(carrier or ref.carrier, ref.number, cause=cause, source=KIND) if cause else None


def _envelope(response: httpx.Response) -> Map:
    """The `data` of an answer, or the error that the account as a whole has."""
    return a_map(_answer(response).get("data"))


def _answer(response: httpx.Response) -> Map:
    """An answer whole, or the error that the account as a whole has."""
    status = response.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Misconfigured(f"17TRACK refuses the key or this address ({status})", key=TOKEN)
    if status == HTTPStatus.NOT_FOUND:
        raise Misconfigured("17TRACK has no such address", key="carriers.seventeentrack.base_url")
    limited = status == HTTPStatus.TOO_MANY_REQUESTS
    if limited or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Temporary(f"17TRACK answered {status}", retry_after=retry_after(response), account_wide=limited)
    if status != HTTPStatus.OK:
        raise Refused(f"17TRACK answered {status}")
    try:
        envelope = parsed(response.content)
    except ValueError as error:
        raise Temporary(str(error)) from error
    data = a_map(envelope.get("data"))
    faults = [a_number(envelope.get("code")), *(a_number(a_map(e).get("code")) for e in a_list(data.get("errors")))]
    for code in faults:
        if code:
            _raise(code)
            raise Refused(f"17TRACK refused the call with error {code}")
    return envelope


def _raise(code: int) -> None:
    """The error of ours for one of 17TRACK's that concerns the whole account."""
    does = tables().errors.get(code)
    if does == "misconfigured":
        raise Misconfigured(f"17TRACK refuses the account (error {code})", key=TOKEN)
    if does == "quota":
        raise Misconfigured("17TRACK's quota is used up: no new numbers can be registered", key=TOKEN)
    if does == "limit":
        raise Temporary("17TRACK's limit of the day is reached", retry_after=3600.0, account_wide=True)
    if does == "temporary":
        raise Temporary(f"17TRACK has an error of its own ({code})")
