"""Who is speaking. A conversation has one holder: the bot, the queue, or one named person. Pure.

`version` grows when a person takes over and when they let go; what the bot wrote under an older version
never leaves. Going from bot to queue changes nothing for messages on their way: the bot still answers there.
Whoever speaks has a case, and so has whoever waits in the queue.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from bot.dialog.turn import Reason
from bot.handoff.files import acknowledged, answered, asked_again, opened, queued, reopened
from bot.handoff.rota import Rules
from bot.model.cases import Case, CaseDraft, CaseEvent, CaseState, Priority
from bot.model.conversations import BOT, QUEUE, Conversation
from bot.model.events import StaffAct
from bot.model.messages import NOWHERE, Media

PERSON = "staff:"
NO_CHAT = b"no_chat"
"""Why a reply was refused, on its line of the history, where it was not that another person speaks."""
MOST_TAGS, TAG = 20, 40
LONGEST_SLEEP = 24 * 60
"""Hours that a case may sleep at most."""


class Handed(Struct, frozen=True):
    """What a staff act leads to. `say` is the staff's own text for the buyer; `template` an announcement.

    `told` is what the writer hears where they pressed or wrote: nothing where it is empty. `push` is the key of a
    notice that was held back and may go now, `unsay` of a reply to take back while it has not left (`quiet`: if it was
    one), `reword` of one to which `say` gives other words, `bridge` of one that the channel's closed window kept back:
    the buyer is told that an answer waits.
    """

    conversation: Conversation
    reason: Reason
    case: Case | None = None
    history: tuple[CaseEvent, ...] = ()
    say: str = ""
    media: tuple[Media, ...] = ()
    template: str = ""
    withdraw: bool = False
    told: str = ""
    push: str = ""
    unsay: str = ""
    quiet: bool = False
    reword: str = ""
    bridge: str = ""


class Scene(Struct, frozen=True):
    """What an act happens in."""

    record: Conversation
    case: Case
    done: StaffAct
    rules: Rules
    now: datetime

    @property
    def me(self) -> str:
        """The holder that this person would be."""
        return PERSON + self.done.staff

    @property
    def other(self) -> bool:
        """Whether another person speaks."""
        return held_by_person(self.record) and self.record.holder != self.me

    @property
    def given_away(self) -> bool:
        """Whether this person still speaks in a case that they gave to somebody else, who has not said yes yet."""
        return self.record.holder == self.me and self.case.acknowledged_at is None

    def line(self, what: str, text: str = "", data: bytes = b"") -> CaseEvent:
        """A line of the history by this person, once for this act."""
        return CaseEvent(what, text, self.done.staff, f"{self.done.id}:{what}", data)


def held_by_person(conversation: Conversation) -> bool:
    """Whether a named person speaks here, so that the bot is silent."""
    return conversation.holder.startswith(PERSON)


def act(record: Conversation, case: Case | None, done: StaffAct, shop: str, rules: Rules, now: datetime) -> Handed:
    """What one staff act does. Who is not the holder cannot speak while another person is: it becomes a note."""
    kind = ALIASES.get(done.kind, done.kind)
    if kind not in {*ACTS, "undo", "edit"}:
        return Handed(record, Reason("staff.unknown_act", {"kind": done.kind}), case, told="unknown_act")
    if kind in {"undo", "edit"}:
        # A reply can be taken back also after its case was resolved.
        reason = Reason(f"staff.{kind}", {"staff": done.staff})
        if kind == "undo":
            return Handed(record, reason, case, unsay=done.ref)
        if not done.text.strip():
            return Handed(record, Reason("staff.nothing_said"), case, told="nothing_said")
        return Handed(record, reason, case, say=done.text, reword=done.ref)
    over = done.case is not None and (case is None or case.id != done.case or case.state == CaseState.RESOLVED)
    if over and kind in OF_OPEN:
        # An old button: what it was for has ended since.
        return Handed(record, Reason("staff.case_over", {"case": done.case}), case, told="over")
    handed = _done(record, case, replace(done, kind=kind), shop, rules, now)
    elsewhere = over and (case is None or case.id != done.case)
    return replace(handed, told=handed.told or "goes_on") if elsewhere else handed


def _done(record: Conversation, case: Case | None, done: StaffAct, shop: str, rules: Rules, now: datetime) -> Handed:
    """An act on the conversation's case, which is opened for it where there is none."""
    kind = done.kind
    history: tuple[CaseEvent, ...] = ()
    if case is None or case.state == CaseState.RESOLVED:
        if kind in LETS_GO and record.holder == BOT:
            return Handed(record, Reason("staff.nothing_to_hand_back"), case, told="nothing_to_hand_back")
        draft = _draft(record, done)
        desked = opened(draft, record, shop, rules, now) if case is None else reopened(case, draft, rules, now)
        case, history = desked.case, desked.history
    elif kind == "open":
        desked = asked_again(case, _draft(record, done), rules, now, waits=False)
        case, history = desked.case, desked.history
    handed = ACTS[kind](Scene(record, case, done, rules, now))
    return replace(handed, history=(*history, *handed.history))


