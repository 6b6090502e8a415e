"""What of a chat's due notices leaves now, and how: each is judged at the gate, then worded as things stand. Pure.

Calm notices that may leave together become one digest. What has to wait goes back into the lane as the same
notice with a due time, so that it is judged and worded again when that has come.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from bot.dialog.turn import Reason, Shop
from bot.model.conversations import Conversation
from bot.model.events import Notice
from bot.model.messages import Limits, Purpose, Reply
from bot.model.zones import zones_of
from bot.proactive.gate import Asked, House, Ledger, Verdict, judge, local_day, until_quiet
from bot.proactive.pushes import kind_of
from bot.proactive.wording import Situation, Words, options, word


class Left(Struct, frozen=True):
    """What left for one buyer before: (key, urgent, when) of each, how many by their row, what they consent to, and
    whether any of it left in this chat."""

    sent: Sequence[tuple[str, bool, datetime]] = ()
    count: int = 0
    consents: frozenset[str] = frozenset()
    here: bool = False


_NOBODY = Left()


class Gone(Struct, frozen=True):
    """A push that leaves now, under which reply."""

    notice: Notice
    buyer: int
    seen: int
    urgent: bool
    reply: str


class Leaving(Struct, frozen=True):
    """What becomes of a lane's notices. `closed`: the replies leave as approved templates. `later` wait in the lane;
    `notes` are for the person who speaks there; `cases` are notices of what staff have to do."""

    replies: tuple[Reply, ...] = ()
    closed: bool = False
    gone: tuple[Gone, ...] = ()
    later: tuple[Notice, ...] = ()
    notes: tuple[tuple[Notice, Reply], ...] = ()
    cases: tuple[Notice, ...] = ()
    reasons: tuple[Reason, ...] = ()


class Door(Struct, frozen=True):
    """What all notices of one lane are judged by. `approve` tells whether an approved template says a reply;
    `follows` are the orders that this chat asked to be told of, `chat_of` gives the chat of a phone (E.164) where the
    platform has one; `stopped` are the keys of campaigns that were stopped."""

    record: Conversation
    orders: Mapping[int, Situation]
    left: Mapping[int, Left]
    shop: Shop
    house: House
    limits: Limits
    words: Words
    approve: Callable[[Reply], bool]
    held: bool
    now: datetime
    chat_of: Callable[[str], str] = lambda phone: ""
    follows: frozenset[int] = frozenset()
    stopped: frozenset[str] = frozenset()


def leave(door: Door, notices: Sequence[Notice]) -> Leaving:
    """Judge and word a lane's notices, in the order in which they came."""
    passed: list[tuple[Notice, Reply]] = []
    later: list[Notice] = []
    notes: list[tuple[Notice, Reply]] = []
    reasons: list[Reason] = []
    closed = False
    # What stands alone comes last, so that it leaves only where no other calm message does.
    for notice in sorted(notices, key=lambda n: kind_of(n.template).alone):
        if not notice.template:
            continue
        verdict, reply = _judged(door, notice, passed)
        reasons.append(_reason(notice, verdict))
        if verdict.what == "wait" and verdict.until is not None:
            later.append(_again(notice, verdict.until))
        elif reply is not None:
            (notes if verdict.what == "note" else passed).append((notice, reply))
            closed = closed or verdict.template
    replies, gone = _sent(door, passed)
    cases = tuple(n for n in notices if n.case is not None)
    return Leaving(replies, closed, gone, tuple(later), tuple(notes), cases, tuple(reasons))


def _judged(door: Door, notice: Notice, passed: Sequence[tuple[Notice, Reply]]) -> tuple[Verdict, Reply | None]:
    found = door.orders.get(notice.order or 0)
    if found is None or found.buyer is None:
        return Verdict("drop", "push.order_is_gone"), None
    if not _theirs(door, notice, found):
        return Verdict("drop", "gate.somebody_elses_chat"), None
    if notice.fact_key in door.stopped:
        return Verdict("drop", "campaign.stopped"), None
    said = word(notice, found, door.words, door.now)
    if said is None:
        return Verdict("drop", "push.no_longer_so"), None
    if door.limits.window or not (passed or door.left.get(found.buyer, _NOBODY).here):
        said["stop_hint"] = True
    zones = zones_of(found.order.country, found.order.postcode) or (ZoneInfo(door.shop.timezone),)
    reply = _reply(door, notice, found, said, zones)
    verdict = judge(_asked(door, notice, found, reply, passed, zones), door.house, door.now)
    return verdict, reply if verdict.what in {"go", "note"} else None


def _theirs(door: Door, notice: Notice, found: Situation) -> bool:
    """Whether this chat is still the one of whom it concerns: while a push waits a chat can get another owner."""
    record = door.record
    if (found.buyer is not None and record.buyer == found.buyer) or found.id in door.follows:
        return True
    chat = door.chat_of(found.phone) if found.phone else ""
    return bool(chat) and chat == notice.to.chat and record.phone in {"", found.phone}


