"""Looks at watched orders when they are due, and sends what is news into the lanes of the people it concerns.

    due orders -> skim -> outlook -> announce -> notices in conversations' lanes, decisions, when to look next
                                                                                                     (one commit)

What stands on a footing that holds no news is put off unread. An order is leased while it is looked at. What the
buyer hears, and when, is judged in their own lane.
"""

import asyncio
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta

import structlog

from bot.dialog.turn import Reason
from bot.elsewhere import address_of, nowhere
from bot.model.cases import CaseDraft
from bot.model.clock import Clock
from bot.model.events import Notice, conversation_lane
from bot.model.messages import Address
from bot.ports import Channel, Item
from bot.proactive.announce import Announced, Outlook, Rules, announce
from bot.proactive.expecting import Expectations
from bot.proactive.pushes import UPDATES, Push
from bot.proactive.skim import Skim
from bot.proactive.watching import Told
from bot.store import Store
from bot.store.codec import encode, pack
from bot.store.queue import Arrival
from bot.store.watching import Due, Leased, Looked, Reach, read_footings
from bot.tracking.vocabulary import terminal

DAY = timedelta(days=1)
SKIMMED = 4096
"""Taken at once; of most nothing but the footing is read."""
ORDERS = 1024
"""Looked at together."""
PAUSE = 100
"""After so many looks the loop does what else waits for it."""
TOGETHER_SECONDS = 1.0
"""News of one buyer that come within this time are told together."""

log = structlog.get_logger()


class Announcer:
    """Looks at orders; several processes may, each at orders of its own. `expectations` say what is expected of open
    parcels."""

    def __init__(
        self,
        store: Store,
        channels: Sequence[Channel],
        clock: Clock,
        expectations: Expectations,
        rules: Rules,
        together: float = TOGETHER_SECONDS,
    ) -> None:
        self.store = store
        self.clock = clock
        self.expect = expectations.at_a_glance
        self.rules = rules
        self.together = together
        self._channels = channels
        self._skim = Skim(expectations, rules, read_footings)

    async def look(self) -> int:
        """Look at orders that are due, once; how many there were."""
        now = self.clock.now()
        down = await self.store.feeds_down()
        found = await self.store.due_watches(SKIMMED, self._skim.settled(down, now), now + DAY)
        news = await self._skimmed(found.leased, down, now)
        for start in range(0, len(news), ORDERS):
            await self._look_at(await self.store.watched(news[start : start + ORDERS]), down, now)
        return found.put_off + len(found.leased)

    async def _skimmed(self, leased: Sequence[Leased], down: frozenset[str], now: datetime) -> Sequence[Leased]:
        """Those that have to be read; what the others stand on was not known yet, and they are given back."""
        news: list[Leased] = []
        settled: list[Leased] = []
        for place, one in enumerate(leased):
            if place % PAUSE == 0:
                await asyncio.sleep(0)
            (news if self._holds_news(one, down, now) else settled).append(one)
        if settled:
            await self.store.looked_at([Looked(x.order, x.token, now + DAY) for x in settled])
        return news

    def _holds_news(self, one: Leased, down: frozenset[str], now: datetime) -> bool:
        try:
            return self._skim.holds_news(one.footing, down, now)
        except Exception as error:
            log.error("announcer.skim_failed", order=one.order, error=type(error).__name__)
            return True

    async def _look_at(self, due: Sequence[Due], down: frozenset[str], now: datetime) -> None:
        found = [await self._looked(place, d, down, now) for place, d in enumerate(due)]
        telling = [d.order.order for d, a in zip(due, found, strict=True) if a.pushes or a.cases]
        addresses, known = await self._reached(telling)
        looks = []
        for one, announced in zip(due, found, strict=True):
            to = addresses.get(one.order.order)
            looks.append(
                Looked(
                    one.order.order,
                    one.token,
                    announced.again,
                    announced.told if announced.told is not one.told else None,
                    encode(announced.stands) if announced.stands else b"",
                    _news(one, announced, to, now, self.together, known=to in known),
                    _reasons(one, announced, to),
                )
            )
        await self.store.looked_at(looks)

    async def _looked(self, place: int, due: Due, down: frozenset[str], now: datetime) -> Announced:
        """One look. An order that cannot be looked at costs its own news, not everybody's."""
        if place % PAUSE == 0:
            await asyncio.sleep(0)
        if due.unreadable:
            # What was told of it stays as it is written down.
            return Announced(due.told, reasons=(_failed(due, due.unreadable),), again=now + DAY)
        try:
            return self._announced(due, down, now)
        except Exception as error:
            reason = _failed(due, type(error).__name__)
            return Announced(due.told or Told(known=now), reasons=(reason,), again=now + DAY)

    def _announced(self, due: Due, down: frozenset[str], now: datetime) -> Announced:
        before = due.told.parcels if due.told is not None else {}
        outlooks: Mapping[int, Outlook] = {
            p.parcel: self.expect(due.order, p, before.get(p.parcel), now)
            for p in due.parcels
            # Of a parcel whose source gives no answer nobody can say that it is late or stands still.
            if not terminal(p.status, p.cause) and not {p.source, p.carrier} & down
        }
        return announce(due.order, due.parcels, due.told, outlooks, now, self.rules)

    async def addresses(self, orders: Sequence[int]) -> dict[int, Address | None]:
        """Where the buyers of these orders are told, None where there is no such place."""
        return (await self._reached(orders))[0]

    async def _reached(self, orders: Sequence[int]) -> tuple[dict[int, Address | None], Set[Address]]:
        """`addresses`, and those of chats that somebody has used."""
        reach = await self.store.reach(orders, UPDATES) if orders else {}
        found = {order: await address_of(reach.get(order, Reach()), self._channels) for order in orders}
        return found, {chat.address for one in reach.values() for chat in one.chats}


