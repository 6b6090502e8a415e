"""The report as a page with plots."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bot.desk.charts import bars, columns
from bot.desk.gate import frame
from bot.desk.house import DeskHouse
from bot.handoff.figures import figures
from bot.model.staff import Visit
from bot.store.reports import heard

PERIODS = (7, 28, 90, 365)


async def show(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """The report of the last days."""
    asked = request.query_params.get("days", "28")
    days = int(asked) if asked in {str(p) for p in PERIODS} else 28
    now = house.now()
    found = figures(await heard(house.store.database, now - timedelta(days=days), now), house.hours, house.zone, now)
    first, last = (at.astimezone(house.zone).date() for at in (found.since + timedelta(days=1), found.until))
    facts = {
        "found": found,
        "days": days,
        "periods": PERIODS,
        "by_day": columns(found.by_day, first, last),
        "first_response": bars(found.first_response, "First answer, in business hours"),
        "resolve": bars(found.resolve, "Until resolved, in business hours"),
        "reasons": bars(dict(list(found.reasons.items())[:12]), "Why people were needed"),
        "here": "reports",
        **frame(visit),
    }
    return HTMLResponse(house.pages.draw("report.html", **facts))
