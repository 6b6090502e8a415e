"""The desk beside the bot: `wismo run` starts it as a process of its own, so that building pages delays no webhook."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import structlog

PARENT = "WISMO_PARENT"
"""Tells a child whose it is: when that process is gone, it goes too."""
PATIENCE = 8.0
LONGEST_REST = 60.0

log = structlog.get_logger()


async def keep_desk(config: Path, stop: asyncio.Event) -> None:
    """Keep a desk running until `stop`; one that died comes again, after a rest that grows."""
    rest = 1.0
    while not stop.is_set():
        began = asyncio.get_running_loop().time()
        code = await _run_one(config, stop)
        if stop.is_set():
            return
        rest = 1.0 if asyncio.get_running_loop().time() - began > LONGEST_REST else min(rest * 2, LONGEST_REST)
        log.error("desk.ended", code=code, again_in_seconds=rest)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), rest)


async def _run_one(config: Path, stop: asyncio.Event) -> int | None:
    command = (sys.executable, "-m", "bot", "run", "--role", "desk", "--config", str(config))
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, env={**os.environ, PARENT: str(os.getpid())}
    )
    ended, stopping = asyncio.create_task(child.wait()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if child.returncode is None:
            child.terminate()
            await asyncio.wait({ended}, timeout=PATIENCE)
    finally:
        stopping.cancel()
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await ended
    return child.returncode


async def follow_parent(stop: asyncio.Event) -> None:
    """Stop when the process that started us is gone; returns at once where none did."""
    parent = os.environ.get(PARENT, "")
    while parent and not stop.is_set():
        if str(os.getppid()) != parent:
            log.warning("desk.alone")
            stop.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)
