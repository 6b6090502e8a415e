"""The outbox as the sender sees it, on both databases."""

from datetime import UTC, datetime

from msgspec.structs import replace

from bot.model.conversations import Conversation
from bot.model.messages import Address, Outbound, Purpose, Receipt, State
from bot.ports import Item
from bot.store import Store
from bot.store.buckets import Rates
from bot.store.outbox import Mark
from bot.store.queue import Arrival
from bot.store.tables import OutboxState
from bot.store.turns import Worded, Written

FREE = Rates(0, 0)
ACCOUNT = ("telegram", "1")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def chat(name: str) -> Address:
    return Address("telegram", "1", name)


async def say(
    store: Store,
    to: Address,
    *texts: str,
    purpose: Purpose = Purpose.ANSWER,
    holder: str = "bot",
    version: int = 0,
    withdraw: bool = False,
) -> None:
    lane = f"c/{to}"
    await store.receive([Arrival("telegram", Item(f"{to}{texts}{version}", lane, b"{}"))])
    claims = await store.claim(100)
    (claim,) = [c for c in claims if c.lane == lane]
    worded = tuple(Worded(Outbound("", to, text, purpose=purpose, holder_version=version), text, "t") for text in texts)
    record = Conversation(to, holder=holder, version=version)
    assert await store.commit(Written(claim, record, worded=worded, withdraw=withdraw))


async def test_one_message_a_chat_leaves_at_a_time_and_in_order(store: Store) -> None:
    await say(store, chat("a"), "a1", "a2")
    await say(store, chat("b"), "b1")
    first = await store.claim_outbox(ACCOUNT, FREE, 10)
    assert [r.key for r in first] == ["a1", "b1"]
    assert await store.claim_outbox(ACCOUNT, FREE, 10) == []
    await store.mark(Mark(first[0], OutboxState.SENT, NOW, "p1"))
    assert [r.key for r in await store.claim_outbox(ACCOUNT, FREE, 10)] == ["a2"]


async def test_a_thing_is_said_once(store: Store) -> None:
    await say(store, chat("a"), "same")
    (row,) = await store.claim_outbox(ACCOUNT, FREE, 10)
    await store.mark(Mark(row, OutboxState.SENT, NOW, "p"))
    await store.receive([Arrival("telegram", Item("again", f"c/{chat('a')}", b"{}"))])
    (claim,) = await store.claim(10)
    worded = (Worded(Outbound("", chat("a"), "same"), "same", "t"),)
    assert await store.commit(Written(claim, Conversation(chat("a")), worded=worded))
    assert await store.claim_outbox(ACCOUNT, FREE, 10) == []


async def test_a_limited_chat_waits_and_its_neighbours_do_not(store: Store) -> None:
    slow = Rates(per_second=100, per_recipient=0.01, burst=1)
    await say(store, chat("a"), "a1", "a2")
    (row,) = await store.claim_outbox(ACCOUNT, slow, 10)
    await store.mark(Mark(row, OutboxState.SENT, NOW, "p"))
    await say(store, chat("b"), "b1")
    assert [r.key for r in await store.claim_outbox(ACCOUNT, slow, 10)] == ["b1"]


async def test_a_burst_to_one_chat_passes(store: Store) -> None:
    burst = Rates(per_second=100, per_recipient=0.01, burst=3)
    await say(store, chat("a"), "a1", "a2", "a3", "a4")
    sent = []
    for _ in range(4):
        for row in await store.claim_outbox(ACCOUNT, burst, 10):
            sent.append(row.key)
            await store.mark(Mark(row, OutboxState.SENT, NOW, "p"))
    assert sent == ["a1", "a2", "a3"]


async def test_the_account_sends_no_faster_than_its_rate(store: Store) -> None:
    for n in range(8):
        await say(store, chat(str(n)), f"m{n}")
    rows = await store.claim_outbox(ACCOUNT, Rates(per_second=3, per_recipient=0), 10)
    assert len(rows) == 3
    assert len(await store.claim_outbox(ACCOUNT, Rates(per_second=3, per_recipient=0), 10)) <= 1


async def test_a_resting_account_sends_nothing(store: Store) -> None:
    await say(store, chat("a"), "a1")
    await store.hold_account(ACCOUNT, 30)
    assert await store.claim_outbox(ACCOUNT, Rates(100, 0), 10) == []


async def test_a_takeover_withdraws_what_the_bot_has_not_sent(store: Store) -> None:
    await say(store, chat("a"), "bot said")
    await say(store, chat("a"), "person says", purpose=Purpose.STAFF, holder="staff:ann", version=1, withdraw=True)
    rows = await store.claim_outbox(ACCOUNT, FREE, 10)
    assert [r.key for r in rows] == ["person says"]


async def test_what_was_written_under_another_holder_is_stale(store: Store) -> None:
    await say(store, chat("a"), "bot said")
    await say(store, chat("a"), holder="staff:ann", version=1)
    (row,) = await store.claim_outbox(ACCOUNT, FREE, 10)
    assert row.stale


async def test_a_receipt_never_goes_back(store: Store) -> None:
    await say(store, chat("a"), "a1")
    (row,) = await store.claim_outbox(ACCOUNT, FREE, 10)
    await store.mark(Mark(row, OutboxState.SENT, NOW, "p1"))
    read = Receipt("r", NOW, chat("a"), State.READ, platform_id="p1")
    for receipt in (read, replace(read, state=State.SENT)):
        await store.receive([Arrival("telegram", Item(receipt.state, f"c/{chat('a')}", b"{}"))])
        (claim,) = await store.claim(10)
        assert await store.commit(Written(claim, receipts=(receipt,)))
    async with store.database.read() as connection:
        found = await connection.exec_driver_sql("SELECT receipt FROM outbox")
        assert found.scalar() == "read"
