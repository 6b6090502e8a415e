"""HTTP in: verify, store, and only then answer. Nothing is decoded here and nothing is decided.

/hooks/{name}   what platforms and carriers call; GET is a platform's handshake
/api/...        the shop's signed REST
/healthz /readyz /metrics   is the process up; can it store; Prometheus (loopback or token)

Where roles run apart, each process counts what it does itself; each then serves the last three (`create_monitor`).
"""

import asyncio
import hmac
import json
import time
from collections.abc import Mapping
from functools import lru_cache

import structlog
from msgspec.structs import replace
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.errors import describe
from bot.links import drawn
from bot.ports import Answer, Channel, Port, Request
from bot.store import Store
from bot.store.queue import Arrival

MOST_BYTES = 4 * 1024 * 1024
"""A larger body is refused: WhatsApp's batches end at 3 MB."""

DATABASE_SECONDS = 5.0
"""A database that does not answer within so long is not there."""

LINK_SECONDS = 2.0
"""So long a platform may take to name the address of its links, while a shop waits for its answer."""

log = structlog.get_logger()


class Metrics:
    """What Prometheus is told."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        make = {"registry": self.registry}
        self.hooks = Counter("wismo_hooks", "Calls of webhooks", ["port", "status"], **make)  # type: ignore[arg-type]
        self.ack = Histogram("wismo_ack_seconds", "From a call's last byte to its answer", ["port"], **make)  # type: ignore[arg-type]
        self.sends = Counter("wismo_sends", "Messages by outcome", ["channel", "state"], **make)  # type: ignore[arg-type]
        self.looks = Counter("wismo_looks", "Calls of tracking sources by outcome", ["source", "outcome"], **make)  # type: ignore[arg-type]
        self.alarms = Counter("wismo_alarms", "Things to look at: proofs, codes, templates", ["what", "of"], **make)  # type: ignore[arg-type]
        self.database = Gauge("wismo_database_up", "1 while the database answers", **make)  # type: ignore[arg-type]
        self.rows = Gauge("wismo_rows", "Rows by where they stand", ["state"], **make)  # type: ignore[arg-type]
        self.oldest = Gauge("wismo_oldest_waiting_seconds", "Age of the oldest waiting event", **make)  # type: ignore[arg-type]
        self.feeds = Gauge("wismo_feed_down", "1 while a tracking source gives no answer", ["source"], **make)  # type: ignore[arg-type]


class Hooks:
    """The raw ASGI endpoint of webhooks: the hot path, so without routing and request objects."""

    def __init__(self, store: Store, ports: Mapping[str, Port], metrics: Metrics) -> None:
        self.store = store
        self.ports = ports
        self.metrics = metrics
        self._acks = {name: metrics.ack.labels(name) for name in ports}
        self._calls = lru_cache(maxsize=256)(metrics.hooks.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call below /hooks/ (or the shop's /api/)."""
        name = self._name(scope)
        port = self.ports.get(name)
        if port is None:
            await _respond(send, Answer(404))
            return
        body = await _body(receive)
        if body is None:
            await _respond(send, Answer(413))
            return
        began = time.monotonic()
        answer = await self._answer(name, port, _request(scope, body))
        await _respond(send, answer)
        self._acks[name].observe(time.monotonic() - began)
        self._calls(name, answer.status).inc()

    def _name(self, scope: Scope) -> str:
        path: str = scope["path"]
        return path.removeprefix("/hooks/").rstrip("/") if path.startswith("/hooks/") else "rest"

    async def _answer(self, name: str, port: Port, request: Request) -> Answer:
        try:
            answer = await port.webhook(request)
        except Exception as error:
            log.error("hook.defect", port=name, error=type(error).__name__)
            return Answer(500)
        if not answer.items:
            return answer
        try:
            await self.store.receive([Arrival(name, item) for item in answer.items])
        except Exception as error:
            log.error("hook.not_stored", port=name, error=type(error).__name__)
            return Answer(503)
        for alarm in answer.alarms:
            self.metrics.alarms.labels(alarm.what, name).inc()
            log.warning("hook.alarm", port=name, what=alarm.what, about=alarm.about)
        return await self._with_links(answer) if answer.link else answer

    async def _with_links(self, answer: Answer) -> Answer:
        """The answer with each channel's link, and its QR code as a picture."""
        channels = {name: port for name, port in self.ports.items() if isinstance(port, Channel)}
        told = await asyncio.gather(*(_link(name, channel, answer.link) for name, channel in channels.items()))
        links = {name: link for name, link in zip(channels, told, strict=True) if link is not None}
        return replace(answer, body=json.dumps({**json.loads(answer.body), "links": links}).encode())


