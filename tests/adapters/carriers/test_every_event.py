"""Of every source: each raw event once and none invented, its instant by its own offset, and no code that nobody knows
delivers, frightens or is taken for known."""

import importlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.tracks import OffsetFrom, Status
from bot.tracking.phrases import refine


class Raw(NamedTuple):
    """An event before a carrier words it."""

    code: str
    text: str
    at: datetime


def iso(at: datetime) -> str:
    return at.isoformat()


def seventeentrack(events: Sequence[Raw]) -> Any:
    told = [
        {
            "time_iso": iso(e.at),
            "time_utc": iso(e.at.astimezone(UTC)),
            "time_raw": {"date": f"{e.at:%Y-%m-%d}", "time": f"{e.at:%H:%M:%S}", "timezone": iso(e.at)[-6:]},
            "description": e.text,
            "sub_status": e.code,
        }
        for e in events
    ]
    info = {"tracking": {"providers": [{"provider": {"key": 3011}, "events": told}]}}
    return {"code": 0, "data": {"accepted": [{"number": "N1", "carrier": 3011, "track_info": info}]}}


def aftership(events: Sequence[Raw]) -> Any:
    told = [{"checkpoint_time": iso(e.at), "message": e.text, "tag": e.code} for e in events]
    return {"msg": {"tracking_number": "N1", "slug": "dhl", "checkpoints": told}}


def fedex(events: Sequence[Raw]) -> Any:
    told = [{"date": iso(e.at), "eventType": e.code, "eventDescription": e.text} for e in events]
    result = {"trackingNumberInfo": {"trackingNumber": "N1"}, "scanEvents": told}
    return {"output": {"completeTrackResults": [{"trackingNumber": "N1", "trackResults": [result]}]}}


def ups(events: Sequence[Raw]) -> Any:
    told = [
        {
            "status": {"type": "I", "code": e.code, "description": e.text},
            "date": f"{e.at:%Y%m%d}",
            "time": f"{e.at:%H%M%S}",
            "gmtDate": f"{e.at.astimezone(UTC):%Y%m%d}",
            "gmtTime": f"{e.at.astimezone(UTC):%H%M%S}",
            "gmtOffset": iso(e.at)[-6:],
        }
        for e in events
    ]
    package = {"trackingNumber": "N1", "activity": told}
    return {"trackResponse": {"shipment": [{"inquiryNumber": "N1", "package": [package]}]}}


def dhl(events: Sequence[Raw]) -> Any:
    told = [{"timestamp": iso(e.at), "status": e.code, "description": e.text} for e in events]
    return {"shipments": [{"id": "N1", "service": "express", "events": told}]}


def mydhl(events: Sequence[Raw]) -> Any:
    told = [
        {
            "date": f"{e.at:%Y-%m-%d}",
            "time": f"{e.at:%H:%M:%S}",
            "GMTOffset": iso(e.at)[-6:],
            "typeCode": e.code,
            "description": e.text,
        }
        for e in events
    ]
    return {"shipments": [{"shipmentTrackingNumber": "N1", "events": told}]}


def sf(events: Sequence[Raw]) -> Any:
    told = [{"acceptTime": f"{e.at:%Y-%m-%d %H:%M:%S}", "opCode": e.code, "remark": e.text} for e in events]
    inner = {"success": True, "errorCode": "S0000", "msgData": {"routeResps": [{"mailNo": "N1", "routes": told}]}}
    return {"apiResultCode": "A1000", "apiResultData": json.dumps(inner)}


def ems(events: Sequence[Raw]) -> Any:
    told = [{"opTime": f"{e.at:%Y-%m-%d %H:%M:%S}", "opCode": e.code, "opDesc": e.text} for e in events]
    return {"retBody": json.dumps({"responseItems": [{"waybillNo": "N1"} | t for t in told]})}


SPELT: dict[str, Callable[[Sequence[Raw]], Any]] = {
    f.__name__: f for f in (seventeentrack, aftership, fedex, ups, dhl, mydhl, sf, ems)
}
BEIJING = {"sf", "ems"}
"""They tell no offset: the clock is China's."""
ZONES = st.sampled_from([timezone(timedelta(minutes=m)) for m in (0, 480, -300, 330, -570, 60, 840, -660)])
EVENTS = st.builds(
    lambda n, at, zone: Raw(f"Z{n}Q", f"Something of kind {n}", at.replace(tzinfo=UTC).astimezone(zone)),
    st.integers(100, 999),
    st.datetimes(datetime(2015, 1, 1), datetime(2026, 1, 1)).map(lambda d: d.replace(microsecond=0)),  # noqa: DTZ001
    ZONES,
)


@pytest.mark.parametrize("source", sorted(SPELT))
@given(events=st.lists(EVENTS, min_size=1, max_size=12, unique_by=lambda e: (e.text, e.at)))
def test_every_event_once_with_its_own_instant_and_nothing_flattered(source: str, events: list[Raw]) -> None:
    body = json.dumps(SPELT[source](events)).encode()
    (track,) = importlib.import_module(f"adapters.carriers.{source}").read(body)
    told = Counter((s.raw_text, s.at) for s in track.scans)
    if source in BEIJING:
        wall = Counter((e.text, (e.at.replace(tzinfo=None) - timedelta(hours=8)).replace(tzinfo=UTC)) for e in events)
        assert told == wall
        assert {s.offset_from for s in track.scans} == {OffsetFrom.CARRIER}
    else:
        assert told == Counter((e.text, e.at.astimezone(UTC)) for e in events)
        assert {s.offset_from for s in track.scans} == {OffsetFrom.EXPLICIT}
        assert Counter(s.local for s in track.scans) == Counter(e.at.replace(tzinfo=None) for e in events)
    read = [refine(s) for s in track.scans]
    assert {s.status for s in read} <= {Status.UNKNOWN, Status.IN_TRANSIT}
    assert not any(s.known for s in read)
    assert [s.at for s in track.scans] == sorted(s.at for s in track.scans)
