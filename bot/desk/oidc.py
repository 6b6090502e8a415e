"""Signing in through an OIDC provider: authorisation code with PKCE, state and nonce (OpenID Connect Core 1.0, 3.1).

Nobody gets in whom `wismo staff add --email` did not name: the provider vouches for the address, the shop for
the person. The way there is kept in the database for ten minutes and bound to the browser by a cookie, which
must be Lax: the provider sends the browser back from another site, where a Strict one stays at home.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from httpx import BasicAuth, HTTPError
from joserfc import jwk, jwt
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.desk.gate import safe_next
from bot.desk.house import DeskHouse, Provider
from bot.desk.signin import enter, network
from bot.model.staff import Staff
from bot.store.staff import FLOW_SECONDS, Flow

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures by a public key only: `none` and shared secrets are refused."""
NOT_KNOWN = "The provider knows you, but this desk does not: an admin must add you with this e-mail address."
FAILED = "Signing in there did not work. Try again, or use your password."

log = structlog.get_logger()


class Denied(Exception):
    """The provider's answer does not let this browser in; the text is for the log and names no person."""


async def start(house: DeskHouse, request: Request) -> Response:
    """Send the browser to the provider."""
    provider = house.settings.provider
    if provider is None:
        return RedirectResponse("/desk/sign-in", 303)
    if not await house.staff.may_try([(f"flow/{network(request)}", 20, 30.0)]):
        return _failed(house, "Too many tries. Wait a few minutes.", 429)
    state, browser = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    flow = Flow(browser, secrets.token_urlsafe(24), secrets.token_urlsafe(48))
    try:
        found = await _discovered(house, provider)
    except (Denied, HTTPError) as error:
        log.warning("desk.oidc_failed", error=type(error).__name__)
        return _failed(house, FAILED, 502)
    await house.staff.begin_flow(state, flow)
    where = prepare_grant_uri(
        found["authorization_endpoint"],
        client_id=provider.client_id,
        response_type="code",
        redirect_uri=_back(house, request),
        scope=["openid", "email", "profile"],
        state=state,
        nonce=flow.nonce,
        code_challenge=create_s256_code_challenge(flow.verifier),
        code_challenge_method="S256",
    )
    response = RedirectResponse(where, 303)
    secure = house.settings.secure
    response.set_cookie(
        _cookie(house), browser, max_age=int(FLOW_SECONDS), path="/", secure=secure, httponly=True, samesite="lax"
    )
    return response


async def finish(house: DeskHouse, request: Request) -> Response:
    """The provider sent the browser back."""
    provider = house.settings.provider
    browser = request.cookies.get(_cookie(house), "")
    flow = await house.staff.end_flow(request.query_params.get("state", ""), browser) if browser else None
    if provider is None or flow is None or "code" not in request.query_params:
        return _failed(house, FAILED, 400)
    try:
        staff = await _vouched(house, provider, request, flow)
    except (Denied, HTTPError, AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
        log.warning("desk.oidc_failed", error=type(error).__name__)
        return _failed(house, FAILED, 401)
    if staff is None:
        return _failed(house, NOT_KNOWN, 403)
    on = HTMLResponse(house.pages.draw("again.html", to=safe_next("")))
    response = await enter(house, staff, on, "signed in (OIDC)")
    response.delete_cookie(_cookie(house), path="/", secure=house.settings.secure, httponly=True)
    return response


async def _vouched(house: DeskHouse, provider: Provider, request: Request, flow: Flow) -> Staff | None:
    found = await _discovered(house, provider)
    answer = await house.http.post(
        found["token_endpoint"],
        auth=BasicAuth(provider.client_id, provider.client_secret),
        data={
            "grant_type": "authorization_code",
            "code": request.query_params["code"],
            "redirect_uri": _back(house, request),
            "code_verifier": flow.verifier,
        },
    )
    if answer.status_code != 200:
        raise Denied(f"the token endpoint answered {answer.status_code}")
    keys = await house.http.get(found["jwks_uri"])
    tokens = answer.json()
    token = jwt.decode(tokens["id_token"], jwk.KeySet.import_key_set(keys.json()), algorithms=ALGORITHMS)
    claims = CodeIDToken(
        token.claims,
        token.header,
        options={
            "iss": {"essential": True, "value": provider.issuer},
            "aud": {"essential": True, "value": provider.client_id},
        },
        params={"nonce": flow.nonce, "client_id": provider.client_id, "access_token": tokens.get("access_token")},
    )
    claims.validate(leeway=60)
    if provider.claim == "email" and claims.get("email_verified") is not True:
        raise Denied("the provider does not vouch for the address")
    return await house.staff.by_email(str(claims.get(provider.claim, "")))


async def _discovered(house: DeskHouse, provider: Provider) -> Mapping[str, Any]:
    answer = await house.http.get(provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
    found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    if found.get("issuer") != provider.issuer or not found.get("token_endpoint") or not found.get("jwks_uri"):
        raise Denied("the provider's description is not its own, or not there")
    return found


def _back(house: DeskHouse, request: Request) -> str:
    return house.settings.origin(request.headers["host"]) + "/desk/oidc/back"


def _cookie(house: DeskHouse) -> str:
    return "__Host-wismo-flow" if house.settings.secure else "wismo-flow"


def _failed(house: DeskHouse, problem: str, status: int) -> Response:
    title = house.settings.provider.title if house.settings.provider else ""
    facts = {"next": safe_next(""), "problem": problem, "name": "", "sso": title}
    return HTMLResponse(house.pages.draw("signin.html", **facts), status)
