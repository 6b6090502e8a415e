"""What adapters share on the wire: an OAuth token with one refresh in flight, and HTTP's word as errors."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from bot.errors import Misconfigured, Refused, Temporary
from bot.model.foreign import a_map, a_number, a_text, parse_json

EARLY_SECONDS = 30.0
"""A token is renewed this long before it ends."""

Call = Callable[[dict[str, str]], Awaitable[httpx.Response]]


def unsent(error: BaseException | None) -> bool:
    """Whether a call failed before anything of it was written, so that it can be made again."""
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


async def reached(call: Awaitable[httpx.Response], who: str) -> httpx.Response:
    """The answer of a call; `Temporary` where none came, or none that can be unpacked."""
    try:
        return await call
    except httpx.RequestError as error:
        raise Temporary(f"{who} cannot be reached: {type(error).__name__}") from error


def judge(response: httpx.Response, who: str, key: str) -> None:
    """Raise what an HTTP status asks for. `key` is the setting that holds the credentials. 404 is the caller's."""
    status = response.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Misconfigured(f"{who} refuses the credentials ({status})", key=key)
    limited = status == HTTPStatus.TOO_MANY_REQUESTS
    if limited or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Temporary(f"{who} answered {status}", retry_after=retry_after(response), account_wide=limited)
    if status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.NOT_FOUND:
        raise Refused(f"{who} answered {status}")


def retry_after(response: httpx.Response) -> float | None:
    """Seconds until the next call by Retry-After (seconds or a date), None where it is not told."""
    told = response.headers.get("retry-after", "")
    if (seconds := a_number(told)) > 0:
        return float(seconds)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time()) or None
    except (ValueError, TypeError, OverflowError):
        return None


class Tokens:
    """An OAuth 2 client-credentials token (RFC 6749 §4.4), fetched once however many calls wait for it."""

    def __init__(self, ask: Callable[[], Awaitable[httpx.Response]], who: str, key: str) -> None:
        self._ask, self._who, self._key = ask, who, key
        self._token = ""
        self._ends = 0.0
        self._turn = asyncio.Lock()

    async def bearer(self) -> str:
        """A token that still holds."""
        async with self._turn:
            if not self._token or time.monotonic() >= self._ends:
                await self._refresh()
            return self._token

    async def call(self, send: Call) -> httpx.Response:
        """Send with a token; after a 401 once more with a fresh one."""
        token = await self.bearer()
        response = await reached(send({"authorization": f"Bearer {token}"}), self._who)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        if token == self._token:
            self._ends = 0.0
        return await reached(send({"authorization": f"Bearer {await self.bearer()}"}), self._who)

    async def _refresh(self) -> None:
        response = await reached(self._ask(), self._who)
        if response.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
            raise Misconfigured(f"{self._who} gives no token for these credentials", key=self._key)
        judge(response, self._who, self._key)
        try:
            told = a_map(parse_json(response.content, self._who))
        except ValueError as error:
            raise Temporary(str(error)) from error
        token, lasts = a_text(told.get("access_token")), a_number(told.get("expires_in"))
        if not token:
            raise Temporary(f"{self._who} answered without a token")
        self._token, self._ends = token, time.monotonic() + max(lasts - EARLY_SECONDS, 0.0)
