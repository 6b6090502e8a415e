"""The composition root: config to adapters to engine, web, worker and sender; start and stop.

The only place that picks implementations, and the only one that knows them all.
"""

import asyncio
import importlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import structlog
import uvicorn
from msgspec import Struct
from pydantic import ValidationError
from starlette.types import ASGIApp

from bot.announcer import Announcer
from bot.approved import Approvals
from bot.campaigner import Campaigner
from bot.catalogue import Catalogue, read_catalogue
from bot.config import Config, Faults, told
from bot.courier import KIND, Courier, Office
from bot.dialog.language import LanguageModel
from bot.dialog.lexicon import Lexicon
from bot.dialog.turn import Desk, Shop
from bot.dialog.understand import understand
from bot.engine import Engine, House
from bot.forecast import Forecast
from bot.handoff import Rules
from bot.handoff.rota import Person, Queue
from bot.model.clock import Clock
from bot.model.messages import Address
from bot.ports import Channel, Port, Posting, TrackingSource
from bot.proactive.expecting import Expectations
from bot.render import Renderer
from bot.sender import Account, Sender
from bot.store import Store
from bot.store.buckets import Rates
from bot.store.keeping import Retention
from bot.store.store import sqlite_url
from bot.store.vault import Vault
from bot.tracker import Tracker
from bot.transport import fresh_client
from bot.web import Hooks, Metrics, create_monitor, create_web
from bot.worker import Worker

log = structlog.get_logger()


class Adapters(Struct, frozen=True):
    """Everything from outside, by the key under which it stands in the config."""

    channels: Mapping[str, Channel]
    sources: Mapping[str, TrackingSource]
    shops: Mapping[str, Port]
    rates: Mapping[str, Rates]

    @property
    def ports(self) -> dict[str, Port]:
        """All of them; each is a webhook at /hooks/<key>."""
        return {**self.channels, **self.sources, **self.shops}


class App(Struct):
    """A wired bot that is not running yet."""

    config: Config
    clock: Clock
    store: Store
    adapters: Adapters
    engine: Engine
    announcer: Announcer
    worker: Worker
    sender: Sender
    web: ASGIApp
    monitor: ASGIApp
    http: httpx.AsyncClient
    shop: Shop
    renderer: Renderer
    catalogue: Catalogue
    vault: Vault

    async def close(self) -> None:
        """Let go of every connection."""
        for port in self.adapters.ports.values():
            await port.close()
        await self.http.aclose()
        await self.store.close()


def shipped_templates() -> Path:
    """Where our templates lie: inside the wheel, or beside bot/ in a checkout."""
    inside = Path(str(files("bot") / "templates"))
    return inside if inside.is_dir() else Path(__file__).parents[1] / "templates"


def template_folders(config: Config) -> list[Path]:
    """The seller's own folder first, file by file; then ours."""
    return [*([config.templates] if config.templates else []), shipped_templates()]


def load_adapters(config: Config, http: httpx.AsyncClient) -> Adapters:
    """Connect every adapter that the config names; raises `Faults` with all that is wrong."""
    faults: list[str] = []
    made: dict[str, dict[str, Any]] = {"channels": {}, "carriers": {}, "shops": {}}
    rates: dict[str, Rates] = {}
    rest = {"rest": {"keys": [k.model_dump() | {"secret": k.secret.get_secret_value()} for k in config.web.api_keys]}}
    parts = {
        "channels": config.channels,
        "carriers": config.carriers,
        "shops": {**config.shops, **(rest if config.web.api_keys else {})},
    }
    webhooks = {"rest": "shops.rest"}
    for kind, named in parts.items():
        for name, raw in named.items():
            if (other := webhooks.setdefault(name, f"{kind}.{name}")) != f"{kind}.{name}":
                faults.append(f"{kind}.{name}: {other} has this webhook already, /hooks/{name}; choose another key")
                continue
            try:
                module = importlib.import_module(f"adapters.{kind}.{raw.get('adapter', name).replace('-', '_')}")
            except ModuleNotFoundError:
                faults.append(f"{kind}.{name}: there is no adapter of this name; name one with `adapter:`")
                continue
            try:
                settings = module.Settings.model_validate({k: v for k, v in raw.items() if k != "adapter"})
            except ValidationError as error:
                faults += told(error, f"{kind}.{name}")
                continue
            made[kind][name] = module.connect(settings, http)
            if (rate := getattr(settings, "rate", None)) is not None:
                rates[name] = Rates(rate.per_second, rate.per_recipient, rate.burst)
    if faults:
        raise Faults(faults)
    return Adapters(made["channels"], made["carriers"], made["shops"], rates)


@asynccontextmanager
async def open_app(config: Config, clock: Clock | None = None, adapters: Adapters | None = None) -> AsyncIterator[App]:
    """A wired bot, with the config's adapters unless others are given; closed at the end. The database is as it is
    found: `wismo migrate` brings it up."""
    http = fresh_client()
    try:
        app = _wire(config, clock or Clock(), http, adapters or load_adapters(config, http))
    except BaseException:
        await http.aclose()
        raise
    try:
        yield app
    finally:
        await app.close()


