"""In which one chat a buyer is told: the one they chose, else the last they used, else a number they opted in with."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from bot.model.messages import Address

_NEVER = datetime.fromtimestamp(0, UTC)


class Chat(Struct, frozen=True):
    """A chat of the buyer. `chosen_at` is when they last asked to be told there, `used_at` when they last wrote."""

    address: Address
    reachable: bool = True
    chosen_at: datetime | None = None
    used_at: datetime | None = None


def choose(chats: Sequence[Chat], by_phone: Sequence[Address]) -> Address | None:
    """The one address, or None. `by_phone` are addresses that the buyer's verified or opted-in number has on
    platforms where a number is enough."""
    open_chats = [c for c in chats if c.reachable]
    chosen = [c for c in open_chats if c.chosen_at is not None]
    if chosen:
        return max(chosen, key=lambda c: (c.chosen_at or _NEVER, c.address)).address
    if open_chats:
        return max(open_chats, key=lambda c: (c.used_at or _NEVER, c.address)).address
    blocked = {c.address for c in chats}
    return next((a for a in by_phone if a not in blocked), None)
