"""The carriers' own tracking APIs as their documents describe them, on loopback: UPS, FedEx, DHL, SF and TNT.

Each knows of a number what lies before the shop's clock, in its own codes (rules/carrier_words.csv), asks for its
own credentials, and refuses what its document refuses: an unknown number, too many numbers, a wrong signature.
"""

import base64
import csv
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote_plus
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.model.clock import Clock
from bot.sandbox.platform import Bucket, Platform
from bot.sandbox.shop import Journey, Step

TOKEN_SECONDS = 3600
FEDEX_BATCH, TNT_BATCH, SF_BATCH = 30, 50, 10
SF_HOME = ZoneInfo("Asia/Shanghai")


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Each carrier's codes for the steps of a journey."""
    text = files("bot.sandbox.rules").joinpath("carrier_words.csv").read_text(encoding="utf-8")
    return {row["sub"]: row for row in csv.DictReader(text.splitlines())}


class CarrierApi(Platform):
    """One customer's account at one carrier."""

    path = ""

    def __init__(self, clock: Clock, http: httpx.AsyncClient, journeys: Iterable[Journey]) -> None:
        super().__init__(clock, http)
        self.journeys = {j.number: j for j in journeys}
        self.user, self.secret = secrets.token_hex(8), secrets.token_hex(16)
        self.rates = Bucket(200, 0.0, 10**6)

    def routes(self) -> list[Route]:
        """The paths of the API."""
        raise NotImplementedError

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        raise NotImplementedError

    def busy(self) -> Response | None:
        """The answer of a carrier that is down or limits the calls."""
        if self.faults.down:
            return Response(status_code=503)
        if self.faults.too_many or self.rates.wait(""):
            return Response(status_code=429, headers={"retry-after": "1"})
        return None

    def basic(self, request: Request) -> bool:
        """Whether HTTP Basic authentication names this account."""
        wanted = base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()
        return hmac.compare_digest(request.headers.get("authorization", ""), f"Basic {wanted}")

    def happened(self, journey: Journey) -> list[tuple[Step, datetime]]:
        """What has been scanned by now, oldest first."""
        dated = ((step, journey.started_at + step.after) for step in journey.steps)
        return [(step, at) for step, at in dated if at <= self.clock.now()]

    def destination(self, journey: Journey) -> str:
        """The country it goes to."""
        return next((s.country for s in reversed(journey.steps) if s.country), "")


