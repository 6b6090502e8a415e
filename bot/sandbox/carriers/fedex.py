"""FedEx on loopback."""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.sandbox.carriers.base import OAuthApi, words
from bot.sandbox.shop import Step

FEDEX_BATCH = 30


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
