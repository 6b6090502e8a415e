"""What staff take along: a conversation as HTML or JSON, and the list of cases as CSV."""

import csv
import io
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from bot.desk.conversation import Sheet, gather
from bot.desk.gate import frame
from bot.desk.house import DeskHouse
from bot.desk.inbox import Look, due
from bot.desk.live import Live
from bot.desk.search import sought
from bot.model.staff import Visit
from bot.store.desk import CaseLine
from bot.store.staff import Audited

FORMULA = re.compile(r"(^|;)(?=[ \"']*[=+\-@＝＋－＠])")
"""Before what a spreadsheet takes for a formula where a cell begins with it (OWASP, CSV injection; wide forms too). In
many countries it parts cells by semicolons, and then the quotes around a cell hold nothing together."""
COLUMNS = (
    "case",
    "opened",
    "kind",
    "summary",
    "buyer",
    "order",
    "channel",
    "queue",
    "priority",
    "state",
    "owner",
    "due",
)
MOST_LINES = 2000


def guarded(value: object) -> str:
    """A cell, in one line, that no spreadsheet takes for a formula, whatever it parts cells by."""
    return FORMULA.sub(r"\1'", " ".join(str(value if value is not None else "").split()))


async def as_csv(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """The list as it is looked at."""
    live: Live = request.app.state.live
    look = await sought(house, Look.parse(request.query_params))
    await house.staff.audit(Audited(visit.name, "exported a list", detail=look.view))
    if look.view == "resolved":
        lines = await house.reading.resolved(look.words, MOST_LINES, 0, look.said)
    else:
        lines = live.board.everything(look, visit.name, house.now())[:MOST_LINES]
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    table.writerows([guarded(cell) for cell in _cells(house, line)] for line in lines)
    headers = {"content-disposition": 'attachment; filename="cases.csv"'}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cells(house: DeskHouse, line: CaseLine) -> tuple[object, ...]:
    case = line.case
    until = due(case, house.now())
    return (
        case.id,
        case.opened_at.astimezone(house.zone).strftime("%Y-%m-%d %H:%M"),
        case.kind,
        case.summary,
        line.buyer,
        line.order_number,
        line.channel,
        case.queue,
        case.priority.name.lower(),
        case.state.value,
        case.owner,
        until.at.astimezone(house.zone).strftime("%Y-%m-%d %H:%M") if until else "",
    )


async def as_html(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """A conversation as a page that stands alone."""
    sheet = await _sheet(house, request, visit, "HTML")
    if sheet is None:
        return PlainTextResponse("There is no such case.", 404)
    facts = {"sheet": sheet, "case": sheet.line.case, "now": house.now(), **frame(visit)}
    name = f"case-{sheet.line.case.id}.html"
    return HTMLResponse(house.pages.draw("transcript.html", **facts), headers=_attached(name))


async def as_json(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """A conversation as data."""
    sheet = await _sheet(house, request, visit, "JSON")
    if sheet is None:
        return PlainTextResponse("There is no such case.", 404)
    return JSONResponse(_plain(sheet), headers=_attached(f"case-{sheet.line.case.id}.json"))


async def _sheet(house: DeskHouse, request: Request, visit: Visit, kind: str) -> Sheet | None:
    case = int(request.path_params["id"])
    sheet = await gather(house, case, MOST_LINES)
    if sheet is not None:
        await house.staff.audit(Audited(visit.name, "exported a conversation", case, sheet.line.case.order, kind))
    return sheet


def _attached(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


def _plain(sheet: Sheet) -> dict[str, Any]:
    case = sheet.line.case
    return {
        "case": case.id,
        "kind": case.kind,
        "summary": case.summary,
        "channel": sheet.line.channel,
        "order": sheet.line.order_number,
        "opened_at": case.opened_at.isoformat(),
        "closed_at": case.closed_at.isoformat() if case.closed_at else None,
        "lines": [
            {
                "at": line.at.isoformat(),
                "side": line.side,
                "who": line.who,
                "text": "".join(run.text for run in line.text),
                "state": line.state,
                "files": [{"name": f.name, "mime": f.mime, "size": f.size} for f in line.files],
                "why": list(line.why),
            }
            for line in sheet.lines
        ],
    }
