"""A case that staff open themselves, about an order: found by its number or its buyer, in one of the buyer's chats."""

from uuid import uuid4

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.desk.acts import settled
from bot.desk.gate import frame
from bot.desk.house import DeskHouse
from bot.elsewhere import nowhere
from bot.model.events import StaffAct, conversation_lane
from bot.model.messages import NOWHERE, Address
from bot.model.staff import Visit
from bot.ports import Item
from bot.store.codec import pack
from bot.store.desksearch import Chat, FoundOrder, case_of, orders_like
from bot.store.queue import Arrival
from bot.store.staff import Audited

LONGEST = 300
"""A summary is a line of the inbox."""


async def show(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Look for an order, and choose the chat."""
    words = " ".join(request.query_params.get("q", "").split())[:80]
    return await _page(house, visit, words)


async def _page(
    house: DeskHouse, visit: Visit, words: str, told: str = "", text: str = "", status: int = 200
) -> Response:
    found = await _found(house, words)
    if words:
        numbers = ", ".join(order.number for order in found)
        await house.staff.audit(Audited(visit.name, "looked for an order", detail=f"found: {numbers or 'nothing'}"))
    facts = {"words": words, "found": found, "told": told, "text": text, "most": LONGEST, "here": "new"}
    return HTMLResponse(house.pages.draw("new.html", **facts, **frame(visit)), status)


async def _found(house: DeskHouse, words: str) -> list[FoundOrder]:
    """Orders with the chats in which a case can be opened; a buyer who has none gets a conversation of staff alone."""
    return [
        order if order.chats else replace(order, chats=(Chat(conversation_lane(nowhere(order.id)), NOWHERE, None),))
        for order in await orders_like(house.store.database, words)
    ]


async def open_case(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Open it; only in a chat that is the order's buyer's, whatever the form says."""
    form = await request.form()
    words, order, lane, text = (str(form.get(k, "")).strip() for k in ("q", "order", "lane", "text"))
    text = " ".join(text.split())[:LONGEST]
    found = await _found(house, words[:80])
    chosen = next((o for o in found if str(o.id) == order and any(chat.lane == lane for chat in o.chats)), None)
    if chosen is None or not text:
        problem = "Say in a line what it is about." if chosen is not None else "Choose an order and one of its chats."
        return await _page(house, visit, words[:80], problem, text, 400)
    to = Address.parse(lane.removeprefix("c/"))
    done = StaffAct(uuid4().hex, house.now(), visit.name, to, "open", text, ref=order)
    await house.store.receive([Arrival("wismo", Item(key=done.id, lane=lane, body=pack(done)))])
    await house.staff.audit(Audited(visit.name, "opened a case", order=chosen.id))
    case = await case_of(house.store.database, lane) if await settled(house, done) else None
    if case is None:
        told = "Stored. The bot has not handled it yet; the case comes into the inbox by itself."
        return await _page(house, visit, "", told, status=202)
    return RedirectResponse(f"/desk/cases/{case}", 303)
