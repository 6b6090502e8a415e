"""Every page and act by who may see it, and that nothing a buyer writes becomes anything but text."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from bot.desk.app import PAGES
from bot.desk.exports import guarded
from bot.desk.gate import Page
from bot.model.staff import Role
from tests.deskhouse import HOST, DeskHome

NASTY = '<img src=x onerror=alert(1)><script>alert(1)</script> @everyone https://evil.example =HYPERLINK("x") {{ 7*7 }}'
FIRST = set("=+-@＝＋－＠")
FIELDS = {
    "kind": "note",
    "text": "hello",
    "name": "New",
    "role": "agent",
    "title": "t",
    "body": "b",
    "locale": "",
    "id": "",
}


def filled(page: Page, number: str = "1") -> str:
    return re.sub(r"\{(\w+)(:row)?\}", lambda m: number if m[2] else {"name": "desk.css"}.get(m[1], "x"), page.path)


def who() -> Iterator[tuple[str, Role | None]]:
    yield "nobody", None
    for role in Role:
        yield role.value, role


@pytest.mark.parametrize("name", ["nobody", "agent", "lead", "admin"])
async def test_every_page_is_only_for_those_whom_it_is_for(desk: DeskHome, name: str) -> None:
    role = None if name == "nobody" else Role(name)
    await desk.home.say("I want to talk to a human")
    await desk.hire("Somebody Else")
    await desk.app.state.live.refresh()
    browser = await desk.visitor(name, role) if role else desk.browser()
    seal = await browser.seal()
    for page in PAGES:
        if page.role is None or page.path in {"/desk/stream", "/desk/sign-out"}:
            continue
        headers = {"origin": f"http://{HOST}"}
        data = None if page.method == "GET" else {**FIELDS, "seal": seal}
        answer = await browser.client.request(page.method, filled(page), data=data, headers=headers)
        allowed = role is not None and role.may(page.role)
        where = f"{page.method} {page.path} as {name}: {answer.status_code}"
        if role is None:
            assert answer.status_code in {303, 401}, where
            assert answer.headers.get("location", "/desk/sign-in").startswith("/desk/sign-in"), where
        else:
            assert (answer.status_code != 403) == allowed, where
            assert answer.status_code < 500, where


async def test_no_act_goes_through_without_this_sessions_seal(desk: DeskHome) -> None:
    await desk.home.say("I want to talk to a human")
    mei, lee = await desk.visitor("Mei", Role.ADMIN), await desk.visitor("Lee", Role.ADMIN)
    stolen = await lee.seal()
    for page in PAGES:
        if page.method == "GET" or page.role is None:
            continue
        for seal in ("", "x", stolen):
            answer = await mei.client.post(
                filled(page), data={**FIELDS, "seal": seal}, headers={"origin": f"http://{HOST}"}
            )
            assert answer.status_code == 403, f"{page.path} with the seal {seal!r}"


@pytest.mark.parametrize("number", ["0", "999999999", "2147483648", "9" * 30, "１"])
async def test_a_number_that_no_table_holds_is_not_there_and_no_fault(desk: DeskHome, number: str) -> None:
    admin = await desk.visitor("Mei", Role.ADMIN)
    paths = [filled(page, number) for page in PAGES if page.method == "GET" and ":row" in page.path]
    paths += [f"/desk/audit?before={number}", f"/desk/canned?id={number}", f"/desk?q={number}", f"/desk?page={number}"]
    for path in paths:
        assert (await admin.get(path)).status_code in {200, 404}, path
    for page in PAGES:
        if page.method == "POST" and ":row" in page.path:
            assert (await admin.post(filled(page, number), FIELDS)).status_code in {303, 404, 409}, page.path
    assert (await admin.post("/desk/canned", {**FIELDS, "id": number})).status_code == 303


async def test_a_character_that_no_text_has_is_refused_and_holds_nobody_up(desk: DeskHome) -> None:
    await desk.home.say("I want to talk to a human")
    admin = await desk.visitor("Mei", Role.ADMIN)
    for path in ("/desk?q=abc%00", "/desk/new?q=abc%00", "/desk?view=resolved&q=abc%00", "/desk/invite/x%00"):
        assert (await admin.get(path)).status_code == 400, path
    for page in PAGES:
        if page.method == "POST":
            answer = await admin.post(filled(page), {**FIELDS, "text": "a\0b", "q": "\0", "password": "x"})
            assert answer.status_code == 400, page.path
    await desk.home.act("note", "Lee", "from a\0 chat")
    await desk.home.work()
    assert "from a chat" in (await admin.get("/desk/cases/1")).text


async def test_the_stream_is_closed_to_strangers_and_other_sites(desk: DeskHome) -> None:
    assert (await desk.browser().get("/desk/stream", accept="text/event-stream")).status_code == 401
    mei = await desk.visitor("Mei")
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"host": "evil.example"}):
        assert (await mei.get("/desk/stream", **headers)).status_code == 403


async def test_a_buyers_text_stays_text_on_every_page_and_in_every_export(desk: DeskHome) -> None:
    await desk.home.hear(NASTY, name=NASTY)
    await desk.home.say("I want to talk to a human")
    await desk.app.state.live.refresh()
    mei = await desk.visitor("Mei", Role.ADMIN)
    for path in ("/desk", "/desk/cases/1", "/desk/cases/1/transcript.html", "/desk/audit"):
        page = (await mei.get(path)).text
        assert "<img src=x" not in page, path
        assert "<script>alert" not in page, path
        assert 'href="https://evil.example' not in page, path
    shown = (await mei.get("/desk/cases/1")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{ 7*7 }}" in shown
    told = (await mei.get("/desk/cases/1?told=<b>x</b>")).text
    assert "<b>x</b>" not in told
    sought = (await mei.get('/desk?q="><script>x</script>')).text
    assert "<script>x" not in sought


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "  =1", "＝1", "\r=1", "\u00a0=1", '"=1', "a\n=1"])
@pytest.mark.parametrize("before", ["", "lamp;", "lamp; ", 'lamp;"', "lamp\t;"])
def test_a_cell_of_the_export_is_no_formula(cell: str, before: str) -> None:
    """Nor in a country whose spreadsheets part cells by semicolons, where the comma's quotes hold nothing together."""
    for part in guarded(before + cell).split(";"):
        assert part.lstrip(" \"'")[:1] not in FIRST or part.startswith("'")
    assert not {"\n", "\r", "\t"} & set(guarded(before + cell))


