"""Approved templates as they are submitted to a platform, and as it lists them."""

from msgspec import Struct


class Body(Struct, frozen=True):
    """An approved template as it is submitted: plain text with `{{name}}` in it, and an example of each parameter."""

    name: str
    category: str
    language: str
    text: str
    samples: tuple[tuple[str, str], ...]
    buttons: tuple[str, ...]


class ListedTemplate(Struct, frozen=True):
    """A template as the platform has it. `status`, `category` and `quality` are its own words, empty where untold."""

    name: str
    language: str
    status: str
    category: str
    text: str
    buttons: tuple[str, ...]
    quality: str = ""
