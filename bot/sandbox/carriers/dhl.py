"""DHL's two APIs on loopback: Unified Tracking for anybody, MyDHL for Express customers."""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.sandbox.carriers.base import CarrierApi, words
from bot.sandbox.shop import Step


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
