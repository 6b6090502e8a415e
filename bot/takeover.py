"""The part of a conversation's turn in which staff act: the pure rules of `bot.handoff`, worded and written down."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape

from bot import handoff
from bot.dialog.turn import Desk, Shop
from bot.handoff import files, ladder
from bot.model.cases import Case, CaseEvent
from bot.model.events import Notice, StaffAct, Tick
from bot.model.markup import plain
from bot.model.messages import Limits, Media, Outbound, Purpose, Reply
from bot.render import Renderer, split
from bot.store import codec
from bot.store.turns import Worded, Written


@dataclass(frozen=True, slots=True)
class Takeover:
    """What staff do to a turn. `limits` are by the channel's kind."""

    renderer: Renderer
    limits: Mapping[str, Limits]
    shop: Shop
    rules: handoff.Rules

    def handed(self, written: Written, act: StaffAct, held: Mapping[str, bytes], now: datetime) -> Written:
        """One staff act. `held` are pushes that were held back, by their key."""
        record = written.conversation
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        handed = handoff.act(record, written.ticket, act, self.shop.name, self.rules, now)
        version = handed.conversation.version
        said = self._said(handed, act) if handed.say or handed.media else ()
        history = handed.history
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
            unsay=(*written.unsay, *([(handed.unsay, act.staff)] if handed.unsay else [])),
            reasons=(*written.reasons, handed.reason),
        )
        return self._announced(done, handed.template, act.id) if handed.template else done

    def _said(self, handed: handoff.Handed, act: StaffAct) -> tuple[Worded, ...]:
        """The staff's own words and files, in messages as the channel takes them."""
        to = handed.conversation.address
        limits = self.limits.get(to.channel)
        text = escape(handed.say, quote=False)
        outs: list[tuple[str, tuple[Media, ...]]] = []
        if text.strip():
            outs += [(part, ()) for part in (split(text, limits.text) if limits else [text])]
        outs += [("", (media,)) for media in handed.media if media.path]
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

    def heard(self, written: Written, now: datetime) -> Written:
        """The buyer wrote: what that does to their case."""
        record, case = written.conversation, written.ticket
        if record is None or case is None:
            return written
        person = handoff.held_by_person(record)
        return replace(written, ticket=files.buyer_wrote(case, self.rules, now, person=person))

    def held_back(self, written: Written, notice: Notice, worded: tuple[Worded, ...]) -> Written:
        """A push while a person speaks: a note in the case, with all that is needed to send it after all."""
        messages = [w.outbound for w in worded]
        text = "\n\n".join(plain(m.text) for m in messages)
        line = CaseEvent("push", text, key=f"push:{notice.id}", data=codec.encode(messages))
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
        return replace(written, ticket=None) if case == before else written

    def promised(self, desk: Desk, case: Case | None, now: datetime) -> Desk:
        """When the buyer can expect an answer: what they were told already, while that can still be kept."""
        told = case.promised_by if case is not None and ladder.waits(case) else None
        return replace(desk, answer_by=told) if told is not None and told > now else desk

    def _announced(self, written: Written, template: str, key: str) -> Written:
        record = written.conversation
        assert record is not None  # noqa: S101 - a conversation's turn always has one
        facts: dict[str, object] = {}
        if template == "desk_late" and written.ticket is not None:
            facts["desk_by"] = written.ticket.promised_by
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


def _released(data: bytes, key: str, act: StaffAct, version: int) -> tuple[tuple[Worded, ...], CaseEvent]:
    """What a held push says, as the staff's own act: exactly as they saw it, and once."""
    if not data:
        return (), CaseEvent("too_late", "", act.staff, f"{act.id}:push", key.encode())
    messages = codec.decode(data, tuple[Outbound, ...])
    worded = tuple(
        Worded(replace(m, purpose=Purpose.STAFF, holder_version=version, expires_at=None), f"{key}:{i}", "push")
        for i, m in enumerate(messages)
    )
    return worded, CaseEvent("push_sent", "", act.staff, f"{key}:sent", key.encode())
