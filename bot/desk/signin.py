"""Signing in and out, and the one-time link by which a password is set.

What is said to a wrong name and to a wrong password is the same, and takes as long. Tries are counted in the
database by name and by network address, so that a guesser is slowed and their victim is not shut out for long.
"""

from hashlib import sha256
from ipaddress import IPv6Address, ip_address

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.desk import passwords
from bot.desk.gate import safe_next
from bot.desk.house import DeskHouse
from bot.model.staff import Staff, Visit
from bot.store.staff import Audited, name_key

TRIES = 5
WRONG = "This name and password do not go together."
SLOW = "Too many tries. Wait a few minutes, or ask an admin for a new link."


async def show(house: DeskHouse, request: Request) -> Response:
    """The sign-in page."""
    if await house.staff.visit(request.cookies.get(house.settings.cookie, "")) is not None:
        return RedirectResponse("/desk", 303)
    return _form(house, request.query_params.get("next", ""))


def _form(house: DeskHouse, wanted: str, problem: str = "", name: str = "", status: int = 200) -> Response:
    provider = house.settings.provider
    facts = {"next": safe_next(wanted), "problem": problem, "name": name, "sso": provider.title if provider else ""}
    return HTMLResponse(house.pages.draw("signin.html", **facts), status)


async def sign_in(house: DeskHouse, request: Request) -> Response:
    """A name and a password were sent."""
    form = await request.form()
    name, password, wanted = (str(form.get(k, "")) for k in ("name", "password", "next"))
    if not await house.staff.may_try(buckets(request, name)):
        return _form(house, wanted, SLOW, name, 429)
    found = await house.staff.password(name)
    stored = found[1] if found else ""
    if not await passwords.check(stored, password) or found is None:
        return _form(house, wanted, WRONG, name, 401)
    staff = found[0]
    if passwords.outdated(stored):
        await house.staff.rehash(staff.id, await passwords.make(password))
    return await enter(house, staff, RedirectResponse(safe_next(wanted), 303), "signed in")


async def enter(house: DeskHouse, staff: Staff, response: Response, how: str) -> Response:
    """Begin a session and put its cookie on the response."""
    await house.staff.audit(Audited(staff.name, how))
    settings = house.settings
    response.set_cookie(
        settings.cookie,
        await house.staff.sign_in(staff.id),
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="strict",
    )
    return response


async def sign_out(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """End this session; its open streams close."""
    await house.staff.sign_out(visit.key)
    await house.staff.audit(Audited(visit.name, "signed out"))
    response = RedirectResponse("/desk/sign-in", 303)
    response.delete_cookie(house.settings.cookie, path="/", secure=house.settings.secure, httponly=True)
    return response


async def show_invite(house: DeskHouse, request: Request) -> Response:
    """Where the one-time link leads. Looking does not use it up: mail scanners look too."""
    return await _invite(house, request)


async def _invite(house: DeskHouse, request: Request, problem: str = "") -> Response:
    staff = await _invited(house, request)
    if staff is None:
        return HTMLResponse(house.pages.draw("invite.html", name="", problem="", shortest=passwords.SHORTEST), 410)
    facts = {"name": staff.name, "problem": problem, "shortest": passwords.SHORTEST}
    return HTMLResponse(house.pages.draw("invite.html", **facts), 400 if problem else 200)


async def _invited(house: DeskHouse, request: Request) -> Staff | None:
    if not await house.staff.may_try([(f"invite/{network(request)}", 30, 20.0)]):
        return None
    return await house.staff.invited(request.path_params["token"])


async def use_invite(house: DeskHouse, request: Request) -> Response:
    """A password was chosen."""
    form = await request.form()
    password, again = str(form.get("password", "")), str(form.get("again", ""))
    staff = await _invited(house, request)
    if staff is None:
        return await _invite(house, request)
    problem = passwords.weakness(password, staff.name) or ("" if password == again else "The two are not the same.")
    if problem:
        return await _invite(house, request, problem)
    used = await house.staff.set_password(request.path_params["token"], await passwords.make(password))
    if used is None:
        return await _invite(house, request)
    return await enter(house, used, RedirectResponse("/desk", 303), "set a password")


def buckets(request: Request, name: str) -> list[tuple[str, int, float]]:
    """How often a sign-in may be tried: from one address at one name, from one address, and at one name. The last is
    the victim's own: whoever guesses from one place is stopped before they use it up."""
    who = sha256(name_key(name).encode()).hexdigest()[:16]
    where = network(request)
    return [(f"{who}/{where}", TRIES, 180.0), (f"from/{where}", 6 * TRIES, 20.0), (f"name/{who}", 4 * TRIES, 60.0)]


def network(request: Request) -> str:
    """Where a request comes from; of an IPv6 address the /64 that one customer has."""
    try:
        at = ip_address(request.client.host if request.client else "")
    except ValueError:
        return "unknown"
    return str(IPv6Address(int(at) >> 64 << 64)) if isinstance(at, IPv6Address) else str(at)
