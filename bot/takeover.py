"""The part of a conversation's turn in which staff act: the pure rules of `bot.handoff`, worded and written down."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from html import escape

from msgspec import Struct
from msgspec.structs import replace

from bot import handoff
from bot.dialog.turn import Desk, Shop
from bot.handoff import files, ladder
from bot.model.cases import Case, CaseEvent, CaseState
from bot.model.conversations import Conversation
from bot.model.events import Notice, StaffAct, Tick
from bot.model.markup import plain
from bot.model.messages import (
    UNSPOKEN,
    Address,
    Approved,
    Choice,
    DeskPost,
    Inbound,
    Kind,
    Limits,
    Media,
    Option,
    Outbound,
    Purpose,
    Reply,
)
from bot.proactive.pushes import SURVEY, UPDATES, kind_of
from bot.render import Renderer, split
from bot.store import codec
from bot.store.desks import Surface
from bot.store.turns import Reword, TakeBack, Worded, Written

READ_ANSWER = "read:answer"
"""The button by which a buyer opens the window for an answer that waits."""
NAME = 40
"""A button holds 64 bytes on the narrowest platform; its kind and the case's number take the rest."""
PUSH = "push:"
"""How the line of a push that was held back is named; nothing else can be sent by its name."""
SURVEY_AFTER = timedelta(minutes=30)
"""So long after a case was resolved the buyer is asked whether they were satisfied."""
BRIDGED = 99
"""The part of a reply that is sent once more; no reply has so many."""


