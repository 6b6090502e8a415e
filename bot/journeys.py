"""The turns of parcels and orders: what a source or the shop told is written down; what people hear of it is not
decided here."""

from collections.abc import Callable, Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot.dialog.identity import e164
from bot.model.clock import Clock
from bot.model.orders import OrderUpdate
from bot.model.parcels import Parcel
from bot.model.tracks import Track, TrackUpdate
from bot.proactive.sighting import Home, sight
from bot.store.turns import Written
from bot.tracking.timeline import apply, next_check

log = structlog.get_logger()


class Journeys(Struct, frozen=True):
    """`shop` is the brand that orders come to; `count` is told of codes that no table has, by source."""

    shop: str
    clock: Clock
    count: Callable[[str, str], None]

    def ordered(self, update: OrderUpdate, written: Written) -> Written:
        """The shop told of an order."""
        # The newest wins; the store ignores what is older than what it has.
        if written.order is not None and update.order.updated_at < written.order[0].updated_at:
            return written
        order = replace(update.order, shop=self.shop)
        return replace(written, order=(order, e164(order.phone, order.country)), link=update.link or written.link)

    def tracked(
        self, update: TrackUpdate, known: Sequence[tuple[Parcel, Home]], written: Written, *, pushed: bool = False
    ) -> Written:
        """A source told of a number, by itself where it `pushed`; `known` are its parcels, each with where it goes."""
        now = self.clock.now()
        parcels = [p for p, _ in written.parcels] or [p for p, _ in known]
        self._count_unknown(update.track, parcels[0].track if parcels else None)
        fresh = [replace(apply(p, update.track, now)[0], checked_at=now) for p in parcels]
        return replace(
            written,
            parcels=tuple((p, next_check(p, now, pushed=pushed)) for p in fresh),
            sights=tuple((p.order_id, sight(p, home, now)) for p, (_, home) in zip(fresh, known, strict=True)),
        )

    def _count_unknown(self, heard: Track, before: Track | None) -> None:
        unknown = {s.raw_code for s in heard.scans if not s.known}
        told = {s.raw_code for s in before.scans if not s.known} if before and unknown else set()
        for code in sorted(unknown - told):
            self.count("unknown_code", heard.source)
            log.info("tracking.unknown_code", source=heard.source, code=code[:40])
