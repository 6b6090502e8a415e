"""`wismo understand`: what the bot makes of a message, without sending anything anywhere."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.session import say, say_json, stop
from bot.dialog.language import LanguageModel
from bot.dialog.lexicon import Lexicon
from bot.dialog.turn import Understanding
from bot.dialog.understand import understand as read
from bot.model.conversations import Conversation
from bot.model.messages import Address, Inbound

NOBODY = Address("console", "understand", "nobody")


def understand(
    text: Annotated[str | None, typer.Argument(help="The message.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="One message a line; one JSON line out for each. - is stdin.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
    country: Annotated[str, typer.Option(help="The shop's country, for phones without a prefix.")] = "",
) -> None:
    """Say which language, intents and entities the bot sees in a message."""
    if (text is None) == (file is None):
        stop("✗ give either a text or --file", 2)
    lexicon, model = Lexicon.load(), LanguageModel()

    def meaning(message: str) -> Understanding:
        heard = Inbound("understand", datetime.now(UTC), NOBODY, text=message)
        return read([heard], Conversation(NOBODY), lexicon, model, country)

    if file is not None:
        for line in lines_of(file):
            say_json(described(meaning(line)))
    elif as_json:
        say_json(described(meaning(text or "")))
    else:
        _show(meaning(text or ""))


def lines_of(file: Path) -> Iterator[str]:
    """The lines of a file or of stdin, which end at a line feed and at nothing else that some take for a line's end: a
    buyer's phone puts such signs into a message. Ends the program where it cannot be read."""
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        stop(f"✗ {file} cannot be read: {error.strerror}", 2)
    lines = raw.decode("utf-8-sig", "replace").split("\n")
    return (line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1]))


def described(said: Understanding) -> dict[str, Any]:
    """An understanding as plain values."""
    return {
        "text": said.text,
        "language": said.locale or said.words_of or None,
        "sure_of_language": bool(said.locale),
        "intents": [{"name": name, "score": round(score, 3)} for name, score in said.intents],
        "entities": [
            {"kind": e.kind, "value": e.value, "raw": e.raw, "score": round(e.score, 3)}
            | ({"carrier": e.carrier} if e.carrier else {})
            for e in said.entities
        ],
        "yes": said.yes,
        "asked_language": said.asked_locale or None,
    }


def _show(said: Understanding) -> None:
    told = described(said)
    say(f"language  {told['language'] or 'cannot be told'}{'' if told['sure_of_language'] else ' (a guess)'}")
    for intent in told["intents"]:
        say(f"intent    {intent['name']} {intent['score']:.2f}")
    for entity in told["entities"]:
        carrier = f" ({entity['carrier']})" if "carrier" in entity else ""
        say(f"entity    {entity['kind']} {entity['value']}{carrier} {entity['score']:.2f}")
    if said.yes is not None:
        say(f"answer    {'yes' if said.yes else 'no'}")
