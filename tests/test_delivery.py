"""What becomes of messages after they were said: receipts, people who are gone, files that do not come, whole pipe."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Misconfigured, Refused, Temporary, Unknown, Unreachable
from bot.fetching import Fetching
from bot.model.events import conversation_lane
from bot.model.messages import Inbound, Media, MediaKind, Receipt, State
from bot.ports import Item
from bot.sender import Account, Sender
from bot.store import Store, codec
from bot.store.buckets import Rates, machine_now
from bot.store.queue import Arrival
from bot.store.vault import Vault
from tests.house import Home, Wire, home
from tests.test_engine import order


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[Home]:
    async with home(store, tmp_path) as made:
        await made.seed(order("1042"))
        yield made


async def tell(house: Home, receipt: Receipt) -> None:
    """A receipt as an adapter would deliver it."""
    lane = conversation_lane(receipt.sender)
    await house.store.receive([Arrival("wismo", Item(receipt.id, lane, codec.pack(receipt)))])
    await house.work()


def receipt(house: Home, state: State, outbound: str, **more: object) -> Receipt:
    told = Receipt(f"r-{state}-{outbound}", house.clock.now(), house.address(), state, outbound_id=outbound)
    return replace(told, **more)


async def test_a_person_who_blocked_us_is_marked_until_they_write_again(house: Home) -> None:
    house.wire.failing = [Unreachable("blocked")]
    assert await house.say("hello") == []
    await house.work()
    assert not (await house.conversation()).reachable
    await house.say("I am back")
    assert (await house.conversation()).reachable


async def test_a_receipt_that_says_the_person_is_gone_marks_them_too(house: Home) -> None:
    (sent,) = await house.say("hello")
    await tell(house, receipt(house, State.FAILED, sent.id, reason="131026 undeliverable", gone=True))
    assert not (await house.conversation()).reachable
    ((error, count),) = await house.store.send_errors(5)
    assert ("131026" in error, count) == (True, 1)


async def test_a_receipt_settles_what_nobody_knew_and_nothing_is_sent_twice(house: Home) -> None:
    house.wire.receipts = True
    house.wire.failing = [Unknown("the line broke")]
    assert await house.say("hello") == []
    assert (await house.store.health()).unsent == 1
    await tell(house, receipt(house, State.SENT, "1", platform_id="wamid.1"))
    assert (await house.store.health()).unsent == 0
    await asyncio.sleep(0.6)
    assert await house.send() == []


async def test_whoever_left_their_number_leaves_their_proofs(house: Home) -> None:
    await house.ask("order 1042, postcode 10115")
    await house.hear("", kind="moved")
    await house.work()
    assert await house.send() == []
    assert "I need to know that it is yours" in await house.ask("where is my order 1042?")


async def test_a_file_that_does_not_come_at_once_is_asked_for_again(house: Home) -> None:
    tries = []

    async def fetched(media: Media) -> AsyncIterator[bytes]:
        tries.append(media.ref)
        if len(tries) == 1:
            raise Temporary("the line broke")
        yield b"\x89PNG\r\n\x1a\n" + b"0" * 64

    house.wire.fetch = fetched  # type: ignore[method-assign]
    await house.hear("", media=["image"])
    await house.work()
    assert await house.send() == []
    await asyncio.sleep(1.1)
    await house.work()
    (answer,) = await house.send()
    assert "photo" in answer.text
    assert list(house.engine.house.vault.folder.glob("??/*"))


async def test_a_file_that_never_comes_is_answered_all_the_same(house: Home) -> None:
    async def refused(media: Media) -> AsyncIterator[bytes]:
        raise Refused("too old")
        yield b""

    house.wire.fetch = refused  # type: ignore[method-assign]
    (answer,) = await house.say("", media=["image"])
    assert "could not save it" in answer.text
    assert "saved this" not in answer.text, "it was not"
    (case,) = await house.store.cases()
    assert case.summary.startswith("The buyer sent: image. 1 of 1 could not be fetched")


async def test_a_file_is_asked_for_where_its_message_was_written_to(house: Home, tmp_path: Path) -> None:
    """Two workspaces write through the one address of their Slack app; each gives its files to its own token."""
    other, silent = Wire(), Wire()
    asked: list[str] = []
    other.account = lambda: _named("elsewhere")  # type: ignore[method-assign]
    silent.account = lambda: _named("")  # type: ignore[method-assign]
    for name, wire in (("wire", house.wire), ("other", other)):
        wire.fetch = lambda media, name=name: _noted(asked, name)  # type: ignore[method-assign, misc]
    fetching = Fetching({"silent": silent, "wire": house.wire, "other": other}, Vault(tmp_path / "vault"))
    photo = Media(MediaKind.IMAGE, ref="x")
    for account in ("elsewhere", "shop", "unknown"):
        sender = replace(house.address(), account=account)
        await fetching.inbound(Inbound("m", house.clock.now(), sender, media=(photo,)), "wire", 0)
    assert asked == ["other", "wire", "wire"]


async def _named(account: str) -> str:
    if not account:
        raise Misconfigured("auth.test says no", key="channels.slack.bot_token")
    return account


async def _noted(asked: list[str], name: str) -> AsyncIterator[bytes]:
    asked.append(name)
    yield b"\x89PNG\r\n\x1a\n" + b"0" * 64


async def test_an_account_whose_platform_does_not_say_who_we_are_is_the_one_that_was_written_to(house: Home) -> None:
    """Slack's auth.test fails: answers leave all the same."""

    async def unknown() -> str:
        raise Misconfigured("auth.test says no", key="channels.slack.bot_token")

    house.wire.account = unknown  # type: ignore[method-assign]
    sender = Sender(house.store, house.sender.accounts, house.clock)
    sending = asyncio.create_task(sender.run())
    await house.hear("where is my order 1042?")
    await house.work()
    for _ in range(60):
        if house.wire.sent:
            break
        await asyncio.sleep(0.1)
    await sender.stop()
    await sending
    assert len(house.wire.sent) == 1


