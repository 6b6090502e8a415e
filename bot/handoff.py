"""Who is speaking. A conversation has one holder: the bot, the queue, or one named person. Pure.

`version` grows when a person takes over and when they let go; what the bot wrote under an older version
never leaves. Going from bot to queue changes nothing for messages on their way: the bot still answers there.
"""

from dataclasses import dataclass, replace

from bot.dialog.turn import Reason
from bot.model.conversations import BOT, QUEUE, Conversation
from bot.model.events import StaffAct

PERSON = "staff:"


@dataclass(frozen=True, slots=True)
class Handed:
    """What a staff act leads to. `say` is the staff's own text for the buyer; `template` an announcement."""

    conversation: Conversation
    reason: Reason
    say: str = ""
    template: str = ""
    withdraw: bool = False
    close_case: bool = False


def held_by_person(conversation: Conversation) -> bool:
    """Whether a named person speaks here, so that the bot is silent."""
    return conversation.holder.startswith(PERSON)


def act(conversation: Conversation, staff_act: StaffAct) -> Handed:
    """What one staff act does. Who is not the holder cannot speak while another person is: it becomes a note."""
    me = PERSON + staff_act.staff
    other = held_by_person(conversation) and conversation.holder != me
    if staff_act.kind == "note":
        return Handed(conversation, Reason("staff.note", {"staff": staff_act.staff}))
    if staff_act.kind == "take":
        return _take(conversation, me, staff_act)
    if other:
        return Handed(conversation, Reason("staff.kept_as_note", {"holder": conversation.holder}))
    if staff_act.kind == "reply":
        taken = conversation if conversation.holder == me else _take(conversation, me, staff_act).conversation
        withdraw = conversation.holder != me
        return Handed(
            taken, say=staff_act.text, withdraw=withdraw, reason=Reason("staff.reply", {"staff": staff_act.staff})
        )
    if staff_act.kind in {"handback", "close"}:
        return _let_go(conversation, staff_act)
    return Handed(conversation, Reason("staff.unknown_act", {"kind": staff_act.kind}))


def _take(conversation: Conversation, me: str, staff_act: StaffAct) -> Handed:
    if conversation.holder == me:
        return Handed(conversation, Reason("staff.has_it_already", {"staff": staff_act.staff}))
    stale = staff_act.version is not None and staff_act.version != conversation.version
    if stale and held_by_person(conversation):
        # Two pressed at once: the first won, and the second is told who holds it.
        return Handed(conversation, Reason("staff.too_late", {"holder": conversation.holder}))
    taken = replace(conversation, holder=me, version=conversation.version + 1, pending=None, offered=())
    return Handed(taken, Reason("staff.took_over", {"staff": staff_act.staff}), withdraw=True)


def _let_go(conversation: Conversation, staff_act: StaffAct) -> Handed:
    if conversation.holder == BOT and conversation.case is None:
        return Handed(conversation, Reason("staff.nothing_to_hand_back"))
    free = replace(conversation, holder=BOT, version=conversation.version + 1, unsure=0)
    spoke = held_by_person(conversation)
    return Handed(
        free,
        template="handed_back" if spoke else "",
        close_case=True,
        reason=Reason("staff." + staff_act.kind, {"staff": staff_act.staff}),
    )


def settle(before: Conversation, after: Conversation) -> Conversation:
    """The dialog's record with a holder it may set: the dialog moves between bot and queue, never to a person."""
    holder = after.holder if after.holder in {BOT, QUEUE} and not held_by_person(before) else before.holder
    return replace(after, holder=holder, version=before.version)
