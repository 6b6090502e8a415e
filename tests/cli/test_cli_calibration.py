"""`wismo calibration`: a table of anybody's deliveries, or the shop's own parcels."""

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.calibrating import _of_file
from bot.cli.main import create_cli
from bot.model.clock import Clock
from bot.store import Store
from bot.store.store import sqlite_url
from tests.benchmarks.histories import HEADER, SHAPES, World
from tests.store.test_store_learning import fill

runner = CliRunner()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up market's export."""
    file = tmp_path_factory.mktemp("history") / "market.csv"
    lines = [HEADER]
    for row in World(SHAPES["market"], 3).rows(6000):
        end = f"{row.delivered:%Y-%m-%dT%H:%M:%SZ}" if row.delivered else ""
        lines.append(f"{row.placed},{row.handed},{end},{row.promised:%d/%m/%Y},{row.origin},{row.destination},")
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_json_has_what_a_reader_needs(history: Path) -> None:
    done = runner.invoke(create_cli(), ["calibration", "--history", str(history), "--json"])
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    overall = values["overall"]
    assert overall["n"] > 2000
    assert 0.76 <= overall["coverage80"] <= 0.9
    assert overall["coverage80_ci"][0] <= overall["coverage80"] <= overall["coverage80_ci"][1]
    assert overall["pinball"] < values["baselines"]["global_60_days"]["pinball"]
    assert values["baselines"]["promise"]["mae_p50"] < values["baselines"]["promise"]["mae"]
    assert values["ages"]["15"]["enough"]
    assert values["history"]["rows"] == 6000


def test_a_terminal_gets_a_table_and_a_file_the_plots(history: Path, tmp_path: Path) -> None:
    page = tmp_path / "calibration.html"
    done = runner.invoke(create_cli(), ["calibration", "--history", str(history), "--html", str(page)])
    assert done.exit_code == 0, done.output
    assert "global 60-day quantiles" in done.stdout
    assert "Promised date: kept by" in done.stdout
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 2
    assert "http" not in html
    assert "<script" not in html


def test_a_long_lane_cuts_no_figure(tmp_path: Path) -> None:
    service = "Registered air mail parcel with insurance and signature"
    table = tmp_path / "table.csv"
    days = [date(2025, 1, 1) + timedelta(days=n // 4) for n in range(1200)]
    lines = [f"{day},{day + timedelta(days=5 + n % 7)},{service}\n" for n, day in enumerate(days)]
    table.write_text("handed_at,delivered_at,service\n" + "".join(lines), encoding="utf-8")
    done = runner.invoke(create_cli(), ["calibration", "--history", str(table)])
    assert done.exit_code == 0
    assert "Registered air mail" in done.stdout
    assert all("…" not in line[40:] for line in done.stdout.splitlines())


def test_too_little_is_said_to_be_too_little(tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    file.write_text("placed_at,delivered_at\n2026-01-01,2026-01-09\n", encoding="utf-8")
    done = runner.invoke(create_cli(), ["calibration", "--history", str(file)])
    assert done.exit_code == 1
    assert "not enough history" in done.stderr


def test_a_table_without_deliveries_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    done = runner.invoke(create_cli(), ["calibration", "--history", str(file)])
    assert done.exit_code == 2
    assert "delivered_at" in done.stderr
    assert runner.invoke(create_cli(), ["calibration", "--history", str(tmp_path / "none")]).exit_code == 2


def test_the_shops_own_parcels_are_asked_without_a_file(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "shop: {name: L, country: CN, timezone: Asia/Shanghai, hours: {mon-fri: '09:00-18:00'}}\n"
        f"database: {{data: {tmp_path / 'data'}}}\n",
        encoding="utf-8",
    )
    done = runner.invoke(create_cli(), ["calibration", "--config", str(config), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["history"]["rows"] == 0

    async def sell() -> None:
        store = Store(sqlite_url(tmp_path / "data" / "wismo.db"), Clock())
        await fill(store, 30)
        await store.close()

    asyncio.run(sell())
    done = runner.invoke(create_cli(), ["calibration", "--config", str(config), "--json"])
    assert json.loads(done.stdout)["history"]["journeys"] == 30


@pytest.mark.parametrize(
    "raw",
    [
        b"handed_at,delivered_at\n2026-01-02,2026-01-09\n",
        b"\xef\xbb\xbfHanded At;Delivered At\r\n02.01.2026;09.01.2026\r\n",
        "handed_at\tdelivered_at\n2026-01-02\t2026-01-09\n".encode("utf-16"),
        b"sep=;\r\nhanded_at;delivered_at\r\n2026-01-02;2026-01-09\r\n\r\n",
        "handed_at,delivered_at,service\n2026年1月2日,2026年1月9日,中国邮政\n".encode("gb18030"),
        b"handed_at,delivered_at\r46024,46031.5\r",
    ],
)
def test_tables_are_read_whatever_wrote_them(tmp_path: Path, raw: bytes) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(raw)
    (journey,) = _of_file(table).journeys
    assert journey.end is not None
    assert [date.fromordinal(d) for d in (journey.start, journey.end)] == [date(2026, 1, 2), date(2026, 1, 9)]


@pytest.mark.parametrize("raw", [b"", b"\n\n", bytes(range(256)) * 9, b"PK\x03\x04 a spreadsheet"])
def test_what_is_no_table_is_one_clear_error(tmp_path: Path, raw: bytes) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(raw)
    done = runner.invoke(create_cli(), ["calibration", "--history", str(table)])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"✗ {table}: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_long_table_takes_seconds(history: Path) -> None:
    done = runner.invoke(create_cli(), ["calibration", "--history", str(history), "--json"])
    assert timedelta(seconds=json.loads(done.stdout)["seconds"]) < timedelta(seconds=30)
