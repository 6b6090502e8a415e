"""SF Express, 顺丰: route query EXP_RECE_SEARCH_ROUTES and route push RoutePushService of https://open.sf-express.com.

HTTP 200 and A1000 only say that the call was understood: the answer itself is JSON in a text, with a code of its own.
The last four digits of the sender's or the recipient's phone are asked for. A node is read by its second-level status
first and by its operation code second; what neither tells is left to the rules on its remark. Times are China's.
"""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

import httpx
import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.errors import Misconfigured, Refused, Temporary
from bot.model.codes import NOTHING, Code, codes, rows
from bot.model.events import parcel_lane
from bot.model.foreign import Map, a_map, a_text, first_text, maps, parse_json, when
from bot.model.tracks import Place, Scan, Status, Track, TrackRef, TrackUpdate, heard_at, instant
from bot.model.xml import Node, is_xml, parse_xml
from bot.ports import Answer, Capabilities, Item, Rate, Request, TrackingSource
from bot.wire import judge, reached

KIND = "sf"
WHO = "SF Express"
KEY = "carriers.sf.checkword"
UNREADABLE = f"x/{KIND}"
BATCH = 10
HOME = "Asia/Shanghai"
ENCODING = "gb18030"
"""In which an answer is that is not UTF-8."""
FORM = b"content="
NOBODYS = "SF0000000000000"
"""A number that no waybill has; asked to try the credentials."""
THANKS_XML = b'<Response service="RoutePushService"><Head>OK</Head></Response>'
THANKS = msgspec.json.encode({"return_code": "0000", "return_msg": "成功"})


class Settings(BaseModel):
    """`partner_id` is the customer code (顾客编码), `checkword` its secret (校验码). SF's pushes carry no signature:
    `webhook_token` has to stand as `?token=` in the address given to SF, whose request method may be "json" or XML;
    without it no push is taken. 30 calls a second and 3000 a day are allowed."""

    model_config = ConfigDict(extra="forbid")

    partner_id: str
    checkword: SecretStr
    webhook_token: SecretStr | None = None
    base_url: str = "https://sfapi.sf-express.com/std/service"
    rate: Rate = Rate(per_second=30)
    per_day: int = Field(default=3000, ge=1)


def connect(settings: Settings, http: httpx.AsyncClient) -> "SfExpress":
    return SfExpress(settings, http)


@cache
def errors() -> Mapping[str, str]:
    """What a result code of the platform or of the query asks for."""
    return {row["code"]: row["does"] for row in rows("sf_errors")}


# ---- reading ---------------------------------------------------------------------------------------------


def read_code(secondary: str, op: str, main: str = "") -> tuple[Code, bool]:
    """What a node's two codes say, and whether a table has either; where none has, its first-level status does.

    The second-level status leads. The operation code names the cause of the same status, and where it speaks
    against "signed" (a locker, a failed attempt) nothing was delivered.
    """
    first, second = codes("sf_secondary").get(secondary), codes("sf_op").get(op)
    if first is None or second is None:
        found = first or second
        return found or codes("sf_first").get(main, NOTHING), found is not None
    doubted = first.status is Status.DELIVERED and second.status is not Status.UNKNOWN
    return (second if doubted or first.status is second.status else first), True


def read_scan(route: Map) -> Scan:
    """One node of the route."""
    secondary, op = a_text(route.get("secondaryStatusCode")), a_text(route.get("opCode"))
    code, known = read_code(secondary, op, a_text(route.get("firstStatusCode")))
    moment = when(a_text(route.get("acceptTime")), home=HOME)
    return Scan(
        raw_code=op or secondary,
        raw_text=_words(route),
        raw_time=moment.raw_time,
        at=moment.at,
        local=moment.local,
        offset_from=moment.offset_from,
        status=code.status,
        cause=code.cause,
        place=Place(a_text(route.get("acceptAddress"))),
        physical=code.physical,
        carrier=KIND,
        source=KIND,
        voids=code.voids,
        known=known,
    )


def _words(route: Map) -> str:
    """The remark, else the name of the status; with the reason that a push gives apart."""
    told = first_text(route.get("remark"), route.get("secondaryStatusName"), route.get("firstStatusName"))
    reason = a_text(route.get("reasonName"))
    return told if not reason or reason in told else f"{told} ({reason})".strip()


def read_track(number: str, routes: Sequence[Map]) -> Track:
    """A waybill's nodes, oldest first. A waybill without any is unknown to SF, or the phone is not its own."""
    scans = sorted(map(read_scan, routes), key=instant)
    return Track(KIND, number, tuple(scans), cause="" if scans else "not_found", source=KIND)


def read(body: bytes) -> list[Track]:
    """Every track in a raw answer or push; ValueError where it is none of SF's or tells an error."""
    found = _plain(body)
    if any(name in found for name in ("Body", "body", "WaybillRoute", "waybillRoute")):
        return [read_track(number, routes) for number, routes in _pushed(found).items() if number]
    code, data = _unwrapped(found)
    if code:
        raise ValueError(f"{WHO} answered with error {code}{_meaning(found)}")
    tracks = _tracks(data)
    if not tracks:
        raise ValueError(f"{WHO}: an answer without a waybill number")
    return tracks


