"""`wismo decode` and `wismo track` as a seller types them."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.model.orders import Order, Shipment
from bot.sandbox.platform import Bucket
from bot.sandbox.town import Town
from bot.store import Store, codec
from tests.cli.conftest import Wismo, WithStore

RECORDED = Path(__file__).parents[1] / "recorded/carriers"
PUSH = RECORDED / "seventeentrack/push_updated.json"


def test_a_raw_body_becomes_the_normalised_timeline(wismo: Wismo) -> None:
    told = json.loads(wismo("decode", "seventeentrack", str(PUSH), "--json").stdout)
    assert set(told) == {"carrier", "number", "status", "cause", "action_required", "eta", "legs", "scans"}
    assert (told["carrier"], told["number"], told["status"]) == ("china-post", "LW123456785CN", "delivered")
    raw = json.loads(PUSH.read_text())["data"]["track_info"]["tracking"]["providers"]
    assert len(told["scans"]) == sum(len(p["events"]) for p in raw)
    assert {s["offset_from"] for s in told["scans"]} <= {"explicit", "location", "carrier", "unknown"}


def test_people_read_it_newest_first_and_without_the_couriers_phone(wismo: Wismo) -> None:
    lines = wismo("decode", "seventeentrack", str(PUSH)).stdout.splitlines()
    assert lines[0].split() == ["LW123456785CN", "china-post", "delivered"]
    assert "delivered" in lines[4]
    assert "13812345678" not in "".join(lines)


def test_what_is_no_body_of_that_source_is_one_clear_line(wismo: Wismo, tmp_path: Path) -> None:
    for content in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"<a/>", b"[" * 100_000):
        file = tmp_path / "body"
        file.write_bytes(content)
        result = wismo("decode", "seventeentrack", str(file))
        assert result.exit_code == 2, content[:20]
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_body_of_half_a_character_several_lines_or_packed_is_read_or_refused_in_one_line(
    wismo: Wismo, tmp_path: Path
) -> None:
    file = tmp_path / "body"
    file.write_bytes(PUSH.read_bytes().replace(b'"location": "', b'"location": "\\ud800', 1))
    assert json.loads(wismo("decode", "seventeentrack", str(file), "--json").stdout)["scans"]
    file.write_bytes(gzip.compress(PUSH.read_bytes()))
    assert json.loads(wismo("decode", "seventeentrack", str(file), "--json").stdout)["scans"]
    file.write_bytes(b"\x1f\x8bnothing packed")
    assert wismo("decode", "seventeentrack", str(file)).exit_code == 2
    file.write_text(json.dumps({"meta": {"code": 500, "message": "a\nb\n" * 500}}))
    refused = wismo("decode", "aftership", str(file))
    assert refused.exit_code == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert len(refused.stderr) < 400


def test_a_number_is_asked_about_now_at_the_carrier_or_tracked_again(
    wismo: Wismo, whole_town: Town, write_config: Callable[..., Path]
) -> None:
    api = whole_town.carriers
    api.rates = Bucket(100, 0.0, 10**6)
    source = {"token": api.token, "base_url": f"{whole_town.base}/17track/track/v2.4"}
    write_config(carriers={"seventeentrack": source})
    number = next(j.number for j in api.journeys.values() if j.story == "customs_hold")
    assert "unknown (no_data_yet)" in wismo("track", number).stdout
    written = f"{number[:2].lower()}-{number[2:6]} {number[6:]}"
    assert json.loads(wismo("track", written, "--refresh", "--json").stdout)["scans"]
    refused = wismo("track", number, "--again")
    assert refused.exit_code == 0
    assert "does not track" in refused.stderr
    api.stopped.add(number)
    assert wismo("track", number, "--again").stderr == ""
    assert number not in api.stopped


def test_an_unknown_source_or_file_is_refused(wismo: Wismo, tmp_path: Path) -> None:
    assert "there is no source" in wismo("decode", "pigeon", str(PUSH)).stderr
    assert wismo("decode", "seventeentrack", str(tmp_path / "none")).exit_code == 2


async def one_parcel(store: Store) -> None:
    order = Order("1042", datetime(2026, 11, 1, tzinfo=UTC), source="csv", parcels=(Shipment("FF1", "forwarder"),))
    await store.save_orders([(order, "")])


def test_staff_write_a_scan_down_by_hand(
    wismo: Wismo, write_config: Callable[..., Path], with_store: WithStore
) -> None:
    write_config()
    with_store(one_parcel)
    said = wismo("scan", "ff1", "--status", "customs/held", "--at", "2026-11-20T15:20", "--country", "DE")
    assert said.exit_code == 0
    assert "2026-11-20 14:20 UTC" in said.stdout

    async def event(store: Store) -> object:
        (claim,) = await store.claim(5)
        return codec.unpack(claim.events[0].item.body)

    update = with_store(event)
    assert update.track.scans[0].offset_from.value == "location"
    assert (update.track.scans[0].status.value, update.track.scans[0].cause) == ("customs", "held")


def test_a_scan_by_hand_that_cannot_be_is_refused(
    wismo: Wismo, write_config: Callable[..., Path], with_store: WithStore
) -> None:
    write_config()
    with_store(one_parcel)
    assert "has no cause" in wismo("scan", "FF1", "--status", "customs/eaten").stderr
    assert "there is no status" in wismo("scan", "FF1", "--status", "gone").stderr
    assert "is no time" in wismo("scan", "FF1", "--status", "customs", "--at", "yesterday").stderr
    assert "no order has" in wismo("scan", "FF2", "--status", "customs").stderr


def test_a_forwarders_list_is_taken_and_strangers_are_named(
    wismo: Wismo, write_config: Callable[..., Path], with_store: WithStore, tmp_path: Path
) -> None:
    write_config()
    with_store(one_parcel)
    file = tmp_path / "list.csv"
    file.write_text("number,at,status\nFF1,2026-11-02T10:00Z,departed\nFF9,2026-11-02T10:00Z,saucer\n")
    said = wismo("scans", str(file)).stdout
    assert "2 scans of 2 numbers" in said
    assert "FF9: no order has such a parcel" in said
    assert "saucer: not one of our words" in said
    file.write_text("number,at,status\nFF1,soon,departed\n")
    assert "line 2 has no time" in wismo("scans", str(file)).stderr


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_terminal_that_cannot_show_a_letter_is_told_all_the_same(form: list[str]) -> None:
    routes = RECORDED / "sf/routes.json"
    told = subprocess.run(
        [sys.executable, "-m", "bot", "decode", "sf", str(routes), *form],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, b"")
    assert b"delivered" in told.stdout
