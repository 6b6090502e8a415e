"""One turn: understand, gather, decide, render, commit. Only gather awaits, only commit writes.

    claims -> decode -> understand -> wants -> gather -> decide -> render -> commit
                                       (one read for all lanes)            (shared by lanes that are ready)

A lane that must wait for a network (a file to fetch, a carrier to ask) leaves the batch and finishes alone.
Parcel and order lanes have turns of their own; what they must tell people becomes events in other lanes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from bot import handoff
from bot.dialog.decide import decide
from bot.dialog.identity import e164, proves
from bot.dialog.turn import Decision, Desk, Facts, Reason, Shop, Turn, Understanding
from bot.dialog.wants import wants
from bot.errors import Refused, WismoError
from bot.handoff import Rules
from bot.model.cases import Case
from bot.model.clock import Clock
from bot.model.conversations import Conversation
from bot.model.events import Event, Notice, StaffAct, conversation_lane, parcel_lane
from bot.model.messages import Address, Choice, Inbound, Kind, Limits, Media, Purpose, Receipt, Reply
from bot.model.orders import OrderUpdate
from bot.model.parcels import Parcel
from bot.model.tracks import Track, TrackUpdate
from bot.ports import Channel, Port
from bot.render import Renderer
from bot.store import Store, codec
from bot.store.queue import STRAY, Claim
from bot.store.turns import Gathered, Worded, Written
from bot.store.vault import Vault
from bot.takeover import Takeover
from bot.tracking.timeline import apply, next_check

FETCH_SECONDS = 15.0
SLOW_LANES = 50
STRAY_TRIES = 3
"""So often a thread is looked for that no case has: staff also talk among themselves."""
RETRY_SECONDS = (1.0, 4.0, 15.0, 60.0)

log = structlog.get_logger()

Understand = Callable[[Sequence[Inbound], Conversation], Understanding]
LookUp = Callable[[Understanding, Gathered, datetime], Awaitable[Sequence[TrackUpdate]]]


@dataclass(frozen=True, slots=True)
class Lane:
    """A claimed conversation on its way through a turn. `ports` are whose each event is, by the event's id; `held`
    pushes that staff want sent, by their key."""

    claim: Claim
    conversation: Conversation
    ports: Mapping[str, str]
    inbound: tuple[Inbound, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    acts: tuple[StaffAct, ...] = ()
    notices: tuple[Notice, ...] = ()
    said: Understanding = field(default_factory=Understanding)
    case: Case | None = None
    held: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class House:
    """What the engine works with; made once by `app`. `limits` are by the channel's kind, `places` a desk's channel
    by the queue that it shows.

    `count` is told what somebody should be alarmed by: a wrong proof (of which shop), a carrier's code that no
    table has (of which source).
    """

    store: Store
    ports: Mapping[str, Port]
    channels: Mapping[str, Channel]
    limits: Mapping[str, Limits]
    renderer: Renderer
    understand: Understand
    shop: Shop
    desk: Callable[[datetime], Desk]
    rules: Rules
    vault: Vault
    clock: Clock
    look_up: LookUp | None = None
    places: Mapping[str, Address] = field(default_factory=dict)
    count: Callable[[str, str], None] = lambda what, of: None


class Engine:
    """Handles claimed lanes."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.takeover = Takeover(house.renderer, house.limits, house.shop, house.rules, house.places)
        self._alone: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(SLOW_LANES)

    async def handle(self, claims: Sequence[Claim]) -> None:
        """Handle claimed lanes; returns when all are committed but those that wait for a network."""
        chats = [c for c in claims if c.lane.startswith("c/")]
        await asyncio.gather(
            self._converse(chats),
            *(self._guarded(c, self._other(c)) for c in claims if not c.lane.startswith("c/")),
        )

    async def settle(self) -> None:
        """Wait for the lanes that finish alone."""
        while self._alone:
            await asyncio.wait(self._alone)

    # ---- conversations -----------------------------------------------------------------------------------

    async def _converse(self, claims: Sequence[Claim]) -> None:
        if not claims:
            return
        ready = []
        for claim in claims:
            lane = await self._decoded(claim)
            if lane is None:
                continue
            if any(m.media for m in lane.inbound) or any(a.media for a in lane.acts):
                self._finish_alone(claim, self._with_files(lane))
            else:
                ready.append(lane)
        await self._answer(ready)

    async def _decoded(self, claim: Claim) -> Lane | None:
        try:
            conversation = codec.record(claim.lane, claim.record)
            events = [self._decode(claim, i) for i in range(len(claim.events))]
        except Exception as error:
            await self._failed(claim, error)
            return None
        inbound = tuple(e for e in events if isinstance(e, Inbound))
        return Lane(
            claim,
            conversation,
            {e.id: w.port for e, w in zip(events, claim.events, strict=True) if isinstance(e, (Inbound, StaffAct))},
            inbound,
            tuple(e for e in events if isinstance(e, Receipt)),
            tuple(e for e in events if isinstance(e, StaffAct)),
            tuple(e for e in events if isinstance(e, Notice)),
        )

    def _decode(self, claim: Claim, place: int) -> Event | None:
        waiting = claim.events[place]
        if waiting.port == "wismo":
            return codec.unpack(waiting.item.body)  # type: ignore[no-any-return]
        port = self.house.ports.get(waiting.port)
        if port is None:
            raise Refused(f"no channel named {waiting.port} is in the config any more")
        return port.decode(waiting.item)

    async def _with_files(self, lane: Lane) -> None:
        messages = [replace(m, media=await self._kept(lane, m)) for m in lane.inbound]
        acts = [replace(a, media=await self._kept(lane, a)) for a in lane.acts]
        await self._answer([replace(lane, inbound=tuple(messages), acts=tuple(acts))])

    async def _kept(self, lane: Lane, event: Inbound | StaffAct) -> tuple[Media, ...]:
        return tuple([await self._keep(lane.ports.get(event.id, ""), media) for media in event.media])

    async def _keep(self, port: str, media: Media) -> Media:
        channel = self.house.channels.get(port)
        if channel is None or not media.ref:
            return media
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                return await self.house.vault.keep(media, channel.fetch(media))
        except (WismoError, TimeoutError, OSError, NotImplementedError) as error:
            # The buyer gets an honest answer all the same; the platform keeps the file for days.
            log.warning("media.not_kept", channel=port, error=type(error).__name__)
            return media

    async def _answer(self, lanes: Sequence[Lane]) -> None:
        if not lanes:
            return
        now = self.house.clock.now()
        lanes = [self._understood(lane, now) for lane in await self._with_cases(lanes)]
        wanted = {lane.claim.lane: wants(lane.conversation, lane.said) for lane in lanes if lane.inbound}
        gathered: Mapping[str, Gathered] = {}
        if wanted:
            buyers = {lane.claim.lane: lane.conversation.buyer for lane in lanes}
            gathered = await self.house.store.gather(wanted, buyers)
        await asyncio.gather(
            *(
                self._guarded(lane.claim, self._turn(lane, gathered.get(lane.claim.lane) or Gathered(), now))
                for lane in lanes
            )
        )

    async def _with_cases(self, lanes: Sequence[Lane]) -> Sequence[Lane]:
        ids = [lane.conversation.case for lane in lanes if lane.conversation.case is not None]
        if not ids:
            return lanes
        cases = await self.house.store.open_cases(ids)
        refs = [a.ref for lane in lanes for a in lane.acts if a.kind == "send_push"]
        held = await self.house.store.held_pushes(ids, refs) if refs else {}
        return [replace(lane, case=cases.get(lane.conversation.case or 0), held=held) for lane in lanes]

    def _understood(self, lane: Lane, now: datetime) -> Lane:
        conversation = lane.conversation
        for message in lane.inbound:
            conversation = _heard(conversation, message, self.house.shop.country)
        lane = replace(lane, conversation=conversation)
        speaking = tuple(m for m in lane.inbound if m.kind not in {Kind.BLOCKED, Kind.UNBLOCKED})
        return replace(lane, said=self.house.understand(speaking, conversation)) if speaking else lane

    async def _turn(self, lane: Lane, gathered: Gathered, now: datetime) -> None:
        updates: Sequence[TrackUpdate] = ()
        if self.house.look_up is not None and lane.inbound:
            # Only what this chat has proved: how long an answer takes must not tell that an order exists.
            proved = {i: d for i, d in gathered.found.items() if proves(lane.conversation, d, now)}
            updates = await self.house.look_up(lane.said, replace(gathered, found=proved), now)
            gathered = _refreshed(gathered, updates, now)
        written = self._decide(lane, gathered, now)
        fresh = tuple((parcel_lane(u.track.number), u, None) for u in updates)
        await self.house.store.commit(replace(written, events=(*written.events, *fresh)))

    def _decide(self, lane: Lane, gathered: Gathered, now: datetime) -> Written:
        written = Written(lane.claim, lane.conversation, receipts=lane.receipts, ticket=lane.case)
        key = f"{lane.claim.events[-1].id}"
        for act in lane.acts:
            written = self.takeover.handed(written, act, lane.held, now)
        speaking = [m for m in lane.inbound if m.kind not in {Kind.BLOCKED, Kind.UNBLOCKED}]
        if speaking:
            record = written.conversation or lane.conversation
            facts = self._facts(gathered, now)
            facts = replace(facts, desk=self.takeover.promised(facts.desk, written.ticket, now))
            turn = Turn(key, record, speaking, lane.said, facts, now)
            written = self._decided(self.takeover.heard(written, now), decide(turn), now)
        for notice in lane.notices:
            written = self._noticed(written, notice, key)
        sent = [*(m.media for m in lane.inbound), *(a.media for a in lane.acts)]
        files = tuple(f for media in sent for f in media if f.digest)
        written = self.takeover.settled(replace(written, media=files), lane.case, key, now)
        return self.takeover.posted(written, lane.inbound, lane.acts, lane.case)

    def _facts(self, gathered: Gathered, now: datetime) -> Facts:
        return Facts(
            shop=self.house.shop,
            desk=self.house.desk(now),
            found=gathered.found,
            numbers=gathered.numbers,
            trackings=gathered.trackings,
            phone_buyers=gathered.phone_buyers,
            buyer_orders=gathered.buyer_orders,
            link=gathered.link,
            misses=gathered.misses,
            chat_misses=gathered.chat_misses,
            lookups=gathered.lookups,
            feeds_down=gathered.feeds_down,
            consents=gathered.consents,
        )

    def _decided(self, written: Written, decision: Decision, now: datetime) -> Written:
        before = written.conversation
        assert before is not None  # noqa: S101 - a conversation's turn always has one
        after = handoff.settle(before, decision.conversation)
        if decision.misses:
            # The alarm of a shop whose orders are being guessed at; the order and the chat are nobody's to read here.
            self.house.count("proof_missed", self.house.shop.name)
            log.warning("proof.missed", shop=self.house.shop.name, slowed_seconds=decision.say_after.total_seconds())
        worded, offered = self._worded(decision.replies, after.version, decision.say_after.total_seconds())
        if decision.replies:
            after = replace(after, offered=offered)
        warnings = tuple(
            (
                conversation_lane(to),
                Notice(f"{written.claim.events[-1].id}:{to}:{template}", to, template, template, "security"),
                None,
            )
            for to, template in decision.warned
        )
        return replace(
            written,
            conversation=after,
            worded=(*written.worded, *worded),
            case=decision.case,
            consents=decision.consents,
            misses=decision.misses,
            looked_up=decision.looked_up,
            used_link=decision.used_link,
            reasons=(*written.reasons, *decision.reasons),
            events=(*written.events, *warnings),
        )

    def _worded(
        self, replies: Sequence[Reply], version: int, delay: float
    ) -> tuple[tuple[Worded, ...], tuple[Choice, ...]]:
        worded: list[Worded] = []
        offered: tuple[Choice, ...] = ()
        for reply in replies:
            limits = self._limits(reply.to)
            parts = self.house.renderer.render(reply, limits, version)
            worded += [Worded(o, f"{reply.key}:{i}", reply.template, delay) for i, o in enumerate(parts)]
            offered = self.house.renderer.choices(reply) or offered
        return tuple(worded), offered

    def _limits(self, to: Address) -> Limits:
        limits = self.house.limits.get(to.channel)
        if limits is None:
            raise Refused(f"no {to.channel} channel is in the config any more")
        return limits

    def _noticed(self, written: Written, notice: Notice, key: str) -> Written:
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
            record.locale or self.house.shop.locale,
            purpose=Purpose.NOTICE,
        )
        worded, _ = self._worded([reply], record.version, 0.0)
        if held:
            return self.takeover.held_back(written, notice, worded)
        return replace(
            written,
            worded=(*written.worded, *worded),
            reasons=(*written.reasons, Reason("notice.sent", {"template": notice.template})),
        )

    # ---- parcels and orders ------------------------------------------------------------------------------

    async def _other(self, claim: Claim) -> None:
        if claim.lane.startswith(STRAY) and claim.events:
            if await self.house.store.forward(claim):
                return
            if claim.events[0].attempts < STRAY_TRIES:
                raise Refused("no case has this thread yet")
        written = Written(claim)
        for place in range(len(claim.events)):
            event = self._decode(claim, place)
            if isinstance(event, TrackUpdate):
                written = replace(written, parcels=await self._tracked(event, written))
            elif isinstance(event, OrderUpdate):
                written = self._ordered(event, written)
        await self.house.store.commit(written)

    def _ordered(self, update: OrderUpdate, written: Written) -> Written:
        # The newest wins; the store ignores what is older than what it has.
        if written.order is not None and update.order.updated_at < written.order[0].updated_at:
            return written
        order = replace(update.order, shop=self.house.shop.name)
        return replace(written, order=(order, e164(order.phone, order.country)), link=update.link or written.link)

    async def _tracked(self, update: TrackUpdate, written: Written) -> tuple[tuple[Parcel, datetime | None], ...]:
        now = self.house.clock.now()
        known = [p for p, _ in written.parcels] or await self.house.store.parcels_numbered(update.track.number)
        self._count_unknown(update.track, known[0].track if known else None)
        parcels = []
        for parcel in known:
            fresh, _ = apply(parcel, update.track, now)
            fresh = replace(fresh, checked_at=now)
            parcels.append((fresh, next_check(fresh, now)))
        return tuple(parcels)

    def _count_unknown(self, heard: Track, before: Track | None) -> None:
        unknown = {s.raw_code for s in heard.scans if not s.known}
        told = {s.raw_code for s in before.scans if not s.known} if before and unknown else set()
        for code in sorted(unknown - told):
            self.house.count("unknown_code", heard.source)
            log.info("tracking.unknown_code", source=heard.source, code=code[:40])

    # ---- failing -----------------------------------------------------------------------------------------

    def _finish_alone(self, claim: Claim, work: Awaitable[None]) -> None:
        async def run() -> None:
            async with self._room:
                await self._guarded(claim, work)

        task = asyncio.create_task(run())
        self._alone.add(task)
        task.add_done_callback(self._alone.discard)

    async def _guarded(self, claim: Claim, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            await self._failed(claim, error)

    async def _failed(self, claim: Claim, error: Exception) -> None:
        if not claim.events:
            await self.house.store.give_back([claim])
            return
        attempts = claim.events[0].attempts
        delay = RETRY_SECONDS[min(attempts, len(RETRY_SECONDS) - 1)]
        dead = await self.house.store.fail(claim, describe(error), delay)
        log.warning("turn.failed", error=type(error).__name__, dead=dead, attempts=attempts + 1)


def describe(error: BaseException) -> str:
    """An error for the dead letter: our own words, or a type and a place; never a value, which may be personal."""
    if isinstance(error, WismoError):
        return f"{type(error).__name__}: {error}"
    trace = error.__traceback__
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} in {place}"


