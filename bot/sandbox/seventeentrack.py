"""17TRACK's v2.4 as its document describes it, on loopback. Tables: rules/seventeentrack.csv.

What it knows of a number is the part of its journey that lies before the shop's clock. As the clock is turned,
new scans are pushed, signed as the document says.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.model.clock import Clock
from bot.model.zones import zones_of
from bot.sandbox.platform import Bucket, Event, Platform, Rules
from bot.sandbox.shop import Journey, Step

BATCH = 40
NUMBERED = frozenset({"register", "gettrackinfo", "getRealTimeTrackInfo", "stoptrack", "retrack"})
"""Methods that take a list of numbers."""


class SeventeenTrackApi(Platform):
    """One account."""

    name = "seventeentrack"
    tries = 4
    """The first and, as its document says, three more."""

    def __init__(self, clock: Clock, http: httpx.AsyncClient, token: str, journeys: Iterable[Journey]) -> None:
        super().__init__(clock, http)
        self.token = token
        self.rules = Rules("seventeentrack")
        self.rates = Bucket(3, 0.0, 10**6)
        self.journeys = {j.number: j for j in journeys}
        self.registered: set[str] = set()
        self.stopped: set[str] = set()
        self.retracked: set[str] = set()
        self.told: dict[str, int] = {}
        self.failed: set[str] = set()

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [Route("/track/{version}/{method}", self._call, methods=["POST"])]

    def headers(self, event: Event) -> dict[str, str]:
        """The document's signature: SHA-256 over body, slash and key."""
        sign = hashlib.sha256(event.body + b"/" + self.token.encode()).hexdigest()
        return {"content-type": event.content_type, "sign": sign}

    def push(self) -> None:
        """Push every registered number of which there is news; while the data is down, what comes later tells it."""
        if self.faults.down:
            return
        for number in self.registered - self.stopped:
            happened = len(list(self._happened(self.journeys[number])))
            if happened != self.told.get(number):
                self.told[number] = happened
                self.failed.discard(number)
                body = {"event": "TRACKING_UPDATED", "data": self._track(self.journeys[number])}
                self.send(Event(json.dumps(body).encode()))

    def given_up(self, event: Event) -> None:
        """A push that nobody took is dropped, and the number listed until the next."""
        self.failed.add(json.loads(event.body)["data"]["number"])

    async def _call(self, request: Request) -> Response:
        if self.faults.strike("down"):
            return Response(status_code=503)
        if request.headers.get("17token") != self.token:
            error = {"code": -18010002, "message": "Invalid security key."}
            return JSONResponse({"code": -18010002, "data": {"errors": [error]}})
        if self.faults.strike("too_many") or self.rates.wait(""):
            return Response(status_code=429)
        method = request.path_params["method"]
        if method == "getquota":
            used = len(self.registered)
            told = {"quota_total": 1000, "quota_used": used, "quota_remain": 1000 - used}
            return JSONResponse({"code": 0, "data": told})
        body = await request.json()
        if method == "gettracklist" and isinstance(body, dict) and not self.rules.fault(method, body):
            return self._listed(body)
        if method not in NUMBERED or not isinstance(body, list) or not 1 <= len(body) <= BATCH:
            error = {"code": -18010204, "message": "The number of the submitted parameters is wrong."}
            return JSONResponse({"code": 0, "data": {"errors": [error]}})
        return self._answer(method, body)

    def _listed(self, asked: dict[str, Any]) -> Response:
        """The registered numbers, forty a page; of the filters, the push status."""
        wanted = asked.get("push_status", "")
        every = [(n, "Failure" if n in self.failed else "Success") for n in sorted(self.registered)]
        found = [self._entry(n, push) for n, push in every if wanted in {"", push}]
        no = int(asked.get("page_no", 1))
        page = {"data_total": len(found), "page_total": -(-len(found) // BATCH), "page_no": no, "page_size": BATCH}
        accepted = found[(no - 1) * BATCH : no * BATCH]
        return JSONResponse({"page": page, "code": 0, "data": {"accepted": accepted, "rejected": []}})

    def _entry(self, number: str, push: str) -> dict[str, Any]:
        track = self._track(self.journeys[number])
        return {
            "number": number,
            "carrier": track["carrier"],
            "tracking_status": "Stopped" if number in self.stopped else "Tracking",
            "package_status": track["track_info"]["latest_status"]["status"],
            "push_status": push,
        }

    def _answer(self, method: str, asked: list[dict[str, Any]]) -> Response:
        accepted, rejected = [], []
        for one in asked:
            number = str(one.get("number", ""))
            code = self._rejection(method, one, number)
            if code:
                rejected.append({"number": number, "error": {"code": code, "message": "rejected"}})
            elif method == "register":
                self.registered.add(number)
                accepted.append({"origin": 1, "number": number, "carrier": self.journeys[number].carrier})
            elif method in {"stoptrack", "retrack"}:
                self._stop(number, method == "stoptrack")
                accepted.append({"number": number, "carrier": self.journeys[number].carrier})
            else:
                journey = self.journeys[number]
                self.told[number] = len(list(self._happened(journey)))
                accepted.append(self._track(journey))
        if method == "register":
            # As there: the first data of a new number comes by push.
            self.push()
        return JSONResponse({"code": 0, "data": {"accepted": accepted, "rejected": rejected}})

    def _rejection(self, method: str, one: dict[str, Any], number: str) -> int:
        if self.rules.fault(method, one) or number not in self.journeys:
            return -18010012
        known = number in self.registered
        if method == "register":
            return -18019901 if known else 0
        if not known:
            return -18019902
        return self._stop_fault(method, number)

    def _stop_fault(self, method: str, number: str) -> int:
        if method == "stoptrack" and number in self.stopped:
            return -18019906
        if method == "retrack" and number not in self.stopped:
            return -18019904
        # Tracked again once: 17TRACK allows no second time.
        return -18019905 if method == "retrack" and number in self.retracked else 0

    def _stop(self, number: str, stopped: bool) -> None:
        if stopped:
            self.stopped.add(number)
        else:
            self.stopped.discard(number)
            self.retracked.add(number)

    def _happened(self, journey: Journey) -> Iterable[tuple[Step, datetime]]:
        now = self.clock.now()
        for step in journey.steps:
            at = journey.started_at + step.after
            if at <= now:
                yield step, at

    def _track(self, journey: Journey) -> dict[str, Any]:
        events = [_event(step, at) for step, at in self._happened(journey)]
        newest = events[-1] if events else None
        sub = newest["sub_status"] if newest else "NotFound_Other"
        country = next((s.country for s in reversed(journey.steps) if s.country), "")
        info: dict[str, Any] = {
            "shipping_info": {"shipper_address": {"country": "CN"}, "recipient_address": {"country": country}},
            "latest_status": {"status": sub.partition("_")[0], "sub_status": sub, "sub_status_descr": None},
            "latest_event": newest,
            "time_metrics": {"days_after_order": len(events), "estimated_delivery_date": self._estimate(journey, sub)},
            "misc_info": {},
            "tracking": {
                "providers": [
                    {
                        "provider": {"key": journey.carrier},
                        "latest_sync_time": self.clock.now().isoformat(),
                        "latest_sync_status": "Success",
                        "events": list(reversed(events)),
                    }
                ]
            },
        }
        return {"number": journey.number, "carrier": journey.carrier, "param": None, "tag": "", "track_info": info}

    def _estimate(self, journey: Journey, sub: str) -> dict[str, Any]:
        if not journey.steps or sub.startswith(("Delivered", "Exception", "NotFound")):
            return {"source": None, "from": None, "to": None}
        end = journey.started_at + journey.steps[-1].after
        day = end.replace(hour=0, minute=0, second=0, microsecond=0)
        return {"source": "Official", "from": day.isoformat(), "to": (day + timedelta(days=3)).isoformat()}


STAGES = frozenset(
    {"InfoReceived", "PickedUp", "Departure", "Arrival", "AvailableForPickup", "OutForDelivery", "Delivered"}
    | {"Returning", "Returned"}
)
"""The milestones that an event can be."""


def _event(step: Step, at: datetime) -> dict[str, Any]:
    """A scan, told by the clock of its place, as 17TRACK does."""
    local = at.astimezone(next(iter(zones_of(step.country)), UTC))
    main, _, more = step.sub.partition("_")
    return {
        "time_iso": local.isoformat(),
        "time_utc": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "time_raw": {"date": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M:%S}", "timezone": local.isoformat()[-6:]},
        "description": step.text,
        "location": step.place,
        "stage": next((word for word in (more, main) if word in STAGES), None),
        "sub_status": step.sub,
        "address": {"country": step.country or None, "city": step.place or None},
    }
