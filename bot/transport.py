"""HTTP/1.1 out, below httpx's client: connections that are kept, written and read with no layer between.

httpx's own transport takes 1 to 3 ms of CPU a call at concurrency and the one over aiohttp about 140 us; this one
about 30. TLS is the event loop's, parsing is httptools' (the parser that uvicorn hears us with). No HTTP/2, no
proxy: neither was there before.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import httptools
import httpx

Origin = tuple[str, str, int]

KEPT_SECONDS = 15.0
"""So long an unused connection is kept; a server that closes sooner is noticed at once."""
MOST_CONNECTIONS = 100
MOST_BUFFERED = 256 * 1024
"""Bytes of a body that wait for their reader; then the sender is made to wait."""
_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})
_BODIED = frozenset({"POST", "PUT", "PATCH"})
_PORTS = {"http": 80, "https": 443}
_CONTINUE, _OK = 100, 200


def post(url: httpx.URL, headers: httpx.Headers, content: bytes, seconds: float = 20.0) -> httpx.Request:
    """A request that is complete as it is: what httpx would find out anew for each costs as much as sending it.

    `headers` are made once by `ready_headers`; the length is added where it is written.
    """
    timeout = {"connect": 5.0, "read": seconds, "write": seconds, "pool": seconds}
    return httpx.Request(
        "POST", url, headers=headers, stream=httpx.ByteStream(content), extensions={"timeout": timeout}
    )


def ready_headers(url: httpx.URL, **more: str) -> httpx.Headers:
    """The headers of every JSON `post` to this URL."""
    every = {"Host": url.netloc.decode("ascii"), "User-Agent": "wismo", "Content-Type": "application/json"}
    return httpx.Headers({**every, **more})


class Client(httpx.AsyncClient):
    """httpx's client; a request that asks for no more goes straight to the transport.

    What is passed by are redirects, cookies and an `Authorization` of the client's own: no API here uses them, and
    they cost 35 us a call.
    """

    async def send(
        self,
        request: httpx.Request,
        *,
        stream: bool = False,
        auth: Any = httpx.USE_CLIENT_DEFAULT,
        follow_redirects: Any = httpx.USE_CLIENT_DEFAULT,
    ) -> httpx.Response:
        """As httpx's own."""
        asks_more = stream or auth is not httpx.USE_CLIENT_DEFAULT or follow_redirects is not httpx.USE_CLIENT_DEFAULT
        if asks_more or self.is_closed:
            return await super().send(request, stream=stream, auth=auth, follow_redirects=follow_redirects)
        try:
            response = await self._transport.handle_async_request(request)
            response.request = request
            try:
                await response.aread()
            except BaseException:
                await response.aclose()
                raise
        except httpx.RequestError as error:
            error.request = request
            raise
        return response


def fresh_client(*, trust_env: bool = True) -> Client:
    """A client for one event loop, as every part of the bot uses it; without `trust_env` no proxy of the environment
    stands between."""
    return Client(transport=Transport(), timeout=httpx.Timeout(20.0, connect=5.0), trust_env=trust_env)


