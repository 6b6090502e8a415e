"""Calls of Slack's Web API through slack_sdk: one session, nothing resent, failures as our errors.

What is to be done about each of Slack's codes stands in `errors.csv`: wait (this channel), pause (the whole
account), retry, unreachable, operator, plain (send it once more without blocks), refused.
"""

import csv
import logging
from importlib.resources import files
from typing import Any

import aiohttp
import msgspec
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError

_OK, _TOO_MANY, _SERVER = 200, 429, 500
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Malformed(Refused):
    """Slack refused the form of this message; the same words may pass as plain text."""


class _Client(AsyncWebClient):
    """slack_sdk's client with its last step, the HTTP call, made short.

    It takes three quarters off the client's own time for a call (no copy of the request for retries that are not
    wanted), and an answer that is no JSON is empty instead of one of several exceptions.
    """

    session: aiohttp.ClientSession

    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        if (body := req_args.pop("json")) is not None:
            req_args["data"] = msgspec.json.encode(body)
        async with self.session.request(http_verb, api_url, **req_args) as answer:
            raw = await answer.read()
        return {"data": _told(raw), "headers": answer.headers, "status_code": answer.status}


def _told(raw: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(raw)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


class Calls:
    """One token's calls, each of at most `seconds`. The session is made at the first call, in the loop that uses it."""

    def __init__(self, token: str, base_url: str, seconds: float = 20.0) -> None:
        # By default the client posts a message again after a broken connection: the outbox decides that.
        # A logger without a level makes it format every request and answer, buyers' words and all.
        quiet = logging.Logger("slack_sdk", logging.WARNING)
        self.client = _Client(token=token, base_url=base_url, retry_handlers=[], logger=quiet)
        # The client reads a proxy from the environment without NO_PROXY; our other calls use none.
        self.client.proxy = None
        self._seconds = seconds
        self._actions = error_table()

    async def call(self, method: str, **parts: Any) -> dict[str, Any]:
        """One call that may change something; a broken line leaves its outcome unknown."""
        self._open()
        try:
            response = await self.client.api_call(method, **parts)
        except _NOT_SENT as error:
            raise Temporary("Slack cannot be reached") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unknown(f"the line to Slack broke: {type(error).__name__}") from error
        except SlackApiError as error:
            raise self.meant(error) from error
        told: dict[str, Any] = response.data  # type: ignore[assignment]  # bytes only for one admin method
        return told

    async def ask(self, method: str, **parts: Any) -> dict[str, Any]:
        """One call that changes nothing: whatever broke, it can be made again."""
        try:
            return await self.call(method, **parts)
        except Unknown as error:
            raise Temporary(str(error)) from error

    def meant(self, error: SlackApiError) -> WismoError:
        """What Slack's refusal means for us."""
        answer: Any = error.response
        code, status = str(answer.data.get("error") or ""), int(answer.status_code)
        after = str(answer.headers.get("Retry-After", ""))
        action, seconds = self._actions.get(code, ("", 0.0))
        if status == _TOO_MANY:
            action, seconds = "wait", seconds or 30.0
        return _error(
            action or _by_status(status, code),
            f"Slack error {code or f'HTTP {status}'}",
            float(after) if after.isdecimal() else seconds or None,
        )

    async def close(self) -> None:
        """Let go of the session."""
        if self.client.session is not None:
            await self.client.session.close()

    def _open(self) -> None:
        if self.client.session is None or self.client.session.closed:
            limits = aiohttp.ClientTimeout(total=self._seconds, sock_connect=5)
            self.client.session = aiohttp.ClientSession(timeout=limits)


def _by_status(status: int, code: str) -> str:
    """Where the table has no word: Slack's refusals come with 200 and a code, anything else is not Slack's."""
    if code:
        return "refused"
    if status >= _SERVER:
        return "retry"
    return "unknown" if status == _OK else "elsewhere"


_KINDS: dict[str, type[WismoError]] = {"unreachable": Unreachable, "unknown": Unknown, "plain": Malformed}
_SETTINGS = {"operator": "channels.slack.bot_token", "elsewhere": "channels.slack.base_url"}
"""`elsewhere`: what answers there does not speak like Slack."""


def _error(action: str, text: str, after: float | None) -> WismoError:
    if action in {"retry", "wait", "pause"}:
        return Temporary(text, retry_after=after, account_wide=action == "pause")
    if action in _SETTINGS:
        return Misconfigured(text, key=_SETTINGS[action])
    return _KINDS.get(action, Refused)(text)


def error_table() -> dict[str, tuple[str, float]]:
    """Slack's codes: the action and, where Slack names none, the seconds to wait."""
    raw = files("adapters.channels.slack").joinpath("errors.csv").read_text(encoding="utf-8")
    return {row["code"]: (row["action"], float(row["seconds"] or 0)) for row in csv.DictReader(raw.splitlines())}