class OAuthApi(CarrierApi):
    """A carrier that gives tokens for credentials."""

    def __init__(self, clock: Clock, http: httpx.AsyncClient, journeys: Iterable[Journey]) -> None:
        super().__init__(clock, http, journeys)
        self.token = ""

    def fresh(self) -> JSONResponse:
        """A new token; the one before ends."""
        self.token = secrets.token_urlsafe(24)
        return JSONResponse({"access_token": self.token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def bears(self, request: Request) -> bool:
        """Whether the call bears the token."""
        return bool(self.token) and request.headers.get("authorization") == f"Bearer {self.token}"


class UpsApi(OAuthApi):
    """UPS: OAuth with Basic, one number a call (developer.ups.com, OAuth and Tracking)."""

    name, path = "ups", "/ups"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [
            Route("/security/v1/oauth/token", self._token, methods=["POST"]),
            Route("/api/track/v1/details/{number}", self._details, methods=["GET"]),
        ]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        rate = {"per_second": 50}
        return {"client_id": self.user, "client_secret": self.secret, "base_url": f"{base}/ups", "rate": rate}

    async def _token(self, request: Request) -> Response:
        return self.fresh() if self.basic(request) else self._fault(401, "10401", "ClientId is Invalid")

    async def _details(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        if not self.bears(request):
            return self._fault(401, "250002", "Invalid Authentication Information.")
        if not request.headers.get("transId") or not request.headers.get("transactionSrc"):
            return self._fault(400, "VSS002", "Missing transId or transactionSrc")
        journey = self.journeys.get(request.path_params["number"])
        if journey is None:
            return self._fault(404, "TW0001", "Tracking Information Not Found")
        activity = [self._activity(*scan) for scan in self.happened(journey)][::-1]
        package = {"trackingNumber": journey.number, "activity": activity}
        return JSONResponse({"trackResponse": {"shipment": [{"inquiryNumber": journey.number, "package": [package]}]}})

    def _activity(self, step: Step, at: datetime) -> dict[str, Any]:
        word = words()[step.sub]
        status = {"type": word["ups_type"], "description": step.text, "statusCode": word["ups"], "code": ""}
        return {
            "location": {"address": {"city": step.place, "countryCode": step.country}},
            "status": status,
            "date": f"{at:%Y%m%d}",
            "time": f"{at:%H%M%S}",
            "gmtDate": f"{at.astimezone(UTC):%Y%m%d}",
            "gmtTime": f"{at.astimezone(UTC):%H:%M:%S}",
            "gmtOffset": "+00:00",
        }

    def _fault(self, status: int, code: str, message: str) -> Response:
        return JSONResponse({"response": {"errors": [{"code": code, "message": message}]}}, status)


class FedExApi(OAuthApi):
    """FedEx: OAuth by form, up to thirty numbers a call (developer.fedex.com, Authorization and Track)."""

    name, path = "fedex", "/fedex"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/track/v1/trackingnumbers", self._numbers, methods=["POST"]),
        ]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        rate = {"per_second": 50}
        return {"client_id": self.user, "client_secret": self.secret, "base_url": f"{base}/fedex", "rate": rate}

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        told = (form.get("grant_type"), form.get("client_id"), form.get("client_secret"))
        if told != ("client_credentials", self.user, self.secret):
            return self._fault(401, "NOT.AUTHORIZED.ERROR", "The given client credentials were not valid.")
        return self.fresh()

    async def _numbers(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        if not self.bears(request):
            return self._fault(401, "NOT.AUTHORIZED.ERROR", "Access token expired. Please modify your request.")
        asked = (await request.json()).get("trackingInfo", [])
        if not 1 <= len(asked) <= FEDEX_BATCH:
            return self._fault(400, "TRACKING.TRACKINGNUMBER.LIMIT", "At most 30 tracking numbers.")
        numbers = [one["trackingNumberInfo"]["trackingNumber"] for one in asked]
        results = [{"trackingNumber": n, "trackResults": [self._result(n)]} for n in numbers]
        return JSONResponse({"transactionId": "sandbox", "output": {"completeTrackResults": results}})

    def _result(self, number: str) -> dict[str, Any]:
        info = {"trackingNumber": number, "trackingNumberUniqueId": f"{number}~1"}
        journey = self.journeys.get(number)
        if journey is None:
            error = {"code": "TRACKING.TRACKINGNUMBER.NOTFOUND", "message": "Tracking number cannot be found."}
            return {"trackingNumberInfo": info, "error": error}
        events = [self._event(*scan) for scan in self.happened(journey)][::-1]
        return {
            "trackingNumberInfo": info,
            "shipperInformation": {"address": {"countryCode": "CN"}},
            "recipientInformation": {"address": {"countryCode": self.destination(journey)}},
            "dateAndTimes": [{"type": "ACTUAL_PICKUP", "dateTime": journey.started_at.isoformat()}],
            "latestStatusDetail": {"code": events[0]["eventType"]} if events else {},
            "scanEvents": events,
        }

    def _event(self, step: Step, at: datetime) -> dict[str, Any]:
        word = words()[step.sub]
        return {
            "date": at.isoformat(),
            "eventType": word["fedex"],
            "eventDescription": step.text,
            "derivedStatusCode": word["derived"],
            "scanLocation": {"city": step.place, "countryCode": step.country},
        }

    def _fault(self, status: int, code: str, message: str) -> Response:
        return JSONResponse({"transactionId": "sandbox", "errors": [{"code": code, "message": message}]}, status)


class DhlApi(CarrierApi):
    """DHL Unified Tracking: a key in a header, one number a call (developer.dhl.com, Shipment Tracking - Unified)."""

    name, path = "dhl", "/dhl"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [Route("/track/shipments", self._shipments, methods=["GET"])]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        return {"api_key": self.secret, "base_url": f"{base}/dhl", "rate": {"per_second": 50}, "per_day": 100_000}

    async def _shipments(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        if request.headers.get("DHL-API-Key") != self.secret:
            return JSONResponse({"status": 401, "title": "Unauthorized", "detail": "Unauthorized"}, 401)
        journey = self.journeys.get(request.query_params.get("trackingNumber", ""))
        if journey is None:
            detail = "No shipment with given tracking number found."
            return JSONResponse({"status": 404, "title": "No result found", "detail": detail}, 404)
        events = [self._event(*scan) for scan in self.happened(journey)][::-1]
        shipment = {
            "id": journey.number,
            "service": request.query_params.get("service", "express"),
            "origin": {"address": {"countryCode": "CN"}},
            "destination": {"address": {"countryCode": self.destination(journey)}},
            "status": events[0] if events else {"statusCode": "unknown"},
            "events": events,
        }
        return JSONResponse({"shipments": [shipment]})

    def _event(self, step: Step, at: datetime) -> dict[str, Any]:
        place = {"address": {"countryCode": step.country, "addressLocality": step.place}}
        code = words()[step.sub]["dhl"]
        return {
            "timestamp": at.isoformat(),
            "location": place,
            "statusCode": code,
            "status": step.text,
            "description": step.text,
        }


class SfApi(CarrierApi):
    """SF Express: a signed form, the phone's last four, an answer with JSON in JSON (SF open platform, route query)."""

    name, path = "sf", "/sf"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [Route("/std/service", self._service, methods=["POST"])]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        address = f"{base}/sf/std/service"
        return {"partner_id": self.user, "checkword": self.secret, "base_url": address, "rate": {"per_second": 100}}

    async def _service(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        form = {k: str(v) for k, v in (await request.form()).items()}
        if form.get("partnerID") != self.user or form.get("serviceCode") != "EXP_RECE_SEARCH_ROUTES":
            return self._answer("A1004", "no permission for this service")
        signed = quote_plus(form.get("msgData", "") + form.get("timestamp", "") + self.secret)
        digest = base64.b64encode(hashlib.md5(signed.encode(), usedforsecurity=False).digest()).decode()
        if not hmac.compare_digest(digest, form.get("msgDigest", "")):
            return self._answer("A1006", "the digest does not fit")
        data = json.loads(form["msgData"])
        numbers = data.get("trackingNumber", [])
        inner: dict[str, object]
        if not 1 <= len(numbers) <= SF_BATCH or len(str(data.get("checkPhoneNo", ""))) != 4:
            inner = {"success": False, "errorCode": "S0001", "errorMsg": "a parameter is wrong", "msgData": None}
        else:
            inner = {"success": True, "errorCode": "S0000", "msgData": {"routeResps": [*map(self._route, numbers)]}}
        return self._answer("A1000", "", json.dumps(inner, ensure_ascii=False))

    def _route(self, number: str) -> dict[str, Any]:
        journey = self.journeys.get(number)
        scans = self.happened(journey) if journey else []
        return {"mailNo": number, "routes": [self._node(*scan) for scan in scans if scan[0].sub != "InfoReceived"]}

    def _node(self, step: Step, at: datetime) -> dict[str, str]:
        word = words()[step.sub]
        return {
            "acceptTime": f"{at.astimezone(SF_HOME):%Y-%m-%d %H:%M:%S}",
            "acceptAddress": step.place,
            "remark": step.text,
            "opCode": word["sf"],
            "secondaryStatusCode": word["sf_second"],
        }

    def _answer(self, code: str, message: str, data: str = "") -> Response:
        told = {"apiResultCode": code, "apiErrorMsg": message, "apiResponseID": secrets.token_hex(8)}
        return JSONResponse({**told, "apiResultData": data})


class TntApi(CarrierApi):
    """TNT ExpressConnect Tracking v3.1: XML in a form field, Basic authentication (ExpressConnect Tracking guide)."""

    name, path = "tnt", "/tnt"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [Route("/ectrack/track", self._track, methods=["POST"])]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        address = f"{base}/tnt/ectrack/track"
        return {"username": self.user, "password": self.secret, "base_url": address, "rate": {"per_second": 50}}

    async def _track(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        if not self.basic(request):
            return Response(status_code=401)
        written = str((await request.form()).get("xml_in", ""))
        if "<!" in written.replace("<![CDATA[", ""):
            return Response(status_code=400)
        numbers = [n.text or "" for n in ET.fromstring(written).iter("ConsignmentNumber")]  # noqa: S314 - no DTD got here
        answer = ET.Element("TrackResponse")
        if not 1 <= len(numbers) <= TNT_BATCH:
            error = ET.SubElement(answer, "Error")
            ET.SubElement(error, "Code").text = "1"
            ET.SubElement(error, "Message").text = "between 1 and 50 consignments"
        for number in numbers[:TNT_BATCH]:
            self._consignment(answer, number)
        told: bytes = ET.tostring(answer, encoding="utf-8", xml_declaration=True)
        return Response(told, media_type="text/xml")

    def _consignment(self, answer: ET.Element, number: str) -> None:
        part = ET.SubElement(answer, "Consignment", access="public")
        ET.SubElement(part, "ConsignmentNumber").text = number
        journey = self.journeys.get(number)
        if journey is None:
            ET.SubElement(part, "SummaryCode").text = "CNF"
            return
        scans = [scan for scan in self.happened(journey) if scan[0].sub != "InfoReceived"]
        done = bool(scans) and scans[-1][0].sub == "Delivered_Other"
        ET.SubElement(part, "SummaryCode").text = "DEL" if done else "INT"
        country = ET.SubElement(part, "DestinationCountry")
        ET.SubElement(country, "CountryCode").text = self.destination(journey)
        for step, at in reversed(scans):
            data = ET.SubElement(part, "StatusData")
            ET.SubElement(data, "StatusCode").text = words()[step.sub]["tnt"]
            ET.SubElement(data, "StatusDescription").text = f"{step.text}."
            ET.SubElement(data, "LocalEventDate", format="YYYYMMDD").text = f"{at:%Y%m%d}"
            ET.SubElement(data, "LocalEventTime", format="HHMM").text = f"{at:%H%M}"
            ET.SubElement(data, "DepotName").text = step.place
