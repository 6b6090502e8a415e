"""`wismo campaign` and `wismo why` on a shop's store: planned dry and for good, and bad input told plainly."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.model.orders import Consent, Order, Shipment
from bot.store import Store
from tests.cli.conftest import Wismo, WithStore

NOW = datetime(2026, 11, 24, tzinfo=UTC)


async def seeded(store: Store) -> None:
    order = Order(
        "1042", NOW, source="csv", shop="Lantern", placed_at=NOW, email="a@example.org", country="DE",
        parcels=(Shipment("8120000006", "dhl", NOW),), consent=(Consent("parcel_updates", "checkout", NOW),),
    )  # fmt: skip
    await store.save_orders([(order, "")])


@pytest.fixture
def shop(write_config: Any, with_store: WithStore) -> None:
    write_config()
    with_store(seeded)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("plan", "x", "--where", "colour=red"), 2, "colour=red"),
        (("plan", "x", "--where", "placed>=soon"), 2, "write the day"),
        (("plan", "x", "--at", "25:00"), 2, "write the hour"),
        (("plan", "x", "--at", "noon"), 2, "write the hour"),
        (("plan", "x", "--on", "tomorrow"), 2, "write the day"),
        (("plan", "x", "--template", "buy_now"), 2, "is no template for this"),
        (("plan", "x", "--template", "status"), 2, "is no template for this"),
        (("plan", "x", "--template", "window_moved"), 2, "is no template for this"),
        (("plan", "x", "--template", "case_ack"), 2, "is no template for this"),
        (("plan", "x", "--rate", "0"), 2, "rate"),
        (("run", "x"), 1, "there is no campaign x"),
        (("stop", "x"), 1, "there is no campaign x"),
        (("report", "x"), 1, "there is no campaign x"),
    ],
)
def test_what_cannot_be_meant_is_told(shop: None, wismo: Wismo, words: tuple[str, ...], code: int, says: str) -> None:
    result = wismo("campaign", *words)
    assert result.exit_code == code
    assert says in result.output


def test_a_campaign_from_plan_to_report(shop: None, wismo: Wismo) -> None:
    dry = wismo("campaign", "plan", "november", "--where", "country=DE", "--dry-run")
    assert "1 orders of 1 buyers are meant; 1 cannot be reached" in dry.output
    assert "no campaign yet" in wismo("campaign", "report").output
    assert wismo("campaign", "plan", "november", "--where", "country=DE").exit_code == 0
    assert wismo("campaign", "stop", "november").exit_code == 1
    assert wismo("campaign", "run", "november", "--yes").exit_code == 0
    assert wismo("campaign", "plan", "november").exit_code == 1
    assert wismo("campaign", "stop", "november").exit_code == 0
    told = json.loads(wismo("campaign", "report", "november", "--json").stdout)
    assert (told["state"], told["note"]) == ("stopped", "stopped by hand")


@pytest.mark.parametrize("what", ["nothing", "99999999999999999999999999", "1042", "💥"])
def test_of_what_nothing_was_decided_is_told(shop: None, wismo: Wismo, what: str) -> None:
    result = wismo("why", what)
    assert result.exit_code == 1
    assert "nothing was decided" in result.output
