"""DHL's two APIs on loopback: Unified Tracking for anybody, MyDHL for Express customers."""

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.model.clock import Clock
from bot.sandbox.carriers.base import CarrierApi, words
from bot.sandbox.platform import Event
from bot.sandbox.shop import Journey, Step

MOST_NUMBERS = 10
"""Shipments that one subscription may name."""
PUSH = "/tracking/push/v1/subscription"


class DhlApi(CarrierApi):
    """DHL Unified Tracking: a key in a header, one number a call (developer.dhl.com, Shipment Tracking - Unified), and
    its Push v1.2.5: a subscription tells nothing before its address has sent back the secret of the validation."""

    name, path = "dhl", "/dhl"

    def __init__(self, clock: Clock, http: httpx.AsyncClient, journeys: Iterable[Journey]) -> None:
        super().__init__(clock, http, journeys)
        self.subscription: Mapping[str, Any] = {}
        self.subscribed, self.active = secrets.token_hex(16), False
        self._once = secrets.token_urlsafe(24)

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [
            Route("/track/shipments", self._shipments, methods=["GET"]),
            Route(PUSH, self._subscribe, methods=["POST"]),
            Route(f"{PUSH}/{{id}}", self._activate, methods=["POST"]),
        ]

    def headers(self, event: Event) -> dict[str, str]:
        """The header and token that the subscription named."""
        named = self.subscription["hook"]["authentication"]
        return {"content-type": event.content_type, named["header"]: named["token"]}

    def push(self) -> None:
        """Push the newest status of every shipment that is subscribed to."""
        for number in self.subscription.get("shipmentIDs", ()) if self.active else ():
            events = [self._event(*scan) for scan in self.happened(self.journeys[number])]
            shipments = [{"id": number, "service": self.subscription["service"], "status": e} for e in events[-1:]]
            self._tell("subscription.push", shipments=shipments)

    def _tell(self, scope: str, **more: Any) -> None:
        link = f"https://api-eu.dhl.com{PUSH}/{self.subscribed}"
        self.send(Event(json.dumps({"scope": scope, "self": link, **more}).encode()))

    def _keyless(self, request: Request) -> Response | None:
        if request.headers.get("DHL-API-Key") == self.secret:
            return None
        return JSONResponse({"status": 401, "title": "Unauthorized", "detail": "Unauthorized"}, 401)

    async def _subscribe(self, request: Request) -> Response:
        if (refused := self._keyless(request)) is not None:
            return refused
        told = await request.json()
        named = told.get("hook", {}).get("authentication", {})
        fit = named.get("type") == "ApiKeyAuthentication" and named.get("header") and named.get("token")
        if not fit or not 1 <= len(told.get("shipmentIDs", ())) <= MOST_NUMBERS or told.get("type") != "Shipment":
            return JSONResponse({"status": 400, "title": "Bad Request", "detail": "Invalid input parameter"}, 400)
        self.subscription = told
        self._tell("subscription.validate", secret=self._once)
        return JSONResponse({"scope": "subscription.created"}, 202)

    async def _activate(self, request: Request) -> Response:
        if (refused := self._keyless(request)) is not None:
            return refused
        given = request.headers.get("DHL-API-Hook-Secret", "")
        if request.path_params["id"] != self.subscribed or not hmac.compare_digest(given, self._once):
            return JSONResponse({"status": 404, "title": "Not Found", "detail": "No such subscription"}, 404)
        self.active = True
        self._tell("subscription.ready")
        return Response(status_code=204)

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        return {"api_key": self.secret, "base_url": f"{base}/dhl", "rate": {"per_second": 50}, "per_day": 100_000}

    async def _shipments(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        if (refused := self._keyless(request)) is not None:
            return refused
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


class MyDhlApi(CarrierApi):
    """MyDHL API: Basic authentication, one number a call (developer.dhl.com, DHL Express - MyDHL API)."""

    name, path = "mydhl", "/mydhl"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [Route("/mydhlapi/shipments/{number}/tracking", self._tracking, methods=["GET"])]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        address = f"{base}/mydhl/mydhlapi"
        return {"username": self.user, "password": self.secret, "base_url": address, "rate": {"per_second": 50}}

    async def _tracking(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        if not self.basic(request):
            return JSONResponse({"status": 401, "title": "Unauthorized", "detail": "Invalid credentials"}, 401)
        journey = self.journeys.get(request.path_params["number"])
        if journey is None:
            detail = "No Shipments Found for AWBNumber"
            return JSONResponse({"instance": str(request.url.path), "status": 404, "detail": detail}, 404)
        shipment = {
            "shipmentTrackingNumber": journey.number,
            "status": "Success",
            "shipperDetails": {"postalAddress": {"countryCode": "CN"}},
            "receiverDetails": {"postalAddress": {"countryCode": self.destination(journey)}},
            "events": [self._event(*scan) for scan in self.happened(journey)],
        }
        return JSONResponse({"shipments": [shipment]})

    def _event(self, step: Step, at: datetime) -> dict[str, Any]:
        return {
            "date": f"{at:%Y-%m-%d}",
            "time": f"{at:%H:%M:%S}",
            "GMTOffset": "+00:00",
            "typeCode": words()[step.sub]["mydhl"],
            "description": step.text,
            "serviceArea": [{"code": step.country, "description": step.place}],
        }
