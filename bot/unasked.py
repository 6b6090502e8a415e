"""The part of a conversation's turn in which it is told something unasked: judged at the gate, worded, written down."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bot import handoff
from bot.dialog.turn import Desk, Reason, Shop
from bot.errors import Refused
from bot.model.conversations import Conversation
from bot.model.events import Notice, conversation_lane
from bot.model.messages import Approved, Choice, Limits, Purpose, Reply
from bot.model.orders import Order
from bot.proactive.announce import Outlook
from bot.proactive.expecting import Ahead, ahead
from bot.proactive.gate import House as GateRules
from bot.proactive.leave import Door, Gone, Leaving, Left, leave
from bot.proactive.watching import ParcelTold, Sight, Watched
from bot.proactive.wording import Words
from bot.render import Renderer
from bot.store.pushes import Pushed, Standing
from bot.store.turns import Worded, Written
from bot.takeover import Takeover
from bot.tracking.eta import Tables

Expect = Callable[[Watched, Sight, ParcelTold | None, datetime], Outlook]
Approve = Callable[[Reply], Approved | None]


class Unasked(Struct, frozen=True):
    """What leaves unasked. `limits` and `chat_of` (the chat of a phone) are by the channel's kind; `approve` gives the
    approved template of a reply; `tables` are what was learned last of how long parcels take."""

    renderer: Renderer
    limits: Mapping[str, Limits]
    shop: Shop
    desk: Callable[[datetime], Desk]
    gate: GateRules
    expect: Expect
    approve: Approve
    takeover: Takeover
    chat_of: Mapping[str, Callable[[str], str]]
    tables: Callable[[], Tables]

    def left(self, written: Written, notices: Sequence[Notice], standing: Standing, now: datetime) -> Written:
        """What is to be told passes the gate, or waits in the lane, or is left out; each with its reason."""
        record = written.conversation
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        if record.address.channel not in self.limits and not any(n.template for n in notices):
            return self._without_chat(written, notices, standing)
        door = self._door(record, standing, now)
        leaving = leave(door, notices)
        worded, offered = self._worded(leaving.replies, record, door.limits)
        if door.limits.window:
            worded = self._with_approved(leaving, worded)
        if offered:
            record = replace(record, offered=offered)
        lane = conversation_lane(record.address)
        written = replace(
            written,
            conversation=record,
            worded=(*written.worded, *worded),
            pushed=tuple(_pushed(g) for g in leaving.gone),
            events=(*written.events, *((lane, n, n.due_at) for n in leaving.later)),
            reasons=(*written.reasons, *leaving.reasons),
        )
        if leaving.cases:
            written = _with_case(written, leaving.cases)
        for notice, reply in leaving.notes:
            note, _ = self._worded([reply], record, door.limits)
            if door.limits.window:
                form = self.approve(reply)
                note = tuple(replace(w, outbound=replace(w.outbound, fallback=form)) for w in note)
            written = self.takeover.held_back(written, notice, note)
        return written

    def _without_chat(self, written: Written, notices: Sequence[Notice], standing: Standing) -> Written:
        """What staff have to do for a buyer who has no chat: a case in a conversation where nobody hears anything."""
        record = written.conversation
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        buyer = next((found.buyer for found in standing.orders.values()), record.buyer)
        record = replace(record, buyer=buyer, reachable=False)
        return _with_case(replace(written, conversation=record), [n for n in notices if n.case is not None])

    def warned(self, written: Written, notice: Notice) -> Written:
        """A warning of the house itself, which passes no gate: somebody else uses this person's link."""
        record = written.conversation
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        held = handoff.held_by_person(record)
        if held or not record.reachable:
            reason = Reason("notice.withheld", {"template": notice.template, "holder": record.holder})
            written = replace(written, reasons=(*written.reasons, reason))
        if not record.reachable:
            return written
        reply = Reply(
            record.address,
            notice.template,
            notice.facts,
            f"notice:{notice.id}",
            record.locale or self.shop.locale,
            purpose=Purpose.NOTICE,
        )
        worded, _ = self._worded([reply], record, self._limits(record))
        if held:
            return self.takeover.held_back(written, notice, worded)
        return replace(
            written,
            worded=(*written.worded, *worded),
            reasons=(*written.reasons, Reason("notice.sent", {"template": notice.template})),
        )

    def _door(self, record: Conversation, standing: Standing, now: datetime) -> Door:
        lane = conversation_lane(record.address)
        return Door(
            record=record,
            orders=standing.orders,
            left={
                i: Left(
                    [(s.key, s.urgent, s.at) for s in b.sent], b.count, b.consents, any(s.lane == lane for s in b.sent)
                )
                for i, b in standing.buyers.items()
            },
            shop=self.shop,
            house=self.gate,
            limits=self._limits(record),
            words=Words(self.expect, self.desk(now), self.shop, self._ahead),
            approve=lambda reply: self.approve(reply) is not None,
            held=handoff.held_by_person(record),
            now=now,
            chat_of=self.chat_of.get(record.address.channel, lambda phone: ""),
            follows=standing.follows,
            stopped=standing.stopped,
        )

    def _ahead(self, order: Order, now: datetime) -> Ahead:
        return ahead(order, self.shop, self.tables(), now)

    def _limits(self, record: Conversation) -> Limits:
        limits = self.limits.get(record.address.channel)
        if limits is None:
            raise Refused(f"no {record.address.channel} channel is in the config any more")
        return limits

    def _worded(
        self, replies: Sequence[Reply], record: Conversation, limits: Limits
    ) -> tuple[tuple[Worded, ...], tuple[Choice, ...]]:
        worded: list[Worded] = []
        offered: tuple[Choice, ...] = ()
        for reply in replies:
            parts = self.renderer.render(reply, limits, record.version)
            worded += [Worded(o, f"{reply.key}:{i}", reply.template) for i, o in enumerate(parts)]
            offered = self.renderer.choices(reply) or offered
        return tuple(worded), offered

    def _with_approved(self, leaving: Leaving, worded: Sequence[Worded]) -> tuple[Worded, ...]:
        """Each message with the approved template that says the same: now, or where the window turns out closed."""
        forms = {f"{reply.key}:0": self.approve(reply) for reply in leaving.replies}
        if not leaving.closed:
            return tuple(replace(w, outbound=replace(w.outbound, fallback=forms.get(w.key))) for w in worded)
        # As a template it is one message, however long the free text was.
        return tuple(replace(w, outbound=replace(w.outbound, approved=forms[w.key])) for w in worded if w.key in forms)


def _with_case(written: Written, cases: Sequence[Notice]) -> Written:
    """A turn opens one case; what else staff have to know is a turn of its own."""
    most = 1 if written.case is None else 0
    case = written.case or next((n.case for n in cases), None)
    later = [replace(n, id=f"{n.id}+", template="") for n in cases[most:]]
    return replace(
        written, case=case, events=(*written.events, *((conversation_lane(n.to), n, n.due_at) for n in later))
    )


def _pushed(gone: Gone) -> Pushed:
    notice = gone.notice
    return Pushed(
        buyer=gone.buyer,
        key=notice.fact_key,
        template=notice.template,
        urgent=gone.urgent,
        order=notice.order or 0,
        parcel=notice.parcel,
        message=f"{gone.reply}:0",
        expires_at=notice.expires_at,
        seen=gone.seen,
    )
