"""What needs no order: stop and start, language, help, thanks, and not being understood."""

from unicodedata import category

from msgspec.structs import replace

from bot.dialog.say import answer, hand_over, silent
from bot.dialog.turn import Decision, Reason, Turn
from bot.model.cases import CaseDraft
from bot.model.conversations import Pending
from bot.model.messages import Kind, Option
from bot.model.orders import Consent

UPDATES = "parcel_updates"
OFFERED = ("wismo", "delivery_estimate", "human")


def stop(turn: Turn) -> Decision:
    """No more messages unasked; what was switched off is said, and how to switch it on."""
    said = answer(
        turn, "stopped", options=(Option("notify:on", phrase="tell_me"),), record=replace(turn.conversation, muted=True)
    )
    return replace(said, consents=(Consent(UPDATES, turn.conversation.address.channel, turn.now, given=False),))


def start(turn: Turn) -> Decision:
    """Tell me when something changes: written in the ledger, with how to stop it."""
    said = answer(turn, "started", record=replace(turn.conversation, muted=False))
    return replace(said, consents=(Consent(UPDATES, turn.conversation.address.channel, turn.now),))


def language(turn: Turn) -> Decision:
    """Speak the language that was asked for, or say which ones there are."""
    wanted = turn.said.asked_locale
    if wanted in turn.facts.shop.locales:
        return answer(turn, "language_set", record=replace(turn.conversation, locale=wanted, locale_chosen=True))
    options = tuple(Option(f"l:{code}", phrase=f"language_{code}") for code in turn.facts.shop.locales)
    return answer(turn, "language_ask", options=options)


def help_(turn: Turn) -> Decision:
    """What the bot can do."""
    options = (Option("i:wismo", phrase="intent_wismo"), Option("i:human", phrase="human"))
    return answer(turn, "help", {"shop": turn.facts.shop.name}, options=options)


def thanks(turn: Turn) -> Decision:
    """A short word back; to a hello, what the bot can do."""
    thanked = turn.conversation.greeted and not turn.said.greets
    return answer(turn, "thanks" if thanked else "help", {"shop": turn.facts.shop.name})


def rated(turn: Turn, verdict: str) -> Decision:
    """Whether they were satisfied, with which case; the reason is what the report counts."""
    said, _, case = verdict.partition(":")
    thanked = answer(turn, "thanks", {"shop": turn.facts.shop.name})
    return replace(thanked, reasons=(Reason("rated", {"said": said, "case": case}),))


def is_gesture(turn: Turn) -> bool:
    """Whether nothing came but stickers and emoji that are neither a yes nor a thank-you."""
    said = turn.said
    if said.choice is not None or said.yes is not None or said.intent in {"greeting_thanks", "human"}:
        return False
    marks = "".join(said.text.split())
    pictured = not marks.isascii() and any(category(c) == "So" for c in marks)
    pictured = pictured and all(category(c)[0] in "SMC" for c in marks)
    plain = all(m.kind == Kind.MESSAGE and m.contact is None and m.start is None for m in turn.messages)
    stickers = [f.sticker for m in turn.messages for f in m.media]
    return plain and all(stickers) and (pictured if marks else bool(stickers))


def gesture(turn: Turn) -> Decision:
    """Who begins with one hears what the bot can do; else nothing is said, and what was asked stays asked."""
    return silent(turn, "gesture") if turn.conversation.greeted else help_(turn)


def unsure(turn: Turn) -> Decision:
    """Not understood: a question with up to three buttons; the second time in a row a person."""
    if turn.conversation.unsure >= 1:
        case = CaseDraft("not_understood", "The bot did not understand the buyer twice.", turn.conversation.focus)
        return hand_over(turn, "twice_unsure", case)
    likely = [name for name, _ in turn.said.intents if name not in {"other", "greeting_thanks"}][:2]
    names = list(dict.fromkeys([*likely, *OFFERED]))
    offered = [*(n for n in names if n != "human")][:2]
    options = (*(Option(f"i:{n}", phrase=f"intent_{n}") for n in offered), Option("i:human", phrase="human"))
    said = answer(turn, "unsure", options=options, pending=Pending("clarify"))
    return replace(said, conversation=replace(said.conversation, unsure=turn.conversation.unsure + 1))