def _meaning(answer: Map) -> str:
    """SF's own words on an error, with the colon before them; empty where there are none."""
    inner = a_map(answer) if "errorMsg" in answer else _opened(answer.get("apiResultData"))
    why = " ".join(first_text(inner.get("errorMsg"), answer.get("apiErrorMsg")).split())
    return f": {why}" if why else ""


def _content(body: bytes) -> bytes:
    """A push itself, which the older way sends as the one field of a form."""
    return unquote_to_bytes(body[len(FORM) :].replace(b"+", b" ")) if body.startswith(FORM) else body


def _plain(body: bytes) -> Map:
    """An answer or push as JSON says it, also where it came in the older XML or without its envelope."""
    body = _content(body)
    if not is_xml(body):
        return _enveloped(_json(body))
    root = parse_xml(body, WHO)
    inner = root.first("Body")
    if routes := inner.all("WaybillRoute"):
        return {"Body": {"WaybillRoute": [dict(route.told) for route in routes]}}
    if waybills := inner.all("RouteResponse"):
        told = [{"mailNo": w.told.get("mailno", ""), "routes": [_named(r) for r in w.all("Route")]} for w in waybills]
        return {"success": True, "msgData": {"routeResps": told}}
    if root.first("Head").text() == "ERR":
        return {"success": False, "errorCode": root.first("ERROR").told.get("code", "")}
    raise ValueError(f"{WHO}: neither an answer nor a push that we know")


def _named(route: Node) -> dict[str, str]:
    """The attributes of a node of the older answer under today's names."""
    now = {"accept_time": "acceptTime", "accept_address": "acceptAddress", "opcode": "opCode"}
    return {now.get(name, name): value for name, value in route.told.items()}


def _tracks(data: Map) -> list[Track]:
    waybills = maps(data.get("routeResps")) or maps(data.get("routeResp"))
    return [read_track(number, maps(w.get("routes"))) for w in waybills if (number := a_text(w.get("mailNo")))]


def _json(body: bytes | str) -> Any:
    found = parse_json(body if isinstance(body, bytes) else body.encode(errors="replace"), WHO, ENCODING)
    # What is JSON in a text may have been made one twice.
    return parse_json(found.encode(errors="replace"), WHO) if isinstance(found, str) else found


def _parsed(body: bytes | str) -> Map:
    found = _json(body)
    if not isinstance(found, dict):
        raise ValueError(f"{WHO} sent JSON that is no object")  # noqa: TRY004 - what a caller handles is ValueError
    return found


def _enveloped(found: Any) -> Map:
    """An answer or push as it comes, also where somebody kept its waybills or its nodes alone."""
    if isinstance(found, dict) and "routeResps" in found:
        return {"success": True, "msgData": found}
    if isinstance(found, list) or (isinstance(found, dict) and "routes" in found):
        waybills = [part for part in maps(found) if "routes" in part]
        return {"success": True, "msgData": {"routeResps": waybills}} if waybills else {"WaybillRoute": found}
    return a_map(found)


def _unwrapped(answer: Map) -> tuple[str, Map]:
    """The error code of an answer (empty for none) and its `msgData`; ValueError where it is no answer."""
    inner = answer
    if "apiResultCode" in answer or "apiResultData" in answer:
        platform = a_text(answer.get("apiResultCode"))
        if platform != "A1000":
            return platform or "none", {}
        inner = _opened(answer.get("apiResultData"))
    if "msgData" not in inner and "success" not in inner and "errorCode" not in inner:
        raise ValueError(f"{WHO}: neither an answer nor a push that we know")
    code = a_text(inner.get("errorCode"))
    if code not in {"", "S0000"} or inner.get("success") in (False, "false"):
        return code if code not in {"", "S0000"} else "none", {}
    return "", _opened(inner.get("msgData"))


def _opened(value: object) -> Map:
    """An object, also where it was sent as a text of JSON."""
    return _parsed(value) if isinstance(value, str) and value else a_map(value)


def _pushed(push: Map) -> dict[str, list[Map]]:
    """The nodes of a push by their waybill number; ValueError where there are none."""
    inner = _opened(push.get("Body") or push.get("body")) or push
    routes = maps(inner.get("WaybillRoute")) or maps(inner.get("waybillRoute"))
    found: dict[str, list[Map]] = {}
    for route in routes:
        found.setdefault(first_text(route.get("mailno"), route.get("mailNo")), []).append(route)
    if not any(found):
        raise ValueError(f"{WHO}: a push without a waybill number")
    return found


# ---- the port --------------------------------------------------------------------------------------------


