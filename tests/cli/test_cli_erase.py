"""`wismo erase` and `wismo export`, on both databases: afterwards no seeded value is anywhere in the database."""

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace
from sqlalchemy import insert

from bot.model.clock import Clock
from bot.model.conversations import Conversation, Pending, Proof
from bot.model.events import conversation_lane, order_lane
from bot.model.messages import Address, Outbound, Purpose
from bot.model.orders import Consent, Order, OrderUpdate, Shipment
from bot.ports import Item
from bot.store import Store
from bot.store.casetables import CaseRow
from bot.store.codec import encode, pack
from bot.store.queue import MAX_ATTEMPTS, Arrival
from bot.store.tables import ConsentRow, DecisionRow, LinkRow, MediaRow, Outbox
from bot.store.vault import Vault

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
GONE = Order(
    number="#7001",
    updated_at=AT,
    source="csv",
    name="Zebulon Quixmire-Ångström",
    email="zq.erase@example.test",
    phone="+49 1512 777 0001",
    address="Pfefferweg 99 Hinterhaus",
    postcode="QX04177",
    city="Quixhausen",
    country="DE",
    parcels=(Shipment("QX123456785DE", "dhl"),),
    consent=(Consent("updates", "checkout", AT),),
)
STAYS = replace(
    GONE,
    number="#7002",
    name="Wilhelmina Keepsafe",
    email="keep@example.test",
    phone="+49 1512 888 0002",
    address="Bleibstrasse 1",
    postcode="KP10115",
    city="Bleibheim",
    parcels=(Shipment("KP123456785DE", "dhl"),),
)
WORDS = ("zebra-words-received", "zebra-words-sent", "zebra-case-summary", "zebra-kitchen.jpg", "zebra-dead-letter")
CHATS = {GONE.number: "zebra-chat-990017", STAYS.number: "keep-chat-990018"}


def personal(order: Order) -> list[str]:
    phone = "".join(order.phone.split())
    return [order.name, order.email, order.phone, phone, order.address, order.postcode, order.city]


def spellings(value: str) -> Iterable[bytes]:
    """As it is, and as JSON that keeps to ASCII."""
    return {value.encode(), json.dumps(value)[1:-1].encode()}


async def seed(store: Store, vault: Vault, order: Order, words: Iterable[str]) -> None:
    received, sent, summary, file, dead = words
    phone = "".join(order.phone.split())
    await store.save_orders([(order, phone)])
    (dossier,) = await store.find_orders([order.number.removeprefix("#")])
    chat = Address("telegram", "1", CHATS[order.number])
    lane = f"c/{chat}"
    update = OrderUpdate(f"u{order.number}", AT, order)
    stray = json.dumps({"broken": order.name}).encode()  # nothing but a name, escaped to ASCII
    await store.receive(
        [
            Arrival(
                "telegram", Item(f"in{order.number}", lane, json.dumps({"text": received}).encode(), (f"@{chat.chat}",))
            ),
            Arrival("wismo", Item(update.id, order_lane("csv", order.number), pack(update))),
            Arrival("telegram", Item(f"x{order.number}", "x/telegram/1", stray)),
        ]
    )
    async for claim in claims(store):
        if claim.lane == lane:
            await store.fail(claim, f"Refused: {dead}", 0.0)
    await store.save_conversations(
        [
            Conversation(
                chat,
                buyer=dossier.buyer,
                proofs=(Proof("email", AT + timedelta(days=30), order=dossier.id),),
                focus=dossier.id,
                name=order.name,
                phone=phone,
                pending=Pending("retell", data={"typed": received}),
            )
        ]
    )
    digest = sha256(file.encode()).hexdigest()
    vault.path(digest).parent.mkdir(parents=True)
    vault.path(digest).write_bytes(file.encode())
    out = Outbound(id="", to=chat, text=f"{order.name}: {sent}", purpose=Purpose.ANSWER)
    await insert_all(
        store,
        (Outbox, {"lane": lane, "key": "k", "channel": "telegram", "account": "1", "chat": chat.chat,
                  "purpose": "answer", "body": encode(out), "created_at": AT, "state": 2,
                  "error": f"said no to {chat.chat}"}),
        (CaseRow, {"lane": lane, "kind": "damaged", "summary": summary, "order_id": dossier.id, "opened_at": AT}),
        (MediaRow, {"lane": lane, "digest": digest, "mime": "image/jpeg", "name": file, "size": 3, "at": AT}),
        (ConsentRow, {"lane": lane, "purpose": "updates", "source": f"chat {chat.chat}", "given": True, "at": AT}),
        (DecisionRow, {"lane": lane, "turn": "t", "at": AT, "reasons": encode([received])}),
        (LinkRow, {"hash": sha256(order.name.encode()).hexdigest(), "order_id": dossier.id, "created_at": AT,
                   "first_chat": lane}),
    )  # fmt: skip


async def claims(store: Store) -> Any:
    """Every claim until the message to the buyer's chat is dead; other lanes are left leased."""
    for _ in range(MAX_ATTEMPTS):
        for claim in await store.claim(50):
            yield claim


async def insert_all(store: Store, *rows: tuple[Any, dict[str, Any]]) -> None:
    for table, values in rows:
        await store.database.write(lambda c, t=table, v=values: c.execute(insert(t).values(**v)))  # type: ignore[misc]


async def seed_both(url: str, data: Path) -> None:
    store = Store(url, Clock())
    await store.migrate()
    vault = Vault(data / "media")
    await seed(store, vault, GONE, WORDS)
    await seed(store, vault, STAYS, [w.replace("zebra", "keep") for w in WORDS])
    await store.close()


