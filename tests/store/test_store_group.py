"""Work that shares a commit: who is in which batch, and what one failure costs the others."""

import asyncio
import random
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import pytest

from bot.store.group import Group, Train


class Line:
    """What was done, batch by batch; a batch takes a moment, and fails as a whole when one of it is bad."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.busy = False

    async def work(self, items: Sequence[str]) -> Sequence[str]:
        assert not self.busy, "one batch at a time"
        self.busy = True
        await asyncio.sleep(0.002)
        self.busy = False
        if "bad" in items:
            raise ValueError("bad")
        self.batches.append(list(items))
        return [item.upper() for item in items]


def trains(line: Line) -> Train[str, str]:
    return Train(line.work, asyncio.Lock())


def through(train: Train[str, str], patience: float = 0.0) -> Group[str, str]:
    """A group that puts what it has gathered into the train as one piece of work."""

    async def together(items: Sequence[str]) -> Sequence[str]:
        return (await train("+".join(items))).split("+")

    return Group(together, partial(train.turn, patience))


async def test_what_is_asked_for_while_a_batch_is_under_way_shares_the_next_whoever_asks() -> None:
    line = Line()
    train = trains(line)
    one, other = through(train), through(train)
    first = asyncio.create_task(one("a"))
    await asyncio.sleep(0.001)
    b, c, d, a = await asyncio.gather(one("b"), one("c"), other("d"), first)
    assert (a, b, c, d) == ("A", "B", "C", "D")
    assert line.batches == [["a"], ["b+c", "d"]]


async def test_one_bad_item_costs_its_neighbours_nothing() -> None:
    line = Line()
    train = trains(line)
    told = await asyncio.gather(train("a"), train("bad"), train("c"), return_exceptions=True)
    assert [told[0], told[2]] == ["A", "C"]
    assert isinstance(told[1], ValueError)
    assert line.batches == [["a"], ["c"]]


async def test_who_is_in_no_hurry_goes_along_with_others() -> None:
    line = Line()
    train = trains(line)
    patient, hurried = through(train, 5.0), through(train)
    waiting = asyncio.create_task(patient("mark"))
    await asyncio.sleep(0.01)
    assert line.batches == []
    assert await asyncio.wait_for(hurried("a"), 1.0) == "A"
    assert await waiting == "MARK"
    assert len(line.batches) == 1


async def test_patience_ends() -> None:
    line = Line()
    assert await asyncio.wait_for(through(trains(line), 0.01)("mark"), 1.0) == "MARK"


@pytest.mark.parametrize("seed", range(5))
async def test_whenever_somebody_asks_they_are_served_and_in_their_order(seed: int) -> None:
    line, chance = Line(), random.Random(seed)
    train = trains(line)
    groups = [through(train), through(train), through(train, 0.004)]

    async def ask(who: int) -> list[str]:
        said = []
        for n in range(20):
            await asyncio.sleep(chance.choice((0.0, 0.0, 0.001, 0.003)))
            said.append(await groups[who % 3](f"{who}:{n}"))
        return said

    async with asyncio.timeout(20.0):
        told = await asyncio.gather(*(ask(who) for who in range(12)))
    assert told == [[f"{who}:{n}" for n in range(20)] for who in range(12)]
    done = [item for batch in line.batches for work in batch for item in work.split("+")]
    assert len(done) == len(set(done)) == 240
    for who in range(12):
        mine = [int(item.split(":")[1]) for item in done if item.startswith(f"{who}:")]
        assert all(a < b for a, b in pairwise(mine))