class SfExpress(TrackingSource):
    kind = KIND

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        # Each phone in a batch is a call of its own: at a tenth of the rate no second holds more.
        self.capabilities = Capabilities(
            carriers=frozenset({"sf"}),
            push=settings.webhook_token is not None,
            batch=BATCH,
            needs_phone=True,
            per_second=(settings.rate.per_second or 30) / BATCH,
            per_day=settings.per_day,
        )

    async def track(self, refs: Sequence[TrackRef]) -> Sequence[Track | None]:
        if len(refs) > BATCH:
            raise ValueError(f"at most {BATCH} numbers a call, not {len(refs)}")
        found: dict[tuple[str, str], Track] = {}
        for phone in dict.fromkeys(ref.phone_last4 for ref in refs):
            numbers = list(dict.fromkeys(ref.number for ref in refs if ref.phone_last4 == phone))
            for track in await self._group(numbers, phone):
                found[track.number.casefold(), phone] = track
        told = [found.get((ref.number.casefold(), ref.phone_last4)) for ref in refs]
        return [replace(t, number=ref.number) if t else None for ref, t in zip(refs, told, strict=True)]

    async def _group(self, numbers: list[str], phone: str) -> list[Track]:
        """The tracks of one phone's numbers. One number that SF does not take fails them all: each is asked alone."""
        code, data = await self._ask(numbers, phone)
        if not code:
            return _tracks(data)
        does = errors().get(code, "refused")
        if does not in {"not_found", "invalid_number"}:
            raise _error(code, does)
        if len(numbers) == 1:
            return [Track(KIND, numbers[0], cause=does, source=KIND)]
        return [track for number in numbers for track in await self._group([number], phone)]

    async def _ask(self, numbers: list[str], phone: str) -> tuple[str, Map]:
        data: dict[str, Any] = {"trackingType": 1, "trackingNumber": numbers}
        form = self._form(msgspec.json.encode(data | ({"checkPhoneNo": phone} if phone else {})).decode())
        response = await reached(self._http.post(self._settings.base_url, data=form), WHO)
        judge(response, WHO, KEY)
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise Misconfigured(f"{WHO} has no such address", key="carriers.sf.base_url")
        try:
            return _unwrapped(_parsed(response.content))
        except ValueError as error:
            raise Temporary(str(error)) from error

    def _form(self, data: str) -> dict[str, str]:
        stamp = str(int(time.time() * 1000))
        return {
            "partnerID": self._settings.partner_id,
            "requestID": str(uuid.uuid4()),
            "serviceCode": "EXP_RECE_SEARCH_ROUTES",
            "timestamp": stamp,
            "msgDigest": digest(data, stamp, self._settings.checkword.get_secret_value()),
            "msgData": data,
        }

    async def webhook(self, request: Request) -> Answer:
        token = self._settings.webhook_token
        if token is None or not token.get_secret_value():
            return Answer(404)
        given = request.query.get("token", "")
        if not hmac.compare_digest(token.get_secret_value().encode(), given.encode(errors="replace")):
            return Answer(401)
        items = tuple(_split(request.body))
        if is_xml(_content(request.body)):
            return Answer(200, THANKS_XML, {"content-type": "text/xml"}, items)
        return Answer(200, THANKS, {"content-type": "application/json"}, items)

    def decode(self, item: Item) -> TrackUpdate | None:
        (number, routes), *more = _pushed(_plain(item.body)).items()
        if more or not number:
            raise ValueError(f"{WHO}: a push of several waybills that was not split")
        track = read_track(number, routes)
        return TrackUpdate(item.key, heard_at(track), track)

    async def check(self) -> str:
        code, _ = await self._ask([NOBODYS], "0000")
        does = errors().get(code, "refused") if code else ""
        if code.startswith("A") or does in {"misconfigured", "limit", "temporary"}:
            raise _error(code, does)
        return f"{WHO}: the credentials work"


def digest(data: str, stamp: str, checkword: str) -> str:
    """SF's signature: what Java's URLEncoder makes of all three, as MD5 in base64."""
    encoded = quote_plus(data + stamp + checkword, safe="*").replace("~", "%7E")
    return base64.b64encode(hashlib.md5(encoded.encode(), usedforsecurity=False).digest()).decode()


def _error(code: str, does: str) -> Exception:
    """The error of ours for one of SF's."""
    if does == "misconfigured":
        return Misconfigured(f"{WHO} refuses the account (error {code})", key=KEY)
    if does == "limit":
        return Temporary(f"{WHO} limits the calls (error {code})", account_wide=True)
    if does == "temporary":
        return Temporary(f"{WHO} has an error of its own ({code})")
    return Refused(f"{WHO} refused the call with error {code}")


def _split(body: bytes) -> list[Item]:
    """One item a waybill; what came with the token and cannot be read is kept on a lane of its own."""
    try:
        pushed = _pushed(_plain(body))
        bodies = [json.dumps({"Body": {"WaybillRoute": routes}}).encode() for routes in pushed.values()]
    except (ValueError, RecursionError):
        pushed, bodies = {}, []
    if not pushed or not all(number and number.isascii() for number in pushed):
        return [Item(hashlib.sha256(body).hexdigest(), UNREADABLE, body)]
    bodies = [body] if len(bodies) == 1 else bodies
    return [Item(hashlib.sha256(b).hexdigest(), parcel_lane(n), b) for b, n in zip(bodies, pushed, strict=True)]
