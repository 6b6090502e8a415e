"""AfterShip, the second aggregator, on loopback."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.model.clock import Clock
from bot.sandbox.carriers.base import CarrierApi, words
from bot.sandbox.platform import Event
from bot.sandbox.shop import SLUGS, Journey, Step

ALPHA3 = {"CN": "CHN", "US": "USA", "DE": "DEU", "FR": "FRA", "ES": "ESP", "BR": "BRA", "RU": "RUS"}
"""The journeys' countries as this API writes them."""


class AfterShipApi(CarrierApi):
    """AfterShip, API version 2026-07: a key in a header; a number is registered before it is known."""

    name, path = "aftership", "/aftership"

    def __init__(self, clock: Clock, http: httpx.AsyncClient, journeys: Iterable[Journey]) -> None:
        super().__init__(clock, http, journeys)
        self.registered: dict[str, str] = {}
        self.inactive: set[str] = set()
        self.retracked: set[str] = set()

    def routes(self) -> list[Route]:
        """The paths of the API."""
        address = "/tracking/2026-07/trackings"
        return [
            Route(address, self._list, methods=["GET"]),
            Route(address, self._create, methods=["POST"]),
            Route(address + "/{id}/retrack", self._retrack, methods=["POST"]),
            Route(address + "/{id}/mark-as-completed", self._complete, methods=["POST"]),
        ]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        return {
            "api_key": self.secret,
            "webhook_secret": self.user,
            "base_url": f"{base}/aftership/tracking/2026-07",
            "rate": {"per_second": 50},
        }

    def headers(self, event: Event) -> dict[str, str]:
        """The document's signature: HMAC-SHA256 of the body, in Base64."""
        sign = base64.b64encode(hmac.new(self.user.encode(), event.body, hashlib.sha256).digest()).decode()
        return {"content-type": event.content_type, "aftership-hmac-sha256": sign}

    def push(self) -> None:
        """Push every registered number."""
        for number in sorted(self.registered):
            body = {"event": "tracking_update", "msg": self._tracking(self.journeys[number])}
            self.send(Event(json.dumps(body).encode()))

    def _refused(self, request: Request) -> Response | None:
        if (busy := self.busy()) is not None:
            return busy
        if request.headers.get("as-api-key") != self.secret:
            return self._meta(401, 401, "Invalid API key.")
        return None

    async def _list(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        asked = request.query_params.get("tracking_numbers", "").split(",")
        found = [self._tracking(self.journeys[n]) for n in asked if n in self.registered]
        return JSONResponse({"meta": {"code": 200}, "data": {"pagination": {"total": len(found)}, "trackings": found}})

    async def _create(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        number = str((await request.json()).get("tracking_number", ""))
        if number in self.registered:
            return self._meta(400, 4003, "Tracking already exists.")
        if number not in self.journeys:
            return self._meta(400, 4012, "Cannot detect courier.")
        self.registered[number] = secrets.token_hex(16)
        return JSONResponse({"meta": {"code": 201}, "data": self._tracking(self.journeys[number])}, 201)

    async def _retrack(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        number = self._number(request)
        if number not in self.inactive:
            return self._meta(400, 4013, "Retrack is not allowed. You can only retrack an inactive tracking.")
        if number in self.retracked:
            return self._meta(400, 4016, "Retrack is not allowed. You can only retrack each shipment once.")
        self.inactive.discard(number)
        self.retracked.add(number)
        return JSONResponse({"meta": {"code": 200}, "data": self._tracking(self.journeys[number])})

    async def _complete(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        if not (number := self._number(request)):
            return self._meta(404, 4004, "Tracking does not exist.")
        self.inactive.add(number)
        return JSONResponse({"meta": {"code": 200}, "data": self._tracking(self.journeys[number])})

    def _number(self, request: Request) -> str:
        return next((n for n, key in self.registered.items() if key == request.path_params["id"]), "")

    def _tracking(self, journey: Journey) -> dict[str, Any]:
        points = [self._checkpoint(*scan) for scan in self.happened(journey)]
        newest = points[-1] if points else {"tag": "Pending", "subtag": "Pending_001"}
        return {
            "id": self.registered[journey.number],
            "tracking_number": journey.number,
            "active": journey.number not in self.inactive,
            "slug": SLUGS[journey.carrier],
            "tag": newest["tag"],
            "subtag": newest["subtag"],
            "origin_country_region": "CHN",
            "destination_country_region": ALPHA3.get(self.destination(journey), ""),
            "updated_at": self.clock.now().isoformat(),
            "checkpoints": points,
        }

    def _checkpoint(self, step: Step, at: datetime) -> dict[str, Any]:
        subtag = words()[step.sub]["aftership"]
        return {
            "checkpoint_time": at.isoformat(),
            "country_region": ALPHA3.get(step.country, ""),
            "location": step.place,
            "message": step.text,
            "tag": subtag.partition("_")[0],
            "subtag": subtag,
        }

    def _meta(self, status: int, code: int, message: str) -> Response:
        return JSONResponse({"meta": {"code": code, "message": message}, "data": {}}, status)