async def test_platforms_that_hang_or_say_nothing_hold_up_a_stop_only_once(
    house: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in its own way, and all together no longer than one: the whole bot lets go within ten seconds."""
    monkeypatch.setattr("bot.sender.HOMING_SECONDS", 0.8)

    async def unknown() -> str:
        raise Misconfigured("auth.test says no", key="channels.slack.bot_token")

    silent = Wire()
    silent.account = unknown  # type: ignore[method-assign]
    wires = {"wire": house.wire, "second": Wire(), "silent": silent}
    sender = Sender(house.store, {n: Account(n, w, Rates(0, 0)) for n, w in wires.items()}, house.clock)
    sending = asyncio.create_task(sender.run())
    await asyncio.sleep(0.1)
    hanging = [asyncio.create_task(asyncio.sleep(60)) for _ in range(2)]
    for name, send in zip(("wire", "second"), hanging, strict=True):
        sender._flying[name].add(send)
    began = asyncio.get_running_loop().time()
    await sender.stop()
    await asyncio.wait_for(sending, 5)
    assert asyncio.get_running_loop().time() - began < 1.9
    for send in hanging:
        send.cancel()


async def test_a_message_that_cannot_be_read_any_more_is_kept_as_dead_and_holds_up_nobody(house: Home) -> None:
    await house.hear("where is my order 1042?")
    await house.work()
    await house.store.database.write(lambda c: c.execute(text("update outbox set body = '?'")))
    await house.hear("human please")
    await house.work()
    (sent,) = await house.send()
    assert "colleague" in sent.text
    assert (await house.store.health()).unsendable == 1


async def test_a_platform_that_wants_growing_waits_gets_them(house: Home) -> None:
    """WhatsApp's pair rate: 4 to the power of the tries before."""
    house.wire.failing = [Temporary("pair rate", growing=4.0)] * 2
    await house.say("hello")
    waits = []
    for _ in range(2):
        (row,) = await _outbox(house)
        waits.append(row)
        await asyncio.sleep(1.1)
        await house.send()
    assert len(house.wire.sent) == 0
    assert 0 < waits[0] <= 1.0
    assert 2.5 < (await _outbox(house))[0] <= 4.0


async def _outbox(house: Home) -> list[float]:
    """Seconds until each unsent message may leave."""
    query = text("select not_before from outbox where state <= 1")

    async def work(connection: AsyncConnection) -> list[float]:
        now = await machine_now(connection)
        return [row.not_before - now for row in await connection.execute(query)]

    return await house.store.database.view(work)