def _draft(record: Conversation, done: StaffAct) -> CaseDraft:
    """What a case is about that staff open: what they say of it, else that they acted."""
    if done.kind == "open":
        return CaseDraft("staff", done.text, int(done.ref) if done.ref.isdecimal() else record.focus)
    return CaseDraft("staff", f"Opened by {done.staff}.", record.focus)


def _open(s: Scene) -> Handed:
    """Whoever opens a case has it, unless it is a colleague's already."""
    if s.case.owner not in {"", s.done.staff}:
        return Handed(s.record, Reason("staff.opened", {"owner": s.case.owner}), s.case)
    return _acknowledge(s)


def _take(s: Scene) -> Handed:
    if s.record.holder == s.me:
        return Handed(s.record, Reason("staff.has_it_already", {"staff": s.done.staff}), s.case, told="yours_already")
    stale = s.done.version is not None and s.done.version != s.record.version
    if stale and held_by_person(s.record):
        # Two pressed at once: the first won, and the second is told who holds it.
        return Handed(s.record, Reason("staff.too_late", {"holder": s.record.holder}), s.case, told="too_late")
    record, case = _taken(s)
    reason = Reason("staff.took_over", {"staff": s.done.staff})
    return Handed(record, reason, case, (_took(s),), withdraw=True)


def _taken(s: Scene) -> tuple[Conversation, Case]:
    record = replace(s.record, holder=s.me, version=s.record.version + 1, pending=None, offered=())
    case = acknowledged(s.case, s.done.staff, s.now)
    return record, replace(case, state=CaseState.OPEN, snoozed_until=None)


def _took(s: Scene) -> CaseEvent:
    return s.line("took", s.record.holder.removeprefix(PERSON) if s.other else "")


def _reply(s: Scene) -> Handed:
    if s.record.address.channel == NOWHERE:
        # Nothing can leave here. What was written is kept, and its writer is told to reach the buyer another way.
        line = s.line("refused", s.done.text, NO_CHAT)
        return Handed(s.record, Reason("staff.no_chat", {"staff": s.done.staff}), s.case, (line,), told="no_chat")
    if s.other:
        # Not sent and not lost: it is kept as a note, and its writer is told who speaks.
        reason = Reason("staff.kept_as_note", {"holder": s.record.holder})
        return Handed(s.record, reason, s.case, (s.line("refused", s.done.text),), told="kept_as_note")
    if not s.done.text.strip() and not s.done.media:
        return Handed(s.record, Reason("staff.nothing_said"), s.case, told="nothing_said")
    mine = s.record.holder == s.me
    record, case = (s.record, s.case) if mine else _taken(s)
    if s.given_away:
        case = replace(answered(case, s.now), state=CaseState.OPEN)
    else:
        case = answered(acknowledged(case, s.done.staff, s.now), s.now)
    said = s.line("reply", s.done.text)
    return Handed(
        record,
        Reason("staff.reply", {"staff": s.done.staff}),
        case,
        (said,) if mine else (_took(s), said),
        say=s.done.text,
        media=s.done.media,
        withdraw=not mine,
    )


