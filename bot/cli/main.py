"""The commands, put together."""

import logging
from typing import Annotated

import typer

import bot
from bot.cli import (
    buyers,
    calibrating,
    campaigning,
    casework,
    chat,
    demo,
    doctor,
    importing,
    links,
    logs,
    recognising,
    replaying,
    report,
    scanning,
    service,
    setup,
    staff,
    templates,
    tracking,
    understand,
    why,
)
from bot.cli.session import say


def create_cli() -> typer.Typer:
    """The `wismo` command. Typer's own tracebacks stay off: they show values."""
    cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    cli.callback()(wismo)
    cli.command()(service.run)
    cli.command()(doctor.doctor)
    cli.command()(setup.init)
    cli.command()(service.migrate)
    cli.command()(demo.demo)
    cli.command()(chat.chat)
    cli.command("import")(importing.import_)
    cli.command()(links.links)
    cli.command()(casework.cases)
    cli.command()(casework.take)
    cli.command()(casework.reply)
    cli.command()(casework.handback)
    cli.command()(report.report)
    cli.command()(buyers.export)
    cli.command()(buyers.erase)
    cli.command("replay-dead")(doctor.replay_dead)
    cli.command()(understand.understand)
    cli.command()(recognising.recognise)
    cli.command()(calibrating.calibration)
    cli.command()(tracking.track)
    cli.command()(tracking.decode)
    cli.command()(scanning.scan)
    cli.command()(scanning.scans)
    cli.command()(why.why)
    cli.command()(replaying.replay)
    cli.add_typer(campaigning.campaign, name="campaign")
    cli.add_typer(templates.templates, name="templates")
    cli.add_typer(staff.staff, name="staff")
    return cli


def _version(wanted: bool) -> None:
    if wanted:
        say(f"wismo {bot.__version__}")
        raise typer.Exit


def wismo(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """The parcel desk that a shop owns: answers, warns, hands over and proves."""
    logs.configure(logging.WARNING)
