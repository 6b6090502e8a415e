"""Which kind of page the desk is made of: NiceGUI, or server-rendered pages with server-sent events.

    python tests/benchmarks/deskfirst.py [--clients 200] [--seconds 10]

An inbox of 50 rows, so many browsers on it, and 100 changes a second gathered for 250 ms. Prints, for NiceGUI, for SSE
where every browser's view is drawn for itself, and for SSE where views are shared: how old an update is when it
arrives, how long a page takes, and what the server uses. The figures stand in bot/desk/__init__.py.
"""

import argparse
import asyncio
import json
import random
import re
import socket
import sys
import time
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from fastapi import FastAPI
from jinja2 import Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route

GATHER, ROWS, CHANGES = 0.25, 50, 100
STAMP = re.compile(r"T=([0-9.]+);")
ROW = Environment(autoescape=True).from_string(
    '<a class="case" id="c{{ id }}" href="/desk/cases/{{ id }}"><b>Buyer {{ id }} of Somewhere</b><span>lost</span>'
    "<span>Where is my order? I have been waiting for two weeks now</span><span>due in 12 min</span>"
    '<span>Mei</span><i>T={{ "%.4f"|format(at) }};</i></a>'
)


@dataclass
class Inbox:
    """Rows, and which of them changed."""

    at: list[float] = field(default_factory=lambda: [time.monotonic()] * ROWS)
    dirty: set[int] = field(default_factory=set)

    async def live(self, tell: Callable[[list[int]], None]) -> None:
        """Change rows, and tell what changed."""
        due = time.monotonic()
        while True:
            for _ in range(int(CHANGES * GATHER)):
                row = random.randrange(ROWS)
                self.at[row] = time.monotonic()
                self.dirty.add(row)
                due += 1 / CHANGES
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            changed, self.dirty = sorted(self.dirty), set()
            tell(changed)

    def draw(self, row: int) -> str:
        return ROW.render(id=row, at=self.at[row])


def nicegui(inbox: Inbox) -> Any:
    """The page as NiceGUI builds it: one element a row."""
    from nicegui import app as frame  # noqa: PLC0415 - only this one of the three servers holds it
    from nicegui import ui  # noqa: PLC0415

    app = FastAPI()
    views: dict[str, list[Any]] = {}

    def tell(changed: list[int]) -> None:
        for view in list(views.values()):
            for row in changed:
                view[row].set_content(inbox.draw(row))

    @ui.page("/")
    def page() -> None:
        client = ui.context.client
        with ui.element("main"):
            views[client.id] = [ui.html(inbox.draw(row), sanitize=False) for row in range(ROWS)]
        client.on_disconnect(lambda: views.pop(client.id, None))

    tasks: list[asyncio.Task[None]] = []
    frame.on_startup(lambda: tasks.append(asyncio.create_task(inbox.live(tell))))
    ui.run_with(app)
    return app


def events(inbox: Inbox, *, shared: bool) -> Any:
    """The page as a template, and a stream of what changed."""
    queues: set[asyncio.Queue[Any]] = set()

    def message(changed: list[int]) -> bytes:
        return b"data: " + json.dumps([inbox.draw(row) for row in changed]).encode() + b"\n\n"

    def tell(changed: list[int]) -> None:
        told = message(changed) if shared else changed
        for queue in queues:
            queue.put_nowait(told)

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse("<!doctype html><main>" + "".join(map(inbox.draw, range(ROWS))))

    async def stream(request: Request) -> StreamingResponse:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        queues.add(queue)

        async def told() -> AsyncIterator[bytes]:
            try:
                while True:
                    news = await queue.get()
                    yield news if shared else message(news)
            finally:
                queues.discard(queue)

        return StreamingResponse(told(), media_type="text/event-stream")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        living = asyncio.create_task(inbox.live(tell))
        yield
        living.cancel()

    return Starlette(routes=[Route("/", page), Route("/stream", stream)], lifespan=lifespan)


