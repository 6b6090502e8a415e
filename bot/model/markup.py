"""The neutral markup in which templates write and which every channel encodes its own way.

A small subset of HTML, because Jinja's autoescape then guards it: `<b> <i> <code> <a href="…">`, the five
entities, and a newline for a new line. Anything else that looks like a tag is text.
"""

import re
from collections.abc import Iterator
from html import unescape

from msgspec import Struct

_TAG = re.compile(r'<(/?)(b|i|code|a)(?: href="([^"<>]*)")?>')
_LEADS = ("https://", "http://", "mailto:", "tel:")
_ALIEN = re.compile(r"</?[A-Za-z][^<>]*>?")


class Run(Struct, frozen=True):
    """A stretch of plain text in one style; `link` is an address or empty."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    link: str = ""


def runs(markup: str) -> Iterator[Run]:
    """The text in stretches of one style; unbalanced tags end with the text."""
    style: dict[str, bool] = {"b": False, "i": False, "code": False}
    link, at = "", 0
    for tag in _TAG.finditer(markup):
        if tag.start() > at:
            yield _run(markup[at : tag.start()], style, link)
        closing, name, href = tag.groups()
        if name == "a":
            link = "" if closing else unescape(href or "")
        else:
            style[name] = not closing
        at = tag.end()
    if at < len(markup):
        yield _run(markup[at:], style, link)


def plain(markup: str) -> str:
    """The text alone, as a person hears it; a link keeps its words only."""
    return unescape(_TAG.sub("", markup))


def _run(raw: str, style: dict[str, bool], link: str) -> Run:
    return Run(unescape(raw), style["b"], style["i"], style["code"], link)


def unbalanced(markup: str) -> Iterator[str]:
    """What is wrong with the tags of a text: not closed, closing nothing, crossing another, of no known kind, or a
    link that leads nowhere."""
    open_: list[str] = []
    for closing, name, href in _TAG.findall(markup):
        if not closing:
            open_.append(name)
            if name == "a" and not href.startswith(_LEADS):
                yield f'<a href="{href}"> is no link to a page, an e-mail address or a phone'
        elif open_ and open_[-1] == name:
            open_.pop()
        else:
            yield f"</{name}> closes nothing that is open there"
    yield from (f"<{name}> is not closed" for name in open_)
    yield from (f"{tag} is no markup of ours" for tag in _ALIEN.findall(_TAG.sub("", markup)))
