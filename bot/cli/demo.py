"""`wismo demo` and `wismo chat`: the bot without any platform. Loaded by name, so that `run` never holds them."""

import importlib
from pathlib import Path
from typing import Annotated

import typer


def demo(
    port: Annotated[int, typer.Option(help="Where the page listens, on this machine only.")] = 8000,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    data: Annotated[Path | None, typer.Option(help="Keep the demo's data here; else it is thrown away.")] = None,
) -> None:
    """Three phones, a seeded shop and a clock to turn, on one page. Nothing leaves this machine."""
    importlib.import_module("bot.sandbox.demo").run(port, not no_browser, data)