SERVERS: dict[str, Callable[[Inbox], Any]] = {
    "nicegui": nicegui,
    "sse, each its own": lambda inbox: events(inbox, shared=False),
    "sse, views shared": lambda inbox: events(inbox, shared=True),
}


async def follow(http: aiohttp.ClientSession, kind: str, base: str, pages: list[float]) -> AsyncIterator[str]:
    """One browser: opens the page and yields whatever it is told."""
    began = time.monotonic()
    async with http.get(base + "/") as answer:
        page = await answer.text()
    pages.append(time.monotonic() - began)
    if kind != "nicegui":
        async with http.get(base + "/stream") as stream:
            async for line in stream.content:
                yield line.decode()
        return
    client = re.search(r"client_id['\"]?:\s*['\"]([0-9a-f-]+)", page.replace("&quot;", '"'))
    assert client is not None
    asked = {"EIO": 4, "transport": "websocket", "client_id": client[1], "implicit_handshake": "true"}
    asked |= {"document_id": uuid.uuid4().hex, "tab_id": uuid.uuid4().hex, "next_message_id": 0}
    heard = 0
    path = f"/_nicegui_ws/socket.io/?{urllib.parse.urlencode(asked)}"
    async with http.ws_connect(base + path, max_msg_size=0) as socket_:
        async for frame in socket_:
            told = str(frame.data)
            if told[0] in "02":
                await socket_.send_str("40" if told[0] == "0" else "3")
            elif told.startswith("42"):
                yield told
                heard += 1
                if heard % 25 == 0:
                    ack = ["ack", {"client_id": client[1], "next_message_id": heard}]
                    await socket_.send_str("42" + json.dumps(ack))


def used(pid: int) -> tuple[float, float]:
    """CPU seconds and resident MiB."""
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    lines: Iterator[str] = iter(Path(f"/proc/{pid}/status").read_text().splitlines())
    return (int(stat[11]) + int(stat[12])) / 100, next(int(x.split()[1]) for x in lines if x.startswith("VmRSS")) / 1024


async def measure(kind: str, clients: int, seconds: float) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = await asyncio.create_subprocess_exec(sys.executable, __file__, "--serve", kind, "--port", str(port))
    await asyncio.sleep(6)
    ages: list[float] = []
    pages: list[float] = []
    measuring = asyncio.Event()

    async def browse(http: aiohttp.ClientSession) -> None:
        async for told in follow(http, kind, f"http://127.0.0.1:{port}", pages):
            if measuring.is_set():
                now = time.monotonic()
                ages.extend(now - float(at) for at in STAMP.findall(told))

    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**20) as http:
        browsing = []
        for _ in range(clients):
            browsing.append(asyncio.create_task(browse(http)))
            await asyncio.sleep(0.05)
        await asyncio.sleep(3)
        measuring.set()
        before, began = used(server.pid)[0], time.monotonic()
        await asyncio.sleep(seconds)
        after, resident = used(server.pid)
        share = 100 * (after - before) / (time.monotonic() - began)
        for task in browsing:
            task.cancel()
        await asyncio.gather(*browsing, return_exceptions=True)
    server.terminate()
    await server.wait()
    told = f"update p50 {at(ages, 0.5):.2f} p95 {at(ages, 0.95):.2f} p99 {at(ages, 0.99):.2f} s"
    print(f"{kind}: {told}; page p95 {1000 * at(pages, 0.95):.0f} ms; {share:.0f} % CPU, {resident:.0f} MiB")


def at(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)] if values else float("nan")


def main() -> None:
    """Measure all three, one after another."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--clients", type=int, default=200)
    ap.add_argument("--seconds", type=float, default=10)
    ap.add_argument("--serve", default="")
    ap.add_argument("--port", type=int, default=0)
    args = ap.parse_args()
    if args.serve:
        uvicorn.run(SERVERS[args.serve](Inbox()), host="127.0.0.1", port=args.port, log_level="warning")
        return
    for kind in SERVERS:
        asyncio.run(measure(kind, args.clients, args.seconds))


if __name__ == "__main__":
    main()
