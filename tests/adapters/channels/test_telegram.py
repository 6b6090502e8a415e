"""What is Telegram's alone: one keyboard a message, which holds the contact request beside the choices; and polling."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from adapters.channels.telegram import Settings, connect
from bot.app import local_client
from bot.model.messages import Address, Choice, Inbound, Outbound
from bot.ports import Item, Request
from bot.sandbox.town import Town

CHAT = Address("telegram", "123456", "5")
PERSON = Choice("i:human", "Talk to a person")


async def posted(message: Outbound) -> dict[str, Any]:
    """The body that the platform gets."""
    bodies: list[dict[str, Any]] = []

    async def api(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"ok": True, "result": {"message_id": 1}})

    settings = Settings(token=SecretStr("123456:ABC"))
    async with httpx.AsyncClient(transport=httpx.MockTransport(api)) as http:
        await connect(settings, http).send(message)
    return bodies[0]


async def test_the_contact_request_stands_beside_the_choices() -> None:
    body = await posted(Outbound("1", CHAT, "Which order?", choices=(PERSON,), ask_contact="Share my number"))
    assert body["reply_markup"] == {
        "keyboard": [[{"text": "Share my number", "request_contact": True}], [{"text": "Talk to a person"}]],
        "one_time_keyboard": True,
        "resize_keyboard": True,
    }


async def test_choices_alone_are_buttons_under_the_message() -> None:
    body = await posted(Outbound("1", CHAT, "Which order?", choices=(PERSON,)))
    assert body["reply_markup"] == {"inline_keyboard": [[{"text": "Talk to a person", "callback_data": "i:human"}]]}


async def test_polling_confirms_an_update_only_after_it_is_stored(town: Town) -> None:
    """Telegram forgets what an offset confirms: what was not stored by then would be lost."""
    settings = Settings(token=SecretStr(town.telegram.token), base_url=f"{town.base}/telegram")
    phone, stored, more = town.phone(town.telegram), list[str](), asyncio.Event()

    async def refuse(items: Sequence[Item]) -> None:
        raise RuntimeError("the database is away")

    async def store(items: Sequence[Item]) -> None:
        heard = [channel.decode(item) for item in items]
        stored.extend(message.text for message in heard if isinstance(message, Inbound))
        more.set()

    async with local_client() as http:
        channel = connect(settings, http)
        assert channel.listens
        town.telegram.say(phone, "one")
        with pytest.raises(RuntimeError):
            await channel.listen(refuse)
        assert len(town.telegram.updates) == 1, "confirmed without being stored"
        listening = asyncio.create_task(channel.listen(store))
        for text in ("one", "two"):
            if text == "two":
                town.telegram.say(phone, text)
            await asyncio.wait_for(more.wait(), 5)
            more.clear()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert stored == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "start"),
    [("/start", None), ("/start w-abc", "w-abc"), ("/start@lanternbot  w-abc ", "w-abc"), ("/started w-abc", None)],
)
async def test_a_link_comes_as_the_start_command_and_its_token(text: str, start: str | None) -> None:
    update = {
        "update_id": 1,
        "message": {"message_id": 1, "date": 1790000000, "chat": {"id": 5, "type": "private"}, "text": text}
        | {"from": {"id": 5, "is_bot": False, "first_name": "Ann"}},
    }
    settings = Settings(token=SecretStr("1:a"), secret=SecretStr("s"), mode="webhook")
    async with httpx.AsyncClient() as http:
        channel = connect(settings, http)
        head = {"x-telegram-bot-api-secret-token": "s"}
        for told in (update, update | {"unknown": 1}):  # read at once, and by python-telegram-bot
            body = json.dumps(told).encode()
            (item,) = (await channel.webhook(Request("POST", "/hooks/telegram", head, {}, body))).items
            heard = channel.decode(item)
            assert isinstance(heard, Inbound)
            assert (heard.start, heard.text) == (start, text if text.startswith("/started") else "/start")
