"""The token that calls share, and HTTP's word as our errors."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from bot.errors import Misconfigured, Refused, Temporary
from bot.wire import Tokens, judge, reached, retry_after


class Desk:
    """Gives tokens slowly and takes only the newest."""

    def __init__(self, lasts: object = 3600) -> None:
        self.lasts = lasts
        self.given = self.calls = 0
        self.valid = ""

    async def token(self) -> httpx.Response:
        await asyncio.sleep(0.01)
        self.given += 1
        self.valid = f"t{self.given}"
        return httpx.Response(200, json={"access_token": self.valid, "expires_in": self.lasts})

    async def call(self, headers: dict[str, str]) -> httpx.Response:
        await asyncio.sleep(0.005)
        self.calls += 1
        return httpx.Response(200 if headers["authorization"] == f"Bearer {self.valid}" else 401)


async def test_however_many_wait_one_asks_for_the_token() -> None:
    desk = Desk()
    tokens = Tokens(desk.token, "X", "k")
    answers = await asyncio.gather(*(tokens.call(desk.call) for _ in range(30)))
    assert {a.status_code for a in answers} == {200}
    assert desk.given == 1


async def test_a_token_taken_away_is_renewed_once_for_all_who_hold_it() -> None:
    desk = Desk()
    tokens = Tokens(desk.token, "X", "k")
    await tokens.bearer()
    desk.valid = "another's"
    answers = await asyncio.gather(*(tokens.call(desk.call) for _ in range(10)))
    assert {a.status_code for a in answers} == {200}
    assert desk.given == 2


@pytest.mark.parametrize(("lasts", "given"), [(3600, 1), ("3600", 1), (3600.0, 1), (29, 2), (None, 2), ("soon", 2)])
async def test_a_token_is_kept_until_half_a_minute_before_its_end(lasts: object, given: int) -> None:
    desk = Desk(lasts)
    tokens = Tokens(desk.token, "X", "k")
    await tokens.bearer()
    await tokens.bearer()
    assert desk.given == given


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(400), Misconfigured),
        (httpx.Response(401), Misconfigured),
        (httpx.Response(503), Temporary),
        (httpx.Response(200, content=b"<html>"), Temporary),
        (httpx.Response(200, json={}), Temporary),
        (httpx.Response(200, json=[]), Temporary),
    ],
)
async def test_a_desk_without_a_token_is_an_error_of_ours(answer: httpx.Response, error: type[Exception]) -> None:
    async def ask() -> httpx.Response:
        return answer

    with pytest.raises(error):
        await Tokens(ask, "X", "k").bearer()


@pytest.mark.parametrize("fault", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.DecodingError("x")])
async def test_no_answer_that_can_be_unpacked_is_a_fault_of_the_moment(fault: Exception) -> None:
    async def call() -> httpx.Response:
        raise fault

    with pytest.raises(Temporary, match="cannot be reached"):
        await reached(call(), "X")


@pytest.mark.parametrize(
    ("status", "error", "wide"),
    [
        (401, Misconfigured, False),
        (403, Misconfigured, False),
        (429, Temporary, True),
        (502, Temporary, False),
        (422, Refused, False),
    ],
)
def test_a_status_is_an_error_of_ours(status: int, error: type[Exception], wide: bool) -> None:
    with pytest.raises(error) as raised:
        judge(httpx.Response(status, headers={"retry-after": "7"}), "X", "k")
    if isinstance(raised.value, Temporary):
        assert (raised.value.retry_after, raised.value.account_wide) == (7.0, wide)
    judge(httpx.Response(404), "X", "k")


def test_retry_after_may_be_seconds_a_date_or_nonsense() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    wait = retry_after(httpx.Response(429, headers={"retry-after": later}))
    assert wait is not None
    assert 80 < wait <= 91
    for told in ("", "soon", "-5", "Tue, 99 Foo 2026", format_datetime(datetime(2001, 1, 1, tzinfo=UTC))):
        assert retry_after(httpx.Response(429, headers={"retry-after": told})) is None
