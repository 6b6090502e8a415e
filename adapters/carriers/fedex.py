"""FedEx, Basic Integrated Visibility (Track API v1): https://developer.fedex.com/api/en-us/catalog/track/v1/docs.html.

Up to thirty numbers a call. FedEx uses numbers again, so one number may answer with several shipments, told apart
by `trackingNumberUniqueId`: each is a track of its own, and the one sent nearest to our date is ours. Letters
clash between FedEx's groups of codes (EA, CA, SP, RC): there the event's own description decides.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, SecretStr

from bot.errors import Temporary
from bot.model.codes import NOTHING, Code, codes
from bot.model.events import parcel_lane
from bot.model.foreign import Map, a_country, a_list, a_map, a_moment, a_text, first_text, maps, parse_json, utc, when
from bot.model.tracks import Leg, Place, Role, Scan, Status, Track, TrackRef, TrackUpdate, Window
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import Tokens, judge

KIND = "fedex"
WHO = "FedEx"
KEY = "carriers.fedex.client_secret"
UNREADABLE = f"x/{KIND}"
BATCH = 30
AROUND = timedelta(days=15)
"""A shipment is looked for this long around the day it was sent: its number may have been another's before."""
NEVER = datetime.fromtimestamp(0, UTC)
_USPS = re.compile(r"9[1-5][0-9]{20}(?:[0-9]{4})?")
_NOT_THE_BUYER = re.compile(
    r"\b(?:agent|sender|shipper|hold|held|return|not (?:be )?deliver)|locker|pick|attempt", re.IGNORECASE
)
"""Words beside a delivery, where no scan tells more, that may mean another one than the buyer's."""


