"""Signing in through an OIDC provider: a real one over HTTP, with signed tokens, and what it may not get away with."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bot.app import local_client, serve
from bot.desk.house import Provider
from bot.model.staff import Role
from tests.deskhouse import Browser, DeskHome, desk_home
from tests.house import sqlite_home


@dataclass
class Idp:
    """A provider: whoever comes is Mei, unless the test says otherwise."""

    base: str
    key: Any = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    signs_with: Any = None
    claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.described),
                Route("/jwks", self.keys),
                Route("/token", self.token, methods=["POST"]),
            ]
        )

    async def described(self, request: Request) -> JSONResponse:
        found = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks"}
        return JSONResponse({"issuer": self.base, **{k: self.base + v for k, v in found.items()}})

    async def keys(self, request: Request) -> JSONResponse:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def token(self, request: Request) -> JSONResponse:
        form = await request.form()
        asked = self.codes.pop(str(form["code"]), None)
        if asked is None or create_s256_code_challenge(str(form["code_verifier"])) != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = {
            "iss": self.base,
            "aud": "wismo",
            "sub": "7",
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "nonce": asked["nonce"],
            "email": "mei@example.org",
            "email_verified": True,
        }
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims | self.claims, self.signs_with or self.key)
        return JSONResponse({"id_token": signed, "access_token": "x", "token_type": "Bearer"})

    def consent(self, location: str) -> str:
        """The buyer pressed yes at the provider: where the browser is sent back to."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(location).query).items()}
        code = secrets.token_hex(8)
        self.codes[code] = asked
        return f"{urlsplit(asked['redirect_uri']).path}?code={code}&state={asked['state']}"


@pytest.fixture
async def idp() -> AsyncIterator[Idp]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    stop = asyncio.Event()
    made = Idp(f"http://127.0.0.1:{listening.getsockname()[1]}")
    serving = asyncio.create_task(serve(made.app(), listening, stop))
    yield made
    stop.set()
    await serving


@pytest.fixture
async def desk(idp: Idp, tmp_path: Path) -> AsyncIterator[DeskHome]:
    provider = Provider(idp.base, "wismo", "secret")
    async with sqlite_home(tmp_path) as bot, desk_home(bot, provider=provider, http=local_client()) as made:
        await made.book.add("Mei", Role.AGENT, "Mei@example.org")
        yield made


async def come_back(idp: Idp, browser: Browser) -> httpx.Response:
    there = await browser.get("/desk/oidc/start")
    assert there.status_code == 303
    return await browser.get(idp.consent(there.headers["location"]))


async def test_who_is_known_here_is_signed_in(idp: Idp, desk: DeskHome) -> None:
    browser = desk.browser()
    entered = await come_back(idp, browser)
    assert entered.status_code == 200
    assert "wismo" in browser.client.cookies
    assert (await browser.get("/desk/sign-in")).status_code == 303


async def test_who_is_not_known_here_is_told_so(idp: Idp, desk: DeskHome) -> None:
    idp.claims = {"email": "eve@example.org"}
    assert (await come_back(idp, desk.browser())).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"nonce": "another"},
        {"aud": "another-app"},
        {"iss": "https://evil.example"},
        {"exp": 1},
    ],
)
async def test_a_token_that_is_not_for_this_sign_in_is_refused(
    idp: Idp, desk: DeskHome, claims: dict[str, Any]
) -> None:
    idp.claims = claims
    browser = desk.browser()
    assert (await come_back(idp, browser)).status_code == 401
    assert "wismo" not in browser.client.cookies


async def test_a_token_that_another_key_signed_is_refused(idp: Idp, desk: DeskHome) -> None:
    idp.signs_with = RSAKey.generate_key(2048, {"kid": "1"})
    assert (await come_back(idp, desk.browser())).status_code == 401


async def test_another_browser_cannot_finish_a_sign_in_and_none_can_twice(idp: Idp, desk: DeskHome) -> None:
    mine, other = desk.browser(), desk.browser()
    back = idp.consent((await mine.get("/desk/oidc/start")).headers["location"])
    assert (await other.get(back)).status_code == 400
    assert (await mine.get(back)).status_code == 200
    assert (await mine.get(back)).status_code == 400