class Takeover(Struct, frozen=True):
    """What staff do to a turn. `limits` are by the channel's kind, `places` a desk's channel by queue."""

    renderer: Renderer
    limits: Mapping[str, Limits]
    shop: Shop
    rules: handoff.Rules
    places: Mapping[str, Address]
    approve: Callable[[Reply], Approved | None]

    def handed(self, written: Written, act: StaffAct, held: Mapping[str, bytes], now: datetime) -> Written:
        """One staff act. `held` are pushes that were held back, by their key."""
        record = written.conversation
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        lost, kept = _unkept(act.media), tuple(m for m in act.media if m.path)
        act = replace(act, media=kept, text=act.text.replace("\0", ""))  # PostgreSQL keeps it in no text
        handed = handoff.act(record, written.ticket, act, self.shop.name, self.rules, now)
        if lost and handed.told in {"", "nothing_said"}:
            handed = replace(handed, told="file_lost")
        version = handed.conversation.version
        speaks = (handed.say or handed.media) and not handed.reword
        said = self._said(handed, act) if speaks else ()
        history = tuple(_from(line, act) for line in handed.history)
        if handed.push:
            pushed, line = _released(held.get(handed.push, b""), handed.push, act, version)
            said, history = (*said, *pushed), (*history, line)
        done = replace(
            written,
            conversation=handed.conversation,
            ticket=handed.case,
            history=(*written.history, *history),
            worded=(*written.worded, *said),
            withdraw=written.withdraw or handed.withdraw,
            reasons=(*written.reasons, handed.reason),
        )
        if handed.unsay:
            back = TakeBack(handed.unsay, act.staff, act.senior, self._deletion(record), handed.quiet)
            done = self._unsaid(done, back, now)
        if handed.reword:
            first, *rest = self._said(handed, act)
            late = self._amends(record)
            changed = Reword(handed.reword, act.staff, act.id, first.outbound, act.senior, late, whole=not rest)
            done = _reworded(done, changed)
        if handed.bridge:
            return self._bridged(done, act, held.get(f"{handed.bridge}:reply", b"").decode())
        if handed.told:
            done = self._told(done, handed, act, lost)
        if act.undo_seconds and speaks:
            done = self._undoable(done, act)
        return self._announced(done, handed.template, act.id) if handed.template else done

    def _amends(self, record: Conversation) -> bool:
        limits = self.limits.get(record.address.channel)
        return limits is not None and limits.amends

    def _deletion(self, record: Conversation) -> Outbound | None:
        """What deletes a message that has left, None where the channel cannot."""
        made = Outbound("", record.address, "", purpose=Purpose.STAFF, holder_version=record.version)
        return made if self._amends(record) else None

    def _unsaid(self, written: Written, wanted: TakeBack, now: datetime) -> Written:
        """Take a reply back: at once where it was written in this same turn, else in the commit, where it is known
        whether it has left."""
        writer = _writer(written, wanted.act)
        if writer is None:
            return replace(written, unsay=(*written.unsay, wanted))
        if writer != wanted.who and not wanted.senior:
            return replace(written, history=(*written.history, wanted.line("not_theirs")))
        case = written.ticket
        return replace(
            written,
            worded=tuple(w for w in written.worded if not _says(w, wanted.act)),
            ticket=files.unanswered(case, self.rules, now) if case is not None else None,
            history=(*written.history, wanted.line("undone")),
        )

    def _bridged(self, written: Written, act: StaffAct, text: str) -> Written:
        """The buyer hears by an approved template that an answer waits, and gets it when they open the window."""
        record, case = written.conversation, written.ticket
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        locale = record.locale or self.shop.locale
        reply = Reply(record.address, "answer_waiting", {"shop": self.shop.name}, act.id, locale, purpose=Purpose.STAFF)
        reply = replace(reply, options=(Option(READ_ANSWER, phrase="read_answer"),))
        approved, limits = self.approve(reply), self.limits.get(record.address.channel)
        if approved is None or limits is None or case is None or not text:
            line = CaseEvent("too_late", "", act.staff, f"{act.id}:bridge", act.ref.encode())
            return replace(written, history=(*written.history, line))
        (out, *_) = self.renderer.render(reply, limits, record.version)
        told = Worded(replace(out, approved=approved), f"bridge:{act.ref}", "answer_waiting")
        waiting = (*(b for b in case.bridged if b[0] != act.ref), (act.ref, text))
        line = CaseEvent("bridged", text, act.staff, f"{act.id}:bridge", act.ref.encode())
        return replace(
            written,
            ticket=replace(case, bridged=waiting),
            history=(*written.history, line),
            worded=(*written.worded, told),
        )

    def _said(self, handed: handoff.Handed, act: StaffAct) -> tuple[Worded, ...]:
        """The staff's own words and files, in messages as the channel takes them."""
        to = handed.conversation.address
        limits = self.limits.get(to.channel)
        text = escape(handed.say, quote=False)
        outs: list[tuple[str, tuple[Media, ...]]] = []
        if text.strip():
            outs += [(part, ()) for part in (split(text, limits.text) if limits else [text])]
        outs += [("", (media,)) for media in handed.media]
        made = []
        for place, (part, media) in enumerate(outs):
            out = Outbound(
                id="",
                to=to,
                text=part,
                media=media,
                purpose=Purpose.STAFF,
                holder_version=handed.conversation.version,
            )
            key = f"staff:{act.id}" if not place else f"staff:{act.id}:{place}"
            made.append(Worded(out, key, "staff", act.undo_seconds))
        return tuple(made)

    def _told(self, written: Written, handed: handoff.Handed, act: StaffAct, lost: Sequence[str]) -> Written:
        """A word to the writer alone, where they wrote; with their text, and a way to speak after all."""
        where = self._heard_from(act, handed.case)
        if where is None:
            return written
        record = handed.conversation
        holder = record.holder.removeprefix(handoff.PERSON)
        owner = handed.case.owner if handed.case else ""
        facts: dict[str, object] = {"code": handed.told, "holder": holder, "owner": owner, "text": act.text}
        facts |= {"files": list(lost), "goes": bool(handed.say or handed.media), "queues": list(self.rules.queue_names)}
        choices: tuple[Choice, ...] = ()
        if handed.told == "kept_as_note" and handed.case is not None:
            choices = (Choice(f"take:{handed.case.id}:{record.version}", f"take_from:{holder}"),)
        post = DeskPost("tell", act.case or 0, "staff/told", facts, who=act.by)
        out = Outbound(id="", to=where, text="", choices=choices, purpose=Purpose.DESK, desk=post)
        return replace(written, posts=(*written.posts, Worded(out, f"told:{act.id}", "tell")))

    def _heard_from(self, act: StaffAct, case: Case | None) -> Address | None:
        """The channel in which an act's writer is answered: where they wrote, if a case has a thread there."""
        if act.surface is None or act.case is not None:
            return act.surface
        return self._place(case) if case is not None else None

    def _undoable(self, written: Written, act: StaffAct) -> Written:
        where = self._heard_from(act, written.ticket)
        if where is None or written.ticket is None:
            return written
        text = " ".join([act.text, *(f"📎 {m.name or m.kind.value}" for m in act.media)]).strip()
        facts = {"what": "sending", "who": act.staff, "text": text, "about": round(act.undo_seconds)}
        choices = (Choice(f"undo:{written.ticket.id}:{act.id}"[:64], "undo"),)
        post = DeskPost("say", act.case or 0, "staff/line", facts)
        out = Outbound(id="", to=where, text="", choices=choices, purpose=Purpose.DESK, desk=post)
        return replace(written, posts=(*written.posts, Worded(out, f"undo:{act.id}", "say")))

    def heard(self, written: Written, now: datetime) -> Written:
        """The buyer wrote: what that does to their case."""
        record, case = written.conversation, written.ticket
        if record is None or case is None:
            return written
        person = handoff.held_by_person(record)
        written = replace(written, ticket=files.buyer_wrote(case, self.rules, now, person=person))
        if not case.bridged or written.ticket is None:
            return written
        waited = tuple(
            Worded(
                Outbound("", record.address, escape(text, quote=False), purpose=Purpose.STAFF),
                f"staff:{act}:{BRIDGED}",
                "staff",
            )
            for act, text in case.bridged
        )
        return replace(written, ticket=replace(written.ticket, bridged=()), worded=(*written.worded, *waited))

    def held_back(self, written: Written, notice: Notice, worded: tuple[Worded, ...]) -> Written:
        """A push while a person speaks: a note in the case, with all that is needed to send it after all."""
        messages = [w.outbound for w in worded]
        text = "\n\n".join(plain(m.text) for m in messages)
        line = CaseEvent("push", text, key=_line_key(notice), data=codec.encode(messages))
        return replace(written, history=(*written.history, line))

    def settled(self, written: Written, before: Case | None, key: str, now: datetime) -> Written:
        """The end of a turn: a case that was asked for is opened or asked again, and every case looks at itself."""
        record = written.conversation
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        if written.case is not None:
            desked = (
                files.opened(written.case, record, self.shop.name, self.rules, now)
                if written.ticket is None
                else files.asked_again(
                    written.ticket, written.case, self.rules, now, waits=not handoff.held_by_person(record)
                )
            )
            written = replace(written, case=None, ticket=desked.case, history=(*written.history, *desked.history))
        if written.ticket is None:
            return written
        looked = ladder.look(record, written.ticket, self.rules, now)
        case = replace(looked.case, look_at=looked.next_at)
        written = replace(
            written, conversation=looked.conversation, ticket=case, history=(*written.history, *looked.history)
        )
        if looked.template:
            written = self._announced(written, looked.template, key)
        if looked.next_at is not None and (before is None or before.look_at != looked.next_at):
            lane = case.conversation
            tick = Tick(f"look:{lane}:{looked.next_at.isoformat()}", looked.next_at, lane)
            written = replace(written, events=(*written.events, (lane, tick, looked.next_at)))
        if _resolved_now(before, case):
            written = self._survey(written, case, now)
        if written.unsay:
            written = self._if_undone(written, files.unanswered(case, self.rules, now), now)
        return replace(written, ticket=None) if case == before else written

    def _survey(self, written: Written, case: Case, now: datetime) -> Written:
        """Whether the buyer was satisfied is asked a little later, once a case, if the gate lets it through then."""
        assert written.conversation is not None  # noqa: S101 - a conversation's turn always has one
        order = case.order if case.order is not None else written.conversation.focus
        if order is None:
            # Consent and caps are a buyer's, who is known by their orders: the gate could not judge.
            return written
        key, due = f"{SURVEY}:{case.id}", now + SURVEY_AFTER
        notice = Notice(
            id=key,
            to=written.conversation.address,
            template=SURVEY,
            fact_key=key,
            purpose=UPDATES,
            facts={"case": case.id},
            due_at=due,
            expires_at=due + kind_of(SURVEY).lasts,
            order=order,
        )
        return replace(written, events=(*written.events, (case.conversation, notice, due)))

    def _if_undone(self, written: Written, case: Case, now: datetime) -> Written:
        """The case as it is where a reply does not leave after all; it looks at itself in time as well."""
        assert written.conversation is not None  # noqa: S101 - a conversation's turn always has one
        at = ladder.look(written.conversation, case, self.rules, now).next_at
        written = replace(written, if_undone=replace(case, look_at=at))
        if at is None:
            return written
        tick = Tick(f"look:{case.conversation}:{at.isoformat()}", at, case.conversation)
        return replace(written, events=(*written.events, (case.conversation, tick, at)))

    def posted(
        self, written: Written, messages: Sequence[Inbound], acts: Sequence[StaffAct], case: Case | None
    ) -> Written:
        """What the desk that shows the case is told of this turn: what was said, what was done, and the new card."""
        shown = written.ticket or case
        place = self._place(shown) if shown is not None else None
        turn = written.claim.events[-1].id if written.claim.events else 0
        stale = {(a.surface, a.case) for a in acts if a.surface and a.case and (shown is None or a.case != shown.id)}
        redrawn = [Worded(_card(to, "show", of), f"show:{turn}:{of}", "show") for to, of in stale]
        if shown is None or place is None:
            return replace(written, posts=(*redrawn, *written.posts))
        said = [
            _line(place, _heard(m), "buyer", m.text or (m.choice or ""), f"in:{m.id}", m.media)
            for m in messages
            if m.kind not in UNSPOKEN or m.kind == Kind.MOVED
        ]
        bots = [w for w in written.worded if w.outbound.purpose != Purpose.STAFF]
        said += [_line(place, "bot", "bot", plain(w.outbound.text), f"out:{w.key}") for w in bots]
        here = {a.id for a in acts if a.surface == place and a.message and a.case in {None, shown.id}}
        said += [
            self._history_line(place, line, shown, f"{turn}:{i}")
            for i, line in enumerate(written.history)
            if not (line.what in {"note", "reply"} and line.key.rpartition(":")[0] in here)
        ]
        posts = [*redrawn, *written.posts, *said]
        if not posts and written.ticket is None and not written.unsay and not written.reword:
            return written
        cards = [Worded(_card(place, "show"), f"show:{turn}", "show")]
        before = self._place(case) if case is not None else None
        if before is not None and before != place:
            cards.insert(0, Worded(_card(before, "leave"), f"leave:{turn}", "leave"))
        return replace(written, posts=(*cards, *posts))

    def _place(self, case: Case) -> Address | None:
        return self.places.get(case.queue) or self.places.get("default")

    def _history_line(self, place: Address, line: CaseEvent, case: Case, key: str) -> Worded:
        calls = line.what in {"paged", "assigned"} and bool(self.rules.people)
        named = tuple(line.text.split(", ")) if calls and line.text else ()
        if line.what in {"late", "woke"} and case.owner:
            named = (case.owner,)
        choices: tuple[Choice, ...] = ()
        if line.what == "push":
            choices = (Choice(f"send_push:{case.id}:{line.key}"[:64], "send_push"),)
        facts = {
            "what": line.what,
            "who": line.who,
            "text": line.text,
            "about": line.data.decode(errors="replace") if line.what != "push" else "",
            "waits": ladder.waits(case),
        }
        post = DeskPost("say", template="staff/line", facts=facts, mention=named)
        out = Outbound(id="", to=place, text="", choices=choices, purpose=Purpose.DESK, desk=post)
        return Worded(out, f"line:{line.key or key}", "say")

    def promised(self, desk: Desk, case: Case | None, now: datetime) -> Desk:
        """When the buyer can expect an answer: what they were told already, while that can still be kept."""
        told = case.promised_by if case is not None and ladder.waits(case) else None
        return replace(desk, answer_by=told) if told is not None and told > now else desk

    def _announced(self, written: Written, template: str, key: str) -> Written:
        record = written.conversation
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        facts: dict[str, object] = {}
        if template in {"case_wait", "human"} and written.ticket is not None:
            facts |= {"desk_open": True, "desk_by": written.ticket.promised_by}
        if template == "case_ack" and written.ticket is not None:
            facts["staff"] = written.ticket.owner
        zone = self.shop.timezone
        reply = Reply(
            record.address, template, facts, f"{key}:{template}", record.locale or self.shop.locale, zone=zone
        )
        limits = self.limits.get(record.address.channel)
        if limits is None:
            return written
        parts = self.renderer.render(reply, limits, record.version)
        worded = tuple(Worded(o, f"{reply.key}:{i}", template) for i, o in enumerate(parts))
        return replace(written, worded=(*written.worded, *worded))


