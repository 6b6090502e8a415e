"""`wismo run` and `wismo demo` as whoever stops them sees it."""

import hashlib
import hmac
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.cli.test_cli_desk import answers, free_port

HANGING = {
    "telegram": {"token": "1:a"},
    "slack": {"bot_token": "x", "signing_secret": "s"},
    "whatsapp": {"phone_number_id": "1", "access_token": "t", "app_secret": "s", "verify_token": "v"},
}


@pytest.mark.timeout(200)
def test_a_stop_ends_within_ten_seconds_while_every_platform_hangs(write_config: Callable[..., Path]) -> None:
    """A socket that nobody serves takes connections and never answers: polling, sends and look-ups all wait."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        config = write_config(
            web={"port": port},
            desk={"port": free_port()},
            channels={name: part | {"base_url": base} for name, part in HANGING.items()},
            carriers={"seventeentrack": {"token": "t", "base_url": base}},
        )
        with subprocess.Popen([sys.executable, "-m", "bot", "run", "--config", str(config)]) as bot:
            try:
                assert answers(f"http://127.0.0.1:{port}")
                message = {
                    "from": "4915",
                    "id": "m1",
                    "timestamp": "1790000000",
                    "type": "text",
                    "text": {"body": "hi"},
                }
                value = {"metadata": {"phone_number_id": "1"}, "messages": [message]}
                body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()
                sign = {"x-hub-signature-256": "sha256=" + hmac.new(b"s", body, hashlib.sha256).hexdigest()}
                hook = f"http://127.0.0.1:{port}/hooks/whatsapp"
                assert httpx.post(hook, content=body, headers=sign, trust_env=False).status_code == 200
                time.sleep(2)
                began = time.monotonic()
                bot.terminate()
                assert bot.wait(timeout=30) == 0
                assert time.monotonic() - began < 10
            finally:
                if bot.poll() is None:
                    bot.kill()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("words", ["Asking the carriers", "The demo is at"])
def test_a_demo_that_is_stopped_as_soon_as_it_is_there_ends_in_peace(tmp_path: Path, words: str) -> None:
    """A newcomer looks, and presses Ctrl-C: no traceback is the last that they see."""
    command = [sys.executable, "-m", "bot", "demo", "--no-browser", "--port", str(free_port()), "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            assert any(words in line for line in demo.stdout)
            time.sleep(0.5)
            demo.send_signal(signal.SIGINT)
            _, errors = demo.communicate(timeout=30)
        finally:
            if demo.poll() is None:
                demo.kill()
    assert demo.returncode == 0
    assert "Traceback" not in errors
