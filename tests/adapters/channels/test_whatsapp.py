"""What is WhatsApp's alone: the handshake, whom a message goes to, and approved templates as they go over the wire."""

import base64
import hashlib
import json
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from adapters.channels.whatsapp import Settings, connect
from adapters.channels.whatsapp.reading import items
from bot.approved import Approvals
from bot.catalogue import read_catalogue
from bot.errors import Temporary
from bot.model.messages import Address, Choice, Inbound, Outbound, Reply
from bot.ports import Request
from bot.render import Renderer
from tests.house import TEMPLATES

CHAT = Address("whatsapp", "1", "4915112340000")
RENDERER = Renderer([TEMPLATES], "en")
APPROVALS = Approvals(RENDERER, read_catalogue(TEMPLATES / "catalogue.yaml"))


async def posted(message: Outbound) -> dict[str, Any]:
    """The body that the platform gets."""
    bodies: list[dict[str, Any]] = []

    async def graph(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"messages": [{"id": "wamid.1"}]})

    secret = SecretStr("s")
    settings = Settings(phone_number_id="1", access_token=secret, app_secret=secret, verify_token=secret)
    async with httpx.AsyncClient(transport=httpx.MockTransport(graph)) as http:
        await connect(settings, http).send(message)
    return bodies[0]


def delivered() -> Outbound:
    """A notice with two buttons as its approved template says it."""
    facts = {"number": "1042", "carrier": "dhl"}
    approved = APPROVALS.form(Reply(CHAT, "delivered", facts, "k", "pt"))
    return Outbound("o1", CHAT, "", approved=approved)


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": "s", "hub.challenge": "1158201444"}, 200, b"1158201444"),
        ({"hub.mode": "subscribe", "hub.verify_token": "wrong", "hub.challenge": "1"}, 403, b""),
        ({"hub.mode": "subscribe", "hub.verify_token": "é", "hub.challenge": "1"}, 403, b""),
        ({"hub.mode": "unsubscribe", "hub.verify_token": "s", "hub.challenge": "1"}, 403, b""),
        ({"hub.mode": "subscribe", "hub.challenge": "1"}, 403, b""),
        ({}, 403, b""),
    ],
)
async def test_the_handshake_gives_the_challenge_back_to_whoever_knows_our_word(
    query: dict[str, str], status: int, body: bytes
) -> None:
    secret = SecretStr("s")
    settings = Settings(phone_number_id="1", access_token=secret, app_secret=secret, verify_token=secret)
    async with httpx.AsyncClient() as http:
        answer = await connect(settings, http).webhook(Request("GET", "/hooks/whatsapp", {}, query, b""))
    assert (answer.status, answer.body, answer.items) == (status, body, ())


@pytest.mark.parametrize(
    ("chat", "field"), [("4915112340000", "to"), ("DE.13491208655302741918", "recipient"), ("US.ENT.1a", "recipient")]
)
async def test_a_message_goes_to_a_number_or_to_a_person_without_one_and_holds_our_id(chat: str, field: str) -> None:
    """Meta's page "Business-scoped user ids": `recipient` for these, and never both, since `to` would win."""
    body = await posted(Outbound("o7", Address("whatsapp", "1", chat), "Hello"))
    assert {name: body[name] for name in ("to", "recipient") if name in body} == {field: chat}
    assert body["biz_opaque_callback_data"] == "o7"


def test_every_message_and_status_of_every_change_of_every_entry_is_an_item() -> None:
    def change(n: int) -> dict[str, Any]:
        people = [{"wa_id": f"49{n}0{m}", "user_id": f"DE.{n}{m}"} for m in range(2)]
        messages = [
            {
                "from_user_id": p["user_id"],
                "id": f"m{n}-{m}",
                "timestamp": "1790000000",
                "type": "text",
                "text": {"body": "x"},
            }
            for m, p in enumerate(reversed(people))
        ]
        statuses = [
            {"id": f"w{n}", "status": state, "timestamp": "1790000000", "recipient_user_id": f"DE.{n}0"}
            for state in ("sent", "delivered")
        ]
        value = {"metadata": {"phone_number_id": "1"}, "contacts": people, "messages": messages, "statuses": statuses}
        return {"field": "messages", "value": value}

    entries = [{"id": "b", "changes": [change(2 * e), change(2 * e + 1)]} for e in range(3)]
    found = list(items(json.dumps({"object": "whatsapp_business_account", "entry": entries}).encode(), "1"))
    assert len(found) == len({i.key for i in found}) == 6 * 4
    told = [i for i in found if i.key == "m:m0-0" or i.key.endswith("m0-0")]
    assert [i.lane for i in told] == ["c/whatsapp/1/DE.01"], "matched by position and not by id"
    assert all("4900" not in i.lane for i in found), "a phone number may change hands; the id is first"


async def test_parameters_go_by_their_names() -> None:
    template = (await posted(delivered()))["template"]
    assert (template["name"], template["language"]) == ("wismo_delivered", {"code": "pt_BR"})
    assert template["components"] == [
        {
            "type": "body",
            "parameters": [
                {"type": "text", "parameter_name": "number", "text": "1042"},
                {"type": "text", "parameter_name": "carrier", "text": "a DHL"},
            ],
        }
    ]


async def test_a_pressed_button_comes_back_with_its_value() -> None:
    choices = (Choice("arrived:yes:1042", "Yes"), Choice("arrived:no:1042", "No"))
    components = (await posted(replace(delivered(), choices=choices)))["template"]["components"]
    assert [(c["index"], c["parameters"][0]["payload"]) for c in components if c["type"] == "button"] == [
        ("0", "arrived:yes:1042"),
        ("1", "arrived:no:1042"),
    ]


FILE = b"\xff\xd8\xff\xe0 a photo"
DIGEST = hashlib.sha256(FILE).digest()


async def fetched(**told: str) -> bytes:
    """The file of an image message whose webhook tells this of it."""

    async def graph(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/55"):
            return httpx.Response(200, json={"url": "https://lookaside.example/again"})
        return httpx.Response(404 if request.url.path == "/expired" else 200, content=FILE)

    secret = SecretStr("s")
    settings = Settings(phone_number_id="1", access_token=secret, app_secret=secret, verify_token=secret)
    message = {"id": "wamid.1", "from": "4915", "timestamp": "1", "type": "image", "image": told}
    change = {"field": "messages", "value": {"metadata": {"phone_number_id": "1"}, "messages": [message]}}
    body = json.dumps({"entry": [{"changes": [change]}]}).encode()
    async with httpx.AsyncClient(transport=httpx.MockTransport(graph)) as http:
        channel = connect(settings, http)
        heard = channel.decode(next(iter(items(body, "1"))))
        assert isinstance(heard, Inbound)
        return b"".join([chunk async for chunk in channel.fetch(heard.media[0])])


@pytest.mark.parametrize("told", [base64.b64encode(DIGEST).decode(), DIGEST.hex(), ""])
async def test_a_file_is_fetched_by_its_address_and_checked(told: str) -> None:
    assert await fetched(id="55", sha256=told, url="https://lookaside.example/it") == FILE


async def test_an_address_that_ran_out_is_asked_for_again() -> None:
    assert await fetched(id="55", url="https://lookaside.example/expired") == FILE


async def test_a_file_that_came_in_part_is_not_kept() -> None:
    with pytest.raises(Temporary, match="SHA-256"):
        await fetched(id="55", sha256=base64.b64encode(b"x" * 32).decode(), url="https://lookaside.example/it")
