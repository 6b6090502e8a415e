"""One turn: understand, gather, decide, render, commit. Only gather awaits, only commit writes.

    claims -> decode -> understand -> wants -> gather -> decide -> render -> commit
                                       (one read for all lanes)            (shared by lanes that are ready)

A lane that must wait for a network (a file to fetch, a carrier to ask) leaves the batch and finishes alone.
Parcel and order lanes have turns of their own; what they must tell people becomes events in other lanes.
"""

import asyncio
from asyncio import gather
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from bot import handoff
from bot.apart import Apart
from bot.dialog.decide import decide
from bot.dialog.identity import proves
from bot.dialog.turn import Decision, Desk, Facts, Shop, Turn, Understanding
from bot.dialog.wants import wants
from bot.elsewhere import told_elsewhere, unreached
from bot.errors import Refused, describe
from bot.fetching import Fetching
from bot.handoff import Rules
from bot.hearing import followed, heard, in_threads, refreshed, switched
from bot.journeys import Journeys
from bot.model.cases import Case
from bot.model.clock import Clock
from bot.model.conversations import Conversation
from bot.model.events import Event, Notice, StaffAct, conversation_lane, parcel_lane
from bot.model.messages import UNSPOKEN, Address, Choice, Inbound, Limits, Receipt, Reply
from bot.model.orders import OrderUpdate
from bot.model.parcels import Parcel
from bot.model.tracks import TrackUpdate
from bot.ports import Channel, Port, TrackingSource
from bot.proactive.gate import House as GateRules
from bot.proactive.sighting import Home
from bot.render import Renderer
from bot.store import Store, codec
from bot.store.gathering import Gathered
from bot.store.pushes import Standing
from bot.store.queue import LEASE_SECONDS, STRAY, Claim, Waiting
from bot.store.turns import Worded, Written
from bot.store.unreached import Unreached
from bot.store.vault import Vault
from bot.takeover import READ_ANSWER, Takeover
from bot.tracking.eta import Tables
from bot.unasked import Approve, Expect, Unasked

SLOW_LANES = 50
LOOKING_SECONDS = 0.1
"""So long others wait for a turn that asks a carrier: most need not ask, or have their answer by then."""
STRAY_TRIES = 3
"""So often a thread is looked for that no case has: staff also talk among themselves."""
RETRY_SECONDS = (1.0, 4.0, 15.0, 60.0)

log = structlog.get_logger()

_NOTHING, _NOBODY = Gathered(), Standing()

Understand = Callable[[Sequence[Inbound], Conversation], Understanding]
LookUp = Callable[[Understanding, Gathered, datetime], Awaitable[Sequence[TrackUpdate]]]


