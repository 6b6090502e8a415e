"""What to say: the order of questions a turn goes through, and one table from intent to flow. Pure.

a person speaks here?          the bot is silent; a link proves and a stop holds all the same
a link, a verified phone       prove before anything is asked
a button, a pending question   its answer does not go through the classifier
a sticker, an emoji            says nothing, and no question is lost by it
stop, a person                 never blocked by proof or threshold
an order's question            proof first, then the flow
else                           ask, and the second time hand over
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from bot.dialog.flows import proving, service, status, talk
from bot.dialog.identity import proves
from bot.dialog.say import silent
from bot.dialog.telling import is_open
from bot.dialog.turn import Decision, Dossier, Reason, Turn
from bot.dialog.wants import chosen_order
from bot.model.cases import CaseDraft
from bot.model.conversations import BOT, QUEUE, Conversation
from bot.model.messages import RATES, Kind

ACT, LEAD, WORDED = 0.55, 0.1, 0.7
"""An intent is acted on from this score, and with this lead over the next; the rules of a language score above. From
the last one on it is words that ask, not a number alone."""

Flow = Callable[[Turn, Sequence[Dossier]], Decision]

ANYTIME: Mapping[str, Callable[[Turn], Decision]] = {
    "notify_off": talk.stop,
    "human": service.human,
    "notify_on": talk.start,
    "language": talk.language,
    "help": talk.help_,
    "greeting_thanks": talk.thanks,
}
OF_ORDER: Mapping[str, Flow] = {
    "wismo": status.where,
    "delivery_estimate": status.where,
    "stalled": partial(status.where, worried=True),
    "not_received": status.not_received,
    "customs": status.customs,
    "packing_list": status.packing_list,
    "received": status.received,
    **{
        name: (lambda turn, dossiers, name=name: service.wish(turn, name, dossiers))  # type: ignore[misc]
        for name in service.SUMMARIES
    },
}


def decide(turn: Turn) -> Decision:
    """The decision of a conversation's turn. Who is angry gets an answer, and a person."""
    if not turn.said.angry or turn.conversation.holder != BOT:
        return _decided(turn)
    decision = _decided(replace(turn, conversation=replace(turn.conversation, holder=QUEUE)))
    if not decision.replies:
        return replace(decision, conversation=replace(decision.conversation, holder=BOT))
    case = CaseDraft("anger", "The buyer is angry.", decision.conversation.focus)
    return decision if decision.case is not None else replace(decision, case=case)


def _decided(turn: Turn) -> Decision:
    if turn.conversation.holder.startswith("staff:"):
        return _unspoken(turn)
    if all(m.kind == Kind.DELETED for m in turn.messages):
        return silent(turn, "message.deleted")
    turn = proving.recognised(_in_language(turn))
    if turn.said.values("link"):
        turn, refused = proving.by_link(turn)
        if refused is not None:
            return refused
        return replace(_answered(turn) or _meant(turn), used_link=turn.said.values("link")[0])
    if any(m.contact is not None for m in turn.messages):
        return _shared_contact(turn)
    if talk.is_gesture(turn):
        return talk.gesture(turn)
    if any(m.media for m in turn.messages) and not turn.said.text.strip():
        return service.files(turn)
    return _answered(turn) or _meant(turn)


def _unspoken(turn: Turn) -> Decision:
    """A person speaks, and the bot says nothing. What a link proves is kept, and so is whether the bot may write
    unasked: that is the buyer's to say at any time."""
    quiet = silent(turn, "holder.person", holder="staff")
    if links := turn.said.values("link"):
        turn, refused = proving.by_link(turn)
        proved = {"conversation": turn.conversation, "used_link": links[0]}
        quiet = replace(quiet, warned=refused.warned) if refused is not None else replace(quiet, **proved)
    stops = turn.said.intents and turn.said.intents[0][0] == "notify_off"
    if not stops and turn.said.choice != "notify:on":
        return quiet
    switched = talk.stop(turn) if stops else talk.start(turn)
    record = replace(turn.conversation, muted=switched.conversation.muted)
    return replace(quiet, conversation=record, consents=switched.consents)


