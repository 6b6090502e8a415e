"""HTTP in, through the web app: what is stored, and what the caller is told."""

import asyncio
import hashlib
import hmac
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from adapters.channels.telegram import Settings as TelegramSettings
from adapters.channels.telegram import connect
from adapters.shops.rest import Rest, Settings
from bot import web as web_module
from bot.app import Adapters, load_adapters, local_client, open_app
from bot.config import Faults, build
from bot.ports import Channel
from bot.sandbox.town import Town
from bot.store import Store
from bot.web import Hooks, Metrics, create_monitor, create_web
from tests.house import Home, Wire, home

KEYS = [{"key": "shop", "secret": "s3cret", "scopes": ["orders"]}]
ORDER = {"updated_at": "2024-11-24T10:00:00+08:00", "email": "a@example.org", "postcode": "10115", "country": "DE"}


@dataclass
class Linked(Wire):
    """A platform with deep links."""

    async def deep_link(self, token: str) -> str | None:
        return f"https://chat.example/{token}"


async def put(
    store: Store, number: str, body: Mapping[str, object], channels: Mapping[str, Channel] | None = None
) -> httpx.Response:
    rest = Rest(Settings.model_validate({"keys": KEYS}))
    hooks = Hooks(store, {**(channels or {"wire": Linked()}), "rest": rest}, Metrics())
    web = create_web(hooks, create_monitor(store, hooks.metrics))
    raw, stamp, path = json.dumps(body).encode(), str(int(time.time())), f"/api/orders/{number}"
    sign = hmac.new(b"s3cret", f"{stamp}.PUT.{path}.".encode() + raw, hashlib.sha256).hexdigest()
    headers = {"x-wismo-key": "shop", "x-wismo-timestamp": stamp, "x-wismo-signature": f"v1={sign}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://shop") as client:
        return await client.put(path, content=raw, headers=headers)


@pytest.fixture
async def bot(store: Store, tmp_path: Path) -> Home:
    async with home(store, tmp_path) as made:
        made.engine.house.ports["rest"] = Rest(Settings.model_validate({"keys": KEYS}))  # type: ignore[index]
        return made


async def test_the_answer_to_an_order_holds_the_links_that_prove_it(bot: Home) -> None:
    answer = await put(bot.store, "A-77", ORDER)
    assert answer.status_code == 202
    link = answer.json()["links"]["wire"]
    assert link["qr"].startswith("data:image/svg+xml")
    await bot.work()
    token = link["url"].removeprefix("https://chat.example/")
    assert "A-77" in await bot.ask("", start=token)


async def test_a_repeat_has_the_same_link_and_a_revoked_one_stays_revoked(bot: Home) -> None:
    first = (await put(bot.store, "A-77", ORDER)).json()["links"]
    await bot.work()
    (dossier,) = await bot.store.find_orders(["a77"])
    assert await bot.store.revoke_links(dossier.id) == 1
    later = ORDER | {"updated_at": "2024-11-24T11:00:00+08:00"}
    assert (await put(bot.store, "A-77", later)).json()["links"] == first
    await bot.work()
    token = first["wire"]["url"].removeprefix("https://chat.example/")
    assert "does not work any more" in await bot.ask("", start=token)


async def test_every_order_has_a_link_of_its_own(store: Store) -> None:
    one, two = [(await put(store, number, ORDER)).json()["links"]["wire"]["url"] for number in ("1", "2")]
    assert one != two


