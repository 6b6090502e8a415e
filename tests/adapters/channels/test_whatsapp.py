"""What is WhatsApp's alone: an approved template as it goes over the wire."""

import json
from dataclasses import replace
from typing import Any

import httpx
from pydantic import SecretStr

from adapters.channels.whatsapp import Settings, connect
from bot.approved import Approvals
from bot.catalogue import read_catalogue
from bot.model.messages import Address, Choice, Outbound, Reply
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
