"""Files that people sent: as attachments, under a path that only this session's pages know.

What a file is was read from its content when it was stored. Pictures of kinds that hold no script keep their kind,
so that a page can draw them; everything else is bytes to a browser.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from bot.desk.gate import from_elsewhere, sealed
from bot.desk.house import DeskHouse
from bot.desk.transcript import PICTURES
from bot.model.staff import Visit
from bot.store.staff import Audited

HEADERS = {"content-security-policy": "default-src 'none'; sandbox", "cache-control": "private, no-store"}


async def serve(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """One file."""
    number = int(request.path_params["id"])
    known = sealed(visit, request.path_params["code"], "file", str(number)) and not from_elsewhere(request)
    file = await house.reading.file(number) if known else None
    if file is None or not house.vault.path(file.digest).is_file():
        return PlainTextResponse("There is no such file.", 404)
    await house.staff.audit(Audited(visit.name, "opened a file", detail=f"file {number}"))
    mime = file.mime if file.mime in PICTURES else "application/octet-stream"
    name = quote(file.name or f"file-{number}", safe="")
    shown = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
    return FileResponse(house.vault.path(file.digest), media_type=mime, headers=HEADERS | shown)