def _says(worded: Worded, act: str) -> bool:
    """Whether a message is the reply of this act, or a part of it."""
    return worded.key == f"staff:{act}" or worded.key.startswith(f"staff:{act}:")


def _writer(written: Written, act: str) -> str | None:
    """Who wrote a reply of this same turn."""
    return next((line.who for line in written.history if line.key == f"{act}:reply"), None)


def _reworded(written: Written, changed: Reword) -> Written:
    """Give a reply other words: at once where it was written in this same turn, else in the commit."""
    first = f"staff:{changed.act}"
    parts = [w for w in written.worded if _says(w, changed.act)]
    if not parts:
        return replace(written, reword=(*written.reword, changed))
    if not changed.senior and _writer(written, changed.act) != changed.who:
        return replace(written, history=(*written.history, changed.line("not_theirs")))
    if not changed.whole or any(w.outbound.text for w in parts if w.key != first):
        return replace(written, history=(*written.history, changed.line("in_parts")))
    worded = tuple(replace(w, outbound=changed.out) if w.key == first else w for w in written.worded)
    return replace(written, worded=worded, history=(*written.history, changed.line("edited")))


def _from(line: CaseEvent, act: StaffAct) -> CaseEvent:
    """A reply's line remembers where it was written, so that what becomes of it is shown there."""
    if line.what != "reply" or act.surface is None:
        return line
    return replace(line, data=codec.encode(Surface(act.surface, act.message)))


