"""`wismo run` keeps a desk beside the bot: it comes again when it dies, and goes when the bot goes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Running = tuple[subprocess.Popen[bytes], str]


@pytest.fixture
def running(write_config: Callable[..., Path], whatsapp: dict[str, Any]) -> Iterator[Running]:
    """A bot, and where its desk is."""
    port = free_port()
    config = write_config(channels={"whatsapp": whatsapp}, web={"port": free_port()}, desk={"port": port})
    with subprocess.Popen([sys.executable, "-m", "bot", "run", "--config", str(config)]) as bot:
        yield bot, f"http://127.0.0.1:{port}"
        if bot.poll() is None:
            bot.kill()


def answers(base: str, *, wanted: bool = True, seconds: float = 50.0) -> bool:
    """Whether the desk comes to answer (or to be silent) in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            up = httpx.get(f"{base}/healthz", trust_env=False, timeout=2).status_code == 200
        except httpx.HTTPError:
            up = False
        if up == wanted:
            return True
        time.sleep(0.2)
    return False


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@pytest.mark.timeout(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are read from /proc")
def test_a_desk_that_dies_comes_again_and_stops_with_the_bot(running: Running) -> None:
    bot, base = running
    assert answers(base)
    os.kill(child_of(bot.pid), signal.SIGKILL)
    assert answers(base, wanted=False)
    assert answers(base)
    bot.terminate()
    assert bot.wait(timeout=30) == 0
    assert answers(base, wanted=False, seconds=3)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are read from /proc")
def test_a_desk_whose_bot_was_killed_goes_too(running: Running) -> None:
    bot, base = running
    assert answers(base)
    bot.kill()
    assert answers(base, wanted=False, seconds=30)