def _note(s: Scene) -> Handed:
    """A note; one that takes the place of what its writer said before (`ref`) takes that back where it was a reply."""
    line, reason = s.line("note", s.done.text), Reason("staff.note", {"staff": s.done.staff})
    return Handed(s.record, reason, s.case, (line,), unsay=s.done.ref, quiet=True)


def _hand_back(s: Scene) -> Handed:
    if s.given_away:
        # The buyer does not fall back to the bot alone: they wait for whom it was given to, and are told until when.
        record = replace(s.record, holder=QUEUE, version=s.record.version + 1, unsure=0)
        case = replace(s.case, promised_by=s.rules.after(s.now, s.rules.answer_minutes), active_at=None)
        reason = Reason("staff.handed_on", {"staff": s.done.staff})
        return Handed(record, reason, case, (s.line("handed_back", "waits"),), template="human")
    return _let_go(s, "handed_back", replace(s.case, state=CaseState.WAITING, snoozed_until=None, active_at=None))


def _resolve(s: Scene) -> Handed:
    case = replace(s.case, state=CaseState.RESOLVED, closed_at=s.now, snoozed_until=None, next_due=None)
    return _let_go(s, "resolved", replace(case, owner=case.owner or s.done.staff))


def _let_go(s: Scene, what: str, case: Case) -> Handed:
    if s.other:
        return Handed(s.record, Reason("staff.not_theirs", {"holder": s.record.holder}), s.case, told="not_yours")
    waited = s.record.holder != BOT
    record = replace(s.record, holder=BOT, version=s.record.version + 1, unsure=0) if waited else s.record
    if case.acknowledged_at is None:
        case = acknowledged(case, s.done.staff, s.now)
    return Handed(
        record,
        Reason(f"staff.{what}", {"staff": s.done.staff}),
        replace(case, active_at=None),
        (s.line(what, s.done.text),),
        template="handed_back" if waited else "",
    )


def _snooze(s: Scene) -> Handed:
    until = s.done.until
    if until is None and s.done.ref.isdecimal():
        until = s.now + timedelta(hours=min(int(s.done.ref), LONGEST_SLEEP))
    if until is None or until <= s.now:
        until = s.rules.hours.next_open(s.rules.after(s.now, s.rules.answer_minutes), s.rules.zone)
    case = s.case if s.case.acknowledged_at is not None else acknowledged(s.case, s.done.staff, s.now)
    case = replace(case, state=CaseState.SNOOZED, snoozed_until=until)
    line = s.line("snoozed", s.done.text, until.isoformat().encode())
    return Handed(s.record, Reason("staff.snoozed", {"staff": s.done.staff}), case, (line,))


def _assign(s: Scene) -> Handed:
    whom = s.done.whom.strip() or s.done.staff
    case = _given(s, whom) if whom != s.done.staff else acknowledged(s.case, whom, s.now)
    return Handed(s.record, Reason("staff.assigned", {"staff": s.done.staff}), case, (s.line("assigned", whom),))


def _given(s: Scene, owner: str) -> Case:
    """The case waits for somebody else to say yes; whoever speaks goes on until then."""
    case = replace(s.case, owner=owner, acknowledged_at=None, paged=(), step=0)
    return replace(case, state=CaseState.OPEN, snoozed_until=None, queued_at=s.now)


def _move(s: Scene) -> Handed:
    queue = s.done.whom.strip()
    if queue not in s.rules.queue_names:
        return Handed(s.record, Reason("staff.no_such_queue", {"queue": queue}), s.case, told="no_such_queue")
    if queue == s.case.queue:
        return Handed(s.record, Reason("staff.there_already", {"queue": queue}), s.case, told="there_already")
    case = replace(_given(s, ""), queue=queue)
    return Handed(s.record, Reason("staff.moved", {"staff": s.done.staff}), case, (s.line("moved", queue),))


