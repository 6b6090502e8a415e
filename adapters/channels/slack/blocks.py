"""An Outbound in Block Kit. Pure.

Text is mrkdwn in which `& < >` are escaped, and `verbatim`, so that no address, channel or name in it
becomes a link or a mention. A zero-width space after a formatting mark, or before a quote mark that opens a
line, keeps a buyer's or carrier's text from being styled.
"""

import re
from collections.abc import Iterable
from typing import Any

from bot.model.markup import Run, plain, runs
from bot.model.messages import Choice, Outbound

SECTION = 3000
"""Characters of one section's text after escaping."""
BUTTONS = 25
TITLE = 75
METADATA = "wismo_outbound"
"""The type of the metadata that carries our id, by which a message is found again."""

_BREAK = "\u200b"
_SPECIAL = re.compile(r"[&<>*_~`]")
_MARK = re.compile(r"(?<!\w)[*_~]|`")
_QUOTE = re.compile(r"^(?=&gt;)", re.MULTILINE)
_PIECE = 500
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def payload(message: Outbound) -> dict[str, Any]:
    """The body of chat.postMessage."""
    return plain_payload(message) | {"blocks": blocks(message)}


def plain_payload(message: Outbound) -> dict[str, Any]:
    """The same without blocks; what can be chosen is listed below the text."""
    return {
        "channel": message.to.chat,
        "text": "\n".join([escape(plain(message.text)), *(f"• {escape(c.title)}" for c in message.choices)]),
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": METADATA, "event_payload": {"id": message.id}},
    }


def blocks(message: Outbound) -> list[dict[str, Any]]:
    """Sections for the text, then the buttons."""
    made: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
        for text in sections(message.text)
    ]
    groups = range(0, len(message.choices), BUTTONS)
    return made + [_actions(message.choices[start : start + BUTTONS], start) for start in groups]


def _actions(choices: Iterable[Choice], start: int) -> dict[str, Any]:
    return {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": f"choice-{number}",
                "text": {"type": "plain_text", "text": choice.title[:TITLE], "emoji": False},
                "value": choice.value,
            }
            for number, choice in enumerate(choices, start)
        ],
    }


def sections(markup: str) -> list[str]:
    """The text as mrkdwn, in parts of at most `SECTION` characters, broken between lines where it can be."""
    lines = _lines(markup)
    whole = _joined(lines)
    if len(whole) <= SECTION:
        return [whole] if whole.strip() else []
    parts = [""]
    for line in lines:
        text = "".join(line)
        for piece in [text] if len(text) <= SECTION else line:
            if len(parts[-1]) + len(piece) > SECTION:
                parts.append("")
            parts[-1] += piece
        parts[-1] += "\n" if len(parts[-1]) < SECTION else ""
    return [part.removesuffix("\n") for part in parts if part.strip()]


def mrkdwn(markup: str) -> str:
    """The whole text as mrkdwn."""
    return _joined(_lines(markup))


def _joined(lines: list[list[str]]) -> str:
    return "\n".join(["".join(line) for line in lines])


def _lines(markup: str) -> list[list[str]]:
    """The text line by line, each in pieces that may be parted."""
    lines: list[list[str]] = [[]]
    for run in runs(markup):
        for number, text in enumerate(run.text.split("\n")):
            if number:
                lines.append([])
            for start in range(0, len(text), _PIECE):
                lines[-1].append(_styled(text[start : start + _PIECE], run))
    return lines


def _styled(text: str, run: Run) -> str:
    """One run within one line. Slack does not style across lines, nor where a mark touches a space."""
    if not (run.bold or run.italic or run.code or run.link):
        return escape(text)
    core = text.strip()
    if not core:
        return text
    head, tail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    safe = escape(core)
    if run.link:
        safe = f"<{_address(run.link)}|{safe.replace('|', '¦')}>"
    for on, mark in ((run.code, "`"), (run.italic, "_"), (run.bold, "*")):
        safe = f"{mark}{safe}{mark}" if on else safe
    return head + safe + tail


def _address(link: str) -> str:
    return link.translate(_ESCAPES).replace("|", "%7C")


def escape(text: str) -> str:
    """Text that Slack shows as it is."""
    if _SPECIAL.search(text) is None:
        return text
    safe = _MARK.sub(rf"\g<0>{_BREAK}", text).translate(_ESCAPES)
    return _QUOTE.sub(_BREAK, safe) if "&gt;" in safe else safe
