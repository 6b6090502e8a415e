"""The door to what is told unasked: watched orders, the gate's ledger, campaigns, and why something was said."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.turn import Dossier, Reason
from bot.model.clock import Clock
from bot.model.events import Notice
from bot.model.messages import Receipt
from bot.proactive.campaign import Outcome, Plan
from bot.store import campaigns, pushes, queue, turns, unreached, watching, why
from bot.store.database import Database
from bot.store.why import Why


class UnaskedDoor:
    """The part of `Store` that the announcer, the gate and campaigns go through."""

    database: Database
    clock: Clock

    # ---- watching ----------------------------------------------------------------------------------------

    async def due_watches(self, limit: int, settled: Set[bytes], again: datetime) -> watching.Found:
        """Orders that the announcer has to look at: those on a `settled` footing are put off, the others leased."""
        return await self.database.write(lambda c: watching.due(c, self.clock.now(), limit, settled, again))

    async def watched(self, leased: Sequence[watching.Leased]) -> list[watching.Due]:
        """All that is kept of these orders."""
        return await self.database.view(lambda c: watching.whole(c, leased))

    async def looked_at(self, looks: Sequence[watching.Looked]) -> None:
        """Write down what came of looks with what they have to tell people, in one commit."""

        async def work(connection: AsyncConnection) -> None:
            held = await watching.looked(connection, looks)
            await turns.save_reasons(connection, [r for look in held for r in look.reasons], self.clock.now())
            news = [arrival for look in held for arrival in look.news]
            if news:
                await queue.receive(connection, self.database, news, self.clock.now())

        await self.database.write(work)

    async def reach(self, ids: Sequence[int], purpose: str) -> Mapping[int, watching.Reach]:
        """Where the buyers of these orders can be told things."""
        return await self.database.view(lambda c: watching.reach(c, ids, purpose))

    async def feeds_down(self) -> frozenset[str]:
        """Sources that give no answer now."""
        return await self.database.view(watching.feeds_down)

    async def standing(self, notices: Mapping[str, Sequence[Notice]]) -> dict[str, pushes.Standing]:
        """What each lane's notices rest on."""
        return await self.database.view(lambda c: pushes.standing(c, notices))

    async def unreached(self, receipts: Mapping[str, Sequence[Receipt]]) -> dict[str, list[unreached.Unreached]]:
        """Of receipts by lane, the pushes that did not arrive and may be told elsewhere."""
        return await self.database.view(lambda c: unreached.unreached(c, receipts))

    async def reasons_about(self, text: str) -> list[Why]:
        """Why things were said or not of an order or parcel (by its number) or in a message (by its id)."""
        return await self.database.view(lambda c: why.about(c, text))

    async def next_due(self) -> datetime | None:
        """When something that waits is due next, by business time; None where nothing waits."""
        return await self.database.view(watching.next_due)

    async def sent_since(self, last: int) -> list[why.SentRow]:
        """Messages that left with ids above `last`."""
        return await self.database.view(lambda c: why.sent_since(c, last))

    async def reasons_since(self, last: int) -> list[tuple[int, Why]]:
        """Decisions with ids above `last`."""
        return await self.database.view(lambda c: why.since(c, last))

    # ---- campaigns ---------------------------------------------------------------------------------------

    async def plan_campaign(self, name: str, plan: Plan) -> campaigns.Campaign | None:
        """Write a campaign down or change its plan; None where it has begun already."""
        return await self.database.write(lambda c: campaigns.plan(c, name, plan, self.clock.now()))

    async def campaign(self, name: str) -> campaigns.Campaign | None:
        """The campaign of this name."""
        return await self.database.view(lambda c: campaigns.named(c, name))

    async def all_campaigns(self) -> list[campaigns.Campaign]:
        """Every campaign."""
        return await self.database.view(campaigns.all_of)

    async def set_campaign(self, campaign: campaigns.Campaign, state: str, note: str = "") -> None:
        """Start it (its first step is due now), stop it or end it."""
        now = self.clock.now()
        due = now if state == campaigns.RUNNING else None
        await self.database.write(lambda c: campaigns.set_state(c, campaign.id, state, now, note, due))

    async def due_campaigns(self) -> list[campaigns.Campaign]:
        """Running campaigns whose next step is due."""
        return await self.database.view(lambda c: campaigns.due(c, self.clock.now()))

    async def orders_after(self, cursor: int, limit: int) -> list[Dossier]:
        """The next orders by id."""
        return await self.database.view(lambda c: campaigns.after(c, cursor, limit))

    async def campaign_step(
        self,
        campaign: campaigns.Campaign,
        cursor: int,
        news: Sequence[queue.Arrival],
        reasons: Sequence[Reason],
        due_at: datetime,
    ) -> bool:
        """Store a step's notices and move the cursor, in one commit; False where another process took the step."""

        async def work(connection: AsyncConnection) -> bool:
            if not await campaigns.stepped(connection, campaign, cursor, len(news), due_at):
                return False
            if news:
                await queue.receive(connection, self.database, news, self.clock.now())
            await turns.save_reasons(connection, reasons, self.clock.now())
            return True

        return await self.database.write(work)

    async def campaign_in_hand(self, campaign: campaigns.Campaign, notices: Mapping[str, int | None]) -> set[str]:
        """Of these notices (by id, each with its buyer) those that need not be made."""
        return await self.database.view(lambda c: campaigns.in_hand(c, campaign, notices))

    async def campaign_waits(self, campaign: campaigns.Campaign) -> bool:
        """Whether somebody is still to hear of it at their hour."""
        return await self.database.view(lambda c: campaigns.waits(c, campaign))

    async def campaign_outcome(self, campaign: campaigns.Campaign) -> Outcome:
        """How a campaign goes."""
        return await self.database.view(lambda c: campaigns.outcome(c, campaign))

    async def campaign_left_out(self, campaign: campaigns.Campaign) -> dict[str, int]:
        """How many buyers did not hear of it, by rule."""
        return await self.database.view(lambda c: campaigns.left_out(c, campaign))
