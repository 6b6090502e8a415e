"""An Outbound as the body of a WhatsApp message. Pure."""

from collections.abc import Sequence
from typing import Any

from bot.model.markup import runs
from bot.model.messages import Approved, Choice, Outbound

BUTTONS = 3
_BREAK = "\u200b"
_MARKERS = str.maketrans({c: c + _BREAK for c in "*_~`"})


def content(message: Outbound) -> dict[str, Any]:
    """Everything of a message's body but the addressee and its media."""
    if message.approved is not None:
        return approved(message.approved, message.choices)
    text = encode(message.text)
    if message.choices:
        return _interactive(_choices(message, text))
    if message.ask_contact:
        return _interactive(
            {"type": "request_contact_info", "body": {"text": text}, "action": {"name": "request_contact_info"}}
        )
    return {"type": "text", "text": {"body": text, "preview_url": False}}


def encode(markup: str) -> str:
    """Neutral markup as WhatsApp reads it; markers in data are broken, since nothing escapes them."""
    parts = []
    for run in runs(markup):
        text = run.text if run.code else run.text.translate(_MARKERS)
        mark = "`" if run.code else "*" if run.bold else "_" if run.italic else ""
        core = text.strip()
        if mark and core:
            before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
            text = f"{before}{mark}{core}{mark}{after}"
        parts.append(f"{text} {run.link}" if run.link and run.link != run.text else run.link or text)
    return "".join(parts)


def _interactive(content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "interactive", "interactive": content}


def _choices(message: Outbound, text: str) -> dict[str, Any]:
    if len(message.choices) <= BUTTONS:
        buttons = [{"type": "reply", "reply": {"id": c.value, "title": c.title}} for c in message.choices]
        return {"type": "button", "body": {"text": text}, "action": {"buttons": buttons}}
    rows = [{"id": c.value, "title": c.title} for c in message.choices]
    return {"type": "list", "body": {"text": text}, "action": {"button": message.menu, "sections": [{"rows": rows}]}}


def approved(wanted: Approved, choices: Sequence[Choice]) -> dict[str, Any]:
    """A template message; a parameter holds no newline, tab or run of spaces."""
    parameters = [{"type": "text", "parameter_name": n, "text": " ".join(v.split())} for n, v in wanted.parameters]
    components: list[dict[str, Any]] = [{"type": "body", "parameters": parameters}] if parameters else []
    # The titles were approved with the text; without a payload a press would come back as its title.
    components += [
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": str(index),
            "parameters": [{"type": "payload", "payload": choice.value}],
        }
        for index, choice in enumerate(choices)
    ]
    return {
        "type": "template",
        "template": {"name": wanted.name, "language": {"code": wanted.language}, "components": components},
    }
