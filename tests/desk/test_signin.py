"""Signing in: passwords, one-time links, guessers, other hosts and origins, sessions that end."""

import httpx
import pytest

from bot.desk.gate import safe_next
from bot.desk.signin import TRIES
from bot.model.staff import Role
from tests.deskhouse import HOST, PASSWORD, DeskHome, desk_home

ORIGIN = {"origin": f"http://{HOST}"}


async def test_a_person_sets_a_password_by_the_link_and_signs_in_with_it(desk: DeskHome) -> None:
    _, token = await desk.book.add("Mei Chen", Role.AGENT)
    browser = desk.browser()
    assert "Welcome, Mei Chen" in (await browser.get(f"/desk/invite/{token}")).text
    fields = {"password": PASSWORD, "again": PASSWORD}
    entered = await browser.client.post(f"/desk/invite/{token}", data=fields, headers=ORIGIN)
    assert entered.status_code == 303
    cookie = entered.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert (await browser.get("/desk/sign-in")).status_code == 303
    used = await desk.browser().client.post(f"/desk/invite/{token}", data=fields, headers=ORIGIN)
    assert used.status_code == 410
    assert (await desk.browser().sign_in("mei  CHEN")).status_code == 303


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa", "1234567890", "a" * 300])
async def test_a_weak_password_is_refused_with_a_reason(desk: DeskHome, password: str) -> None:
    _, token = await desk.book.add("Mei", Role.AGENT)
    fields = {"password": password, "again": password}
    answer = await desk.browser().client.post(f"/desk/invite/{token}", data=fields, headers=ORIGIN)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


async def test_a_wrong_name_and_a_wrong_password_are_told_the_same(desk: DeskHome) -> None:
    await desk.hire("Mei")
    wrong_name = await desk.browser().sign_in("Nobody")
    wrong_word = await desk.browser().sign_in("Mei", "something else entirely")
    assert (wrong_name.status_code, wrong_word.status_code) == (401, 401)
    assert wrong_name.text.replace("Nobody", "Mei") == wrong_word.text


async def test_a_guesser_is_locked_out_and_the_right_password_does_not_help_then(desk: DeskHome) -> None:
    await desk.hire("Mei")
    guesses = [(await desk.browser().sign_in("Mei", f"guess number {n}")).status_code for n in range(7)]
    assert guesses == [401] * 5 + [429] * 2
    assert (await desk.browser().sign_in("Mei")).status_code == 429


async def test_a_guesser_shuts_nobody_out_who_comes_from_elsewhere(desk: DeskHome) -> None:
    await desk.hire("Mei")
    for n in range(3 * 4 * TRIES):
        await desk.browser().sign_in("Mei", f"guess number {n}")
    assert (await desk.browser(client="203.0.113.9").sign_in("Mei")).status_code == 303


async def test_who_is_shut_out_is_out_at_the_next_click(desk: DeskHome) -> None:
    browser = await desk.visitor("Mei", Role.ADMIN)
    assert (await browser.get("/desk/staff")).status_code == 200
    person = await desk.book.named("Mei")
    assert person is not None
    await desk.book.change(person.id, "Ada", active=False)
    assert (await browser.get("/desk/staff")).headers["location"].startswith("/desk/sign-in")
    assert (await desk.browser().sign_in("Mei")).status_code == 401


async def test_signing_out_ends_the_session_and_not_only_the_cookie(desk: DeskHome) -> None:
    browser = await desk.visitor("Mei", Role.ADMIN)
    cookie = browser.client.cookies["wismo"]
    assert (await browser.post("/desk/sign-out", {"seal": await _seal(browser.client)})).status_code == 303
    stolen = await desk.browser().get("/desk/staff", cookie=f"wismo={cookie}")
    assert stolen.status_code == 303


async def _seal(client: httpx.AsyncClient) -> str:
    page = (await client.get("/desk/staff")).text
    return page.split('data-seal="')[1].split('"')[0]


async def test_a_new_link_ends_the_old_password_and_sessions(desk: DeskHome) -> None:
    browser = await desk.visitor("Mei", Role.ADMIN)
    await desk.book.add("Mei", Role.ADMIN)
    assert (await browser.get("/desk/staff")).status_code == 303
    assert (await desk.browser().sign_in("Mei")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {},
    ],
)
async def test_a_form_from_elsewhere_is_refused(desk: DeskHome, headers: dict[str, str]) -> None:
    sent = headers if "origin" in headers or not headers else {**ORIGIN, **headers}
    fields = {"name": "Mei", "password": PASSWORD}
    answer = await desk.browser().client.post("/desk/sign-in", data=fields, headers=sent)
    assert answer.status_code == 403


async def test_behind_tls_the_cookie_is_bound_to_the_host_and_other_names_are_refused(desk: DeskHome) -> None:
    async with desk_home(desk.home, "https://desk.example.org") as tls:
        await tls.hire("Mei")
        browser = tls.browser("https://desk.example.org")
        entered = await browser.client.post(
            "/desk/sign-in",
            data={"name": "Mei", "password": PASSWORD},
            headers={"origin": "https://desk.example.org"},
        )
        assert entered.headers["set-cookie"].startswith("__Host-wismo=")
        assert "Secure" in entered.headers["set-cookie"]
        assert "max-age" in entered.headers["strict-transport-security"]
        assert (await tls.browser(f"http://{HOST}").get("/desk/sign-in")).status_code == 403


async def test_a_link_from_a_chat_comes_again_from_our_own_page(desk: DeskHome) -> None:
    answer = await desk.browser().get("/desk/staff", **{"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert 'http-equiv="refresh"' in answer.text


async def test_every_answer_has_the_headers(desk: DeskHome) -> None:
    for path in ("/desk/sign-in", "/desk/nothing-here", "/desk/static/desk.css"):
        headers = (await desk.browser().get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


async def test_a_body_without_end_is_cut_off(desk: DeskHome) -> None:
    answer = await desk.browser().client.post("/desk/sign-in", content=b"a" * 2_000_000, headers=ORIGIN)
    assert answer.status_code == 413


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/desk//evil", "/desk\\evil", "/other"])
def test_after_signing_in_nobody_is_led_elsewhere(wanted: str) -> None:
    assert safe_next(wanted) == "/desk"


async def test_what_an_admin_does_stands_in_the_log(desk: DeskHome) -> None:
    browser = await desk.visitor("Mei", Role.ADMIN)
    seal = await _seal(browser.client)
    added = await browser.post("/desk/staff", {"seal": seal, "name": "Lee", "role": "agent", "email": ""})
    assert "/desk/invite/" in added.text
    lee = await desk.book.named("Lee")
    assert lee is not None
    await browser.post(f"/desk/staff/{lee.id}/out", {"seal": seal})
    log = (await browser.get("/desk/audit")).text
    assert "made a sign-in link" in log
    assert "shut out" in log
    mei = await desk.book.named("Mei")
    assert mei is not None
    await browser.post(f"/desk/staff/{mei.id}/out", {"seal": seal})
    assert (await browser.get("/desk/staff")).status_code == 200, "an admin shut themselves out"
