"""The emulated template API: what Meta's documents refuse is refused, here as there."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot.app import local_client
from bot.sandbox.town import Town

TEXT = {
    "type": "BODY",
    "text": "Order {{number}} is with {{carrier}} now.",
    "example": {
        "body_text_named_params": [
            {"param_name": "number", "example": "1042"},
            {"param_name": "carrier", "example": "DHL"},
        ]
    },
}
BUTTONS = {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Good"}]}
GOOD: dict[str, Any] = {
    "name": "wismo_x",
    "language": "en_US",
    "category": "UTILITY",
    "parameter_format": "NAMED",
    "components": [TEXT, BUTTONS],
}


@pytest.fixture
async def http(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    async with local_client() as client:
        client.headers["Authorization"] = f"Bearer {town.whatsapp.token}"
        client.base_url = httpx.URL(f"{town.base}/graph/v24.0/")
        yield client


async def hand_in(http: httpx.AsyncClient, town: Town, body: dict[str, Any]) -> httpx.Response:
    return await http.post(f"{town.whatsapp.business}/message_templates", json=body)


async def send(http: httpx.AsyncClient, town: Town, **content: Any) -> httpx.Response:
    template = {"name": "wismo_x", "language": {"code": "en_US"}} | content
    user = town.phone(town.whatsapp).user
    body = {"messaging_product": "whatsapp", "recipient": user, "type": "template", "template": template}
    return await http.post(f"{town.whatsapp.number}/messages", json=body)


def values(**given: str) -> list[dict[str, Any]]:
    named = [{"type": "text", "parameter_name": name, "text": text} for name, text in given.items()]
    return [{"type": "body", "parameters": named}]


def worded(text: str) -> dict[str, Any]:
    return {"components": [TEXT | {"text": text}]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Wismo-X"},
        {"name": "x" * 513},
        {"name": ""},
        {"category": "NEWS"},
        {"language": "english"},
        {"parameter_format": "POSITIONAL"},
        {"message_send_ttl_seconds": 43_201},
        {"message_send_ttl_seconds": "3600"},
        {"colour": "red"},
        {"components": []},
        {"components": [BUTTONS]},
        {"components": ["text"]},
        {"components": [TEXT, {"type": "CAROUSEL"}]},
        {"components": [TEXT, {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "x" * 26}]}]},
        {"components": [TEXT, {"type": "BUTTONS", "buttons": ["Good"]}]},
        {"components": [{"type": "BODY", "text": TEXT["text"]}]},
        worded("{{number}} is the order's number."),
        worded("Your order is {{number}}."),
        worded("Order {{number}} {{carrier}} has it."),
        worded("Order {{number}} is {{number}} indeed."),
        worded("Order {{Number}} is here."),
        worded("x" * 1025),
    ],
)
async def test_what_the_documents_do_not_allow_is_refused(
    town: Town, http: httpx.AsyncClient, wrong: dict[str, Any]
) -> None:
    answer = await hand_in(http, town, GOOD | wrong)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


async def test_a_template_is_taken_once_a_language_and_by_the_owner_only(town: Town, http: httpx.AsyncClient) -> None:
    assert (await hand_in(http, town, GOOD)).json()["status"] == "APPROVED"
    assert (await hand_in(http, town, GOOD)).status_code == 400
    assert (await hand_in(http, town, GOOD | {"language": "de"})).status_code == 200
    http.headers["Authorization"] = "Bearer wrong"
    assert (await hand_in(http, town, GOOD | {"language": "fr"})).status_code == 401
    assert (await http.get(f"{town.whatsapp.business}/message_templates")).status_code == 401


async def test_the_list_comes_in_pages(town: Town, http: httpx.AsyncClient) -> None:
    for number in range(5):
        await hand_in(http, town, GOOD | {"name": f"wismo_{number}"})
    url: str | None = f"{town.whatsapp.business}/message_templates?limit=2"
    pages = []
    while url is not None:
        told = (await http.get(url)).json()
        pages.append([t["name"][-1] for t in told["data"]])
        url = told["paging"].get("next")
    assert pages == [["0", "1"], ["2", "3"], ["4"]]


async def test_only_an_approved_template_with_its_own_parameters_is_sent(town: Town, http: httpx.AsyncClient) -> None:
    async def code(**content: Any) -> int:
        return int((await send(http, town, **content)).json()["error"]["code"])

    right = {"components": values(number="1042", carrier="DHL")}
    assert await code(**right) == 132001
    await hand_in(http, town, GOOD)
    assert await code(**right, language={"code": "de"}) == 132001
    assert await code() == 132000
    assert await code(components=values(number="1042")) == 132000
    assert await code(components=values(number="1042", courier="DHL")) == 132012
    assert await code(components=values(number="1042", carrier="D\nHL")) == 132012
    button = {"type": "button", "sub_type": "quick_reply", "index": "1", "parameters": []}
    assert await code(components=[*right["components"], button]) == 132000
    for status, refused in (("PAUSED", 132015), ("DISABLED", 132016), ("REJECTED", 132001)):
        town.whatsapp.judge("wismo_x", "en_US", status)
        assert await code(**right) == refused
    assert not town.phone(town.whatsapp).lines


async def test_the_phone_shows_the_text_filled_in_and_a_press_comes_back_as_a_button(
    town: Town, http: httpx.AsyncClient
) -> None:
    await hand_in(http, town, GOOD)
    payload = {"type": "payload", "payload": "arrived:yes:1042"}
    button = {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [payload]}
    parameters = values(number="1042", carrier="DHL")
    assert (await send(http, town, components=[*parameters, button])).status_code == 200
    phone = town.phone(town.whatsapp)
    (line,) = phone.lines
    assert "".join(r.text for r in line.runs) == "Order 1042 is with DHL now."
    assert [(b.title, b.value) for b in line.buttons] == [("Good", "arrived:yes:1042")]
    told: list[bytes] = []
    town.whatsapp.send = lambda event: told.append(event.body)  # type: ignore[method-assign]
    town.whatsapp.press(phone, line, "arrived:yes:1042")
    assert b'"button": {"payload": "arrived:yes:1042", "text": "Good"}' in told[0]
