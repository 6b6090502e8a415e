"""Wismo beside its peers on the load rig: throughput, latency, memory, and that nothing is lost.

    python tests/benchmarks/rig.py --rig ../shared/rig --rounds 3

Seeds one SQLite shop of 100,000 orders of one buyer (a parcel and eight scans each), proves the rig's chats
through the store, and drives `wismo run` (synchronous FULL) in turn with the peer of each channel. Prints
medians and ratios; every line of the rig lands in results.jsonl under --data. Linux; pins the bot to CPU 0.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import insert

from bot.forecast import Forecast
from bot.model.clock import Clock
from bot.model.conversations import Conversation, Proof
from bot.model.messages import Address
from bot.model.orders import number_key
from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track, Window
from bot.store import Store, codec
from bot.store.orders import Detail, ParcelState
from bot.store.tables import Buyer, Look, Order
from bot.store.tables import Parcel as ParcelRow

ORDERS, CHATS = 100_000, 1_000
ZONE = "Europe/Berlin"
CARRIERS = ("ems", "dhl", "fedex", "ups", "tnt", "sf", "china-post")
STEPS = (
    ("Accepted", Status.ACCEPTED, "CN"),
    ("Departed sorting centre", Status.IN_TRANSIT, "CN"),
    ("Export customs cleared", Status.CUSTOMS, "CN"),
    ("Departed airport", Status.DEPARTED_ORIGIN, "CN"),
    ("Arrived at transit hub", Status.IN_TRANSIT, "DE"),
    ("Import customs: held for inspection", Status.CUSTOMS, "DE"),
    ("Released by customs", Status.CUSTOMS, "DE"),
    ("Arrived at delivery depot", Status.IN_TRANSIT, "DE"),
)
CHANNELS = {
    "telegram": {"token": "123456:TEST", "secret": "s3cret", "mode": "webhook", "base_url": "http://127.0.0.1:{port}"},
    "slack": {
        "bot_token": "xoxb-1",
        "signing_secret": "s3cret",
        "mode": "http",
        "base_url": "http://127.0.0.1:{port}/api/",
    },
    "whatsapp": {
        "phone_number_id": "1000001",
        "access_token": "t",
        "app_secret": "s3cret",
        "verify_token": "v",
        "base_url": "http://127.0.0.1:{port}/v25.0",
    },
}
PEERS = {"telegram": "aiogram-bg", "slack": "slack-session", "whatsapp": "pywa"}
FLOOR = {"telegram": 0.9, "slack": 0.7, "whatsapp": 4.0}
MESSAGES = {"wismo": 5000, "aiogram-bg": 1500, "slack-session": 2500, "pywa": 800}


async def seed(url: str) -> None:
    """The shop that every message of the rig asks about."""
    clock = Clock()
    store = Store(url, clock)
    await store.migrate()
    now = clock.now()
    async with store.database._engine.begin() as connection:
        buyer = await connection.scalar(insert(Buyer).values(shop="Rig", key="rig").returning(Buyer.__table__.c.id))  # type: ignore[attr-defined]
        for start in range(1, ORDERS + 1, 2000):
            numbers = range(start, min(start + 2000, ORDERS + 1))
            await connection.execute(insert(Order), [_order(n, buyer, now) for n in numbers])
            await connection.execute(insert(ParcelRow), [_parcel(n, now) for n in numbers])
            looks = [{"parcel_id": n, "checked_at": now, "asked_at": now} for n in numbers]
            await connection.execute(insert(Look), looks)
    proof = (Proof("phone", now + timedelta(days=30), buyer=buyer),)
    chats = [address for chat in range(CHATS) for address in _addresses(chat)]
    await store.save_conversations([Conversation(a, buyer=buyer, proofs=proof, locale="en") for a in chats])
    # As in any shop that has been running since yesterday: what parcels teach is learned once a day, at night.
    await Forecast(store, clock, "DE", ZONE).refresh()
    await store.close()


def _is_todays(path: Path) -> bool:
    """Whether a shop was seeded today: its parcels' days, and what was learned of them, are today's."""
    zone = ZoneInfo(ZONE)
    return path.exists() and datetime.fromtimestamp(path.stat().st_mtime, zone).date() == datetime.now(zone).date()


def _addresses(chat: int) -> tuple[Address, ...]:
    number = f"49{1700000000 + chat}"
    return (
        Address("telegram", "123456", str(5_000_000 + chat)),
        Address("slack", "T0001", f"D{chat:08d}"),
        Address("whatsapp", "1000001", f"DE.{number}"),
    )


def _order(n: int, buyer: int | None, now: datetime) -> dict[str, object]:
    number = f"XB{n:07d}"
    return {
        "id": n,
        "shop": "Rig",
        "source": "csv",
        "number": number,
        "number_key": number_key(number),
        "buyer_id": buyer,
        "updated_at": now,
        "placed_at": now - timedelta(days=20),
        "country": "DE",
        "detail": codec.encode(Detail(locale="en")),
    }


def _parcel(n: int, now: datetime) -> dict[str, object]:
    carrier = random.Random(n).choice(CARRIERS)
    number = f"LX{n:09d}CN"
    scans = tuple(
        Scan(
            raw_code=f"E{k}",
            raw_text=text,
            raw_time="",
            at=now - timedelta(hours=12 * (8 - k)),
            local=(now - timedelta(hours=12 * (8 - k))).replace(tzinfo=None),
            offset_from=OffsetFrom.EXPLICIT,
            status=status,
            place=Place("Shenzhen" if country == "CN" else "Leipzig", country),
            carrier=carrier,
            source="seventeentrack",
        )
        for k, (text, status, country) in enumerate(STEPS)
    )
    window = Window(now + timedelta(days=2), now + timedelta(days=5), carrier)
    track = Track(carrier, number, scans, Status.IN_TRANSIT, eta=window, destination="DE", source="seventeentrack")
    parcel = Parcel(n, n, carrier, number)
    return {
        "id": n,
        "order_id": parcel.order_id,
        "carrier": carrier,
        "number": number,
        "status": "in_transit",
        "track": codec.encode(ParcelState(track, window)),
        "shipped_at": now - timedelta(days=6),
        "changed_at": now,
    }


def write_config(folder: Path, channel: str, port: int) -> Path:
    """A config for one channel against the rig's fake platform."""
    settings = {k: v.format(port=port) for k, v in CHANNELS[channel].items()}
    settings["rate"] = {"per_second": 100000, "per_recipient": 100000, "burst": 100000}  # type: ignore[assignment]
    config = {
        "shop": {
            "name": "Rig",
            "country": "DE",
            "timezone": ZONE,
            "locale": "en",
            "hours": {"mon-fri": "09:00-18:00"},
        },
        "database": {"url": f"sqlite:///{folder / 'run.db'}", "data": str(folder / "data")},
        "web": {"host": "127.0.0.1", "port": 9200},
        "desk": {"web": False},  # staff's pages are a process of their own, which no message waits for
        "channels": {channel: settings},
    }
    path = folder / f"{channel}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def drive(rig: Path, data: Path, name: str, mode: str, extra: list[str]) -> dict[str, object]:
    """One run of the rig; its result."""
    env = {**os.environ, "RIG_DATA": str(data), "RIG_OUT": str(data / "results.jsonl")}
    done = subprocess.run(
        [str(rig / "runall.sh"), name, mode, *extra], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} {mode} failed: {done.stderr[-500:]} (see {data / 'bot.log'})")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def drive_wismo(rig: Path, data: Path, channel: str, mode: str, extra: list[str]) -> dict[str, object]:
    """One run of ours, each from the same fresh shop."""
    for suffix in ("", "-wal", "-shm"):
        (data / f"run.db{suffix}").unlink(missing_ok=True)
    shutil.copyfile(data / "seed.db", data / "run.db")
    with (data / "run.db").open("rb") as copied:
        os.fsync(copied.fileno())  # else the bot's first checkpoint waits for half a gigabyte that is not its own
    config = write_config(data, channel, 9100)
    command = f"{sys.executable} -m bot run --config {config}"
    platform = ["--platform", channel, "--secret", "s3cret", "--url", f"http://127.0.0.1:9200/hooks/{channel}"]
    return drive(
        rig,
        data,
        "own",
        mode,
        [
            "--name",
            f"wismo-{channel}",
            "--cmd",
            command,
            "--cwd",
            str(Path.cwd()),
            "--settle",
            "1.5",
            *platform,
            *extra,
        ],
    )


