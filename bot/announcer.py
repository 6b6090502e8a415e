"""Looks at watched orders when they are due, and sends what is news into the lanes of the people it concerns.

    due orders -> outlook -> announce -> notices in conversations' lanes, decisions, when to look next   (one commit)

An order is leased while it is looked at. What the buyer hears, and when, is judged in their own lane.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
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
from bot.proactive.pushes import UPDATES, Push
from bot.proactive.watching import ParcelTold, Sight, Told, Watched
from bot.store import Store
from bot.store.codec import pack
from bot.store.queue import Arrival
from bot.store.watching import Due, Looked, Reach
from bot.tracking.vocabulary import terminal

DAY = timedelta(days=1)
ORDERS = 1000
"""Looked at together."""
PAUSE = 100
"""After so many looks the loop does what else waits for it."""
TOGETHER_SECONDS = 1.0
"""News of one buyer that come within this time are told together."""

log = structlog.get_logger()

Expect = Callable[[Watched, Sight, ParcelTold | None, datetime], Outlook]


class Announcer:
    """Looks at orders; several processes may, each at orders of its own. `expect` says what is expected of an open
    parcel."""

    def __init__(
        self,
        store: Store,
        channels: Sequence[Channel],
        clock: Clock,
        expect: Expect,
        rules: Rules,
        together: float = TOGETHER_SECONDS,
    ) -> None:
        self.store = store
        self.clock = clock
        self.expect = expect
        self.rules = rules
        self.together = together
        self._channels = channels

    async def look(self) -> int:
        """Look at orders that are due, once; how many there were."""
        due = await self.store.due_watches(ORDERS)
        if not due:
            return 0
        now = self.clock.now()
        down = await self.store.feeds_down()
        found = [await self._looked(place, d, down, now) for place, d in enumerate(due)]
        telling = [d.order.order for d, a in zip(due, found, strict=True) if a.pushes or a.cases]
        addresses = await self.addresses(telling)
        looks = []
        for one, announced in zip(due, found, strict=True):
            if announced.told is one.told and not (announced.pushes or announced.cases or announced.reasons):
                looks.append(Looked(one.order.order, one.token, announced.again))
                continue
            to = addresses.get(one.order.order)
            told = announced.told if announced.told is not one.told else None
            news = _news(one, announced, to, now, self.together)
            looks.append(Looked(one.order.order, one.token, announced.again, told, news, _reasons(one, announced, to)))
        await self.store.looked_at(looks)
        return len(due)

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
        reach = await self.store.reach(orders, UPDATES) if orders else {}
        return {order: await address_of(reach.get(order, Reach()), self._channels) for order in orders}


def _failed(due: Due, error: str) -> Reason:
    log.error("announcer.look_failed", order=due.order.order, error=error)
    return Reason("push.look_failed", {"error": error}, f"o/{due.order.order}")


def _news(due: Due, announced: Announced, to: Address | None, now: datetime, together: float) -> tuple[Arrival, ...]:
    made = [_notice(due, p, to, now) for p in announced.pushes] if to is not None else []
    desk = to or nowhere(due.order.order)
    made += [_task(due, case, desk, now, place) for place, case in enumerate(announced.cases)]
    return tuple(
        Arrival("wismo", Item(n.id, conversation_lane(n.to), pack(n), chats=(n.to.chat,), quiet=together)) for n in made
    )


def _notice(due: Due, push: Push, to: Address, now: datetime) -> Notice:
    key = f"{due.order.order}:{push.key}"
    return Notice(
        id=f"push:{key}:{push.at:%Y%m%d%H%M}",
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
