"""What the emulated carriers share: a journey as far as the shop's clock has come, credentials, limits and faults."""

import base64
import csv
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.model.clock import Clock
from bot.sandbox.platform import Bucket, Platform
from bot.sandbox.shop import Journey, Step

TOKEN_SECONDS = 3600
HOME = ZoneInfo("Asia/Shanghai")
"""In which Chinese carriers write their times."""


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
        if self.faults.strike("down"):
            return Response(status_code=503)
        if self.faults.strike("too_many") or self.rates.wait(""):
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
