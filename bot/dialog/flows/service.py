"""What only a person can do: the bot takes the wish down, says who answers and when, and opens a case."""

from collections.abc import Sequence

from msgspec.structs import replace

from bot.dialog.say import answer, hand_over
from bot.dialog.turn import Decision, Dossier, Turn
from bot.model.cases import CaseDraft
from bot.model.conversations import Pending
from bot.model.messages import Option

SUMMARIES = {
    "damaged_missing": "Order {n}: damaged, wrong or missing. Photos asked for.",
    "change_address": "Order {n}: the buyer asks for another address. A redirect asked for by the buyer ends PayPal's "
    "seller protection: agree to nothing before that is weighed.",
    "cancel": "Order {n}: the buyer wants to cancel.",
    "return_refund": "Order {n}: the buyer asks for a return or refund.",
}
CONFIRMED = {"change_address", "cancel"}


def human(turn: Turn) -> Decision:
    """A person was asked for: at once, without a menu before it."""
    kind, angry = ("anger", " They are angry.") if turn.said.angry else ("human", "")
    return hand_over(turn, "human", CaseDraft(kind, f"The buyer asked for a person.{angry}", turn.conversation.focus))


def wish(turn: Turn, intent: str, dossiers: Sequence[Dossier]) -> Decision:
    """A wish about one order; what cannot be undone is confirmed first, with the order named."""
    dossier = dossiers[0]
    number = dossier.order.number
    record = replace(turn.conversation, focus=dossier.id)
    if intent in CONFIRMED:
        pending = Pending("confirm", intent, {"order_id": dossier.id, "number": number})
        options = (Option("yes", phrase="yes"), Option("no", phrase="no"))
        return answer(turn, f"confirm_{intent}", {"number": number}, options=options, record=record, pending=pending)
    case = CaseDraft(intent, SUMMARIES[intent].format(n=number), dossier.id)
    return hand_over(turn, intent, case, {"number": number}, record=record)


def confirmed(turn: Turn) -> Decision:
    """The answer to a confirmation: yes goes to a person, no changes nothing."""
    pending = turn.conversation.pending
    assert pending is not None  # noqa: S101 - the caller looked
    number = str(pending.data.get("number", ""))
    if turn.said.yes or turn.said.choice == "yes":
        case = CaseDraft(pending.intent, SUMMARIES[pending.intent].format(n=number), int(pending.data["order_id"]))
        return hand_over(turn, pending.intent, case, {"number": number})
    return answer(turn, "left_as_it_is", {"number": number})


def files(turn: Turn) -> Decision:
    """A photo, video, voice note or paper: kept, and a person looks at it; the bot does not pretend to see. What could
    not be kept is not said to be."""
    sent = [file for message in turn.messages for file in message.media]
    kinds = sorted({file.kind.value for file in sent})
    summary = f"The buyer sent: {', '.join(kinds) or 'something that the bot cannot read'}."
    if lost := [file for file in sent if file.lost]:
        summary += f" {len(lost)} of {len(sent)} could not be fetched, and the buyer was asked to send it again."
    case = CaseDraft("media", summary, turn.conversation.focus)
    return hand_over(turn, "file_not_kept", case) if lost else hand_over(turn, "files", case, {"kinds": kinds})
