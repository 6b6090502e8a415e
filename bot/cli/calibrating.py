"""`wismo calibration`: would the delivery windows have held, on the shop's own parcels or on a table of others."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bot.cli.calibration_page import page
from bot.cli.session import DEFAULT, ConfigOption, complain, complete, console, load, open_store, say, say_json, stop
from bot.config import Config
from bot.model.clock import Clock
from bot.model.tables import read_records
from bot.tracking.calibration import AHEAD, Report, Settings, calibrate
from bot.tracking.history import Read, read
from bot.tracking.learning import journey
from bot.tracking.results import BAD_MONTH, told

SHOWN_LANES = 12
PAGE = 500
WIDTH, LANE = 120, 23
HEAD = ("", "n", "80 % held", "interval", "expected", "90 % held", "width", "pinball", "p50 off", "later")


def calibration(
    config: ConfigOption = DEFAULT,
    history: Annotated[
        Path | None, typer.Option(help="A CSV of deliveries instead of the shop's own; - is stdin.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots to this file.")] = None,
    half_life: Annotated[float, typer.Option(min=1, help="Days in which a parcel's weight halves.")] = 30.0,
    lean: Annotated[float, typer.Option(min=0, help="How many recent parcels a lane's parent counts for.")] = 10.0,
) -> None:
    """Say how often delivery windows held: every day asked with what was known before it, then compared."""
    began = time.perf_counter()
    found = _of_file(history) if history is not None else complete(_of_shop(load(config)))
    report = calibrate(found.journeys, Settings(half_life, lean))
    values = told(found, report) | {"seconds": round(time.perf_counter() - began, 1)}
    if html is not None:
        html.write_text(page(values), encoding="utf-8")
    if as_json:
        say_json(values, indent=2)
    else:
        _show(values, report)
    if not report.overall.n:
        stop("✗ there is not enough history: nothing was scored")


def _of_file(path: Path) -> Read:
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        header, *rows = (row or () for _, row in read_records(raw))
        return read(header, rows)
    except (OSError, ValueError) as error:
        stop(f"✗ {path}: {error}", 2)


async def _of_shop(config: Config) -> Read:
    found = Read()
    now, home, timezone = Clock().now(), config.shop.country, config.shop.timezone
    async with open_store(config) as store:
        async for page in store.lessons(None, PAGE):
            parcels = [lesson for lesson in page if lesson.parcel is not None]
            known = [j for lesson in parcels if (j := journey(lesson, now, home, timezone)) is not None]
            found.rows += len(parcels)
            found.without_start += len(parcels) - len(known)
            found.journeys += known
    return found


def _show(values: dict[str, Any], report: Report) -> None:
    history = values["history"]
    scored = (
        f"; scored {history['scored']} handed over from {history['first']} to {history['last']}, "
        f"{history['open']} of that time never came"
    )
    say(f"{history['rows']} rows, {history['journeys']} journeys{scored if history['scored'] else ''}")
    left = {k: history[k] for k in ("without_start", "unreadable", "faults") if history[k]}
    if left:
        complain(f"left out: {', '.join(f'{v} {k}' for k, v in left.items())}")
    if report.overall.n:
        Console(width=max(console().width, WIDTH), markup=False, highlight=False, emoji=False).print(_windows(values))
        _beside(values)


def _windows(values: dict[str, Any]) -> Table:
    table = Table(title="Did the windows hold?", box=SIMPLE, padding=(0, 1))
    for head in HEAD:
        table.add_column(head, no_wrap=True, max_width=None if head else LANE)
    _row(table, "all, at hand-over", values["overall"])
    _row(table, "global 60-day quantiles", values["baselines"]["global_60_days"])
    for age, row in values["ages"].items():
        _row(table, f"open after {age} days", row, first=age == "0")
    for place, (month, row) in enumerate(values["months"].items()):
        _row(table, month, row, first=place == 0)
    lanes = values["lanes"]
    for place, (lane, row) in enumerate(list(lanes.items())[:SHOWN_LANES]):
        _row(table, lane, row, first=place == 0)
    if len(lanes) > SHOWN_LANES:
        table.add_row(f"… and {len(lanes) - SHOWN_LANES} more", *[""] * (len(HEAD) - 1))
    return table


def _row(table: Table, name: str, row: dict[str, Any], *, first: bool = False) -> None:
    if first:
        table.add_section()
    if not row["enough"]:
        table.add_row(name, str(row["n"]), "too few", *[""] * (len(HEAD) - 3))
        return
    low, high = row["coverage80_ci"]
    table.add_row(
        name,
        str(row["n"]),
        f"{row['coverage80']:.1%}",
        f"{low:.1%}-{high:.1%}",
        f"{row['expected80']:.1%}",
        f"{row['coverage90']:.1%}",
        f"{row['width80']:.1f}",
        f"{row['pinball']:.3f}",
        f"{row['mae_p50']:.1f}",
        f"{row['later_than_p90']:.1%}",
    )


def _beside(values: dict[str, Any]) -> None:
    """What stands beside the windows: the worst month, the promise, warnings."""
    worst, promise, warnings = values["worst_month"], values["baselines"]["promise"], values["warnings"]
    if worst is not None:
        say(f"Worst month of {BAD_MONTH} parcels or more: {worst['month']}, 80 % held {worst['coverage80']:.1%}")
    if promise["enough"]:
        say(
            f"Promised date: kept by {promise['kept']:.1%} of {promise['n']}, off by {promise['mae']:.1f} days; "
            f"p50 of the same parcels is off by {promise['mae_p50']:.1f}"
        )
    if warnings["enough"]:
        say(
            f"Warnings {AHEAD} days before the promised date: {warnings['late_warned']:.1%} of {warnings['late']} that "
            f"were late, and falsely {warnings['false_warnings']:.1%} of {warnings['on_time']} that were not"
        )
