"""Where a buyer is told: at one address of all that they have; where nothing arrives there, once at the next."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from bot.dialog.turn import Reason
from bot.model.events import conversation_lane
from bot.model.messages import NOWHERE, Address, Receipt
from bot.ports import Channel
from bot.proactive.reaching import choose
from bot.store import Store
from bot.store.turns import Written
from bot.store.unreached import Unreached
from bot.store.watching import Reach


def nowhere(order: int) -> Address:
    """Where the case of an order is worked whose buyer has no chat: a conversation in which only staff speak."""
    return Address(NOWHERE, "order", str(order))


async def address_of(reach: Reach, channels: Sequence[Channel]) -> Address | None:
    """Where this buyer is told, None where there is no such place."""
    by_phone = []
    for channel in channels:
        chat = channel.chat_of(reach.phone) if reach.phone else ""
        if chat:
            by_phone.append(Address(channel.kind, await channel.account(), chat))
    return choose(reach.chats, by_phone)


async def unreached(
    store: Store, channels: Sequence[Channel], receipts: Mapping[str, Sequence[Receipt]]
) -> dict[str, list[Unreached]]:
    """By the lane in which they did not arrive, the pushes that are told elsewhere; each names where."""
    found: dict[str, list[Unreached]] = {}
    for lane, pushes in (await store.unreached(receipts)).items():
        for push in pushes:
            to = await address_of(push.reach, channels)
            if to is not None and conversation_lane(to) != lane:
                found.setdefault(lane, []).append(replace(push, notice=replace(push.notice, to=to)))
    return found


def told_elsewhere(written: Written, pushes: Sequence[Unreached]) -> Written:
    """The turn that heard that these did not arrive gives them to another lane, where the gate judges them again."""
    return replace(
        written,
        unsaid=tuple(p.id for p in pushes),
        events=(*written.events, *((conversation_lane(p.notice.to), p.notice, None) for p in pushes)),
        reasons=(*written.reasons, *(_reason(p) for p in pushes)),
    )


def _reason(push: Unreached) -> Reason:
    notice = push.notice
    about = f"p/{notice.parcel}" if notice.parcel is not None else f"o/{notice.order}"
    inputs = {"push": notice.template, "key": notice.fact_key, "to": notice.to.channel}
    return Reason("push.next_address", inputs, about)
