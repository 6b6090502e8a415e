"""`wismo report`: what the desk did, in figures."""

import json
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import typer
from msgspec.structs import asdict
from rich.table import Table

from bot.cli.session import DEFAULT, ConfigOption, complete, console, load, open_store, say
from bot.config import Config
from bot.handoff.figures import Figures, figures
from bot.store.reports import heard


def report(
    days: Annotated[int, typer.Option(min=1, max=730, help="How many days back.")] = 28,
    as_json: Annotated[bool, typer.Option("--json", help="For a program to read.")] = False,
    config: ConfigOption = DEFAULT,
) -> None:
    """Questions per 100 parcels, what the bot answered alone, how fast people were, and what must be 0."""
    settings = load(config)
    found = complete(_figures(settings, days))
    if as_json:
        # Not through the console: it would wrap lines.
        typer.echo(json.dumps(plain(found), indent=2))
        return
    _print(found, settings)


async def _figures(config: Config, days: int) -> Figures:
    async with open_store(config) as store:
        now = store.clock.now()
        found = await heard(store.database, now - timedelta(days=days), now)
    return figures(found, config.shop.hours, config.shop.zone, now)


def plain(found: Figures) -> dict[str, Any]:
    """The report as plain values."""
    return {k: _plain(v) for k, v in asdict(found).items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {k.isoformat() if isinstance(k, date) else k: v for k, v in value.items()}
    return value


def _print(found: Figures, config: Config) -> None:
    zone = config.shop.zone
    say(f"{found.since.astimezone(zone):%d %b %Y} to {found.until.astimezone(zone):%d %b %Y}, {config.shop.name}")
    table = Table(show_header=False)
    rate = "–" if found.per_hundred is None else f"{found.per_hundred:.1f}"
    share = "–" if found.alone_share is None else f"{found.alone_share:.0%}"
    satisfied = "–" if found.satisfied_share is None else f"{found.satisfied_share:.0%}"
    median = "–" if found.first_median_hours is None else f"{found.first_median_hours:.1f} business hours"
    for name, value in (
        ("parcels sent", str(found.parcels)),
        ("questions", f"{found.contacts} ({rate} per 100 parcels)"),
        ("answered by the bot alone", f"{share} of {found.judged} that are older than 72 hours"),
        ("cases for people", f"{found.cases}, {found.answered} answered, {found.resolved} resolved"),
        ("first answer, median", median),
        ("first answer", _listed(found.first_response)),
        ("resolved", _listed(found.resolve)),
        ("why people were needed", _listed(found.reasons)),
        ("satisfied with a person's help", f"{satisfied} of {found.rated} who said so"),
        ("said twice / lost / two voices", f"{found.duplicates} / {found.lost} / {found.double_speakers}"),
    ):
        table.add_row(name, value)
    console().print(table)
    if found.duplicates or found.lost or found.double_speakers:
        say("✗ the last line must be 0: `wismo doctor` says more")


def _listed(counts: Any) -> str:
    return ", ".join(f"{k.replace('_', ' ')}: {n}" for k, n in counts.items() if n) or "–"
