"""A buyer's link: a token that proves one order, and the picture of a link to scan."""

import secrets
from pathlib import Path
from typing import TextIO

import segno

from bot.model.tokens import BYTES, token


def fresh_token() -> str:
    """A new token: 128 random bits in an alphabet that every platform's deep link takes."""
    return token(secrets.token_bytes(BYTES))


def draw(link: str, file: Path) -> None:
    """The link as a QR code; the file's ending says which kind of picture (png, svg)."""
    segno.make(link, error="m", micro=False).save(str(file), scale=8)


def drawn(link: str) -> str:
    """The link as a QR code in a data URI, as a page shows it."""
    return str(segno.make(link, error="m", micro=False).svg_data_uri(scale=4))


def draw_in_terminal(link: str, out: TextIO) -> None:
    """The link as a QR code in characters."""
    segno.make(link, error="m", micro=False).terminal(out, compact=True)
