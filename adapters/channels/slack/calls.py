"""Calls of Slack's Web API through slack_sdk: one session, nothing resent, failures as our errors.

What is to be done about each of Slack's codes stands in `errors.csv`: wait (this channel), pause (the whole
account), retry, unreachable, operator, plain (send it once more without blocks), refused.
"""

import csv
import logging
from importlib.resources import files
from typing import Any

import httpx
import msgspec
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError
from bot.transport import post, ready_headers

_OK, _TOO_MANY, _SERVER = 200, 429, 500
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Malformed(Refused):
    """Slack refused the form of this message; the same words may pass as plain text."""


class _Client(AsyncWebClient):
    """slack_sdk's client over the app's HTTP client, the way of a message made short.

    Of a call in JSON, which every message is, the client's own part takes longer than sending it: headers that are
    always the same, a copy of the request for retries that are not wanted. An answer that is no JSON is empty instead
    of one of several exceptions.
    """

    def __init__(self, http: httpx.AsyncClient, **settings: Any) -> None:
        super().__init__(**settings)
        self._http = http
        self._endpoints: dict[str, tuple[httpx.URL, httpx.Headers]] = {}

    async def api_call(
        self, api_method: str, *, json: dict[str, Any] | None = None, **parts: Any
    ) -> AsyncSlackResponse:
        """As the client's own."""
        if json is None:
            return await super().api_call(api_method, **parts)
        url, headers = self._endpoint(api_method)
        answer = await self._http.send(post(url, headers, msgspec.json.encode(json), self._http.timeout.read or 20.0))
        response = AsyncSlackResponse(
            client=self,
            http_verb="POST",
            api_url=api_method,
            req_args={},
            data=_told(answer.content),
            headers=answer.headers,  # type: ignore[arg-type]  # a mapping, of which only one is read
            status_code=answer.status_code,
        )
        response.validate()  # type: ignore[no-untyped-call]
        return response

    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        parts = {name: req_args[name] for name in ("headers", "params", "data")}
        answer = await self._http.request(http_verb, api_url, **parts)
        return {"data": _told(answer.content), "headers": answer.headers, "status_code": answer.status_code}

    def _endpoint(self, method: str) -> tuple[httpx.URL, httpx.Headers]:
        """A method's address and headers: of one token they are the same at every call."""
        if method not in self._endpoints:
            url = httpx.URL(f"{self.base_url.rstrip('/')}/{method}")
            same = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json;charset=utf-8"}
            self._endpoints[method] = url, ready_headers(url, **{**self.headers, **same})
        return self._endpoints[method]


def _told(raw: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(raw)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


class Calls:
    """One token's calls, over the app's HTTP client."""

    def __init__(self, token: str, base_url: str, http: httpx.AsyncClient) -> None:
        # By default the client posts a message again after a broken connection: the outbox decides that.
        # A logger without a level makes it format every request and answer, buyers' words and all.
        quiet = logging.Logger("slack_sdk", logging.WARNING)
        self.client = _Client(http, token=token, base_url=base_url, retry_handlers=[], logger=quiet)
        # The client reads a proxy from the environment without NO_PROXY; our other calls use none.
        self.client.proxy = None
        self._actions = error_table()

    async def call(self, method: str, **parts: Any) -> dict[str, Any]:
        """One call that may change something; a broken line leaves its outcome unknown."""
        try:
            response = await self.client.api_call(method, **parts)
        except _NOT_SENT as error:
            raise Temporary("Slack cannot be reached") from error
        except httpx.HTTPError as error:
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
