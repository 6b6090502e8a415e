"""A message that has left is changed and deleted, over real HTTP, on each channel that can."""

from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import httpx
import pytest

from bot.errors import Refused
from bot.model.messages import Address, Outbound
from bot.ports import Channel
from bot.sandbox.platform import Phone
from bot.sandbox.town import Town
from bot.transport import Client, Transport

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with Client(transport=Transport()) as client:
        yield client


def channel_of(kind: str, town: Town, http: httpx.AsyncClient) -> Channel:
    adapter = import_module(f"adapters.channels.{kind}")
    config: Any = town.config(1, ".")
    made: Channel = adapter.connect(adapter.Settings.model_validate(config["channels"][kind]), http)
    return made


@pytest.fixture(params=["telegram", "slack"])
def buyer(request: pytest.FixtureRequest, town: Town, http: httpx.AsyncClient) -> tuple[Channel, Phone]:
    """A channel and somebody's phone on it."""
    return channel_of(request.param, town, http), town.phone(getattr(town, request.param))


def shown(phone: Phone) -> list[str]:
    return ["".join(run.text for run in line.runs) for line in phone.lines]


async def test_it_changes_and_goes_where_the_buyer_reads_it(buyer: tuple[Channel, Phone]) -> None:
    channel, phone = buyer
    assert channel.limits.amends
    to = Address(channel.kind, "shop", phone.chat)
    first = await channel.send(Outbound("1", to, "Teh &lt;answer&gt;"))
    await channel.send(Outbound("2", to, "More"))
    assert await channel.send(Outbound("3", to, "The &lt;answer&gt;", amends=first)) == first
    assert shown(phone) == ["The <answer>", "More"]
    await channel.send(Outbound("4", to, "The &lt;answer&gt;", amends=first))
    assert await channel.send(Outbound("5", to, "", amends=first)) == first
    assert shown(phone) == ["More"]
    # Whether the first deletion went through may be unknown: sent again, what is not there any more is deleted.
    assert await channel.send(Outbound("5", to, "", amends=first)) == first
    with pytest.raises(Refused):
        await channel.send(Outbound("6", to, "The answer", amends=first))


async def test_telegram_lets_nothing_be_deleted_after_two_days(town: Town, http: httpx.AsyncClient) -> None:
    channel = channel_of("telegram", town, http)
    phone = town.phone(town.telegram)
    to = Address("telegram", "shop", phone.chat)
    first = await channel.send(Outbound("1", to, "Hello"))
    town.clock.forward(timedelta(hours=49))
    with pytest.raises(Refused, match="can't be deleted"):
        await channel.send(Outbound("2", to, "", amends=first))


async def test_a_file_on_slack_is_not_said_to_be_deleted(town: Town, http: httpx.AsyncClient) -> None:
    channel = channel_of("slack", town, http)
    to = Address("slack", "shop", town.phone(town.slack).chat)
    with pytest.raises(Refused):
        await channel.send(Outbound("1", to, "", amends="F0123ABCD"))