class Transport(httpx.AsyncBaseTransport):
    """A pool of connections for one event loop."""

    def __init__(self, most: int = MOST_CONNECTIONS) -> None:
        self._idle: dict[Origin, list[_Connection]] = {}
        self._room = asyncio.Semaphore(most)
        self._tls: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; its body is sent whole, the answer's may come in pieces."""
        seconds: dict[str, float | None] = request.extensions.get("timeout", {})
        content = await request.aread()
        head = _head(request, len(content))
        await self._admitted(seconds.get("pool"))
        connection: _Connection | None = None
        try:
            connection = await self._connected(request.url, seconds.get("connect"))
            return await connection.ask(request, head + content, seconds.get("read"))
        except BaseException:
            if connection is not None:
                connection.close()
            self._room.release()
            raise

    async def _admitted(self, seconds: float | None) -> None:
        if not self._room.locked():
            await self._room.acquire()
            return
        try:
            async with asyncio.timeout(seconds):
                await self._room.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("every connection is in use") from error

    async def _connected(self, url: httpx.URL, seconds: float | None) -> "_Connection":
        origin = (url.scheme, url.host, url.port or _PORTS[url.scheme])
        idle = self._idle.get(origin, ())
        while idle:
            connection = idle.pop()  # the one used last: the others may grow old
            if connection.open and connection.since + KEPT_SECONDS > time.monotonic():
                return connection
            connection.close()
        try:
            async with asyncio.timeout(seconds):
                return await self._connect(origin)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"{origin[1]} takes no connection") from error
        except OSError as error:
            raise httpx.ConnectError(f"{origin[1]} takes no connection: {error}") from error

    async def _connect(self, origin: Origin) -> "_Connection":
        scheme, host, port = origin
        if scheme == "https" and self._tls is None:
            self._tls = httpx.create_ssl_context()
        tls = self._tls if scheme == "https" else None
        make = asyncio.get_running_loop().create_connection
        _, connection = await make(lambda: _Connection(self, origin), host, port, ssl=tls)
        return connection

    def done(self, connection: "_Connection", *, keep: bool) -> None:
        """A call has come to its end: its connection can serve the next."""
        self._room.release()
        if keep:
            self._idle.setdefault(connection.origin, []).append(connection)
        else:
            connection.close()

    async def aclose(self) -> None:
        """Close what is kept."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()


class _Connection(asyncio.Protocol):
    """One connection, which serves one call at a time. Its `on_...` methods are the parser's."""

    def __init__(self, pool: Transport, origin: Origin) -> None:
        self.origin = origin
        self.open = False
        self.since = 0.0
        self._pool = pool
        self._line: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._asked: asyncio.Future[None] | None = None
        self._more: asyncio.Future[None] | None = None
        self._failed: Exception | None = None
        self._paused = False
        self._busy = False
        self._begin()

    def _begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: deque[bytes] = deque()
        self._size = 0
        self._status = 0
        self._ended = False
        self._lasts = False
        self._bounded = False

    # ---- one call ----------------------------------------------------------------------------------------

    async def ask(self, request: httpx.Request, raw: bytes, seconds: float | None) -> httpx.Response:
        """Write a request and wait for the head of its answer, or for all of it where it comes at once."""
        self._begin()
        self._busy = True
        loop = asyncio.get_running_loop()
        self._asked = loop.create_future()
        # A third of what `asyncio.timeout` takes, which at this place is felt.
        timer = loop.call_later(seconds, self._late) if seconds is not None else None
        self._line.write(raw)
        try:
            await self._asked
        finally:
            self._asked = None
            if timer is not None:
                timer.cancel()
        self._ended = self._ended or request.method == "HEAD"
        if not self._ended:
            return httpx.Response(self._status, headers=self._headers, stream=_Body(self, seconds))
        response = _whole(self._status, self._headers, b"".join(self._body))
        self.release(keep=request.method != "HEAD")
        return response

    def _late(self) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(httpx.ReadTimeout("no answer came in time"))

    async def part(self, seconds: float | None) -> bytes | None:
        """The next piece of the body, None at its end."""
        while not self._body and not self._ended:
            if self._failed is not None:
                raise self._failed
            self._more = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._more
            except TimeoutError as error:
                raise httpx.ReadTimeout("the answer stopped in the middle") from error
            finally:
                self._more = None
        if not self._body:
            return None
        found = self._body.popleft()
        self._size -= len(found)
        if self._paused and self._size < MOST_BUFFERED:
            self._paused = False
            self._line.resume_reading()
        return found

    def release(self, *, keep: bool = True) -> None:
        """The call is over; a connection in the middle of an answer cannot be used again."""
        self._busy = False
        self.since = time.monotonic()
        self._pool.done(self, keep=keep and self._ended and self.open and self._lasts)

    def close(self) -> None:
        """Hang up."""
        self.open = False
        if self._line is not None:
            self._line.close()

    # ---- the line ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._line = transport
        self.open = True

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self.close()  # nobody asked: what this is would be taken for the next answer
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(httpx.RemoteProtocolError(f"not an answer in HTTP: {error}"))
            self.close()
            return
        if self._status >= _OK:
            _wake(self._asked)
        if self._body or self._ended:
            _wake(self._more)
        if self._size > MOST_BUFFERED and not self._paused:
            self._paused = True
            self._line.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._status >= _OK and not self._bounded and exc is None:
            self._ended = True  # an answer without a length ends with its connection
        self._end(httpx.ReadError("the connection broke") if exc else httpx.RemoteProtocolError("the server hung up"))

    def _end(self, error: Exception) -> None:
        self._failed = error
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(error)
        _wake(self._more)

    # ---- the parser --------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header's name and value."""
        self._headers.append((name, value))
        self._bounded = self._bounded or name.lower() in {b"content-length", b"transfer-encoding"}

    def on_headers_complete(self) -> None:
        """The end of a head; one below 200 only announces the answer."""
        self._status = self._parser.get_status_code()
        if self._status < _OK:
            self._headers = []

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        """The end of an answer, which is when the parser knows whether the connection lasts."""
        self._ended = self._status >= _OK
        self._lasts = self._parser.should_keep_alive()


class _Body(httpx.AsyncByteStream):
    """A body that is still coming."""

    def __init__(self, connection: _Connection, seconds: float | None) -> None:
        self._connection = connection
        self._seconds = seconds
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (part := await self._connection.part(self._seconds)) is not None:
            yield part

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._connection.release()


def _whole(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> httpx.Response:
    """An answer that is all there. httpx would read it through a decoder, coded or not, which takes 7 us."""
    if any(name.lower() == b"content-encoding" for name, _ in headers):
        return httpx.Response(status, headers=headers, content=body)
    response = httpx.Response(status, headers=headers, stream=_READ)
    response._content = body  # noqa: SLF001 - where `read` would keep it
    response.is_closed = response.is_stream_consumed = True
    return response


_READ = httpx.ByteStream(b"")


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


def _head(request: httpx.Request, size: int) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % (name, value) for name, value in request.headers.raw if name.lower() not in _LENGTHS]
    if size or request.method in _BODIED:
        lines.append(b"Content-Length: %d" % size)  # the body is at hand, whole
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1:
        raise httpx.LocalProtocolError("a header holds a line break")
    return head + b"\r\n\r\n"
