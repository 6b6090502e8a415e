"""Proof of identity: prompts and answers are the same whether an order exists or not, and whatever it holds."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from bot.dialog.identity import (
    FACTORS,
    closed,
    factor,
    link_holds,
    matches,
    proof_of_buyer,
    proof_of_order,
)
from bot.dialog.say import answer
from bot.dialog.turn import Decision, Reason, Turn
from bot.model.conversations import Conversation, Pending
from bot.model.events import conversation_lane
from bot.model.messages import Address, Option

SLOWER = timedelta(seconds=1)
"""An answer to a wrong guess waits so long for each guess before it, whichever order was guessed at."""
MANY = 20
"""For every so many wrong guesses an hour at the whole shop, from however many chats, it waits as long again."""
PERSON = Option("i:human", phrase="human")


def recognised(turn: Turn) -> Turn:
    """The turn with what the platform itself vouches for: a phone that only one buyer's orders hold."""
    record = turn.conversation
    if record.phone and record.buyer is None and len(turn.facts.phone_buyers) == 1:
        buyer = turn.facts.phone_buyers[0]
        proofs = (*record.proofs, proof_of_buyer(buyer, turn.now))
        return replace(turn, conversation=replace(record, buyer=buyer, proofs=proofs))
    if record.buyer is not None and record.proved_buyer(turn.now) is None:
        return replace(turn, conversation=replace(record, buyer=None))
    return turn


def ask_order(turn: Turn, intent: str) -> Decision:
    """No order is named and none is known: ask which, and offer the ways to be recognised."""
    share = turn.conversation.phone == ""
    return answer(
        turn,
        "ask_order",
        options=(PERSON,),
        ask_contact=share,
        pending=Pending("order", intent),
        rule="proof.ask_order",
    )


def ask_proof(turn: Turn, intent: str, order: str) -> Decision:
    """An order is named: ask for one detail of it."""
    if closed(turn.facts.chat_misses, turn.facts.misses.get(order, 0)):
        return _closed(turn)
    pending = Pending("prove", intent, {"order": order})
    return answer(turn, "ask_proof", {"number": order}, options=(PERSON,), pending=pending, rule="proof.ask")


def _closed(turn: Turn) -> Decision:
    return answer(
        turn, "proof_closed", options=(PERSON,), ask_contact=turn.conversation.phone == "", rule="proof.closed"
    )


def check(turn: Turn, intent: str, order: str, offered: Sequence[tuple[str, str]]) -> Conversation | Decision:
    """Compare one factor with one order text: the record with its proof, or what to say to a miss."""
    if closed(turn.facts.chat_misses, turn.facts.misses.get(order, 0)):
        return _closed(turn)
    found = [turn.facts.found[i] for i in turn.facts.numbers.get(order, ()) if i in turn.facts.found]
    hits = [(d, kind) for d in found for kind, value in offered if kind in FACTORS and matches(d.order, kind, value)]
    ids = {d.id for d, _ in hits}
    if len(ids) != 1:
        pending = Pending("prove", intent, {"order": order})
        missed = answer(
            turn, "proof_failed", {"number": order}, options=(PERSON,), pending=pending, rule="proof.failed"
        )
        slower = min(turn.facts.chat_misses, 5) + min(turn.facts.shop_misses // MANY, 10)
        return replace(missed, guessed=order, misses=(order,), say_after=SLOWER * slower)
    dossier, kind = hits[0]
    proof = proof_of_order(kind, dossier.id, turn.now)
    kept = tuple(p for p in turn.conversation.proofs if p.until > turn.now)
    return replace(turn.conversation, proofs=(*kept, proof), focus=dossier.id, pending=None)


def by_link(turn: Turn) -> tuple[Turn, Decision | None]:
    """A link proves its order in the first chat that uses it; a second needs a typed detail, and the first is told."""
    link = turn.facts.link
    dossier = turn.facts.found.get(link.order) if link is not None else None
    if link is None or dossier is None or not link_holds(link, dossier, turn.now):
        return turn, answer(
            turn, "link_over", options=(PERSON,), pending=Pending("order", "wismo"), rule="proof.link_over"
        )
    here = conversation_lane(turn.conversation.address)
    if link.first_chat not in {"", here}:
        asked = ask_proof(turn, "wismo", dossier.order.number)
        first = Address.parse(link.first_chat.removeprefix("c/"))
        return turn, replace(
            asked, warned=((first, "link_used_elsewhere"),), reasons=(*asked.reasons, Reason("proof.link_second_chat"))
        )
    record = turn.conversation
    proofs = (*record.proofs, proof_of_order("link", dossier.id, turn.now))
    return replace(turn, conversation=replace(record, proofs=proofs, focus=dossier.id)), None


def offered_factor(turn: Turn, orders: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The one thing this message offers as proof."""
    return factor(turn.said, orders)
