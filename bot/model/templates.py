"""Approved templates as they are submitted to a platform, and as it lists them."""

from msgspec import Struct


class Body(Struct, frozen=True):
    """An approved template as it is submitted: plain text with `{{name}}` in it, and an example of each parameter.

    `tried` are the seconds for which the platform may go on trying to deliver it; 0 leaves that to the platform.
    """

    name: str
    category: str
    language: str
    text: str
    samples: tuple[tuple[str, str], ...]
    buttons: tuple[str, ...]
    tried: int = 0


class ListedTemplate(Struct, frozen=True):
    """A template as the platform has it. `status`, `category` and `quality` are its own words, empty where untold;
    `tried` are seconds as in `Body`."""

    name: str
    language: str
    status: str
    category: str
    text: str
    buttons: tuple[str, ...]
    quality: str = ""
    tried: int = 0