def _release(s: Scene) -> Handed:
    """Somebody who works here no more (`whom`) lets go of a case: it waits for the others, or for whom they gave it to,
    and a buyer with whom they spoke hears until when."""
    gone = s.done.whom
    held = s.record.holder == PERSON + gone
    if not s.done.senior or not (held or s.case.owner == gone):
        return Handed(s.record, Reason("staff.not_theirs", {"owner": s.case.owner}), s.case)
    line, reason = s.line("released", gone), Reason("staff.released", {"staff": s.done.staff})
    if not held:
        return Handed(s.record, reason, _given(s, ""), (line,))
    record = replace(s.record, holder=QUEUE, version=s.record.version + 1, unsure=0)
    owner = "" if s.case.owner == gone else s.case.owner
    return Handed(record, reason, replace(queued(s.case, s.rules, s.now), owner=owner), (line,), template="human")


def _acknowledge(s: Scene) -> Handed:
    if s.case.acknowledged_at is not None and s.case.owner not in {"", s.done.staff}:
        return Handed(s.record, Reason("staff.not_theirs", {"owner": s.case.owner}), s.case, told="owned")
    case = acknowledged(s.case, s.done.staff, s.now)
    # Who waits in the queue hears whom they wait for.
    waiting = s.record.holder == QUEUE and s.case.acknowledged_at is None
    return Handed(
        s.record,
        Reason("staff.acknowledged", {"staff": s.done.staff}),
        case,
        (s.line("acknowledged"),),
        template="case_ack" if waiting else "",
    )


def _tag(s: Scene) -> Handed:
    tags = tuple(dict.fromkeys(t.strip()[:TAG] for t in s.done.text.split(",") if t.strip()))[:MOST_TAGS]
    line = s.line("tagged", ", ".join(tags))
    return Handed(s.record, Reason("staff.tagged", {"staff": s.done.staff}), replace(s.case, tags=tags), (line,))


def _rank(s: Scene) -> Handed:
    named = s.done.text.strip().upper()
    if named not in Priority.__members__:
        return Handed(s.record, Reason("staff.no_such_priority"), s.case, told="unknown_act")
    case = replace(s.case, priority=Priority[named])
    line = s.line("priority", named.lower())
    return Handed(s.record, Reason("staff.priority", {"staff": s.done.staff}), case, (line,))


def _send_push(s: Scene) -> Handed:
    if s.other:
        return Handed(s.record, Reason("staff.not_theirs", {"holder": s.record.holder}), s.case, told="not_yours")
    reason = Reason("staff.push_sent", {"staff": s.done.staff})
    return Handed(s.record, reason, s.case, push=s.done.ref)


def _bridge(s: Scene) -> Handed:
    if s.other:
        return Handed(s.record, Reason("staff.not_theirs", {"holder": s.record.holder}), s.case, told="not_yours")
    return Handed(s.record, Reason("staff.bridged", {"staff": s.done.staff}), s.case, bridge=s.done.ref)


ACTS: Mapping[str, Callable[[Scene], Handed]] = {
    "open": _open,
    "take": _take,
    "reply": _reply,
    "note": _note,
    "handback": _hand_back,
    "resolve": _resolve,
    "snooze": _snooze,
    "assign": _assign,
    "move": _move,
    "release": _release,
    "ack": _acknowledge,
    "tag": _tag,
    "priority": _rank,
    "send_push": _send_push,
    "bridge": _bridge,
}
ALIASES = {"close": "resolve"}
LETS_GO = {"handback", "resolve", "send_push"}
OF_OPEN = {*LETS_GO, "snooze", "assign", "move", "release", "ack", "tag", "priority"}
"""What is done to an open case alone. A word to the buyer or a note goes on in a new case where the old one is over."""


def settle(before: Conversation, after: Conversation) -> Conversation:
    """The dialog's record with a holder it may set: the dialog moves between bot and queue, never to a person."""
    holder = after.holder if after.holder in {BOT, QUEUE} and not held_by_person(before) else before.holder
    return replace(after, holder=holder, version=before.version)
