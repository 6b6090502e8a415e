"""The inbox, and the stream by which open pages follow."""

import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from bot.desk.gate import frame, from_elsewhere, row_number
from bot.desk.house import DeskHouse
from bot.desk.inbox import ROWS, Look, due, headline
from bot.desk.live import Live, Stream
from bot.desk.search import sought
from bot.model.staff import Visit
from bot.store.desk import CaseLine
from bot.store.staff import Audited

SEEN = re.compile(r"\d{1,12}(\.\d{1,9})?")


def row(house: DeskHouse, line: CaseLine) -> str:
    """A line of the inbox."""
    now = house.now()
    return house.pages.draw("_row.html", line=line, case=line.case, due=due(line.case, now), now=now)


async def inbox(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """The list of cases."""
    live: Live = request.app.state.live
    look = await sought(house, Look.parse(request.query_params))
    if look.view == "resolved":
        found = await house.reading.resolved(look.words, ROWS, look.page * ROWS, look.said)
    else:
        found = live.board.view(look, visit.name, house.now())
    live.first_look(visit, 0)
    await house.staff.audit(Audited(visit.name, "looked at a list", detail=look.view))
    facts = {
        "rows": [(line, row(house, line)) for line in found],
        "look": look,
        "counts": (counts := live.board.tally(visit.name)),
        "headline": headline(counts),
        "queues": live.board.names("queue"),
        "channels": live.board.names("channel"),
        "here": "inbox",
        **frame(visit),
    }
    return HTMLResponse(house.pages.draw("inbox.html", **facts))


async def here(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Whether this browser is still signed in."""
    return JSONResponse({"name": visit.name})


async def stream(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """What an open page follows: the inbox as it was asked for, and one case."""
    if from_elsewhere(request):
        return PlainTextResponse("This came from another site.", 403)
    live: Live = request.app.state.live
    seen = request.query_params.get("seen", "")
    look = await sought(house, Look.parse(request.query_params))
    page = Stream(visit, look, row_number(request.query_params.get("case", "")))
    if SEEN.fullmatch(seen):
        page.seen = float(seen)
    if live.first_look(visit, page.case or 0):
        # Its page was drawn by another process, or never: what a stream shows is looked at all the same.
        await house.staff.audit(Audited(visit.name, "followed a case" if page.case else "followed a list", page.case))
    return StreamingResponse(live.stream(page), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