async def _link(name: str, channel: Channel, token: str) -> Mapping[str, str] | None:
    """A channel's link and its picture; None where it has none or cannot tell. The event is stored by now, so that
    nothing a platform does may make the answer another."""
    try:
        async with asyncio.timeout(LINK_SECONDS):
            link = await channel.deep_link(token)
    except Exception as error:
        log.warning("hook.no_link", channel=name, error=describe(error))
        return None
    # Drawing takes some 4 ms, which no webhook is to wait for.
    return {"url": link, "qr": await asyncio.to_thread(drawn, link)} if link is not None else None


def _request(scope: Scope, body: bytes) -> Request:
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
    raw_query: bytes = scope.get("query_string", b"")
    query = dict(StarletteRequest(scope).query_params) if raw_query else {}
    path = scope.get("raw_path", scope["path"].encode()).split(b"?", 1)[0].decode("latin-1")
    return Request(scope["method"], path, headers, query, body, raw_query=raw_query.decode("latin-1"))


async def _body(receive: Receive) -> bytes | None:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body if len(body) <= MOST_BYTES else None
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            return None
    return b"".join(parts)


async def _respond(send: Send, answer: Answer) -> None:
    headers = [(k.lower().encode(), v.encode()) for k, v in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def create_monitor(store: Store, metrics: Metrics, *, token: str = "") -> Starlette:
    """Whether this process is up, whether it can store, and what it counted."""

    async def healthz(request: StarletteRequest) -> Response:
        return PlainTextResponse("ok")

    async def readyz(request: StarletteRequest) -> Response:
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                await store.health()
        except Exception as error:
            return PlainTextResponse(f"the database does not answer: {type(error).__name__}", 503)
        return PlainTextResponse("ready")

    async def show_metrics(request: StarletteRequest) -> Response:
        if not _may_read(request, token):
            return PlainTextResponse("metrics are for loopback or the bearer of web.metrics_token", 403)
        await _measure(store, metrics)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", show_metrics)])


def create_web(hooks: Hooks, monitor: ASGIApp) -> ASGIApp:
    """The ASGI app of the `web` role: what calls us, and beside it how we are."""

    async def web(scope: Scope, receive: Receive, send: Send) -> None:
        # Past Starlette's middleware and routes, which cost as much as the hook itself.
        path = scope.get("path", "")
        hook = scope["type"] == "http" and path.startswith(("/hooks/", "/api/"))
        await (hooks if hook else monitor)(scope, receive, send)

    return web


def _may_read(request: StarletteRequest, token: str) -> bool:
    if token:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {token}".encode())
    return request.client is not None and request.client.host in {"127.0.0.1", "::1"}


async def _measure(store: Store, metrics: Metrics) -> None:
    """Count the rows; where the database does not answer, what this process counted itself is told all the same."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            health = await store.health()
    except Exception as error:
        log.error("metrics.no_database", error=type(error).__name__)
        metrics.database.set(0)
        metrics.rows.clear()
        return
    metrics.database.set(1)
    for state in ("waiting", "later", "dead", "unsent", "unsendable", "unknown", "cases"):
        metrics.rows.labels(state).set(getattr(health, state))
    metrics.oldest.set(health.oldest)
    metrics.feeds.clear()
    for source, _ in health.feeds:
        metrics.feeds.labels(source).set(1)