def _asked(
    door: Door,
    notice: Notice,
    found: Situation,
    reply: Reply,
    passed: Sequence[tuple[Notice, Reply]],
    zones: tuple[ZoneInfo, ...],
) -> Asked:
    left = door.left.get(found.buyer or 0, _NOBODY)
    start, end = local_day(zones[0], door.now)
    kind = kind_of(notice.template)
    today = [urgent for _, urgent, at in left.sent if start <= at < end]
    # Calm ones that leave together are one message; each urgent one is its own.
    today += [True for n, _ in passed if kind_of(n.template).urgent and _buyer(door, n) == found.buyer]
    if kind.alone:
        today += [False for n, _ in passed if not kind_of(n.template).urgent and _buyer(door, n) == found.buyer]
    said = frozenset(key for key, _, _ in left.sent) | {n.fact_key for n, _ in passed}
    return Asked(
        key=notice.fact_key,
        urgent=kind.urgent,
        consent=notice.purpose in left.consents and not door.record.muted,
        reachable=door.record.reachable,
        held=door.held,
        zones=zones,
        country=found.order.country,
        expires=notice.expires_at,
        needs=notice.needs,
        window=door.limits.window,
        heard=door.record.last_inbound_at,
        approved=door.limits.window and door.approve(reply),
        ledger=Ledger(said, calm=today.count(False), urgent=today.count(True)),
    )


def _reply(
    door: Door, notice: Notice, found: Situation, facts: Mapping[str, Any], zones: tuple[ZoneInfo, ...]
) -> Reply:
    night = until_quiet(zones, door.house.quiet, door.now)
    return Reply(
        door.record.address,
        notice.template,
        facts,
        f"push:{notice.fact_key}",
        door.record.locale or _known(found.order.locale, door.shop) or door.shop.locale,
        zone=zones[0].key,
        purpose=Purpose.NOTICE,
        options=options(notice),
        expires_at=min(night, notice.expires_at or night),
    )


def _known(locale: str, shop: Shop) -> str:
    code = locale.split("-", maxsplit=1)[0].lower()
    return code if code in shop.locales else ""


def _sent(door: Door, passed: Sequence[tuple[Notice, Reply]]) -> tuple[tuple[Reply, ...], tuple[Gone, ...]]:
    replies = [r for n, r in passed if kind_of(n.template).urgent]
    keys = {n.id: r.key for n, r in passed}
    calm: dict[int, list[tuple[Notice, Reply]]] = {}
    for notice, reply in passed:
        if not kind_of(notice.template).urgent:
            calm.setdefault(_buyer(door, notice), []).append((notice, reply))
    # A chat may be told of several buyers' orders; what is told of one stays apart from what is told of another.
    for together in calm.values():
        one = together[0][1] if len(together) == 1 else _digest([r for _, r in together])
        replies.append(one)
        keys |= {n.id: one.key for n, _ in together}
    return tuple(replies), tuple(_gone(door, n, keys[n.id]) for n, _ in passed)


def _buyer(door: Door, notice: Notice) -> int:
    return door.orders[notice.order or 0].buyer or 0


def _gone(door: Door, notice: Notice, reply: str) -> Gone:
    buyer = _buyer(door, notice)
    seen = door.left.get(buyer, _NOBODY).count
    return Gone(notice, buyer, seen, kind_of(notice.template).urgent, reply)


def _digest(replies: Sequence[Reply]) -> Reply:
    """One message for several: a line for each, and gone when the first of them is no news any more."""
    hint = {"stop_hint": True} if any("stop_hint" in r.facts for r in replies) else {}
    ends = [r.expires_at for r in replies if r.expires_at is not None]
    first, numbers = replies[0], dict.fromkeys(str(r.facts["number"]) for r in replies)
    return replace(
        first,
        template="digest",
        facts={"numbers": list(numbers), "lines": _lines(replies), **hint},
        key=f"digest:{first.key}",
        options=(),
        expires_at=min(ends, default=None),
    )


def _lines(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """What each says; by when a parcel should come stands once, where it changed or behind the last that is said."""
    dated: dict[object, int] = {}
    for place, reply in enumerate(replies):
        parcel = reply.facts.get("tracking")
        if parcel not in dated or "old_first" not in replies[dated[parcel]].facts:
            dated[parcel] = place
    lines = []
    for place, reply in enumerate(replies):
        here = dated[reply.facts.get("tracking")] == place
        facts = {k: v for k, v in reply.facts.items() if here or k not in _WINDOW}
        lines.append({**facts, "template": reply.template})
    return lines


_WINDOW = frozenset({"first", "last", "basis", "basis_n"})


def _again(notice: Notice, until: datetime) -> Notice:
    """The same notice, to be judged again at `until`."""
    name, _, tries = notice.id.partition("~")
    return replace(notice, id=f"{name}~{int(tries or 0) + 1}", due_at=until, case=None)


def _reason(notice: Notice, verdict: Verdict) -> Reason:
    inputs: dict[str, Any] = {"push": notice.template, "key": notice.fact_key, "verdict": verdict.what}
    if verdict.until is not None:
        inputs["until"] = verdict.until.isoformat()
    about = f"p/{notice.parcel}" if notice.parcel is not None else f"o/{notice.order}"
    return Reason(verdict.rule, inputs, about)