async def postgres_bytes(url: str) -> bytes:
    """Every text and every byte string in every table."""
    connection = await asyncpg.connect(url)
    columns = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type IN ('text', 'character varying', 'bytea')"
    )
    found = []
    for table, column in columns:
        for (value,) in await connection.fetch(f'SELECT "{column}" FROM "{table}"'):
            found.append(value if isinstance(value, bytes) else str(value).encode())
    await connection.close()
    return b"\n".join(found)


def everything(url: str) -> bytes:
    if url.startswith("postgresql"):
        return asyncio.run(postgres_bytes(url))
    file = Path(url.removeprefix("sqlite:///"))
    return b"".join(part.read_bytes() for part in sorted(file.parent.glob(file.name + "*")))


def names_seen(words: Iterable[str], raw: bytes) -> set[str]:
    return {word for word in words if any(spelled in raw for spelled in spellings(word))}


@pytest.fixture
def shop(database_url: str, write_config: Callable[..., Path], tmp_path: Path) -> str:
    data = tmp_path / "data"
    write_config(database={"url": database_url, "data": str(data)})
    asyncio.run(seed_both(database_url, data))
    return database_url


def test_an_erased_buyer_is_nowhere_in_the_database_and_others_are_untouched(
    shop: str, wismo: Callable[..., Any], tmp_path: Path
) -> None:
    theirs = {*personal(GONE), *WORDS, CHATS[GONE.number]}
    others = {*personal(STAYS), *(w.replace("zebra", "keep") for w in WORDS), CHATS[STAYS.number]}
    before = everything(shop)
    assert names_seen(theirs | others, before) == theirs | others  # the search itself finds what is there
    told = wismo("erase", GONE.email, "--yes")
    assert told.exit_code == 0, told.output
    after = everything(shop)
    assert names_seen(theirs, after) == set()
    assert names_seen(others, after) == others
    files = {p.read_text() for p in (tmp_path / "data" / "media").rglob("*") if p.is_file()}
    assert files == {"keep-kitchen.jpg"}


def test_a_buyer_is_found_by_what_they_are_known_by_and_exported_whole(
    shop: str, wismo: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "buyer.json"
    for text in (GONE.email.upper(), "+49 1512 777-0001", "7001"):
        assert wismo("export", text, "--out", str(file)).exit_code == 0, text
    assert file.stat().st_mode & 0o777 == 0o600
    told = file.read_text(encoding="utf-8")
    assert names_seen([GONE.name, GONE.address, *WORDS], told.encode()) == {GONE.name, GONE.address, *WORDS}
    assert not names_seen([STAYS.name, STAYS.email], told.encode())
    assert json.loads(told)["orders"]


def test_nobody_is_erased_without_a_yes_or_by_a_wrong_name(shop: str, wismo: Callable[..., Any]) -> None:
    assert wismo("erase", GONE.email, typed="n\n").exit_code == 1
    assert wismo("erase", "nobody@example.test", "--yes").exit_code == 1
    assert names_seen([GONE.name, STAYS.name], everything(shop)) == {GONE.name, STAYS.name}


async def hear_a_stranger(url: str, text: str, message: int = 1) -> None:
    store = Store(url, Clock())
    lane = conversation_lane(Address("telegram", "1", "stranger-5150"))
    told = {"message_id": message, "text": text}
    await store.receive([Arrival("telegram", Item("stranger", lane, json.dumps(told).encode()))])
    await store.close()


def test_a_chat_that_named_the_buyer_and_never_proved_it_goes_too(shop: str, wismo: Callable[..., Any]) -> None:
    asyncio.run(hear_a_stranger(shop, f"my order please, {GONE.email.upper()}, I am zebra-stranger"))
    assert wismo("erase", GONE.email, "--yes").exit_code == 0
    assert not names_seen(["zebra-stranger", "stranger-5150"], everything(shop))


@pytest.mark.parametrize(
    "text",
    [
        f"I am {GONE.name}, zebra-stranger",
        f"zebra-stranger wants 7001 brought to {GONE.postcode.lower()}",
        f"7001? zebra-stranger, {GONE.city}",
    ],
)
def test_a_chat_that_told_who_they_are_in_other_words_goes_too(shop: str, wismo: Callable[..., Any], text: str) -> None:
    asyncio.run(hear_a_stranger(shop, text))
    assert wismo("erase", GONE.email, "--yes").exit_code == 0
    assert not names_seen(["zebra-stranger", "stranger-5150"], everything(shop))


@pytest.mark.parametrize("text", [f"zebra-stranger lives at {GONE.postcode}", "where is 7001, asks zebra-stranger"])
def test_a_chat_that_only_shares_a_postcode_or_a_number_stays(shop: str, wismo: Callable[..., Any], text: str) -> None:
    asyncio.run(hear_a_stranger(shop, text))
    assert wismo("erase", GONE.email, "--yes").exit_code == 0
    assert names_seen(["zebra-stranger"], everything(shop))


def test_a_platforms_own_number_for_a_message_is_no_order_that_was_named(shop: str, wismo: Callable[..., Any]) -> None:
    asyncio.run(hear_a_stranger(shop, f"zebra-stranger asks: do you send to {GONE.city}?", message=7001))
    assert wismo("erase", GONE.email, "--yes").exit_code == 0
    assert names_seen(["zebra-stranger"], everything(shop))
