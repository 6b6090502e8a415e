"""Every source can be named in a config, and each carrier's parcels go to the source that knows them best."""

import httpx
import pytest

from bot.app import load_adapters
from bot.config import Config, Faults
from bot.model.clock import Clock
from bot.store import Store
from bot.tracker import Tracker

SHOP = {"name": "S", "country": "CN", "timezone": "Asia/Shanghai", "hours": {"mon-fri": "09:00-18:00"}}
CARRIERS: dict[str, dict[str, str]] = {
    "seventeentrack": {"token": "t"},
    "aftership": {"api_key": "k"},
    "fedex": {"client_id": "i", "client_secret": "s"},
    "ups": {"client_id": "i", "client_secret": "s"},
    "dhl": {"api_key": "k"},
    "mydhl": {"username": "u", "password": "p"},
    "sf": {"partner_id": "p", "checkword": "c"},
    "tnt": {"username": "u", "password": "p"},
    "ems": {"sender_no": "s", "authorization": "a", "secret_key": "0123456789abcdeffedcba9876543210"},
    "manual": {},
}


async def test_all_sources_stand_side_by_side_and_a_carriers_own_goes_first() -> None:
    config = Config.model_validate({"shop": SHOP, "carriers": CARRIERS})
    async with httpx.AsyncClient() as http:
        sources = load_adapters(config, http).sources
    assert set(sources) == set(CARRIERS)
    clock = Clock()
    tracker = Tracker(Store("sqlite:///:memory:", clock), list(sources.values()), clock)
    asked = {
        c: s.kind for c in ("ems", "china-post", "dhl", "fedex", "ups", "tnt", "sf") if (s := tracker.source_of(c))
    }
    assert asked == {
        "ems": "ems",
        "china-post": "ems",
        "dhl": "dhl",
        "fedex": "fedex",
        "ups": "ups",
        "tnt": "tnt",
        "sf": "sf",
    }
    other = tracker.source_of("yunexpress")
    assert other is not None
    assert other.kind == "seventeentrack"
    assert "manual" not in {s.kind for s in tracker.sources}


@pytest.mark.parametrize("name", [n for n, settings in CARRIERS.items() if settings])
async def test_a_missing_credential_is_named_with_its_key(name: str) -> None:
    config = Config.model_validate({"shop": SHOP, "carriers": {name: {}}})
    async with httpx.AsyncClient() as http:
        with pytest.raises(Faults) as raised:
            load_adapters(config, http)
    assert all(fault.startswith(f"carriers.{name}.") for fault in raised.value.faults)