def main() -> None:
    """Run the series and print it."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rig", type=Path, required=True)
    ap.add_argument("--data", type=Path, default=Path.home() / "rig-data")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--channels", nargs="+", default=list(CHANNELS), choices=list(CHANNELS))
    ap.add_argument("--modes", nargs="+", default=["closed", "open"], choices=["closed", "open", "kill"])
    ap.add_argument("--no-peers", action="store_true")
    args = ap.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)
    if not _is_todays(args.data / "seed.db"):
        for suffix in ("", "-wal", "-shm"):
            (args.data / f"seed.db{suffix}").unlink(missing_ok=True)
        asyncio.run(seed(f"sqlite:///{args.data / 'seed.db'}"))
    runs: dict[tuple[str, str], list[dict[str, object]]] = {}
    for seed_number in range(1, args.rounds + 1):
        for channel in args.channels:
            common = ["--seed", str(seed_number)]
            if "closed" in args.modes:
                extra = [*common, "--n", str(MESSAGES["wismo"])]
                runs.setdefault((channel, "closed"), []).append(
                    drive_wismo(args.rig, args.data, channel, "closed", extra)
                )
                if not args.no_peers:
                    peer = PEERS[channel]
                    result = drive(args.rig, args.data, peer, "closed", [*common, "--n", str(MESSAGES[peer])])
                    runs.setdefault((channel, "peer"), []).append(result)
            if "open" in args.modes:
                extra = [*common, "--rate", "150", "--n", "1500"]
                runs.setdefault((channel, "open"), []).append(drive_wismo(args.rig, args.data, channel, "open", extra))
            if "kill" in args.modes:
                extra = [*common, "--rate", "300", "--n", "2000", "--drain", "20"]
                runs.setdefault((channel, "kill"), []).append(drive_wismo(args.rig, args.data, channel, "kill", extra))
    report(runs)


def report(runs: dict[tuple[str, str], list[dict[str, object]]]) -> None:
    """Medians, with the range beside them, and the ratio to the peer."""

    def median(results: list[dict[str, object]], key: str) -> str:
        values = sorted(float(r[key]) for r in results if r.get(key) is not None)  # type: ignore[arg-type]
        return f"{statistics.median(values):.1f} ({values[0]:.1f}-{values[-1]:.1f})" if values else "-"

    for (channel, mode), results in sorted(runs.items()):
        lost = sum(int(str(r["lost"])) for r in results)
        line = [
            f"{channel:9} {mode:7}",
            f"msg/s {median(results, 'msg_per_s')}",
            f"ack p99 ms {median(results, 'ack_p99_ms')}",
            f"reply p99 ms {median(results, 'reply_p99_ms')}",
            f"CPU s/10k {median(results, 'bot_cpu_s_per_10k')}",
            f"RSS MiB {median(results, 'peak_rss_mib')}",
            f"lost {lost}",
            f"dups {sum(int(str(r['dups'])) for r in results)}",
        ]
        print("  ".join(line))
    for channel in CHANNELS:
        if (channel, "peer") in runs and (channel, "closed") in runs:
            ours, peer = (
                statistics.median(float(str(r["msg_per_s"])) for r in runs[channel, mode])
                for mode in ("closed", "peer")
            )
            print(f"{channel}: {ours / peer:.2f} x {PEERS[channel]} (floor {FLOOR[channel]})")


if __name__ == "__main__":
    main()