class Lane(Struct, frozen=True):
    """A claimed conversation on its way through a turn. `ports` are whose each event is, by the event's id; `held`
    pushes that staff want sent, by their key; `elsewhere` pushes that did not arrive here."""

    claim: Claim
    conversation: Conversation
    ports: Mapping[str, str]
    inbound: tuple[Inbound, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    acts: tuple[StaffAct, ...] = ()
    notices: tuple[Notice, ...] = ()
    somebody_else: bool = False
    said: Understanding = field(default_factory=Understanding)
    case: Case | None = None
    held: Mapping[str, bytes] = field(default_factory=dict)
    elsewhere: Sequence[Unreached] = ()


class House(Struct, frozen=True):
    """What the engine works with; made once by `app`. `limits` are by the channel's kind, `places` a desk's channel
    by the queue that it shows.

    `count` is told what somebody should be alarmed by: a wrong proof (of which shop), a carrier's code that no
    table has (of which source). `tables` are what was learned last of how long parcels take. `outages` are
    since when sources, and the carriers that they serve, give no answer.
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
    expect: Expect
    gate: GateRules
    approve: Approve = lambda reply: None
    look_up: LookUp | None = None
    places: Mapping[str, Address] = field(default_factory=dict)
    count: Callable[[str, str], None] = lambda what, of: None
    tables: Callable[[], Tables] = Tables
    outages: Callable[[Gathered], Mapping[str, datetime]] = lambda gathered: gathered.feeds_down


class Engine:
    """Handles claimed lanes."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.takeover = Takeover(house.renderer, house.limits, house.shop, house.rules, house.places, house.approve)
        self.fetching = Fetching(house.channels, house.vault)
        self.journeys = Journeys(house.shop.name, house.clock, house.count)
        self.unasked = Unasked(
            renderer=house.renderer,
            limits=house.limits,
            shop=house.shop,
            desk=house.desk,
            gate=house.gate,
            expect=house.expect,
            approve=house.approve,
            takeover=self.takeover,
            chat_of={c.kind: c.chat_of for c in house.channels.values()},
            tables=house.tables,
        )
        self._apart = Apart(SLOW_LANES, LEASE_SECONDS)

    async def handle(self, claims: Sequence[Claim]) -> None:
        """Handle claimed lanes; returns when all are committed but those that wait for a network."""
        chats = [c for c in claims if c.lane.startswith("c/")]
        await asyncio.gather(
            self._converse(chats),
            *(self._guarded(c, partial(self._other, c)) for c in claims if not c.lane.startswith("c/")),
        )

    async def settle(self) -> None:
        """Wait for the lanes that wait for a network."""
        await self._apart.settle()

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
                self._apart.begin(partial(self._guarded, claim, partial(self._with_files, lane)))
            else:
                ready.append(lane)
        await self._answer(ready)

    async def _decoded(self, claim: Claim) -> Lane | None:
        claim, events = await self._readable(claim)
        if not events:
            await self.house.store.give_back([claim])
            return None
        try:
            conversation = codec.record(claim.lane, claim.record)
        except Exception as error:
            await self._failed(claim, error)
            return None
        return Lane(
            claim,
            conversation,
            {e.id: w.port for e, w in zip(events, claim.events, strict=True) if isinstance(e, (Inbound, StaffAct))},
            tuple(e for e in events if isinstance(e, Inbound)),
            tuple(e for e in events if isinstance(e, Receipt)),
            tuple(e for e in events if isinstance(e, StaffAct)),
            tuple(e for e in events if isinstance(e, Notice)),
        )

    async def _readable(self, claim: Claim) -> tuple[Claim, list[Event | None]]:
        """A claim's events in our words; one that cannot be read is a dead letter, for no time makes it readable."""
        kept, events = [], []
        for waiting in claim.events:
            try:
                event = self._decode(waiting)
            except Exception as error:
                await self.house.store.bury(claim, waiting, describe(error))
                log.warning("event.unreadable", port=waiting.port, error=type(error).__name__)
                continue
            kept.append(waiting)
            events.append(event)
        return (claim if len(kept) == len(claim.events) else replace(claim, events=tuple(kept))), events

    def _decode(self, waiting: Waiting) -> Event | None:
        if waiting.port == "wismo":
            return codec.unpack(waiting.item.body)  # type: ignore[no-any-return]
        port = self.house.ports.get(waiting.port)
        if port is None:
            raise Refused(f"no channel named {waiting.port} is in the config any more")
        return port.decode(waiting.item)

    async def _with_files(self, lane: Lane) -> None:
        tries = lane.claim.events[0].attempts
        messages = await gather(*(self.fetching.inbound(m, lane.ports.get(m.id, ""), tries) for m in lane.inbound))
        acts = await gather(*(self.fetching.act(a, lane.ports.get(a.id, ""), tries) for a in lane.acts))
        await self._answer([replace(lane, inbound=tuple(messages), acts=tuple(acts))])

    async def _answer(self, lanes: Sequence[Lane]) -> None:
        if not lanes:
            return
        now = self.house.clock.now()
        lanes = [self._understood(lane, now) for lane in await self._with_cases(lanes)]
        lanes = await self._with_unreached(lanes)
        wanted = {lane.claim.lane: wants(lane.conversation, lane.said) for lane in lanes if lane.inbound}
        gathered: Mapping[str, Gathered] = {}
        asking = {lane.claim.lane: told for lane in lanes if (told := [n for n in lane.notices if n.order is not None])}
        standing = await self.house.store.standing(asking) if asking else {}
        if wanted:
            buyers = {lane.claim.lane: lane.conversation.buyer for lane in lanes}
            gathered = await self.house.store.gather(wanted, buyers)
        turns = [
            (lane, gathered.get(lane.claim.lane, _NOTHING), standing.get(lane.claim.lane, _NOBODY)) for lane in lanes
        ]
        # Who finds no carrier free to ask is answered at once from what is known.
        asks = self.house.look_up is not None and not self._apart.full
        slow = [turn for turn in turns if asks and turn[0].inbound]
        looking = [self._apart.begin(partial(self._guarded, t[0].claim, partial(self._turn, *t, now))) for t in slow]
        await self._at_once([turn for turn in turns if not (asks and turn[0].inbound)], now)
        if looking:
            await asyncio.wait(looking, timeout=LOOKING_SECONDS)

    async def _at_once(self, turns: Sequence[tuple[Lane, Gathered, Standing]], now: datetime) -> None:
        """Turns that wait for no network: decided one after the other, committed together."""
        written: list[Written] = []
        for lane, found, rests_on in turns:
            try:
                written.append(self._decide(lane, found, rests_on, now))
            except Exception as error:
                await self._failed(lane.claim, error)
        for turn, outcome in zip(written, await self.house.store.commit_all(written), strict=True):
            if isinstance(outcome, Exception):
                await self._failed(turn.claim, outcome)

    async def _with_cases(self, lanes: Sequence[Lane]) -> Sequence[Lane]:
        threads = {x.claim.lane for x in lanes if any(a.thread for a in x.acts)}
        known = {lane: await self.house.store.cases_of_threads(lane) for lane in threads}
        lanes = [replace(x, acts=in_threads(x.acts, known.get(x.claim.lane, {}))) if x.acts else x for x in lanes]
        ids = [lane.conversation.case for lane in lanes if lane.conversation.case is not None]
        if not ids:
            return lanes
        cases = await self.house.store.open_cases(ids)
        refs = [_key(a) for lane in lanes for a in lane.acts if a.kind in {"send_push", "bridge"}]
        held = await self.house.store.held_pushes(ids, refs) if refs else {}
        return [replace(lane, case=cases.get(lane.conversation.case or 0), held=held) for lane in lanes]

    async def _with_unreached(self, lanes: Sequence[Lane]) -> Sequence[Lane]:
        gone = {x.claim.lane: told for x in lanes if (told := [r for r in x.receipts if r.gone])}
        if not gone:
            return lanes
        found = await unreached(self.house.store, list(self.house.channels.values()), gone)
        return [replace(lane, elsewhere=found.get(lane.claim.lane, ())) for lane in lanes]

    def _understood(self, lane: Lane, now: datetime) -> Lane:
        if not lane.inbound and not lane.receipts:
            return lane
        conversation = lane.conversation
        for message in lane.inbound:
            conversation = heard(conversation, message, self.house.shop.country)
        if any(r.gone for r in lane.receipts) and not lane.inbound:
            conversation = replace(conversation, reachable=False)
        changed = bool(lane.conversation.proofs) and not conversation.proofs
        lane = replace(lane, conversation=conversation, somebody_else=changed)
        speaking = tuple(m for m in lane.inbound if m.kind not in UNSPOKEN)
        return replace(lane, said=self.house.understand(speaking, conversation)) if speaking else lane

    async def _turn(self, lane: Lane, gathered: Gathered, standing: Standing, now: datetime) -> None:
        updates: Sequence[TrackUpdate] = ()
        if self.house.look_up is not None and lane.inbound:
            # Only what this chat has proved: how long an answer takes must not tell that an order exists.
            proved = {i: d for i, d in gathered.found.items() if proves(lane.conversation, d, now)}
            updates = await self.house.look_up(lane.said, replace(gathered, found=proved), now)
            gathered = refreshed(gathered, updates, now)
        written = self._decide(lane, gathered, standing, now)
        fresh = tuple((parcel_lane(u.track.number), u, None) for u in updates)
        await self.house.store.commit(replace(written, events=(*written.events, *fresh)))

    def _decide(self, lane: Lane, gathered: Gathered, standing: Standing, now: datetime) -> Written:
        written = Written(
            lane.claim,
            lane.conversation,
            receipts=lane.receipts,
            ticket=lane.case,
            unfollow=lane.somebody_else,
            consents=switched(lane.inbound),
        )
        key = f"{lane.claim.events[-1].id}"
        for act in lane.acts:
            written = self.takeover.handed(written, act, lane.held, now)
        speaking = [m for m in lane.inbound if m.kind not in UNSPOKEN]
        if speaking:
            written = self.takeover.heard(written, now)
        if any(m.choice != READ_ANSWER for m in speaking):
            record = written.conversation or lane.conversation
            facts = self._facts(gathered, now)
            facts = replace(facts, desk=self.takeover.promised(facts.desk, written.ticket, now))
            turn = Turn(key, record, speaking, lane.said, facts, now)
            written = self._decided(written, decide(turn), now)
        written = self._told(written, lane.notices, standing, now)
        if lane.elsewhere:
            written = told_elsewhere(written, lane.elsewhere)
        sent = [*(m.media for m in lane.inbound), *(a.media for a in lane.acts)]
        if files := tuple(f for media in sent for f in media if f.digest):
            written = replace(written, media=files)
        written = self.takeover.settled(written, lane.case, key, now)
        return self.takeover.posted(written, lane.inbound, lane.acts, lane.case)

    def _told(self, written: Written, notices: Sequence[Notice], standing: Standing, now: datetime) -> Written:
        of_orders = [n for n in notices if n.order is not None]
        if of_orders:
            written = self.unasked.left(written, of_orders, standing, now)
        for notice in notices:
            if notice.order is None:
                written = self.unasked.warned(written, notice)
        return written

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
            shop_misses=gathered.shop_misses,
            lookups=gathered.lookups,
            feeds_down=self.house.outages(gathered),
            consents=gathered.consents,
            tables=self.house.tables(),
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
            consents=(*written.consents, *decision.consents),
            guessed=decision.guessed,
            misses=decision.misses,
            looked_up=decision.looked_up,
            used_link=decision.used_link,
            follow=followed(after, decision.consents),
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

    # ---- parcels and orders ------------------------------------------------------------------------------

    async def _other(self, claim: Claim) -> None:
        if claim.lane.startswith(STRAY) and claim.events:
            if await self.house.store.forward(claim):
                return
            if claim.events[0].attempts < STRAY_TRIES:
                raise Refused("no case has this thread yet")
        claim, events = await self._readable(claim)
        written = Written(claim)
        known: Sequence[tuple[Parcel, Home]] = ()
        for waiting, event in zip(claim.events, events, strict=True):
            if isinstance(event, TrackUpdate):
                known = known or await self.house.store.parcels_numbered(event.track.number)
                pushed = isinstance(self.house.ports.get(waiting.port), TrackingSource)
                written = self.journeys.tracked(event, known, written, pushed=pushed)
            elif isinstance(event, OrderUpdate):
                written = self.journeys.ordered(event, written)
        await self.house.store.commit(written)

    # ---- failing -----------------------------------------------------------------------------------------

    async def _guarded(self, claim: Claim, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
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


def _key(act: StaffAct) -> str:
    """The line of the history that an act is about."""
    return act.ref if act.kind == "send_push" else f"{act.ref}:reply"
