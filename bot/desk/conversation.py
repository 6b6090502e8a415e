"""A case's page: the transcript, the card beside it, and what can be done. Drawn whole, and in parts for the stream."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bot.desk import transcript
from bot.desk.canned import offered
from bot.desk.gate import frame, seal
from bot.desk.house import DeskHouse
from bot.desk.inbox import Look, due, speaker
from bot.desk.live import Live
from bot.desk.search import sought
from bot.desk.words import platform
from bot.dialog.telling import order_facts
from bot.dialog.turn import Dossier, Facts
from bot.handoff.card import Clock, dispute_clocks
from bot.model.conversations import BOT, QUEUE, Conversation
from bot.model.markup import plain
from bot.model.messages import Reply
from bot.model.parcels import Parcel
from bot.model.staff import Visit
from bot.pages import routemap, timeline
from bot.store.desk import MOST_LINES, CaseLine
from bot.store.staff import Audited
from bot.tracking.standing import fence, standing
from bot.tracking.vocabulary import action

WINDOW = timedelta(hours=24)
"""So long after the buyer's last message free text may be sent where a channel has a window (WhatsApp's rule)."""


class Window(Struct, frozen=True):
    """Whether free text can be sent now. `until` None: the channel has no such rule."""

    until: datetime | None
    open: bool


class ParcelCard(Struct, frozen=True):
    """A parcel as the card shows it."""

    parcel: Parcel
    standing: str
    who_acts: str
    days: Sequence[tuple[Any, list[timeline.Row]]]
    map: str


class Sheet(Struct, frozen=True):
    """All that a case's page is drawn from."""

    line: CaseLine
    record: Conversation
    lines: Sequence[transcript.Line]
    dossiers: Sequence[Dossier]
    siblings: Sequence[CaseLine]


async def gather(house: DeskHouse, case: int, most: int = MOST_LINES) -> Sheet | None:
    """Read what a case's page shows; None where there is no such case."""
    talk = await house.reading.talk(case, most)
    if talk is None:
        return None
    lines = transcript.read(talk.paper, house.decode, amends=_amends(house, talk.line))
    return Sheet(talk.line, talk.record, lines, talk.dossiers, talk.siblings)


def parts(
    house: DeskHouse, sheet: Sheet, visit: Visit, here: Sequence[str], known: dict[str, transcript.Line]
) -> dict[str, str]:
    """The page's parts by name; of the transcript those lines that `known` has not, which it has from then on."""
    facts = _facts(house, sheet, visit, here)
    drawn = {"state": house.pages.draw("_state.html", **facts), "card": house.pages.draw("_card.html", **facts)}
    for line in sheet.lines:
        if known.get(line.key) != line:
            known[line.key] = line
            drawn[f"line-{line.key}"] = house.pages.draw("_line.html", line=line, **facts)
    return drawn


def _facts(house: DeskHouse, sheet: Sheet, visit: Visit, here: Sequence[str]) -> dict[str, Any]:
    now, line = house.now(), sheet.line
    return {
        "line_of": line,
        "case": line.case,
        "record": sheet.record,
        "speaker": speaker(line),
        "mine": speaker(line) == visit.name,
        "bot": line.holder == BOT,
        "queue": line.holder == QUEUE,
        "due": due(line.case, now),
        "now": now,
        "window": window(house, line),
        "others": [name for name in here if name != visit.name],
        "order": sheet.dossiers[0].order if sheet.dossiers else None,
        "dossiers": sheet.dossiers,
        "parcels": [_parcel(p, now) for d in sheet.dossiers[:1] for p in d.parcels],
        "suggestion": suggested(house, sheet, now),
        "clocks": clocks(sheet.dossiers[:1])[:3],
        "evidence": evidence(sheet.dossiers[:1]),
        "proofs": [p for p in sheet.record.proofs if p.until > now],
        "siblings": sheet.siblings,
        "channel": platform(line.channel),
        "amends": _amends(house, line),
        "file_path": lambda shown: f"/desk/files/{shown.id}/{seal(visit, 'file', str(shown.id))}",
        **frame(visit),
    }


