"""The inbox and its lanes, on both databases."""

import pytest

from bot.model.events import Notice
from bot.model.messages import Address
from bot.ports import Item
from bot.store import Store
from bot.store.codec import pack
from bot.store.queue import Arrival
from bot.store.turns import Written

CHAT = "c/telegram/1/5"


def arrival(key: str, lane: str = CHAT, *, chats: tuple[str, ...] = (), quiet: float = 0.0) -> Arrival:
    return Arrival("telegram", Item(key=key, lane=lane, body=b"{}", chats=chats, quiet=quiet))


async def test_a_repeat_becomes_nothing(store: Store) -> None:
    await store.receive([arrival("a"), arrival("b")])
    await store.receive([arrival("a")])
    (claim,) = await store.claim(10)
    assert [e.item.key for e in claim.events] == ["a", "b"]


async def test_a_claimed_lane_is_nobody_elses(store: Store) -> None:
    await store.receive([arrival("a")])
    assert len(await store.claim(10)) == 1
    assert await store.claim(10) == []


async def test_a_finished_event_does_not_come_back(store: Store) -> None:
    await store.receive([arrival("a")])
    (claim,) = await store.claim(10)
    assert await store.commit(Written(claim))
    assert await store.claim(10) == []
    await store.receive([arrival("b")])
    (again,) = await store.claim(10)
    assert [e.item.key for e in again.events] == ["b"]


def notice(key: str, lane: str) -> Arrival:
    told = Notice(key, Address.parse(lane.removeprefix("c/")), "warned", "link_used", "security")
    return Arrival("wismo", Item(key=key, lane=lane, body=pack(told)))


async def test_who_asks_goes_before_those_who_are_only_told(store: Store) -> None:
    await store.receive([notice(f"n{n}", f"c/telegram/1/{n}") for n in range(20)])
    await store.receive([arrival("asks")])
    await store.receive([arrival("asks too", "c/telegram/1/7")])
    assert {claim.lane for claim in await store.claim(2)} == {CHAT, "c/telegram/1/7"}
    assert len(await store.claim(100)) == 18, "whoever is only told is not forgotten"


async def test_whoever_lost_the_lane_writes_nothing(store: Store) -> None:
    await store.receive([arrival("a")])
    (claim,) = await store.claim(10)
    await store.give_back([claim])
    (taken,) = await store.claim(10)
    assert not await store.commit(Written(claim))
    assert await store.commit(Written(taken))


async def test_an_event_that_keeps_failing_is_kept_and_its_neighbour_goes_on(store: Store) -> None:
    await store.receive([arrival("bad"), arrival("good")])
    for _ in range(5):
        (claim,) = await store.claim(10)
        assert claim.events[0].item.key == "bad"
        await store.fail(claim, "ValueError", 0.0)
    (claim,) = await store.claim(10)
    assert [e.item.key for e in claim.events] == ["good"]
    (letter,) = await store.dead_letters()
    assert letter.error == "ValueError"
    assert await store.replay([letter.id]) == 1


async def test_a_person_with_two_names_has_one_lane(store: Store) -> None:
    await store.receive([arrival("a", "c/whatsapp/1/DE.77", chats=("4917",))])
    await store.receive([arrival("b", "c/whatsapp/1/4917", chats=("DE.77",))])
    (claim,) = await store.claim(10)
    assert claim.lane == "c/whatsapp/1/DE.77"
    assert len(claim.events) == 2


@pytest.mark.parametrize(
    ("bad", "lane"),
    [
        (arrival("\x00"), CHAT),
        (arrival("k" + "é" * 3000), CHAT),
        (arrival("a", "c/telegram/1/\x00"), "x/telegram"),
        (arrival("a", "c/telegram/1/" + "9" * 3000), "x/telegram"),
        (arrival("a", chats=("\x00",)), "x/telegram"),
    ],
)
async def test_a_name_that_no_database_keeps_costs_itself_alone(store: Store, bad: Arrival, lane: str) -> None:
    await store.receive([bad, arrival("good", "c/telegram/1/6")])
    await store.receive([bad])
    claims = {claim.lane: claim for claim in await store.claim(10)}
    assert set(claims) == {lane, "c/telegram/1/6"}
    assert len(claims[lane].events) == 1
    assert claims[lane].events[0].item.body == b"{}"


async def test_an_album_waits_for_its_other_parts(store: Store) -> None:
    await store.receive([arrival("a", quiet=30.0)])
    assert await store.claim(10) == []


async def test_a_named_lease_is_one_owners_until_it_lets_go(store: Store) -> None:
    assert await store.hold_lease("listen:telegram", "me", 60)
    assert await store.hold_lease("listen:telegram", "me", 60)
    assert not await store.hold_lease("listen:telegram", "you", 60)
    await store.drop_lease("listen:telegram", "me")
    assert await store.hold_lease("listen:telegram", "you", 60)
