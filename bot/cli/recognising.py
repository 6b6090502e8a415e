"""`wismo recognise`: which tracking numbers stand in a text, and whose they may be."""

from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.session import say, say_json, stop
from bot.cli.understand import lines_of
from bot.tracking.numbers import Candidate
from bot.tracking.recognise import recognise as read
from bot.tracking.recognise import suggest


def recognise(
    text: Annotated[str | None, typer.Argument(help="A number or a message.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="One message a line; one JSON line out for each. - is stdin.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Say which tracking numbers stand in a text, whose they may be and how sure that is."""
    if (text is None) == (file is None):
        stop("✗ give either a text or --file", 2)
    if file is not None:
        for line in lines_of(file):
            _write(read(line))
    elif as_json:
        _write(read(text or ""))
    else:
        _show(text or "")


def _write(found: tuple[Candidate, ...]) -> None:
    say_json({"candidates": [_described(c) for c in found]})


def _described(c: Candidate) -> dict[str, Any]:
    return {
        "number": c.number,
        "carrier": c.carrier,
        "format": c.format,
        "score": round(c.score, 3),
        "checksum": c.checksum,
    }


def _show(text: str) -> None:
    found = read(text)
    for c in found:
        say(f"{c.number}  {c.carrier}  {c.format}  {c.score:.2f}  check digit: {c.checksum}")
    if not found:
        say("no tracking number is seen in this")
    numbers = {c.number for c in found if c.valid is False}
    for better in (s for number in sorted(numbers) for s in suggest(number)[:1]):
        say(f"perhaps {better.number} ({better.carrier}) was meant")
