"""Our HTTP transport against servers that behave and servers that do not."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from bot.transport import Client, Transport, post, ready_headers

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[tuple[httpx.URL, Client]]:
    """A server that talks as `serve` does on each connection, and a client for it."""

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    url = httpx.URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x?y=1")
    async with Client(transport=Transport(most=2), timeout=httpx.Timeout(0.5)) as client:
        yield url, client
    server.close()


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One request: its head and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head, await reader.readexactly(length)


def always(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            writer.write(answer)

    return serve


def json_post(url: httpx.URL, content: bytes = b"{}") -> httpx.Request:
    return post(url, ready_headers(url), content)


async def test_a_connection_serves_call_after_call() -> None:
    heard: list[tuple[bytes, bytes]] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            heard.append(await request_of(reader))
            writer.write(OK)

    async with served(serve) as (url, client):
        for n in range(3):
            answer = await client.send(json_post(url, b'{"n":%d}' % n))
            assert (answer.status_code, answer.content) == (200, b"ok")
        assert (await client.post(url, json={"a": 1})).is_success
    assert connections == 1
    assert [body for _, body in heard] == [b'{"n":0}', b'{"n":1}', b'{"n":2}', b'{"a":1}']
    assert heard[0][0].startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    assert heard[0][0].lower().count(b"content-length: 7\r\n") == 1


async def test_calls_at_once_have_a_connection_each_and_wait_for_room() -> None:
    async with served(always(OK)) as (url, client):
        answers = await asyncio.gather(*(client.send(json_post(url)) for _ in range(20)))
    assert all(a.content == b"ok" for a in answers)


async def test_a_connection_the_server_closed_is_not_used_again() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK)
        await writer.drain()

    async with served(once) as (url, client):
        for _ in range(3):
            assert (await client.send(json_post(url))).content == b"ok"
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b"
            % (len(gzip.compress(b"hi", mtime=0)), gzip.compress(b"hi", mtime=0)),
            b"hi",
        ),
    ],
)
async def test_an_answer_is_read_however_it_is_framed(answer: bytes, body: bytes) -> None:
    async with served(always(answer)) as (url, client):
        for _ in range(2):
            told = await client.get(url)
            assert told.is_success
            assert told.content == body


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b" it")

    async with served(serve) as (url, client):
        assert (await client.get(url)).content == b"all of it"


async def test_a_large_answer_comes_in_pieces_and_waits_for_its_reader() -> None:
    size = 3 * 1024 * 1024
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (10 * size))
        for _ in range(10 * size // 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with served(serve) as (url, client):
        async with client.stream("GET", url) as answer:
            await asyncio.sleep(0.2)
            held_back = sent
            got = 0
            async for chunk in answer.aiter_bytes():
                got += len(chunk)
        assert got == 10 * size
    assert held_back < 10 * size


async def test_a_stream_left_in_the_middle_costs_its_connection_only() -> None:
    async with served(always(b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n" + b"x" * 9_000_000)) as (
        url,
        client,
    ):
        for _ in range(4):
            async with client.stream("GET", url) as answer:
                assert await anext(answer.aiter_raw())


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    await asyncio.sleep(2)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)


async def stop_midway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
    await writer.drain()


@pytest.mark.parametrize(
    ("serve", "error"),
    [
        (hang, httpx.ReadTimeout),
        (hang_up, httpx.RemoteProtocolError),
        (stop_midway, httpx.RemoteProtocolError),
        (always(b"SSH-2.0-OpenSSH\r\n\r\n"), httpx.RemoteProtocolError),
    ],
)
async def test_a_call_that_fails_is_told_as_httpx_tells_it_and_leaves_room(
    serve: Serve, error: type[httpx.RequestError]
) -> None:
    async with served(serve) as (url, client):
        for _ in range(3):  # more often than there are connections
            with pytest.raises(error) as told:
                await client.get(url)
            assert told.value.request.url == url


async def test_nobody_listening_is_a_connect_error() -> None:
    async with Client(transport=Transport()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")


async def test_waiting_for_a_connection_ends() -> None:
    async with served(hang) as (url, client):
        held = [asyncio.create_task(client.get(url, timeout=1.0)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(httpx.PoolTimeout):
            await client.get(url, timeout=httpx.Timeout(0.1))
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


async def test_a_line_break_in_a_header_is_refused() -> None:
    async with served(always(OK)) as (url, client):
        with pytest.raises(httpx.LocalProtocolError):
            await client.get(url, headers={"x-name": "a\r\nx-other: b"})


async def test_what_nobody_asked_for_is_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 500 Stale\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(1)

    async with served(serve) as (url, client):
        for _ in range(2):
            assert (await client.send(json_post(url))).status_code == 200
            await asyncio.sleep(0.05)
