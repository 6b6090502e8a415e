"""WhatsApp's template API through the adapter, against the emulator; and its news of templates on the webhook."""

import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from adapters.channels.whatsapp import Settings, connect
from adapters.channels.whatsapp.templates import submission
from bot.app import local_client
from bot.errors import Misconfigured, Refused
from bot.model.templates import Body, ListedTemplate
from bot.ports import Alarm, Answer, Request
from bot.sandbox.town import Town

HALF_A_DAY = 12 * 3600
BODY = Body(
    name="wismo_x",
    category="UTILITY",
    language="en_US",
    text="Order {{number}} is here.",
    samples=(("number", "1042"),),
    buttons=("Yes, all good", "A problem"),
    tried=HALF_A_DAY,
)


def settings(**given: Any) -> Settings:
    secret = SecretStr("s")
    rest = {"phone_number_id": "1", "access_token": secret, "app_secret": secret, "verify_token": secret}
    return Settings(**rest | given)


def of(town: Town, **given: Any) -> Settings:
    part = {"waba_id": town.whatsapp.business, "access_token": SecretStr(town.whatsapp.token)}
    return settings(base_url=f"{town.base}/graph/v24.0", **part | given)


async def test_what_is_handed_in_is_listed_as_it_is(town: Town) -> None:
    async with local_client() as http:
        registry = connect(of(town), http).registry()
        assert registry is not None
        assert await registry.listed() == []
        assert await registry.submit(BODY) == "APPROVED"
        town.whatsapp.shelf.judge("wismo_x", "en_US", quality_score={"score": "RED"})
        quiet = Body("wismo_y", "UTILITY", "de", "Guten Tag.", (), ())
        await registry.submit(quiet)
        assert await registry.listed() == [
            ListedTemplate("wismo_x", "en_US", "APPROVED", "UTILITY", BODY.text, BODY.buttons, "RED", HALF_A_DAY),
            ListedTemplate("wismo_y", "de", "APPROVED", "UTILITY", "Guten Tag.", (), "UNKNOWN"),
        ]
        with pytest.raises(Refused):
            await registry.submit(BODY)


def test_how_long_it_is_tried_is_asked_for_where_we_care() -> None:
    assert submission(BODY)["message_send_ttl_seconds"] == HALF_A_DAY
    assert "message_send_ttl_seconds" not in submission(replace(BODY, tried=0))


async def test_a_long_list_is_read_to_its_end(town: Town) -> None:
    for number in range(230):
        town.whatsapp.shelf.submit(number, submission(BODY) | {"name": f"wismo_{number}"})
    async with local_client() as http:
        registry = connect(of(town), http).registry()
        assert registry is not None
        assert [t.name for t in await registry.listed()] == [f"wismo_{n}" for n in range(230)]


async def test_a_wrong_token_is_the_operators(town: Town) -> None:
    async with local_client() as http:
        registry = connect(of(town, access_token=SecretStr("x")), http).registry()
        assert registry is not None
        with pytest.raises(Misconfigured):
            await registry.listed()


async def test_without_the_accounts_id_there_is_no_registry() -> None:
    async with httpx.AsyncClient() as http:
        assert connect(settings(), http).registry() is None


@pytest.mark.parametrize(
    "data",
    [
        {"data": "none"},
        {"data": [7, {}, {"components": [3, {"type": "BODY"}, {"type": "BUTTONS", "buttons": [1]}]}]},
        {"data": [], "paging": {"next": "x"}},
        {"data": [], "paging": 7},
    ],
)
async def test_a_list_of_nonsense_breaks_nothing(data: dict[str, Any]) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda r: httpx.Response(200, json=data))) as http:
        registry = connect(settings(waba_id="1"), http).registry()
        assert registry is not None
        assert all(t.name == "" for t in await registry.listed())


async def test_a_list_that_runs_in_circles_ends() -> None:
    page = {"data": [], "paging": {"cursors": {"after": "x"}, "next": "y"}}
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda r: httpx.Response(200, json=page))) as http:
        registry = connect(settings(waba_id="1"), http).registry()
        assert registry is not None
        with pytest.raises(Refused):
            await registry.listed()


def news(field: str, **value: Any) -> bytes:
    named = {"message_template_name": "wismo_x", "message_template_language": "en_US", "message_template_id": 7}
    change = {"field": field, "value": named | value}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "time": 1, "changes": [change]}]}
    ).encode()


async def told(body: bytes, secret: bytes = b"s") -> Answer:
    sign = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    async with httpx.AsyncClient() as http:
        channel = connect(settings(), http)
        answer = await channel.webhook(Request("POST", "/hooks/whatsapp", {"x-hub-signature-256": sign}, {}, body))
        assert all(channel.decode(item) is None for item in answer.items)
    return answer


@pytest.mark.parametrize(
    ("body", "alarm"),
    [
        (news("message_template_status_update", event="PAUSED"), Alarm("template_status", "wismo_x en_US PAUSED")),
        (news("message_template_status_update", event="REJECTED"), Alarm("template_status", "wismo_x en_US REJECTED")),
        (
            news("message_template_quality_update", new_quality_score="RED"),
            Alarm("template_quality", "wismo_x en_US RED"),
        ),
        (
            news("template_category_update", previous_category="UTILITY", new_category="MARKETING"),
            Alarm("template_category", "wismo_x en_US MARKETING"),
        ),
    ],
)
async def test_bad_news_of_a_template_is_kept_and_raises_an_alarm(body: bytes, alarm: Alarm) -> None:
    answer = await told(body)
    assert (answer.status, len(answer.items), answer.alarms) == (200, 1, (alarm,))


@pytest.mark.parametrize(
    "body",
    [
        news("message_template_status_update", event="APPROVED"),
        news("message_template_status_update", event={"no": "word"}),
        news("message_template_quality_update", new_quality_score="GREEN"),
        b'{"entry": [{"changes": [{"field": "template_category_update"}]}]}',
        b'{"entry": [{"changes": [{"field": ["message_template_status_update"], "value": 7}]}]}',
        b'{"entry": [{"changes": [{"field": "account_update", "value": {"event": "PAUSED"}}]}]}',
        b"[" * 3000,
    ],
)
async def test_other_news_are_kept_and_alarm_nobody(body: bytes) -> None:
    answer = await told(body)
    assert answer.items
    assert [a for a in answer.alarms if a.what != "template_category"] == []


async def test_unsigned_news_raise_no_alarm() -> None:
    answer = await told(news("message_template_status_update", event="PAUSED"), secret=b"other")
    assert (answer.status, answer.alarms) == (401, ())