def _wire(config: Config, clock: Clock, http: httpx.AsyncClient, adapters: Adapters) -> App:
    config.database.make_folder()
    store = Store(config.database.url or sqlite_url(config.database.data / "wismo.db"), clock)
    renderer = Renderer(template_folders(config), config.shop.locale)
    shop = Shop(config.shop.name, config.shop.country, config.shop.timezone, config.shop.locale, renderer.locales)
    vault = Vault(config.database.data / "media", config.database.media_bytes)
    lexicon, model = Lexicon.load(), LanguageModel()
    metrics = Metrics()
    tracker = Tracker(
        store, list(adapters.sources.values()), clock, lambda source, how: metrics.looks.labels(source, how).inc()
    )
    forecast = Forecast(store, clock, shop.country, shop.timezone)
    catalogue = read_catalogue(shipped_templates() / "catalogue.yaml")
    expectations = Expectations(lambda: forecast.tables, shop.country, config.proactive.stall_share)
    announcer = Announcer(store, list(adapters.channels.values()), clock, expectations, config.proactive.rules())
    house = House(
        store=store,
        ports=adapters.ports,
        channels=adapters.channels,
        limits={c.kind: c.limits for c in adapters.channels.values()},
        renderer=renderer,
        understand=lambda messages, c: understand(messages, c, lexicon, model, shop.country),
        shop=shop,
        desk=_each_minute(lambda now: desk_at(config, now)),
        rules=rules_of(config),
        vault=vault,
        clock=clock,
        expect=expectations.at_a_glance,
        gate=config.proactive.gate(),
        approve=Approvals(renderer, catalogue).form,
        look_up=tracker.look_up if tracker.sources else None,
        places=places_of(config),
        count=lambda what, of: metrics.alarms.labels(what, of).inc(),
        tables=lambda: forecast.tables,
        outages=tracker.outages,
    )
    office = Office(store, renderer, shop, house.desk, clock, lambda port, item: adapters.ports[port].decode(item))
    engine = Engine(house)
    accounts = _accounts(config, adapters, office)
    sends = lru_cache(maxsize=64)(metrics.sends.labels)
    sender = Sender(store, accounts, clock, lambda channel, state: sends(channel, state).inc())
    listeners = {name: port for name, port in adapters.ports.items() if port.listens}
    campaigner = Campaigner(store, announcer, clock)
    unasked = (announcer.look, campaigner.step) if config.proactive.enabled else ()
    worker = Worker(
        store,
        engine,
        tracker,
        listeners,
        partial(expire, store, vault, config.database.keep.retention()),
        forecast,
        unasked,
    )
    monitor = create_monitor(store, metrics, token=config.web.metrics_token.get_secret_value())
    return App(
        config,
        clock,
        store,
        adapters,
        engine,
        announcer,
        worker,
        sender,
        create_web(Hooks(store, adapters.ports, metrics), monitor),
        monitor,
        http,
        shop,
        renderer,
        catalogue,
        vault,
    )


async def expire(store: Store, vault: Vault, retention: Retention) -> None:
    """Let go of what was kept long enough, rows and files."""
    gone = await store.expire(retention)
    await asyncio.to_thread(vault.sweep, gone.files)


def places_of(config: Config) -> dict[str, Address]:
    """The channel in which a desk shows each queue; without the account's id, which only the platform knows."""
    return {
        queue: Address(KIND, name, chat)
        for name, part in config.desk.channels.items()
        for queue, chat in part.queues.items()
    }


def _accounts(config: Config, adapters: Adapters, office: Office) -> dict[str, Account]:
    """All that messages are sent by: the channels, and the desks on them."""
    accounts = {
        name: Account(name, channel, adapters.rates.get(name, Rates(0, 0)))
        for name, channel in adapters.channels.items()
    }
    return accounts | {
        f"{KIND}:{name}": Account(f"{KIND}:{name}", courier, _pace(courier, adapters.rates.get(name)))
        for name, courier in _couriers(config, adapters, office).items()
    }


def _pace(courier: Courier, account: Rates | None) -> Rates:
    own = courier.rate
    return Rates(own.per_second, own.per_recipient, own.burst) if own is not None else account or Rates(0, 0)


def _couriers(config: Config, adapters: Adapters, office: Office) -> dict[str, Courier]:
    faults, made = [], {}
    every_queue = rules_of(config).queue_names
    for name, part in config.desk.channels.items():
        channel = adapters.channels.get(name)
        desk = channel.desk(Posting(name, part.queues, part.staff, every_queue)) if channel is not None else None
        if desk is None:
            why = "there is no channel of this name" if channel is None else "this platform cannot be a desk"
            faults.append(f"desk.channels.{name}: {why}")
        else:
            made[name] = Courier(name, desk, office)
    if faults:
        raise Faults(faults)
    return made


def _each_minute(tell: Callable[[datetime], Desk]) -> Callable[[datetime], Desk]:
    """The answer as of the minute: hours and minutes are all that is told of it, and every message asks."""

    @lru_cache(maxsize=4)
    def told(minute: datetime) -> Desk:
        return tell(minute)

    return lambda now: told(now.replace(second=0, microsecond=0))


