"""`wismo replay` plays a script through the true engine, and says what would leave and what not, and why."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.main import create_cli
from bot.forecast import Forecast
from bot.model.clock import Clock
from bot.model.orders import Consent, Order, Shipment
from bot.store import Store
from bot.store.store import sqlite_url
from tests.store.test_store_learning import fill

SCRIPT = """
channel: whatsapp
order:
  number: "1042"
  placed_at: 2026-11-01T09:00:00Z
  country: DE
  postcode: "50667"
  locale: en
  phone: "+4915112345678"
  promised: 2026-11-20
  consent: [{purpose: parcel_updates, source: checkout, at: 2026-11-01T09:00:00Z}]
events:
  - at: 2026-11-02T09:00:00Z
    order: {parcels: [{number: RB123456785CN, carrier: china-post, shipped_at: 2026-11-02T09:00:00Z}]}
  - {at: 2026-11-02T12:00:00Z, scan: {status: accepted, country: CN}}
  - {at: 2026-11-11T02:00:00Z, scan: {status: customs, cause: duty_due, country: DE}}
  - {at: 2026-11-18T05:00:00Z, scan: {status: out_for_delivery, country: DE}}
  - {at: 2026-11-18T13:00:00Z, scan: {status: delivered, country: DE}}
"""


def played(folder: Path, script: str, *options: str) -> dict[str, list[dict[str, str]]]:
    file = folder / "script.yaml"
    file.write_text(script, encoding="utf-8")
    config = str(folder / "none.yaml")
    result = CliRunner().invoke(create_cli(), ["replay", str(file), "--json", "--config", config, *options])
    assert result.exit_code == 0, result.output
    heard: dict[str, list[dict[str, str]]] = json.loads(result.stdout)
    return heard


def test_every_message_of_an_orders_life(tmp_path: Path) -> None:
    heard = played(tmp_path, SCRIPT)
    said = [(m["at"][:16], m["template"]) for m in heard["messages"]]
    assert said == [
        ("2026-11-01T09:00", "order_confirmed"),
        ("2026-11-02T09:00", "shipped"),
        ("2026-11-11T07:00", "customs_duty"),
        ("2026-11-18T07:00", "out_for_delivery"),
        ("2026-11-18T13:00", "delivered"),
    ]
    assert all(m["approved"] for m in heard["messages"]), "nobody wrote, so WhatsApp's window is closed"
    waits = [(u["template"], u["rule"]) for u in heard["suppressed"]]
    assert ("customs_duty", "gate.quiet_hours") in waits


def test_without_consent_each_push_is_withheld_with_its_reason(tmp_path: Path) -> None:
    script = "\n".join(line for line in SCRIPT.splitlines() if "consent" not in line)
    heard = played(tmp_path, script)
    assert heard["messages"] == []
    assert {u["rule"] for u in heard["suppressed"]} >= {"gate.no_consent"}


def test_stop_ends_it(tmp_path: Path) -> None:
    stopped = SCRIPT + '  - {at: 2026-11-03T10:00:00Z, buyer: "stop"}\n'
    heard = played(tmp_path, stopped)
    assert [m["template"] for m in heard["messages"]] == ["order_confirmed", "shipped", "stopped"]


def test_a_part_of_the_time(tmp_path: Path) -> None:
    heard = played(tmp_path, SCRIPT, "--from", "2026-11-10", "--to", "2026-11-12")
    assert [m["template"] for m in heard["messages"]] == ["customs_duty"]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("order: {placed_at: 2026-11-01T09:00:00Z}", "number"),
        ("[]", "a script has"),
        ("order: {number: 1, placed_at: 2026-11-01T09:00:00Z}\nevents: [{at: nonsense, buyer: x}]", "no time"),
        ("order: {number: 1, placed_at: 2026-11-01T09:00:00Z}\nevents: [{at: 2026-11-02}]", "events.0"),
        ("order: {number: 1, placed_at: 2026-11-01T09:00:00Z, country: Germany}", "country"),
        ("order: {number: 1, placed_at: 2026-11-01T09:00:00Z}\nevents: {at: 1}", "events: is no list"),
        ("order: {number: 1, placed_at: 2026-11-01T09:00:00Z}\nevents: 5", "events: is no list"),
        ("order: {number: 1, placed_at: 2026-11-01T09:00:00Z}\nchannel: pigeon", "no channel pigeon"),
        ("order: [", "cannot be read"),
    ],
)
def test_a_script_that_cannot_be_read_says_what_is_wrong(tmp_path: Path, script: str, says: str) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(script, encoding="utf-8")
    result = CliRunner().invoke(create_cli(), ["replay", str(file), "--config", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--speed", "fast"), "no speed"),
        (("--speed", "0h/s"), "no speed"),
        (("--from", "yesterday"), "no time"),
        (("--from", "2026-11-12", "--to", "2026-11-10"), "is not after"),
    ],
)
def test_options_that_cannot_be_meant_are_told(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(SCRIPT, encoding="utf-8")
    result = CliRunner().invoke(create_cli(), ["replay", str(file), "--config", str(tmp_path / "none.yaml"), *options])
    assert result.exit_code == 2
    assert says in result.output


def test_a_real_order_is_played_with_what_the_shop_has_learned(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "shop: {name: L, country: CN, timezone: Asia/Shanghai, hours: {mon-fri: '09:00-18:00'}}\n"
        f"database: {{data: {tmp_path / 'data'}}}\n",
        encoding="utf-8",
    )
    (tmp_path / "data").mkdir()
    placed = Clock().now() - timedelta(days=3)
    consent = Consent("parcel_updates", "checkout", placed)
    order = Order(
        "9000", placed, placed_at=placed, country="DE", postcode="50667", locale="en", phone="+4915112345678",
        consent=(consent,), parcels=(Shipment("LX9000", "yanwen", placed + timedelta(hours=3)),),
    )  # fmt: skip

    async def sell() -> None:
        store = Store(sqlite_url(tmp_path / "data" / "wismo.db"), Clock())
        await store.migrate()
        await fill(store, 30)
        await store.save_orders([(order, "")])
        await Forecast(store, store.clock, "CN", "Asia/Shanghai").refresh()
        await store.close()

    asyncio.run(sell())
    done = CliRunner().invoke(
        create_cli(), ["replay", "9000", "--json", "--channel", "telegram", "--config", str(config)]
    )
    assert done.exit_code == 0, done.output
    shipped = next(m for m in json.loads(done.stdout)["messages"] if m["template"] == "shipped")
    assert "based on 30 parcels on the same route" in shipped["text"]
