"""`wismo campaign`: tell many buyers when their parcels should come; planned, tried dry, run, stopped, reported."""

from datetime import date
from typing import Annotated, Any

import typer
from msgspec.structs import asdict

from bot.app import App, open_app
from bot.campaigner import Campaigner, Dry
from bot.cli.session import DEFAULT, ConfigOption, YesOption, complete, load, ready, say, say_json, stop
from bot.config import Config
from bot.proactive.campaign import TEMPLATES, Plan, check
from bot.store.campaigns import PLANNED, RUNNING, STOPPED, Campaign

campaign = typer.Typer(no_args_is_help=True, help="Tell many buyers at once when their parcels should come.")
Name = Annotated[str, typer.Argument(help="The campaign's name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@campaign.command()
def plan(  # noqa: PLR0913, PLR0917 - the command's options
    name: Name,
    where: Annotated[list[str] | None, typer.Option(help="country=US,CA, status=customs, placed>=2026-11-01 …")] = None,
    template: Annotated[str, typer.Option(help="What is said.")] = "estimate",
    at: Annotated[str, typer.Option(help="The hour of the buyer's own day.")] = "10:00",
    on: Annotated[str, typer.Option(help="Not before this day.")] = "",
    rate: Annotated[int, typer.Option(min=1, help="Buyers a minute.")] = 60,
    stop_at: Annotated[
        float, typer.Option(min=0.1, max=100, help="Stop at this share of failures and stops, %.")
    ] = 5.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say whom it would reach.")] = False,
    config: ConfigOption = DEFAULT,
) -> None:
    """Plan a campaign and say whom it would reach. Nothing leaves before `wismo campaign run`."""
    try:
        check(where or [])
        made = Plan(template, tuple(where or ()), _minute(at), _day(on), rate, stop_at / 100)
    except ValueError as error:
        stop(f"✗ {error}", 2)
    complete(_plan(load(config), name, made, dry=dry_run))


@campaign.command()
def run(name: Name, yes: YesOption = False, config: ConfigOption = DEFAULT) -> None:
    """Let a planned or stopped campaign run; `wismo run` sends it, at each buyer's hour."""
    complete(_run(load(config), name, sure=yes))


@campaign.command("stop")
def stop_(name: Name, config: ConfigOption = DEFAULT) -> None:
    """Stop a campaign: nobody more is told, also not who waits for their hour; `run` goes on with the others."""
    complete(_stop(load(config), name))


@campaign.command()
def report(
    name: Annotated[str, typer.Argument(help="The campaign's name; all of them without it.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT,
) -> None:
    """Say how a campaign goes: sent, read, failed, stopped, and who was left out and why."""
    complete(_report(load(config), name, as_json=as_json))


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and (minute or "0").isdecimal() and int(hour) < 24 and int(minute or 0) < 60):
        raise ValueError(f"{text}: write the hour like 10:00")
    return int(hour) * 60 + int(minute or 0)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError(f"{text}: write the day like 2026-11-24") from None


async def _plan(config: Config, name: str, made: Plan, *, dry: bool) -> None:
    async with open_app(config) as app:
        await ready(app.store)
        if made.template not in TEMPLATES:
            stop(f"✗ {made.template} is no template for this; there are {', '.join(sorted(TEMPLATES))}", 2)
        _say_dry(await _campaigner(app).dry(made))
        if dry:
            return
        if await app.store.plan_campaign(name, made) is None:
            stop(f"✗ {name} has begun already; give the new one another name")
        say(f"✓ {name} is planned. `wismo campaign run {name}` lets it go.")


def _campaigner(app: App) -> Campaigner:
    return Campaigner(app.store, app.announcer, app.clock)


def _say_dry(found: Dry) -> None:
    say(f"{found.orders} orders of {found.buyers} buyers are meant; {found.unreachable} cannot be reached")
    for channel, count in sorted(found.channels.items()):
        say(f"  {channel}: {count}")
    if found.first and found.last:
        say(f"between {found.first:%Y-%m-%d %H:%M} and {found.last:%Y-%m-%d %H:%M} UTC, each at the buyer's hour,")
        say("those of them who consented, outside quiet hours and within the day's one message")


async def _named(app: App, name: str) -> Campaign:
    found = await app.store.campaign(name)
    if found is None:
        stop(f"✗ there is no campaign {name}; `wismo campaign report` lists them")
    return found


async def _run(config: Config, name: str, *, sure: bool) -> None:
    async with open_app(config) as app:
        await ready(app.store)
        found = await _named(app, name)
        if found.state not in {PLANNED, STOPPED}:
            stop(f"✗ {name} is {found.state}")
        _say_dry(await _campaigner(app).dry(found.plan))
        if not sure:
            typer.confirm("Let it run?", abort=True)
        await app.store.set_campaign(found, RUNNING)
        say(f"✓ {name} runs. `wismo campaign stop {name}` stops it, `wismo campaign report {name}` says how it goes.")


async def _stop(config: Config, name: str) -> None:
    async with open_app(config) as app:
        await ready(app.store)
        found = await _named(app, name)
        if found.state != RUNNING:
            stop(f"✗ {name} is {found.state}, not running")
        await app.store.set_campaign(found, STOPPED, "stopped by hand")
        say(
            f"✓ {name} is stopped after {found.reached} buyers; those of them whose hour comes while it is are left out"
        )


async def _report(config: Config, name: str, *, as_json: bool) -> None:
    async with open_app(config) as app:
        await ready(app.store)
        chosen = [await _named(app, name)] if name else await app.store.all_campaigns()
        told = [await _reported(app, c) for c in chosen]
    if as_json:
        say_json(told[0] if name else told)
        return
    if not told:
        say("no campaign yet; `wismo campaign plan NAME` makes one")
    for one in told:
        say(f"{one['name']}: {one['state']}" + (f" ({one['note']})" if one["note"] else ""))
        say("  " + ", ".join(f"{count} {what}" for what, count in one["outcome"].items()))
        for rule, count in sorted(one["left_out"].items()):
            say(f"  left out: {count} by {rule}")


async def _reported(app: App, found: Campaign) -> dict[str, Any]:
    outcome = await app.store.campaign_outcome(found)
    return {
        "name": found.name,
        "state": found.state,
        "note": found.note,
        "template": found.plan.template,
        "where": list(found.plan.where),
        "created_at": found.created_at.isoformat(),
        "ended_at": found.ended_at.isoformat() if found.ended_at else None,
        "outcome": asdict(outcome),
        "left_out": await app.store.campaign_left_out(found),
    }