def _heard(conversation: Conversation, message: Inbound, country: str) -> Conversation:
    """The record after hearing from the person: reachable again, when last, under which name and phone."""
    if message.kind == Kind.BLOCKED:
        return replace(conversation, reachable=False)
    shared = message.contact.phone if message.contact is not None and message.contact.own else ""
    phone = e164(message.phone or shared, country) or conversation.phone
    if conversation.phone and phone != conversation.phone:
        # Another person has this chat now: what the one before proved ends.
        conversation = replace(conversation, buyer=None, proofs=(), focus=None, pending=None)
    return replace(
        conversation,
        reachable=True,
        last_inbound_at=max(message.at, conversation.last_inbound_at or message.at),
        name=message.name or conversation.name,
        phone=phone,
    )


def _refreshed(gathered: Gathered, updates: Sequence[TrackUpdate], now: datetime) -> Gathered:
    """The dossiers with what was just heard from a carrier; the parcel's own lane writes it down."""
    if not updates:
        return gathered
    fresh = {u.track.number: u.track for u in updates}
    found = {}
    for i, dossier in gathered.found.items():
        parcels = tuple(
            replace(apply(p, fresh[p.number], now)[0], checked_at=now) if p.number in fresh else p
            for p in dossier.parcels
        )
        found[i] = replace(dossier, parcels=parcels)
    return replace(gathered, found=found)
