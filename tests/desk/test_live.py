"""Open pages follow: what is new reaches them, and only while their session holds."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.desk.inbox import Board, Look
from bot.desk.live import Live, Stream
from bot.desk.transcript import markup, read
from bot.model.cases import Case, CaseState, Priority
from bot.model.markup import Run
from bot.model.staff import Visit
from bot.store.desk import CaseLine, Paper, WrittenRow
from tests.deskhouse import DeskHome
from tests.house import NOON


@pytest.fixture
async def live(desk: DeskHome) -> AsyncIterator[Live]:
    made: Live = desk.app.state.live
    await made.start()
    yield made
    await made.stop()


async def visit_of(desk: DeskHome, name: str) -> Visit:
    browser = await desk.visitor(name)
    visit = await desk.book.visit(browser.client.cookies["wismo"])
    assert visit is not None
    return visit


async def until(stream: AsyncIterator[bytes], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first news that is as wanted."""
    async with asyncio.timeout(5):
        async for chunk in stream:
            if chunk.startswith(b"data: {"):
                news: dict[str, Any] = json.loads(chunk[6:])
                if wanted(news):
                    return news
    raise AssertionError("the stream ended")


async def test_a_case_appears_in_an_open_inbox_and_its_messages_on_its_open_page(desk: DeskHome, live: Live) -> None:
    visit = await visit_of(desk, "Mei")
    inbox = live.stream(Stream(visit, Look(), None))
    await until(inbox, lambda news: "counts" in news)
    await desk.home.say("I want to talk to a human")
    told = await until(inbox, lambda news: bool(news.get("inbox", {}).get("order")))
    assert told["inbox"]["order"] == [1]
    assert told["counts"]["waiting"] == 1
    page = live.stream(Stream(visit, None, 1))
    await until(page, lambda news: "state" in news.get("parts", {}))
    await desk.home.hear("Is anybody there?")
    await desk.home.work()
    fresh = await until(page, lambda news: any("Is anybody there?" in part for part in news.get("parts", {}).values()))
    assert all(name.startswith(("line-", "state", "card")) for name in fresh["parts"])
    await inbox.aclose()  # type: ignore[attr-defined]
    await page.aclose()  # type: ignore[attr-defined]
    assert not live.streams


async def test_whoever_is_shut_out_has_their_open_pages_closed(
    desk: DeskHome, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.desk.live.SESSION_SECONDS", 0.05)
    visit = await visit_of(desk, "Mei")
    stream = live.stream(Stream(visit, Look(), None))
    await until(stream, lambda news: "counts" in news)
    await desk.book.change(visit.staff, "Ada", active=False)
    async with asyncio.timeout(5):
        last = [chunk async for chunk in stream][-1]
    assert last.startswith(b"event: end")


async def test_two_who_look_at_one_case_see_each_other(desk: DeskHome, live: Live) -> None:
    await desk.home.say("I want to talk to a human")
    mei, lee = await visit_of(desk, "Mei"), await visit_of(desk, "Lee")
    hers = live.stream(Stream(mei, None, 1))
    await until(hers, lambda news: "state" in news.get("parts", {}))
    his = live.stream(Stream(lee, None, 1))
    await until(his, lambda news: "Mei looks at this too" in news.get("parts", {}).get("state", ""))
    await until(hers, lambda news: "Lee looks at this too" in news.get("parts", {}).get("state", ""))
    await his.aclose()  # type: ignore[attr-defined]
    gone = await until(hers, lambda news: "state" in news.get("parts", {}))
    assert "looks at this" not in gone["parts"]["state"]
    await hers.aclose()  # type: ignore[attr-defined]


async def test_a_session_cannot_hold_streams_without_end(desk: DeskHome, live: Live) -> None:
    visit = await visit_of(desk, "Mei")
    streams = [live.stream(Stream(visit, Look(), None)) for _ in range(14)]
    for stream in streams:
        await anext(stream)
    assert sum(not s.over for s in live.streams) == 12
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]


def line(case: int, **more: Any) -> CaseLine:
    holder = more.pop("holder", "queue")
    owner = more.pop("owner", "")
    made = Case(case, f"c/test/shop/{case}", "human", "words", None, owner, NOON, **more)
    return CaseLine(made, float(case), "test", holder, 1, f"Buyer {case}", "", NOON, f"#{case} buyer {case}")


def test_the_board_puts_first_what_is_due_first_and_tells_views_apart() -> None:
    board = Board()
    late, soon = NOON - timedelta(minutes=5), NOON + timedelta(minutes=5)
    mine = line(3, answer_due=soon, owner="Mei", acknowledged_at=NOON, holder="staff:Mei")
    asleep = line(4, state=CaseState.SNOOZED)
    changed = board.take([line(1), line(2, answer_due=late, priority=Priority.HIGH), mine, asleep], NOON)
    assert changed == {1, 2, 3, 4}
    assert [x.case.id for x in board.view(Look(), "Mei", NOON)] == [2, 3, 1]
    assert [x.case.id for x in board.view(Look("mine"), "Mei", NOON)] == [3]
    assert [x.case.id for x in board.view(Look("waiting"), "Mei", NOON)] == [2, 1]
    assert [x.case.id for x in board.view(Look("late"), "Mei", NOON)] == [2]
    assert [x.case.id for x in board.view(Look("snoozed"), "Mei", NOON)] == [4]
    assert [x.case.id for x in board.view(Look(words="BUYER 1"), "Mei", NOON)] == [1]
    assert board.tally("Mei") == {"open": 3, "mine": 1, "waiting": 2, "late": 1, "snoozed": 1, "resolved": 0}
    closed = replace(mine, touched=9.0, case=replace(mine.case, closed_at=NOON))
    assert board.take([closed, line(1)], NOON) == {3}
    assert board.view(Look("mine"), "Mei", NOON) == []


@pytest.mark.parametrize("query", [{"view": "x", "page": "-1"}, {"page": "99999999"}, {"q": "a" * 500}])
def test_an_address_that_is_nonsense_is_the_plain_inbox(query: dict[str, str]) -> None:
    look = Look.parse(query)
    assert (look.view, look.page) == ("open", 0)
    assert len(look.words) <= 80


def test_a_link_in_a_message_is_words_and_nothing_is_fetched() -> None:
    assert markup([Run("go <here>", bold=True, link="https://evil.example")]) == "<b>go &lt;here&gt;</b>"


def test_a_message_that_nobody_can_read_any_more_does_not_break_the_page() -> None:
    def broken(port: str, item: object) -> None:
        raise ValueError(port)

    rows = [
        WrittenRow(1, "wire", "k1", "c/x", b"{", 2, NOON),
        WrittenRow(2, "wire", "k2", "c/x", None, 2, NOON),
    ]
    (only,) = read(Paper(written=rows), broken)
    assert "are gone" in only.text[0].text
