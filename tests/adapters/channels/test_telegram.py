"""What is Telegram's alone: one keyboard a message, which holds the contact request beside the choices."""

import json
from typing import Any

import httpx
from pydantic import SecretStr

from adapters.channels.telegram import Settings, connect
from bot.model.messages import Address, Choice, Outbound

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
