"""How WhatsApp and Slack show a text: their own marks, read back into runs for the phones."""

import re
from collections.abc import Iterator
from html import unescape

from bot.model.markup import Run

_MARK = re.compile(r"(?<![\w*_`\u200b])([*_`])(?!\u200b)(\S(?:[^\n]*?\S)?)\1(?![\w\u200b])")
_LINK = re.compile(r"<(https?://[^|>]+)(?:\|([^>]+))?>")


def whatsapp(text: str) -> tuple[Run, ...]:
    """`*bold*`, `_italic_` and code, as WhatsApp shows them."""
    return tuple(_marked(text))


def slack(text: str) -> tuple[Run, ...]:
    """mrkdwn: the same marks, `<address|words>`, and the three entities."""
    runs: list[Run] = []
    at = 0
    for link in _LINK.finditer(text):
        runs += _marked(text[at : link.start()])
        runs.append(Run(unescape(link[2] or link[1]), link=link[1]))
        at = link.end()
    runs += _marked(text[at:])
    return tuple(Run(unescape(r.text), r.bold, r.italic, r.code, r.link) for r in runs)


def _marked(text: str) -> Iterator[Run]:
    at = 0
    for mark in _MARK.finditer(text):
        if mark.start() > at:
            yield Run(text[at : mark.start()])
        style = mark[1]
        yield Run(mark[2], bold=style == "*", italic=style == "_", code=style == "`")
        at = mark.end()
    if at < len(text):
        yield Run(text[at:])