def _resolved_now(before: Case | None, case: Case) -> bool:
    """Whether this turn resolved a case in which a person had answered the buyer."""
    over = case.state == CaseState.RESOLVED and before is not None and before.state != CaseState.RESOLVED
    return over and case.answered_at is not None


def _heard(message: Inbound) -> str:
    kinds = {Kind.EDITED: "buyer_edited", Kind.DELETED: "buyer_deleted", Kind.UNSUPPORTED: "buyer_unsupported"}
    return "buyer_phone" if message.contact and not message.text else kinds.get(message.kind, "buyer")


def _unkept(media: Sequence[Media]) -> list[str]:
    """Files that could not be fetched or were too large, as people know them."""
    return [m.name or m.kind.value for m in media if m.lost]


def _line(place: Address, what: str, who: str, text: str, key: str, media: tuple[Media, ...] = ()) -> Worded:
    facts = {"what": what, "who": who, "text": text, "about": "", "unkept": _unkept(media)}
    post = DeskPost("say", template="staff/line", facts=facts)
    kept = tuple(m for m in media if m.path)
    return Worded(Outbound(id="", to=place, text="", media=kept, purpose=Purpose.DESK, desk=post), key, "say")


def _card(place: Address, kind: str, case: int = 0) -> Outbound:
    return Outbound(id="", to=place, text="", purpose=Purpose.DESK, desk=DeskPost(kind, case))


def _line_key(notice: Notice) -> str:
    """The name of a push that was held back: short enough that a button can hold it whole."""
    name = f"{PUSH}{notice.id}"
    return name if len(name) <= NAME else f"{PUSH}{sha256(name.encode()).hexdigest()[: NAME - 5]}"


def _released(data: bytes, key: str, act: StaffAct, version: int) -> tuple[tuple[Worded, ...], CaseEvent]:
    """What a held push says, as the staff's own act: exactly as they saw it, and once."""
    if not data or not key.startswith(PUSH):
        return (), CaseEvent("too_late", "", act.staff, f"{act.id}:push", key.encode())
    messages = codec.decode(data, tuple[Outbound, ...])
    worded = tuple(
        Worded(replace(m, purpose=Purpose.STAFF, holder_version=version, expires_at=None), f"{key}:{i}", "push")
        for i, m in enumerate(messages)
    )
    return worded, CaseEvent("push_sent", "", act.staff, f"{key}:sent", key.encode())
