"""UPS on loopback."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.sandbox.carriers.base import OAuthApi, words
from bot.sandbox.shop import Step


class UpsApi(OAuthApi):
    """UPS: OAuth with Basic, one number a call (developer.ups.com, OAuth and Tracking)."""

    name, path = "ups", "/ups"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [
            Route("/security/v1/oauth/token", self._token, methods=["POST"]),
            Route("/api/track/v1/details/{number}", self._details, methods=["GET"]),
            Route("/api/track/v2/subscription/standard/package", self._subscription, methods=["POST"]),
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

    async def _subscription(self, request: Request) -> Response:
        """Track Alert takes 1Z and 1R numbers; it tells which it took."""
        if not self.bears(request):
            return self._fault(401, "250002", "Invalid Authentication Information.")
        numbers = (await request.json()).get("trackingNumberList") or []
        if len(numbers) > 100:
            return self._fault(400, "VSS220", "You have submitted over 100 tracking numbers which is not allowed.")
        taken = [n for n in numbers if str(n).startswith(("1Z", "1R"))]
        if not taken:
            return self._fault(
                400, "VSS210", "The Subscription request should have at least one valid tracking number."
            )
        refused = [n for n in numbers if n not in taken]
        return JSONResponse({"validTrackingNumbers": taken, "invalidTrackingNumbers": refused})

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
