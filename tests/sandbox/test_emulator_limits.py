"""An emulator that takes anything proves nothing: each refuses fields, orders and sizes that its vendor's page does not
allow. The pages stand in `bot/sandbox/rules/*.csv`; what is refused here was written after them.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bot.app import local_client
from bot.sandbox.town import Town

Body = dict[str, Any]


def inline(*buttons: Body, **more: Any) -> Body:
    return {"text": "x", "reply_markup": {"inline_keyboard": [list(buttons)], **more}}


YES: Body = {"text": "Yes", "callback_data": "yes"}
TELEGRAM_GOOD: dict[str, Body] = {
    "a button": inline(YES),
    "a key": {"text": "x", "reply_markup": {"keyboard": [[{"text": "a", "request_contact": True}]]}},
    "no preview": {"text": "x", "link_preview_options": {"is_disabled": True}},
}
TELEGRAM_BAD: dict[str, Body] = {
    "a field": {"text": "x", "colour": 1},
    "a parse mode": {"text": "x", "parse_mode": "BBCode"},
    "a field of a button": inline(YES | {"colour": 1}),
    "a button without an action": inline({"text": "Yes"}),
    "a button with two": inline(YES | {"url": "https://example.org"}),
    "a button's data": inline(YES | {"callback_data": "é" * 33}),
    "a key with data": {"text": "x", "reply_markup": {"keyboard": [[YES]]}},
    "two keyboards": inline(YES, keyboard=[[{"text": "a"}]]),
    "a keyboard that is no list": {"text": "x", "reply_markup": {"inline_keyboard": {"a": 1}}},
    "a field of the preview": {"text": "x", "link_preview_options": {"colour": 1}},
    "a text": {"text": "x" * 4097},
    "nothing": {"text": "  "},
    "a bare sign": {"text": "1 < 2", "parse_mode": "HTML"},
    "a span": {"text": "<span>x</span>", "parse_mode": "HTML"},
}


def buttons(*titles: str, **more: Any) -> Body:
    made = [{"type": "reply", "reply": {"id": f"b{n}", "title": title}} for n, title in enumerate(titles)]
    action = {"buttons": made}
    return {"type": "interactive", "interactive": {"type": "button", "body": {"text": "x"}, "action": action} | more}


def listed(*sections: Body, **more: Any) -> Body:
    action = {"button": "Choose", "sections": list(sections)} | more
    return {"type": "interactive", "interactive": {"type": "list", "body": {"text": "x"}, "action": action}}


def rows(count: int, **more: Any) -> Body:
    return {"rows": [{"id": f"r{n}", "title": f"Row {n}"} | more for n in range(count)]}


TEXT: Body = {"type": "text", "text": {"body": "x"}}
WHATSAPP_GOOD: dict[str, Body] = {
    "a text": TEXT,
    "three buttons": buttons("a", "b", "c", footer={"text": "f" * 60}, header={"type": "text", "text": "h" * 60}),
    "ten rows": listed(rows(10, description="d" * 72)),
    "a long list's text": {
        "type": "interactive",
        "interactive": listed(rows(1))["interactive"] | {"body": {"text": "x" * 4096}},
    },
}
WHATSAPP_BAD: dict[str, Body] = {
    "who": TEXT | {"recipient_type": "crowd"},
    "two contents": TEXT | {"image": {"id": "1"}},
    "a field of the text": {"type": "text", "text": {"body": "x", "colour": 1}},
    "a word for a yes": {"type": "text", "text": {"body": "x", "preview_url": "yes"}},
    "four buttons": buttons("a", "b", "c", "d"),
    "no button": buttons(),
    "a title": buttons("a" * 21),
    "a title twice": buttons("a", "a"),
    "a text beside buttons": buttons("a", body={"text": "x" * 1025}),
    "a field of the body": buttons("a", body={"text": "x", "colour": 1}),
    "a body of another kind": buttons("a", body="x"),
    "a field of the action": buttons("a", action={"buttons": [], "colour": 1}),
    "a button without a type": buttons("a", action={"buttons": [{"reply": {"id": "1", "title": "a"}}]}),
    "buttons that are no list": buttons("a", action={"buttons": {"a": 1}}),
    "a footer": buttons("a", footer={"text": "f" * 61}),
    "a header": buttons("a", header={"type": "text", "text": "h" * 61}),
    "a header of no kind": buttons("a", header={"colour": 1}),
    "eleven rows": listed(rows(6) | {"title": "a"}, {"title": "b", "rows": rows(11)["rows"][6:]}),
    "eleven sections": listed(*({"title": f"s{n}"} | rows(1) for n in range(11))),
    "a row twice": listed({"rows": rows(1)["rows"] * 2}),
    "sections without titles": listed(rows(1), {"rows": rows(2)["rows"][1:]}),
    "a section's title": listed(rows(1) | {"title": "s" * 25}),
    "a row's description": listed(rows(1, description="d" * 73)),
    "a field of a row": listed(rows(1, colour=1)),
    "a list's button": listed(rows(1), button="b" * 21),
    "our id": TEXT | {"biz_opaque_callback_data": "x" * 513},
}


def blocks(*made: Any) -> Body:
    return {"text": "x", "blocks": list(made)}


def actions(*elements: Body, **more: Any) -> Body:
    return blocks({"type": "actions", "elements": list(elements)} | more)


SECTION: Body = {"type": "section", "text": {"type": "mrkdwn", "text": "x", "verbatim": True}}
BUTTON: Body = {"type": "button", "text": {"type": "plain_text", "text": "Yes"}, "action_id": "a", "value": "yes"}
SLACK_GOOD: dict[str, Body] = {
    "a section": blocks(SECTION),
    "two buttons": actions(BUTTON, BUTTON | {"action_id": "b", "style": "primary"}),
    "our id": {"text": "x", "metadata": {"event_type": "wismo", "event_payload": {"id": "7"}}},
}
SLACK_BAD: dict[str, Body] = {
    "a field": {"text": "x", "colour": 1},
    "a text of no type": blocks(SECTION | {"text": {"type": "html", "text": "x"}}),
    "a field of a text": blocks(SECTION | {"text": {"type": "mrkdwn", "text": "x", "colour": 1}}),
    "a long section": blocks(SECTION | {"text": {"type": "mrkdwn", "text": "x" * 3001}}),
    "a block's id": blocks(SECTION | {"block_id": "x" * 256}),
    "51 blocks": blocks(*[SECTION] * 51),
    "what is no block": blocks("x"),
    "a field of actions": actions(BUTTON, colour=1),
    "no element": actions(),
    "an action's id twice": actions(BUTTON, BUTTON),
    "another element": actions(BUTTON | {"type": "knob"}),
    "a style": actions(BUTTON | {"style": "pink"}),
    "a button's text": actions(BUTTON | {"text": {"type": "plain_text", "text": "x" * 76}}),
    "a value": actions(BUTTON | {"value": "x" * 2001}),
    "metadata of another form": {"text": "x", "metadata": {"id": "7"}},
}


def cases() -> Iterator[Any]:
    for platform, good, bad in (
        ("telegram", TELEGRAM_GOOD, TELEGRAM_BAD),
        ("whatsapp", WHATSAPP_GOOD, WHATSAPP_BAD),
        ("slack", SLACK_GOOD, SLACK_BAD),
    ):
        for taken, told in ((True, good), (False, bad)):
            yield from (pytest.param(platform, body, taken, id=f"{platform}-{name}") for name, body in told.items())


async def said(town: Town, platform: str, body: Body) -> httpx.Response:
    telegram, whatsapp, slack = town.telegram, town.whatsapp, town.slack
    town.phone(whatsapp).last_said = town.clock.now()
    url, head, whom = {
        "telegram": (f"telegram/bot{telegram.token}/sendMessage", {}, {"chat_id": town.phone(telegram).chat}),
        "whatsapp": (
            f"graph/v24.0/{whatsapp.number}/messages",
            {"authorization": f"Bearer {whatsapp.token}"},
            {"messaging_product": "whatsapp", "recipient": town.phone(whatsapp).user},
        ),
        "slack": (
            "slack/api/chat.postMessage",
            {"authorization": f"Bearer {slack.token}"},
            {"channel": town.phone(slack).chat},
        ),
    }[platform]
    async with local_client() as http:
        return await http.post(f"{town.base}/{url}", json=whom | body, headers=head)


@pytest.mark.parametrize(("platform", "body", "taken"), [*cases()])
async def test_what_the_documents_allow_is_taken_and_nothing_else(
    town: Town, platform: str, body: Body, taken: bool
) -> None:
    answer = await said(town, platform, body)
    assert answer.status_code < 500
    told = answer.json()
    assert ("messages" in told if platform == "whatsapp" else told["ok"]) is taken, told
    assert bool(town.phone({p.name: p for p in town.chats}[platform]).lines) is taken


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"\xff"])
@pytest.mark.parametrize(
    "path", ["telegram/bot{telegram}/sendMessage", "slack/api/chat.postMessage", "graph/v24.0/{number}/messages"]
)
async def test_a_body_that_is_no_object_is_refused(town: Town, path: str, body: bytes) -> None:
    url = f"{town.base}/" + path.format(telegram=town.telegram.token, number=town.whatsapp.number)
    token = town.slack.token if path.startswith("slack") else town.whatsapp.token
    head = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    async with local_client() as http:
        answer = await http.post(url, content=body, headers=head)
    assert answer.status_code < 500
    assert not answer.json().get("ok")
