"""SF Express on loopback."""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.sandbox.carriers.base import HOME, CarrierApi, words
from bot.sandbox.shop import Step

SF_BATCH = 10


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
            "acceptTime": f"{at.astimezone(HOME):%Y-%m-%d %H:%M:%S}",
            "acceptAddress": step.place,
            "remark": step.text,
            "opCode": word["sf"],
            "secondaryStatusCode": word["sf_second"],
        }

    def _answer(self, code: str, message: str, data: str = "") -> Response:
        told = {"apiResultCode": code, "apiErrorMsg": message, "apiResponseID": secrets.token_hex(8)}
        return JSONResponse({**told, "apiResultData": data})