def _in_language(turn: Turn) -> Turn:
    """A language asked for stays; else a confident message sets it; else the platform's hint, the first time."""
    record = turn.conversation
    known = turn.facts.shop.locales
    hint = next((m.locale.split("-")[0] for m in reversed(turn.messages) if m.locale), "")
    wanted = turn.said.locale if not record.locale_chosen else ""
    # In a chat that has no language yet the words of a question are a better guess than the shop's own language;
    # "hi" and "stop" are said in all.
    asks = turn.said.intent in OF_ORDER
    first = "" if record.locale else hint if hint in known else turn.said.words_of if asks else ""
    locale = wanted if wanted in known else first if first in known else record.locale
    return turn if locale == record.locale else replace(turn, conversation=replace(record, locale=locale))


def _shared_contact(turn: Turn) -> Decision:
    contact = next(m.contact for m in turn.messages if m.contact is not None)
    if contact.own and turn.conversation.buyer is not None:
        pending = turn.conversation.pending
        return of_order(turn, pending.intent if pending and pending.intent in OF_ORDER else "wismo")
    return replace(proving.ask_order(turn, "wismo"), reasons=(Reason("proof.contact_proves_nothing"),))


def _answered(turn: Turn) -> Decision | None:
    """The answer to what was asked last, or a pressed button; None where this is something new."""
    choice, pending = turn.said.choice, turn.conversation.pending
    if choice is not None:
        return _pressed(turn, choice)
    if pending is None:
        return None
    courteous = turn.said.intent == "greeting_thanks"  # "ok", "no thanks", a thumb up
    if pending.kind == "confirm" and turn.said.yes is not None and (courteous or turn.said.intent not in ANYTIME):
        return service.confirmed(turn)
    if turn.said.intent in ANYTIME:
        return None
    if pending.kind == "prove":
        return _proved_by_answer(turn)
    if pending.kind == "order" and turn.said.values("order", "number"):
        return of_order(turn, pending.intent)
    return None


def _pressed(turn: Turn, choice: str) -> Decision | None:
    if choice in {"yes", "no"} and turn.conversation.pending is not None:
        return service.confirmed(turn)
    if choice == "notify:on":
        return talk.start(turn)
    if choice == "i:prove":
        return proving.ask_order(turn, "wismo")
    if choice.startswith("l:"):
        return talk.language(replace(turn, said=replace(turn.said, asked_locale=choice[2:])))
    if choice.startswith(RATES):
        return talk.rated(turn, choice.removeprefix(RATES))
    if choice.startswith("w:"):
        return of_order(turn, "received" if choice.startswith("w:well") else "damaged_missing")
    if choice.startswith("i:"):
        return _act(turn, choice[2:])
    if chosen_order(choice) is not None:
        return of_order(turn, "wismo")
    return None


def _proved_by_answer(turn: Turn) -> Decision | None:
    pending = turn.conversation.pending
    assert pending is not None  # noqa: S101 - the caller looked
    order = str(pending.data.get("order", ""))
    renamed = [n for n in turn.said.values("order") if n != order] or _corrected(turn, order)
    offered = proving.offered_factor(turn, (order,))
    if renamed or not offered:
        return None
    checked = _checked(turn, pending.intent, order, offered)
    others = [n for n in turn.said.values("number") if n != order]
    intent = _clear(turn, WORDED)
    if checked.misses and others and intent in OF_ORDER:
        # "Where is 1042?" while 1004 waits for its proof: a miss, for it was compared, and a question of its own.
        asked = proving.ask_proof(turn, intent, others[0])
        return replace(asked, guessed=checked.guessed, misses=checked.misses, say_after=checked.say_after)
    return checked


def _corrected(turn: Turn, order: str) -> list[str]:
    """Another number of the same length with a detail beside it: "1042 10115" while 1024 waits for its proof."""
    alike = [n for n in turn.said.values("number") if n != order and len(n) == len(order)]
    return alike[:1] if alike and proving.offered_factor(turn, (order, alike[0])) else []


def _checked(turn: Turn, intent: str, order: str, offered: Sequence[tuple[str, str]]) -> Decision:
    outcome = proving.check(turn, intent, order, offered)
    if isinstance(outcome, Decision):
        return outcome
    said = _about(replace(turn, conversation=outcome), intent, [turn.facts.found[outcome.focus or 0]])
    return replace(said, guessed=order)


