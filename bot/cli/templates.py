"""`wismo templates lint`: are all replies there in all languages, and do they say only what is true?"""

from pathlib import Path
from typing import Annotated

import typer

from bot.app import shipped_templates
from bot.cli.session import complain, say
from bot.proofread import faults

templates = typer.Typer(no_args_is_help=True, help="The words that buyers read.")


@templates.command()
def lint(
    folder: Annotated[Path | None, typer.Argument(help="The folder to look at; else the shipped templates.")] = None,
) -> None:
    """Render every reply in every language with all its facts and with the fewest, and name what is wrong."""
    where = folder or shipped_templates()
    found = list(faults(where))
    for fault in found:
        complain(f"✗ {fault}")
    if found:
        raise typer.Exit(1)
    say(f"✓ {where}: every reply is there in every language")


@templates.callback()
def about() -> None:
    """The words that buyers read."""