async def test_the_list_is_exported_with_what_it_shows(desk: DeskHome) -> None:
    await desk.home.say("I want to talk to a human", name="=cmd()")
    await desk.app.state.live.refresh()
    lead = await desk.visitor("Lena", Role.LEAD)
    rows = (await lead.get("/desk/export.csv")).text.splitlines()
    assert rows[0].lstrip("\ufeff").startswith("case,opened")
    assert rows[1].startswith("1,")


async def test_a_stream_that_no_page_asked_for_is_written_down_too(desk: DeskHome) -> None:
    await desk.home.say("I want to talk to a human")
    mei = await desk.visitor("Mei")
    live = desk.app.state.live
    asking = asyncio.create_task(mei.get("/desk/stream?case=1"))
    while not live.streams:
        await asyncio.sleep(0.01)
    live.end_streams()
    await asking
    lines = [(line.staff, line.what, line.case) for _, _, line in await desk.book.audited()]
    assert ("Mei", "followed a case", 1) in lines


async def test_looking_at_a_buyer_is_written_down(desk: DeskHome) -> None:
    await desk.home.say("I want to talk to a human")
    mei = await desk.visitor("Mei")
    await mei.get("/desk/cases/1")
    await mei.get("/desk/cases/1/transcript.json")
    lines = [(line.staff, line.what, line.case) for _, _, line in await desk.book.audited()]
    assert ("Mei", "looked at a case", 1) in lines
    assert ("Mei", "exported a conversation", 1) in lines
