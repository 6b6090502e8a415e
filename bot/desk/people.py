"""Who works here: let in, given a role, shut out; and the log of what they looked at. For admins."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.desk.gate import frame, row_number
from bot.desk.house import DeskHouse
from bot.model.staff import Role, Staff, Visit
from bot.store.staff import Audited, name_key


async def show(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """The list of staff."""
    return await _page(house, visit)


async def _page(house: DeskHouse, visit: Visit, link: str = "", link_for: str = "") -> Response:
    people = await house.staff.everyone()
    sso = house.settings.provider.title if house.settings.provider else ""
    facts = {"people": people, "link": link, "link_for": link_for, "sso": sso, "here": "staff", **frame(visit)}
    return HTMLResponse(house.pages.draw("staff.html", **facts))


async def add(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Let a person in. One who is here already keeps their role until it is set."""
    form = await request.form()
    name, email, role = (str(form.get(k, "")).strip() for k in ("name", "email", "role"))
    known = await house.staff.named(name)
    if not name_key(name) or len(name) > 40 or role not in set(Role) or known is not None:
        return RedirectResponse("/desk/staff", 303)
    return await _linked(house, request, visit, name, Role(role), email)


async def _linked(house: DeskHouse, request: Request, visit: Visit, name: str, role: Role, email: str = "") -> Response:
    staff, token = await house.staff.add(name, role, email)
    await house.staff.audit(Audited(visit.name, "made a sign-in link", detail=f"for {staff.name}, {role.value}"))
    link = f"{house.settings.origin(request.headers['host'])}/desk/invite/{quote(token)}"
    return await _page(house, visit, link, staff.name)


async def link(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """A new one-time link for somebody who lost their password."""
    other = await _other(house, request, visit)
    if other is None:
        return RedirectResponse("/desk/staff", 303)
    return await _linked(house, request, visit, other.name, other.role)


async def set_role(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Give another role."""
    other = await _other(house, request, visit)
    role = str((await request.form()).get("role", ""))
    if other is not None and role in set(Role):
        await house.staff.change(other.id, visit.name, role=Role(role))
        await house.staff.audit(Audited(visit.name, "gave a role", detail=f"{other.name}: {role}"))
    return RedirectResponse("/desk/staff", 303)


async def shut_out(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Sign a person out everywhere and let them in no more; their open cases wait for the others."""
    return await _let(house, request, visit, active=False)


async def let_in(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Let a person who was shut out sign in again, with a new link."""
    return await _let(house, request, visit, active=True)


async def _let(house: DeskHouse, request: Request, visit: Visit, *, active: bool) -> Response:
    other = await _other(house, request, visit)
    if other is not None:
        await house.staff.change(other.id, visit.name, active=active)
        await house.staff.audit(Audited(visit.name, "let in" if active else "shut out", detail=other.name))
    return RedirectResponse("/desk/staff", 303)


async def _other(house: DeskHouse, request: Request, visit: Visit) -> Staff | None:
    """Whom the path names; never oneself, so that a shop cannot lose its last admin by a slip."""
    wanted = int(request.path_params["id"])
    return next((p for p in await house.staff.everyone() if p.id == wanted and p.id != visit.staff), None)


async def audit(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """The audit log, newest first."""
    lines = await house.staff.audited(before=row_number(request.query_params.get("before", "")))
    return HTMLResponse(house.pages.draw("audit.html", lines=lines, here="audit", **frame(visit)))