def desk_at(config: Config, now: datetime) -> Desk:
    """When people answer, seen from `now`."""
    hours, zone = config.shop.hours, config.shop.zone
    is_open = hours.open_at(now, zone)
    return Desk(
        open=is_open,
        next_open=now if is_open else hours.next_open(now, zone),
        answer_by=hours.after(now, config.desk.answer_minutes, zone),
        hours=hours.text,
    )


def rules_of(config: Config) -> Rules:
    """The shop's timetable, queues and staff."""
    desk = config.desk
    return Rules(
        hours=config.shop.hours,
        zone=config.shop.zone,
        answer_minutes=desk.answer_minutes,
        next_minutes=desk.next_minutes,
        resolve_hours=desk.resolve_hours,
        ping_minutes=desk.ping_minutes,
        handback_hours=desk.handback_hours,
        queues=tuple(
            Queue(name, frozenset(q.kinds), frozenset(q.locales), frozenset(q.shops)) for name, q in desk.queues.items()
        ),
        people=tuple(
            Person(name, p.hours, tuple(a.days for a in p.absent), frozenset(p.queues), frozenset(p.locales))
            for name, p in desk.staff.items()
        ),
    )


STOP_SECONDS = 8.0
"""So long after a stop, whatever still waits for a network is let go of: its rows are leased, and come again. The rest
of the ten seconds is for closing, on a machine that has other things to do."""
ROLES = ("all", "web", "worker", "sender", "desk")


async def run(app: App, role: str, stop: asyncio.Event, metrics_port: int | None = None) -> None:
    """Run a role until `stop`; ends within ten seconds of it. On `metrics_port` it tells of itself alone: what a role
    counts stands in its own process."""
    # Loaded only where it is served: elsewhere it would cost five megabytes.
    desk = importlib.import_module("bot.staffroom").make_desk(app) if role == "desk" else None
    served = [make_server(*place) for place in _served(app, role, desk, metrics_port)]
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(server.serve(sockets=[at])) for server, at in served]
    if role in {"all", "worker"}:
        tasks.append(asyncio.create_task(app.worker.run()))
    if role in {"all", "sender"}:
        tasks.append(asyncio.create_task(app.sender.run()))
    log.info("started", role=role, channels=sorted(app.adapters.channels))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if desk is not None:
        desk.state.live.end_streams()
    for server, _ in served:
        server.should_exit = True
    app.worker.stop()
    loop = asyncio.get_running_loop()
    until = loop.time() + STOP_SECONDS
    await app.sender.stop()
    _, late = await asyncio.wait(tasks, timeout=until - loop.time())
    for task in late:
        task.cancel()
    failed = [t.exception() for t in tasks if t.done() and not t.cancelled() and t.exception()]
    if failed:
        raise failed[0]  # type: ignore[misc]


def _served(
    app: App, role: str, desk: ASGIApp | None, metrics_port: int | None
) -> Iterator[tuple[ASGIApp, str, int, str, bool]]:
    """What a role listens with: the app, where, the setting that says so, and whether it starts and stops itself."""
    web = app.config.web
    if metrics_port is not None:
        yield app.monitor, web.host, metrics_port, "--metrics-port", False
    if role in {"all", "web"}:
        yield app.web, web.host, web.port, "web.port", False
    if desk is not None:
        yield desk, app.config.desk.host, app.config.desk.port, "desk.port", True


def bound(host: str, port: int, key: str = "web.port") -> socket.socket:
    """A socket that listens there; raises `Faults`, which names the setting, where another program does."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise Faults([f"{key}: cannot listen on {host}:{port} ({error.strerror}); choose another port"]) from error


def local_client() -> httpx.AsyncClient:
    """A client for calls on this machine: no proxy of the environment stands between."""
    return fresh_client(trust_env=False)


async def serve(web: Any, listening: socket.socket, stop: asyncio.Event, *, lifespan: bool = False) -> None:
    """Serve on a socket that is already bound, until `stop`."""
    settings = uvicorn.Config(
        web,
        access_log=False,
        log_config=None,  # its own would print tracebacks with their values past ours
        log_level="warning",
        lifespan="on" if lifespan else "off",
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    server = _Server(settings)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """Signals are ours to handle: the whole bot stops, not the web alone."""

    def capture_signals(self) -> Any:
        """Leave the process's signals alone."""
        return nullcontext()


def make_server(
    web: ASGIApp, host: str, port: int, key: str = "web.port", lifespan: bool = False
) -> tuple[uvicorn.Server, socket.socket]:
    """A web server in this event loop, and the socket it is to listen on."""
    listening = bound(host, port, key)
    server = _Server(
        uvicorn.Config(
            web,
            host=host,
            port=port,
            access_log=False,
            log_config=None,
            log_level="warning",
            lifespan="on" if lifespan else "off",
            timeout_graceful_shutdown=3,
            server_header=False,
        )
    )
    return server, listening