class Settings(BaseModel):
    """The project's API key and secret; `webhook_secret` is the token of Advanced Integrated Visibility's pushes."""

    model_config = ConfigDict(extra="forbid")

    client_id: str
    client_secret: SecretStr
    webhook_secret: SecretStr | None = None
    base_url: str = "https://apis.fedex.com"
    rate: Rate = Rate(per_second=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "FedEx":
    return FedEx(settings, http)


# ---- reading ---------------------------------------------------------------------------------------------


def read_code(event: str, derived: str, text: str, country: str, ends: tuple[str, str]) -> tuple[Code, bool]:
    """What an event says, and whether the table knew it; `ends` are the countries of origin and destination."""
    table = codes("fedex_event")
    said = text.casefold()
    if event == "EA" and "export" in said:
        return Code(Status.DEPARTED_ORIGIN, "export_released", physical=False), True
    if event == "CA" and "cancel" in said:
        return Code(Status.EXCEPTION, "cancelled"), True
    code = table.get(event) or table.get(derived) or NOTHING
    abroad = bool(ends[0] and ends[1]) and ends[0] != ends[1]
    if code.status is Status.DEPARTED_ORIGIN and not (abroad and country in {"", ends[0]}):
        code = Code(Status.IN_TRANSIT, "hub_departed")
    if event == "AR" and abroad and country == ends[1]:
        code = Code(Status.ARRIVED_DESTINATION)
    if code.status is Status.CUSTOMS and not code.cause and abroad:
        code = Code(Status.CUSTOMS, {ends[0]: "export_processing", ends[1]: "import_processing"}.get(country, ""))
    return code, event in table


def _because(code: Code, *reasons: str) -> Code:
    """The code with what the first of its exception codes and kinds of delay adds that the table has."""
    if code.cause:
        return code
    # One reason is written 7, 07, 007 and A07.
    told = (reason.removeprefix("A").lstrip("0").zfill(2) for reason in map(str.upper, reasons))
    table = codes("fedex_exception")
    return next((why for reason in told if (why := table.get(f"{code.status} {reason}"))), code)


def _delay(detail: Map) -> str:
    return a_text(a_map(detail.get("delayDetail")).get("type"))


def _place(address: Map) -> Place:
    named = (a_text(address.get("city")), a_text(address.get("stateOrProvinceCode")))
    return Place(", ".join(n for n in named if n), a_country(address.get("countryCode")))


def read_scan(event: Map, ends: tuple[str, str]) -> Scan:
    """One scan event. The reason of an exception is part of what was said."""
    place = _place(a_map(event.get("scanLocation")))
    told = (a_text(event.get("eventDescription")), a_text(event.get("exceptionDescription")))
    text = ": ".join(dict.fromkeys(t for t in told if t))
    kind = a_text(event.get("eventType")).upper()
    code, known = read_code(kind, a_text(event.get("derivedStatusCode")).upper(), text, place.country, ends)
    code = _because(code, a_text(event.get("exceptionCode")), _delay(event))
    time = when(a_text(event.get("date")), country=place.country)
    return Scan(
        raw_code=kind or a_text(event.get("derivedStatusCode")),
        raw_text=text or a_text(event.get("derivedStatus")),
        raw_time=time.raw_time,
        at=time.at,
        local=time.local,
        offset_from=time.offset_from,
        status=code.status,
        cause=code.cause,
        place=place,
        physical=code.physical,
        carrier=KIND,
        source=KIND,
        known=known,
    )


def read_track(result: Map, number: str) -> Track:
    """One shipment of one number; ValueError where it is about no number."""
    number = _number(number, result)
    if not number:
        raise ValueError("FedEx: a result without a tracking number")
    fault = a_text(a_map(result.get("error")).get("code"))
    if fault and not maps(result.get("scanEvents")):
        cause = "invalid_number" if "INVALID" in fault else "not_found"
        return Track(KIND, number, cause=cause, source=KIND)
    ends = (_end(result, "origin", "shipper"), _end(result, "destination", "recipient"))
    latest = a_map(result.get("latestStatusDetail"))
    scans = [read_scan(event, ends) for event in reversed(maps(result.get("scanEvents")))]
    scans.sort(key=lambda s: s.at or NEVER)
    word = a_text(latest.get("code")).upper()
    derived = a_text(latest.get("derivedCode")).upper()
    code, _ = read_code(word, derived, a_text(latest.get("description")), "", ends)
    code = _because(code, *_reasons(latest), _delay(latest))
    if not scans and code.status is Status.DELIVERED and _NOT_THE_BUYER.search(_words(latest)):
        code = NOTHING
    if scans and scans[-1].status is Status.UNKNOWN and not scans[-1].known:
        # The summary is the newest event's: what our tables do not have it may.
        scans[-1] = replace(scans[-1], status=code.status, cause=code.cause, physical=code.physical)
    return Track(
        carrier=KIND,
        number=number,
        scans=tuple(scans),
        status=code.status,
        cause=code.cause,
        eta=_eta(result),
        legs=_legs(number, a_map(result.get("additionalTrackingInfo"))),
        origin=ends[0],
        destination=ends[1],
        proof_of_delivery="" if "SIGNATURE" not in str(a_list(result.get("availableImages"))) else "SPOD",
        source=KIND,
    )


def _reasons(latest: Map) -> list[str]:
    return [reason for d in maps(latest.get("ancillaryDetails")) if (reason := a_text(d.get("reason")))]


def _words(latest: Map) -> str:
    """All that the summary says. It is no event: an answer without scans has a status and an empty timeline."""
    told = [latest.get(name) for name in ("description", "statusByLocale")]
    for detail in maps(latest.get("ancillaryDetails")):
        told += [detail.get("reasonDescription"), detail.get("actionDescription")]
    return " ".join(map(a_text, told))


def _number(asked: str, result: Map) -> str:
    info = a_map(result.get("trackingNumberInfo"))
    return first_text(info.get("trackingNumber"), result.get("trackingNumber"), asked)


def _legs(number: str, more: Map) -> tuple[Leg, ...]:
    """The Postal Service's own number of a parcel that it delivers for FedEx."""
    told = (a_text(value) for one in maps(more.get("packageIdentifiers")) for value in _values(one))
    found = dict.fromkeys(Leg("usps", n, Role.LAST_MILE) for n in told if n != number and _USPS.fullmatch(n))
    return (Leg(KIND, number, Role.FIRST_MILE), *found) if found else ()


def _values(identifier: Map) -> Sequence[object]:
    return values if isinstance(values := identifier.get("values"), list) else (values,)


def _end(result: Map, location: str, party: str) -> str:
    contact = a_map(a_map(result.get(f"{location}Location")).get("locationContactAndAddress"))
    party_address = a_map(a_map(result.get(f"{party}Information")).get("address"))
    address = a_map(contact.get("address"))
    return a_country(address.get("countryCode")) or a_country(party_address.get("countryCode"))


def _dates(result: Map) -> dict[str, str]:
    return {a_text(d.get("type")): a_text(d.get("dateTime")) for d in maps(result.get("dateAndTimes"))}


def _eta(result: Map) -> Window | None:
    window = a_map(a_map(result.get("estimatedDeliveryTimeWindow")).get("window"))
    told = [a_text(window.get("begins")), a_text(window.get("ends"))]
    told = [t for t in told if t] or [_dates(result).get("ESTIMATED_DELIVERY", "")]
    days = sorted(d if d.tzinfo else d.replace(tzinfo=UTC) for t in told if (d := a_moment(t)) is not None)
    return Window(days[0], days[-1], KIND) if days else None


def _sent_at(result: Map) -> datetime | None:
    dates = _dates(result)
    moment = a_moment(first_text(dates.get("ACTUAL_PICKUP"), dates.get("SHIP"), dates.get("ACTUAL_TENDER")))
    return utc(moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC))