def _failed(due: Due, error: str) -> Reason:
    log.error("announcer.look_failed", order=due.order.order, error=error)
    return Reason("push.look_failed", {"error": error}, f"o/{due.order.order}")


def _news(
    due: Due, announced: Announced, to: Address | None, now: datetime, together: float, *, known: bool
) -> tuple[Arrival, ...]:
    made = [_notice(due, p, to, now) for p in announced.pushes] if to is not None else []
    desk = to or nowhere(due.order.order)
    made += [_task(due, case, desk, now, place) for place, case in enumerate(announced.cases)]
    # A number that never wrote may be known by another name; a chat that did has the lane of its own name.
    names = () if known or not made else (made[0].to.chat,)
    return tuple(
        [Arrival("wismo", Item(n.id, conversation_lane(n.to), pack(n), chats=names, quiet=together)) for n in made]
    )


def _notice(due: Due, push: Push, to: Address, now: datetime) -> Notice:
    key = f"{due.order.order}:{push.key}"
    return Notice(
        id=f"push:{key}:{_digits(push.at)}",
        to=to,
        template=push.template,
        fact_key=key,
        purpose=UPDATES,
        facts=push.facts,
        expires_at=max(push.expires, now),
        order=due.order.order,
        parcel=push.parcel,
        needs=f"{due.order.order}:{push.needs}" if push.needs else "",
    )


def _digits(at: datetime) -> str:
    """The minute in a name, as 202611241205."""
    iso = at.isoformat()
    return f"{iso[:4]}{iso[5:7]}{iso[8:10]}{iso[11:13]}{iso[14:16]}"


def _task(due: Due, case: CaseDraft, to: Address, now: datetime, place: int) -> Notice:
    order = due.order.order
    # Two parcels of an order may stand still on one day.
    name = f"case:{order}:{case.kind}:{now:%Y%m%d%H%M%S}:{place}"
    return Notice(name, to, "", name, UPDATES, order=order, case=case)


def _reasons(due: Due, announced: Announced, to: Address | None) -> tuple[Reason, ...]:
    rule = "push.made" if to is not None else "push.nobody_to_tell"
    pushes = [
        Reason(rule, {"push": p.template, "key": f"{due.order.order}:{p.key}"}, _about(due, p))
        for p in announced.pushes
    ]
    return (*announced.reasons, *pushes)


def _about(due: Due, push: Push) -> str:
    return f"o/{due.order.order}" if push.parcel is None else f"p/{push.parcel}"
