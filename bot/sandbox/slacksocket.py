"""Slack's Socket Mode on loopback: events in envelopes, over connections that the app opened.

Sources: docs.slack.dev, "Using Socket Mode", "apps.connections.open" (an app-level token in the header and nowhere
else; the address that it gives is good for one connection).
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.sandbox.platform import Event

CONNECTIONS = 10
"""Of one app at a time."""
FORM = "application/x-www-form-urlencoded"
HOST = {"host": "applink-lantern"}


class SocketMode:
    """The connections of one app. While it is `on` nothing is sent to the app's web address.

    `acks` are what the app answered; what is not acknowledged within `patience` (seconds) comes again.
    """

    def __init__(self, base: str, app: str) -> None:
        self.on = False
        self.token = f"xapp-1-{app}-{secrets.token_hex(16)}"
        self.links: list[WebSocket] = []
        self.acks: list[dict[str, Any]] = []
        self.patience = 3.0
        self._base = base.replace("http", "ws", 1)
        self._app = app
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}

    def ticket(self) -> str:
        """The address of one more connection."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return f"{self._base}/link/?ticket={ticket}&app_id={self._app}"

    async def link(self, socket: WebSocket) -> None:
        """One connection, for as long as it lasts."""
        ticket = socket.query_params.get("ticket", "")
        if ticket not in self._tickets:
            await socket.close()
            return
        self._tickets.discard(ticket)
        await socket.accept()
        if len(self.links) >= CONNECTIONS:
            await self._part(socket, "too_many_websockets")
            return
        self.links.append(socket)
        try:
            told = {"num_connections": len(self.links), "debug_info": {**HOST, "approximate_connection_time": 18060}}
            await socket.send_json({"type": "hello", "connection_info": {"app_id": self._app}, **told})
            async for text in socket.iter_text():
                ack = json.loads(text)
                if (waiting := self._waiting.get(ack["envelope_id"])) is not None:
                    self.acks.append(ack)
                    waiting.set()
        finally:
            if socket in self.links:
                self.links.remove(socket)

    async def send(self, event: Event, attempt: int) -> bool:
        """Send an event over one of the connections; whether it was acknowledged in time."""
        if not self.links:
            return False
        acknowledged, envelope = asyncio.Event(), str(uuid4())
        self._waiting[envelope] = acknowledged
        try:
            async with asyncio.timeout(self.patience):
                await self.links[-1].send_json({"envelope_id": envelope, **_enveloped(event, attempt)})
                await acknowledged.wait()
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            return False
        finally:
            del self._waiting[envelope]
        return True

    async def refresh(self) -> None:
        """End every connection, as Slack does every few hours: the app connects anew."""
        links, self.links = self.links, []
        for socket in links:
            await self._part(socket, "refresh_requested")

    async def _part(self, socket: WebSocket, reason: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the app was faster
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": HOST})
            await socket.close()


def _enveloped(event: Event, attempt: int) -> Mapping[str, Any]:
    """What would be the body of a call, in an envelope."""
    if event.content_type == FORM:
        payload = json.loads(parse_qs(event.body.decode())["payload"][0])
        return {"type": "interactive", "payload": payload, "accepts_response_payload": True}
    again = {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
    return {"type": "events_api", "payload": json.loads(event.body), "accepts_response_payload": False, **again}