def _results(told: object, number: str = "") -> list[tuple[str, Map]]:
    """Every result with the number that was asked, wherever a dialect of the API puts them."""
    top = a_map(told)
    output = a_map(top.get("output")) or top
    found = [
        (a_text(one.get("trackingNumber")), result)
        for one in maps(output.get("completeTrackResults"))
        for result in maps(one.get("trackResults"))
    ]
    found += [(number, result) for result in maps(output.get("trackResults"))]
    found += [(number, output)] if not found and ("scanEvents" in output or "trackingNumberInfo" in output) else []
    return found


def read(body: bytes) -> list[Track]:
    """Every shipment in a raw answer or push; ValueError where it is none of FedEx's."""
    told = parse_json(body, WHO)
    results = _results(told)
    if not results:
        faults = maps(a_map(told).get("errors"))
        why = first_text(*(f.get(k) for f in faults for k in ("message", "code")))
        raise ValueError(f"FedEx: {why.splitlines()[0]}" if why else "FedEx: neither an answer nor a push")
    named = [pair for pair in results if _number(*pair)] or results
    return [read_track(result, number) for number, result in named]


# ---- the port --------------------------------------------------------------------------------------------


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
            results = _results(parse_json(response.content, WHO))
        except ValueError as error:
            raise Temporary(str(error)) from error
        return [_ours(ref, results) for ref in refs]

    async def webhook(self, request: Request) -> Answer:
        if self._settings.webhook_secret is None:
            return Answer(404)
        secret = self._settings.webhook_secret.get_secret_value().encode()
        wanted = hmac.new(secret, request.body, hashlib.sha256)
        given = request.headers.get("fdx-signature", "").strip().encode(errors="replace")
        if not hmac.compare_digest(given, wanted.hexdigest().encode()):
            return Answer(401)
        key = hashlib.sha256(request.body).hexdigest()
        try:
            results = _results(parse_json(request.body, WHO))
            tracks = [read_track(result, number) for number, result in results]
        except ValueError:
            tracks = []
        if not tracks:
            return Answer(200, items=(Item(key, UNREADABLE, request.body),))
        if len(tracks) == 1:
            return Answer(200, items=(Item(key, parcel_lane(tracks[0].number), request.body),))
        return Answer(
            200, items=tuple(_item(track, result) for track, (_, result) in zip(tracks, results, strict=True))
        )

    def decode(self, item: Item) -> TrackUpdate | None:
        track = read(item.body)[0]
        heard = max((s.at for s in track.scans if s.at is not None), default=NEVER)
        return TrackUpdate(item.key, heard, track)

    async def check(self) -> str:
        await self._tokens.bearer()
        return "FedEx: the credentials give a token"


def _item(track: Track, result: Map) -> Item:
    body = msgspec.json.encode({"trackResults": [{"trackingNumber": track.number, **result}]})
    return Item(hashlib.sha256(body).hexdigest(), parcel_lane(track.number), body)


def _asked(ref: TrackRef) -> dict[str, object]:
    around: dict[str, object] = {}
    if ref.shipped_at is not None:
        ends = {"shipDateBegin": ref.shipped_at - AROUND, "shipDateEnd": ref.shipped_at + AROUND}
        around = {name: day.date().isoformat() for name, day in ends.items()}
    return {"trackingNumberInfo": {"trackingNumber": ref.number}, **around}


def _ours(ref: TrackRef, results: Sequence[tuple[str, Map]]) -> Track | None:
    """Of all shipments that had this number the one sent nearest to our day, else the latest."""
    mine = []
    for number, result in results:
        track = read_track(result, number or ref.number)
        if track.number.casefold() == ref.number.casefold() or number.casefold() == ref.number.casefold():
            mine.append((track, _sent_at(result) or max((s.at for s in track.scans if s.at), default=NEVER)))
    if not mine:
        return None
    if ref.shipped_at is None:
        return max(mine, key=lambda pair: pair[1])[0]
    sent = ref.shipped_at
    return min(mine, key=lambda pair: abs(pair[1] - sent))[0]
