"""Takes the next buyers of running campaigns, step by step; any number of processes may, none twice."""

from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from bot.announcer import Announcer
from bot.dialog.turn import Dossier, Reason
from bot.model.clock import Clock
from bot.model.events import Notice, conversation_lane
from bot.model.messages import Address
from bot.ports import Item
from bot.proactive.campaign import STEP, Plan, leaves_at, matches, most, should_stop
from bot.proactive.pushes import UPDATES, kind_of
from bot.proactive.sighting import zone_of
from bot.store import Store
from bot.store.campaigns import DONE, STOPPED, Campaign
from bot.store.codec import pack
from bot.store.queue import Arrival

LOOKED_AT = 500
"""Orders looked at in one step."""


class Dry(Struct):
    """What a campaign would do: orders that are meant, their buyers, and where those would hear it."""

    orders: int = 0
    buyers: int = 0
    channels: Counter[str] = field(default_factory=Counter)
    unreachable: int = 0
    first: datetime | None = None
    last: datetime | None = None


class Campaigner:
    """Runs campaigns."""

    def __init__(self, store: Store, announcer: Announcer, clock: Clock) -> None:
        self.store = store
        self.announcer = announcer
        self.clock = clock

    async def step(self) -> int:
        """Take a step of every campaign that is due; how many notices were made."""
        return sum([await self._step(campaign) for campaign in await self.store.due_campaigns()])

    async def _step(self, campaign: Campaign) -> int:
        now = self.clock.now()
        outcome = await self.store.campaign_outcome(campaign)
        why = should_stop(campaign.plan, outcome)
        if why:
            await self.store.set_campaign(campaign, STOPPED, why)
            return 0
        looked = await self.store.orders_after(campaign.cursor, LOOKED_AT)
        if not looked and await self.store.campaign_waits(campaign):
            # Everybody is found, yet not everybody has heard: the stop rule holds until they have.
            await self.store.campaign_step(campaign, campaign.cursor, (), (), now + STEP)
            return 0
        if not looked:
            await self.store.set_campaign(campaign, DONE)
            return 0
        meant = [d for d in looked if matches(d, campaign.plan.where)][: most(campaign.plan)]
        cursor = meant[-1].id if len(meant) == most(campaign.plan) else looked[-1].id
        addresses = await self.announcer.addresses([d.id for d in meant])
        told = [(d, to) for d in meant if (to := addresses[d.id]) is not None]
        notices = {
            n.id: (n, d.buyer) for place, (d, to) in enumerate(told) for n in [_notice(campaign, d, to, now, place)]
        }
        done = await self.store.campaign_in_hand(campaign, {name: buyer for name, (_, buyer) in notices.items()})
        made = [_arrival(n) for name, (n, _) in notices.items() if name not in done]
        nobody = [
            Reason("push.nobody_to_tell", {"key": campaign.key, "verdict": "drop"}, f"o/{d.id}")
            for d in meant
            if addresses[d.id] is None
        ]
        pause = STEP if meant else timedelta(0)
        ours = await self.store.campaign_step(campaign, cursor, made, nobody, now + pause)
        return len(made) if ours else 0

    async def dry(self, plan: Plan) -> Dry:
        """Whom a plan would reach, and when; nothing is written."""
        now, found, cursor = self.clock.now(), Dry(), 0
        buyers: set[int | None] = set()
        while looked := await self.store.orders_after(cursor, LOOKED_AT):
            cursor = looked[-1].id
            meant = [d for d in looked if matches(d, plan.where)]
            found.orders += len(meant)
            fresh = [d for d in meant if d.buyer not in buyers]
            addresses = await self.announcer.addresses([d.id for d in fresh])
            for dossier in fresh:
                if dossier.buyer not in buyers:
                    buyers.add(dossier.buyer)
                    place = sum(found.channels.values())
                    _count(found, addresses[dossier.id], leaves_at(plan, _zone(dossier), now, place))
        found.buyers = len(buyers)
        return found


def _count(found: Dry, to: Address | None, at: datetime) -> None:
    if to is None:
        found.unreachable += 1
        return
    found.channels[to.channel] += 1
    found.first = min(found.first or at, at)
    found.last = max(found.last or at, at)


def _zone(dossier: Dossier) -> ZoneInfo:
    return zone_of(dossier.order.country, dossier.order.postcode)


def _notice(campaign: Campaign, dossier: Dossier, to: Address, now: datetime, place: int) -> Notice:
    zone = _zone(dossier)
    at = leaves_at(campaign.plan, zone, now, campaign.reached + place)
    return Notice(
        # Named by its day: who missed it is told on another, who waits for it is not told twice.
        id=f"{campaign.key}:{dossier.id}:{at.astimezone(zone):%Y%m%d}",
        to=to,
        template=campaign.plan.template,
        fact_key=campaign.key,
        purpose=UPDATES,
        due_at=at,
        expires_at=at + kind_of(campaign.plan.template).lasts,
        order=dossier.id,
    )


def _arrival(notice: Notice) -> Arrival:
    to = notice.to
    return Arrival("wismo", Item(notice.id, conversation_lane(to), pack(notice), chats=(to.chat,)), notice.due_at)