def _meant(turn: Turn) -> Decision:
    """What the words mean, where they are clear enough; an order's number alone asks where it is."""
    intents = turn.said.intents
    if intents and intents[0][0] in {"human", "notify_off"}:
        return _act(turn, intents[0][0])
    if clear := _clear(turn):
        return _act(turn, clear)
    if turn.said.values("order", "number", "tracking", "link"):
        return of_order(turn, "wismo")
    if any(m.media for m in turn.messages) or any(m.kind == Kind.UNSUPPORTED for m in turn.messages):
        return service.files(turn)
    pending = turn.conversation.pending
    if pending is not None and pending.kind == "order" and not turn.conversation.unsure:
        # "I do not have it", an e-mail alone: the question stays, and counts as not understood.
        said = proving.ask_order(turn, pending.intent)
        return replace(said, conversation=replace(said.conversation, unsure=1))
    return talk.unsure(turn)


def _clear(turn: Turn, score: float = ACT) -> str:
    """The intent that the message is clear enough about, else empty."""
    intents = turn.said.intents
    if not intents or intents[0][0] == "other" or intents[0][1] < score:
        return ""
    lead = intents[0][1] - (intents[1][1] if len(intents) > 1 else 0.0)
    # Within the status family the question decides little: what the carrier reports decides the answer.
    family = len(intents) > 1 and {intents[0][0], intents[1][0]} <= status.FAMILY
    return intents[0][0] if lead >= LEAD or family else ""


def _act(turn: Turn, intent: str) -> Decision:
    flow = ANYTIME.get(intent)
    if flow is not None:
        # "Thanks, where is 1042?" asks something all the same.
        asks = intent == "greeting_thanks" and turn.said.values("order", "tracking", "link")
        return of_order(turn, "wismo") if asks else flow(turn)
    return of_order(turn, intent) if intent in OF_ORDER else talk.unsure(turn)


def of_order(turn: Turn, intent: str) -> Decision:
    """A question about an order: find it, have it proved, then answer."""
    typed = turn.said.values("order") or turn.said.values("number")
    mine = _mine(turn, typed)
    unproved = [n for n in typed if not any(i in {d.id for d in mine} for i in turn.facts.numbers.get(n, ()))]
    trackings = turn.said.values("tracking")
    if mine and not (unproved and turn.said.values("order")):
        return _about(turn, intent, mine)
    if unproved:
        order = unproved[0]
        offered = proving.offered_factor(turn, (order,))
        return _checked(turn, intent, order, offered) if offered else proving.ask_proof(turn, intent, order)
    if trackings:
        return status.public(turn, trackings[0])
    pending = turn.conversation.pending
    if pending is not None and pending.kind == "prove":
        # "Why does it take so long?" while 1042 waits for its proof is asked about 1042.
        return proving.ask_proof(turn, intent, str(pending.data.get("order", "")))
    return proving.ask_order(turn, intent)


def _mine(turn: Turn, typed: Sequence[str]) -> list[Dossier]:
    """The proved orders that are meant: those named, the one chosen, the one spoken of, or the buyer's open ones."""
    facts, record = turn.facts, turn.conversation
    chosen = chosen_order(turn.said.choice)
    named = [i for n in typed for i in facts.numbers.get(n, ())]
    named += [order for t in turn.said.values("tracking") for order, _ in facts.trackings.get(t, ())]
    if chosen is not None:
        named = [chosen]
    if named or typed or turn.said.values("tracking"):
        return _proved(turn, named)
    focus = _proved(turn, [record.focus] if record.focus is not None else [])
    known = _proved(turn, [*facts.buyer_orders, *(p.order for p in record.proofs if p.order is not None)])
    others = [d for d in known if is_open(d) and d.id not in {f.id for f in focus}]
    if focus and (not others or is_open(focus[0])):
        return focus
    return [d for d in known if is_open(d)] or known[:1] or focus


def _proved(turn: Turn, ids: Sequence[int | None]) -> list[Dossier]:
    wanted = dict.fromkeys(i for i in ids if i is not None)
    found = [turn.facts.found[i] for i in wanted if i in turn.facts.found]
    return [d for d in found if proves(turn.conversation, d, turn.now)]


def _about(turn: Turn, intent: str, dossiers: Sequence[Dossier]) -> Decision:
    if len(dossiers) > 1 and intent not in status.FAMILY:
        said = status.several(turn, dossiers)
        return replace(said, reasons=(*said.reasons, Reason("which_order", {"intent": intent})))
    decision = OF_ORDER.get(intent, status.where)(turn, dossiers)
    record = _kept(decision.conversation, turn)
    return decision if record is decision.conversation else replace(decision, conversation=record)


def _kept(record: Conversation, turn: Turn) -> Conversation:
    if all(p.until > turn.now for p in record.proofs):
        return record
    return replace(record, proofs=tuple(p for p in record.proofs if p.until > turn.now))