async def test_a_platform_that_gives_no_link_costs_the_order_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is stored by then: whoever were told 5xx would take it for lost."""

    class Hanging(Linked):
        async def deep_link(self, token: str) -> str | None:
            await asyncio.sleep(60)
            return None

    monkeypatch.setattr(web_module, "LINK_SECONDS", 0.1)
    settings = TelegramSettings.model_validate({"token": "1:a", "base_url": "http://127.0.0.1:9"})
    async with local_client() as http:
        channels = {"telegram": connect(settings, http), "hanging": Hanging(), "wire": Linked()}
        answer = await put(store, "A-77", ORDER, channels)
    assert answer.status_code == 202
    assert list(answer.json()["links"]) == ["wire"]


@pytest.mark.parametrize("name", ["telegram", "whatsapp"])
async def test_the_address_of_links_is_asked_for_once(town: Town, name: str) -> None:
    """A shop hands in its orders by the thousand."""
    part = build(town.config(1, "unused"), {}).channels[name]
    module = importlib.import_module(f"adapters.channels.{name}")
    async with local_client() as http:
        channel: Channel = module.connect(module.Settings.model_validate(part), http)
        first = await channel.deep_link("w-1")
    assert first
    assert await channel.deep_link("w-2") == first.replace("w-1", "w-2"), "asked again, over a client that is closed"


async def test_a_refused_order_gets_no_link(store: Store) -> None:
    answer = await put(store, "1", {"country": "DE"})
    assert answer.status_code == 422
    assert "links" not in answer.json()


async def test_without_a_database_metrics_are_told_and_the_platform_is_to_come_again(store: Store) -> None:
    """A platform repeats what was answered 5xx; who watches sees the database is gone, and no more of it."""

    async def gone() -> None:
        raise RuntimeError("a@example.org is in this error")

    store.health = gone  # type: ignore[assignment, method-assign]
    hooks = Hooks(store, {}, Metrics())
    web = create_web(hooks, create_monitor(store, hooks.metrics))
    transport = httpx.ASGITransport(web, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        told = await client.get("/metrics")
        assert told.status_code == 200
        assert "wismo_database_up 0.0" in told.text
        assert "wismo_rows{" not in told.text
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert "example.org" not in ready.text


async def test_metrics_are_for_this_machine_or_for_who_knows_the_token(store: Store) -> None:
    async def asked(token: str, host: str, authorization: bytes = b"") -> int:
        web = create_web(Hooks(store, {}, Metrics()), create_monitor(store, Metrics(), token=token))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(web, client=(host, 1)), base_url="http://x"
        ) as client:
            assert (await client.get("/healthz")).text == "ok"
            return (await client.get("/metrics", headers={b"authorization": authorization})).status_code

    assert await asked("", "127.0.0.1") == 200
    assert await asked("", "203.0.113.9") == 403
    assert await asked("s3cret", "203.0.113.9", b"Bearer s3cret") == 200
    assert await asked("s3cret", "127.0.0.1") == 403
    assert await asked("s3cret", "203.0.113.9", b"Bearer \xe9") == 403


async def test_under_run_no_path_of_an_emulator_is_there(town: Town, tmp_path: Path) -> None:
    """The very config of the demo, served as `wismo run` serves it."""
    paths = [
        f"/telegram/bot{town.telegram.token}/getMe",
        "/slack/api/auth.test",
        f"/graph/v24.0/{town.whatsapp.number}",
        "/17track/track/v2.4/register",
        *(carrier.path for carrier in town.direct),
        "/",
        "/staff-desk",
        "/orders/1042",
    ]
    async with open_app(build(town.config(1, str(tmp_path)), {})) as app:
        await app.store.migrate()
        transport = httpx.ASGITransport(app.web, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            told = {path: (await client.request(m, path)).status_code for path in paths for m in ("GET", "POST")}
    assert set(told.values()) == {404}, told


def test_run_never_loads_the_sandbox() -> None:
    loaded = "any(m.startswith('bot.sandbox') for m in sys.modules)"
    code = f"import sys, bot.cli.main, bot.app, bot.staffroom; sys.exit({loaded})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_accounts_stand_under_keys_of_their_own_and_no_two_share_a_webhook(tmp_path: Path) -> None:
    shop = {"name": "L", "country": "DE", "timezone": "Europe/Berlin", "hours": {"mon-fri": "09:00-18:00"}}
    telegram = {"token": "1:a", "secret": "s", "mode": "webhook"}
    eu = telegram | {"adapter": "telegram", "token": "2:b", "rate": {"per_second": 5, "per_recipient": 2}}

    def load(**parts: object) -> Adapters:
        return load_adapters(build({"shop": shop, **parts}, {}), httpx.AsyncClient())

    made = load(channels={"telegram": telegram, "telegram-eu": eu})
    assert [type(c).__name__ for c in made.channels.values()] == ["Telegram", "Telegram"]
    assert (made.rates["telegram"].per_second, made.rates["telegram-eu"].per_second) == (30, 5)
    with pytest.raises(Faults, match=r"carriers\.post: channels\.post has this webhook already"):
        load(channels={"post": eu}, carriers={"post": {"adapter": "seventeentrack", "token": "t"}})
    with pytest.raises(Faults, match=r"channels\.rest: shops\.rest has this webhook already"):
        load(channels={"rest": eu})
