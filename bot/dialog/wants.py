"""What a turn must look up before it can decide. Pure."""

import re

from bot.dialog.identity import factor
from bot.dialog.turn import Understanding, Wants
from bot.model.conversations import Conversation

MOST = 5
"""So many numbers of one message are looked up; more is no question but a list."""
_OF_ORDER = re.compile(r"(?:o|w:well|w:problem):([0-9]{1,18})")
"""Buttons that name an order: one of a list, and those under the push that says it came."""


def wants(conversation: Conversation, said: Understanding) -> Wants:
    """Numbers that were typed come first; without any, what the chat has proved and spoke of last."""
    typed = said.values("order", "number")
    trackings = said.values("tracking")
    pending = conversation.pending
    asked = str(pending.data.get("order", "")) if pending is not None else ""
    numbers = tuple(dict.fromkeys([*typed, *([asked] if asked else [])]))[:MOST]
    chosen = chosen_order(said.choice)
    proved = tuple(p.order for p in conversation.proofs if p.order is not None)
    open_question = not numbers and not trackings
    remembered = [conversation.focus, *reversed(proved)] if open_question else []
    orders = [i for i in (chosen, *remembered) if i is not None]
    link = said.values("link")
    return Wants(
        numbers=numbers,
        trackings=trackings[:MOST],
        orders=tuple(dict.fromkeys(orders))[:MOST],
        buyer=conversation.buyer if open_question and chosen is None else None,
        phone=conversation.phone if conversation.buyer is None else "",
        token=link[0] if link else "",
        guesses=bool(numbers) and bool(factor(said, numbers)),
    )


def chosen_order(choice: str | None) -> int | None:
    """The order that a pressed button names, or None."""
    found = _OF_ORDER.fullmatch(choice or "")
    return int(found[1]) if found else None