def suggested(house: DeskHouse, sheet: Sheet, now: datetime) -> str:
    """What the bot itself could tell of the order now, in the buyer's language: to send, or to build on."""
    dossier = sheet.dossiers[0] if sheet.dossiers else None
    if dossier is None or not dossier.parcels or sheet.line.case.closed_at is not None:
        return ""
    told = order_facts(dossier, Facts(house.shop, house.opening(now)), now)
    locale = sheet.record.locale or house.locale
    return plain(house.renderer.text(Reply(sheet.record.address, "where", told, "", locale, zone=house.zone.key)))


def clocks(dossiers: Sequence[Dossier]) -> list[Clock]:
    """The dispute clocks of an order, that which ends first in front."""
    return [
        clock
        for d in dossiers
        for clock in dispute_clocks(d.order, max((p.eta.last for p in d.parcels if p.eta), default=None))
    ]


def evidence(dossiers: Sequence[Dossier]) -> list[str]:
    """What is at hand to prove: the shop's own files of the order, and carriers' proofs of delivery."""
    kept = [m.name or m.kind.value for d in dossiers for m in d.order.evidence]
    signed = [p.number for d in dossiers for p in d.parcels if p.track is not None and p.track.proof_of_delivery]
    return kept + [f"proof of delivery {number}" for number in signed]


def window(house: DeskHouse, line: CaseLine) -> Window:
    """The channel's window, as it stands now."""
    limits = house.limits.get(line.channel)
    if limits is None or not limits.window:
        return Window(None, True)
    until = line.heard_at + WINDOW if line.heard_at is not None else None
    return Window(until, until is not None and until > house.now())


def _amends(house: DeskHouse, line: CaseLine) -> bool:
    """Whether the channel changes and deletes what it has delivered."""
    limits = house.limits.get(line.channel)
    return limits is not None and limits.amends


def _parcel(parcel: Parcel, now: datetime) -> ParcelCard:
    track = parcel.track
    scans = standing(track, now, fence(parcel)) if track else ()
    ends = (track.origin, track.destination) if track else ("", "")
    words = parcel.status.value.replace("_", " ")
    days = [(day, list(some)) for day, some in groupby(timeline.rows(parcel, now), key=lambda row: row.day)]
    who = action(parcel.status, parcel.cause).value
    return ParcelCard(
        parcel=parcel,
        standing=f"{words}: {parcel.cause.replace('_', ' ')}" if parcel.cause else words,
        who_acts="" if who == "none" else who,
        days=days,
        map=routemap.draw(scans, *ends) if scans else "",
    )


async def show(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """A case's page."""
    live: Live = request.app.state.live
    case = int(request.path_params["id"])
    sheet = await gather(house, case)
    if sheet is None:
        return HTMLResponse(house.pages.draw("missing.html", case=case, **frame(visit)), 404)
    live.first_look(visit, case)
    live.first_look(visit, 0)
    await house.staff.audit(Audited(visit.name, "looked at a case", case, sheet.line.case.order))
    look = await sought(house, Look.parse(request.query_params))
    rows = [] if look.view == "resolved" else live.board.view(look, visit.name, house.now())
    facts = _facts(house, sheet, visit, live.watching(case))
    facts |= {
        "lines": sheet.lines,
        "drawn_state": house.pages.draw("_state.html", **facts),
        "drawn_card": house.pages.draw("_card.html", **facts),
        "drawn_lines": [(line, house.pages.draw("_line.html", line=line, **facts)) for line in sheet.lines],
        "rows": [(row, live.drawn(row)) for row in rows],
        "look": look,
        "counts": live.board.tally(visit.name),
        "queues": live.board.names("queue"),
        "channels": live.board.names("channel"),
        "canned": await offered(house, sheet.dossiers[0] if sheet.dossiers else None, sheet.record, visit.name),
        "people": [p.name for p in await house.staff.everyone() if p.active],
        "every_queue": house.queues,
        "told": request.query_params.get("told", "")[:300],
        "here": "inbox",
        "most_mb": house.settings.most_bytes // (1024 * 1024),
    }
    return HTMLResponse(house.pages.draw("case.html", **facts))
