"""Answers kept ready: templates over the facts of the case's order, in the sandbox that buyers' templates run in.

Whoever picks one reads it in the field and sends it themselves: nothing leaves by being picked.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.desk.gate import frame, row_number
from bot.desk.house import DeskHouse
from bot.dialog.turn import Dossier
from bot.errors import Refused
from bot.model.conversations import Conversation
from bot.model.staff import Visit
from bot.store.canned import Answer, CannedBook
from bot.store.staff import Audited
from bot.tracking.standing import counted

LONGEST = 4000
SAMPLE: Mapping[str, Any] = {
    "name": "Anna Schmidt",
    "order": "1042",
    "items": [{"title": "Lantern", "quantity": 2}],
    "status": "in transit",
    "carrier": "dhl",
    "tracking": "JD0140006",
    "first": date(2026, 12, 1),
    "last": date(2026, 12, 4),
    "scan": "Departed from facility",
    "scan_at": datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    "staff": "Mei",
    "shop": "the shop",
}
"""Every fact that an answer may use, as the editor's preview fills it."""


class Canned(Struct, frozen=True):
    """An answer as it is offered in a case: filled in, or with why it cannot be."""

    id: int
    title: str
    text: str
    problem: str = ""


def facts(house: DeskHouse, dossier: Dossier | None, record: Conversation, staff: str) -> dict[str, Any]:
    """What an answer may use, of this order. What is not known is None, so that a template can ask."""
    known: dict[str, Any] = dict.fromkeys(SAMPLE)
    known |= {"name": record.name, "staff": staff, "shop": house.shop.name, "items": []}
    if dossier is None:
        return known
    order = dossier.order
    known |= {
        "name": order.name or record.name,
        "order": order.number,
        "items": [{"title": i.title, "quantity": i.quantity} for i in order.items],
    }
    parcel = next(iter(sorted(dossier.parcels, key=lambda p: p.status.value == "delivered")), None)
    if parcel is None:
        return known
    last = next(reversed(counted(parcel, house.now())), None)
    return known | {
        "status": parcel.status.value.replace("_", " "),
        "carrier": parcel.carrier,
        "tracking": parcel.number,
        "first": parcel.eta.first if parcel.eta else None,
        "last": parcel.eta.last if parcel.eta else None,
        "scan": last.raw_text if last else None,
        "scan_at": last.at if last else None,
    }


async def offered(house: DeskHouse, dossier: Dossier | None, record: Conversation, staff: str = "") -> list[Canned]:
    """The answers that fit the buyer's language, filled in; those of no language always fit."""
    locale = record.locale or house.locale
    known = facts(house, dossier, record, staff)
    fitting = [a for a in await _book(house).answers() if not a.locale or a.locale == locale.split("-")[0]]
    return [_filled(house, answer, known, locale) for answer in fitting]


def _filled(house: DeskHouse, answer: Answer, known: Mapping[str, Any], locale: str) -> Canned:
    try:
        text = house.renderer.fill(answer.body, known, answer.locale or locale, house.zone.key)
    except Refused as error:
        return Canned(answer.id, answer.title, "", str(error))
    return Canned(answer.id, answer.title, text)


def _book(house: DeskHouse) -> CannedBook:
    return CannedBook(house.store.database, house.clock)


async def show(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """The list of answers, and one to edit."""
    wanted = request.query_params.get("id", "")
    answers = await _book(house).answers()
    chosen = next((a for a in answers if str(a.id) == wanted), Answer(0, "", "", ""))
    return _page(house, visit, answers, chosen)


def _page(
    house: DeskHouse, visit: Visit, answers: Sequence[Answer], chosen: Answer, problem: str = "", status: int = 200
) -> Response:
    preview = _filled(house, chosen, SAMPLE, chosen.locale or house.locale) if chosen.body else None
    facts = {
        "answers": answers,
        "chosen": chosen,
        "preview": preview,
        "problem": problem,
        "names": sorted(SAMPLE),
        "locales": house.renderer.locales,
        "here": "canned",
        **frame(visit),
    }
    return HTMLResponse(house.pages.draw("canned.html", **facts), status)


async def save(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Keep an answer; one that cannot be filled in is not kept."""
    form = await request.form()
    number, title, locale, body = (str(form.get(k, "")).strip() for k in ("id", "title", "locale", "body"))
    chosen = Answer(row_number(number) or 0, title[:80], locale, body[:LONGEST])
    problem = "" if title and body else "It needs a title and a text."
    if locale and locale not in house.renderer.locales:
        problem = "This language is not one of the bot's."
    try:
        house.renderer.fill(chosen.body, SAMPLE, locale or house.locale, house.zone.key)
    except Refused as error:
        problem = str(error)
    if problem:
        return _page(house, visit, await _book(house).answers(), chosen, problem, 400)
    await _book(house).save(chosen, visit.name)
    await house.staff.audit(Audited(visit.name, "changed an answer", detail=chosen.title))
    return RedirectResponse("/desk/canned", 303)


async def delete(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Throw an answer away."""
    await _book(house).delete(int(request.path_params["id"]))
    await house.staff.audit(Audited(visit.name, "deleted an answer", detail=str(request.path_params["id"])))
    return RedirectResponse("/desk/canned", 303)
