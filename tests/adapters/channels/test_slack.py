"""Slack's own rules: what is signed, what is a person's word, what leaves, and what a refusal means.

FakeSlack is a server on loopback that answers as docs.slack.dev says; nothing of ours is replaced.
"""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from adapters.channels.slack import Settings
from adapters.channels.slack.blocks import SECTION, sections
from adapters.channels.slack.calls import error_table
from adapters.channels.slack.channel import Slack
from adapters.channels.slack.reading import unescape
from bot.errors import Misconfigured, Refused, Temporary, Unknown, Unreachable, WismoError
from bot.model.events import StaffAct
from bot.model.messages import Address, Choice, Inbound, Kind, Media, MediaKind, Outbound
from bot.ports import Answer, Item, Posting, Request
from bot.transport import Client, Transport

RECORDED = Path(__file__).parents[2] / "recorded" / "channels" / "slack"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1795460410
LANE = "c/slack/T0001/D0001"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


@dataclass
class FakeSlack:
    """`said` maps a method to what it answers; a (status, body, headers) tuple or a callable by call."""

    url: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    async def method(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        if request.content_type == "application/json":
            told = await request.json()
        else:
            told = {**request.query, **await request.post()}
        self.calls.append((name, told, request.headers.get("Authorization", "")))
        answer = self.said.get(name, {"ok": True, "ts": "1795460409.000100"})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if answer == "break":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        status, body, headers = answer if isinstance(answer, tuple) else (200, answer, {})
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    async def upload(self, request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        self.files[request.match_info["name"]] = await request.read()
        return web.Response(text="OK - 1")

    async def file(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer xoxb-1":
            return web.Response(status=302, headers={"Location": f"{self.url}/login"})
        return web.Response(body=b"jpeg bytes")


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    slack = FakeSlack()
    app = web.Application()
    app.router.add_post("/api/{method}", slack.method)
    app.router.add_post("/upload/{name}", slack.upload)
    app.router.add_get("/files/{name}", slack.file)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    slack.said["auth.test"] = {"ok": True, "team": "Shop", "team_id": "T0001", "user": "wismo"}
    yield slack
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with Client(transport=Transport()) as client:
        yield client


@pytest.fixture
async def slack(fake: FakeSlack, http: httpx.AsyncClient) -> AsyncIterator[Slack]:
    channel = Slack(settings(f"{fake.url}/api/"), http, clock=lambda: NOW)
    yield channel
    await channel.close()


def settings(base_url: str, **more: Any) -> Settings:
    return Settings(bot_token=SecretStr("xoxb-1"), signing_secret=SecretStr(SECRET), base_url=base_url, **more)


def signed(body: bytes, *, stamp: str = str(NOW), kind: str = "application/json", **headers: str) -> Request:
    digest = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    head = {"content-type": kind, "x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}
    return Request("POST", "/hooks/slack", head | headers, {}, body)


async def deliver(slack: Slack, payload: Any) -> Answer:
    return await slack.webhook(signed(json.dumps(payload).encode()))


async def press(slack: Slack, payload: Any) -> Answer:
    body = urlencode({"payload": json.dumps(payload)}).encode()
    return await slack.webhook(signed(body, kind="application/x-www-form-urlencoded"))


async def heard(slack: Slack, payload: Any) -> Inbound | None:
    (item,) = (await deliver(slack, payload)).items
    assert item.lane == LANE
    said = slack.decode(item)
    assert not isinstance(said, StaffAct)
    return said


def outbound(text: str = "Hello", **more: Any) -> Outbound:
    return Outbound("17", Address("slack", "T0001", "D0001"), text, **more)


# ---- in: what is signed ------------------------------------------------------------------------------------


async def test_a_message_becomes_one_item_in_its_chats_lane(slack: Slack) -> None:
    answer = await deliver(slack, recorded("message"))
    (item,) = answer.items
    assert (answer.status, item.key, item.lane) == (200, "e:Ev08MFMKH6", LANE)


async def test_the_challenge_is_answered_and_nothing_stored(slack: Slack) -> None:
    answer = await deliver(slack, {"type": "url_verification", "challenge": "3eZbrw1a"})
    assert (answer.status, answer.body, answer.items) == (200, b"3eZbrw1a", ())


@pytest.mark.parametrize(
    "headers",
    [
        {"x-slack-signature": "v0=" + "0" * 64},
        {"x-slack-signature": ""},
        {"x-slack-signature": "v0=ÿé²\ud83d"},
        {"x-slack-request-timestamp": ""},
        {"x-slack-request-timestamp": "soon"},
        {"x-slack-request-timestamp": "²"},
        {"x-slack-request-timestamp": "-5"},
        {"x-slack-request-timestamp": "9" * 5000},
    ],
)
async def test_a_forged_call_is_refused_and_never_an_error(slack: Slack, headers: dict[str, str]) -> None:
    request = signed(b"{}")
    forged = Request("POST", request.path, {**request.headers, **headers}, {}, request.body)
    assert (await slack.webhook(forged)).status == 401


async def test_a_changed_body_is_refused(slack: Slack) -> None:
    request = signed(b'{"a":1}')
    assert (await slack.webhook(Request("POST", "/", request.headers, {}, b'{"a":2}'))).status == 401


@pytest.mark.parametrize(("age", "status"), [(0, 200), (300, 200), (-300, 200), (301, 401), (-301, 401)])
async def test_a_call_is_good_for_five_minutes(slack: Slack, age: int, status: int) -> None:
    assert (await slack.webhook(signed(b"{}", stamp=str(NOW - age)))).status == status


async def test_without_a_secret_no_call_is_ever_good(http: httpx.AsyncClient) -> None:
    socket = Settings(bot_token=SecretStr("x"), app_token=SecretStr("xapp"), mode="socket")
    channel = Slack(socket, http, clock=lambda: NOW)
    digest = hmac.new(b"", f"v0:{NOW}:{{}}".encode(), hashlib.sha256).hexdigest()
    head = {"x-slack-request-timestamp": str(NOW), "x-slack-signature": f"v0={digest}"}
    assert (await channel.webhook(Request("POST", "/", head, {}, b"{}"))).status == 404


async def test_each_mode_asks_for_its_own_secret() -> None:
    with pytest.raises(ValidationError, match="signing_secret is needed"):
        Settings(bot_token=SecretStr("x"))
    with pytest.raises(ValidationError, match="app_token"):
        Settings(bot_token=SecretStr("x"), mode="socket")


async def test_a_repeat_has_the_same_key(slack: Slack) -> None:
    body = json.dumps(recorded("message")).encode()
    first = await slack.webhook(signed(body))
    again = await slack.webhook(signed(body, **{"x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"}))
    assert first.items[0].key == again.items[0].key


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b'{"type": "event_callback"}', b"1" * 1000000]
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", ""])
async def test_a_signed_body_that_cannot_be_read_is_kept(slack: Slack, body: bytes, kind: str) -> None:
    answer = await slack.webhook(signed(body, kind=kind))
    (item,) = answer.items
    assert answer.status == 200
    assert item.lane.startswith("x/slack")
    assert slack.decode(item) is None


# ---- in: what was said -------------------------------------------------------------------------------------


async def test_text_is_read_as_it_was_typed(slack: Slack) -> None:
    said = await heard(slack, recorded("message"))
    assert said is not None
    assert said.text == "where is my order 1042 & the rest? https://shop.example/t?x=1&y=2 @U0BOT"
    assert (said.kind, said.sender) == (Kind.MESSAGE, Address("slack", "T0001", "D0001"))
    assert said.at == datetime.fromtimestamp(1795460400.0002, UTC)


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("&lt;b&gt; &amp;lt;", "<b> &lt;"),
        ("<http://shop.example|shop.example>", "http://shop.example"),
        ("<https://shop.example/t/abc|my parcel>", "my parcel"),
        ("<mailto:a@b.example|a@b.example> <tel:+4930|030>", "a@b.example 030"),
        ("<#C1|general> <@U1|ana> <!here> <!date^1^{date}|1 May>", "#general @ana @here 1 May"),
        ("1 < 2", "1 < 2"),
        ("<>", "<>"),
        ("", ""),
    ],
)
def test_slacks_references_become_words(sent: str, typed: str) -> None:
    assert unescape(sent) == typed


async def test_files_come_with_what_slack_says_of_them(slack: Slack) -> None:
    said = await heard(slack, recorded("message_file"))
    assert said is not None
    photo, invoice = said.media
    address = "https://files.slack.com/files-pri/T0001-F0001/broken_cup.jpg"
    assert photo == Media(MediaKind.IMAGE, address, "image/jpeg", "broken cup.jpg", 48213)
    assert (invoice.kind, invoice.ref) == (MediaKind.DOCUMENT, "F0002")


async def test_an_edit_is_an_edit_only_if_the_words_differ(slack: Slack) -> None:
    edit = recorded("message_changed")
    said = await heard(slack, edit)
    assert said is not None
    assert (said.kind, said.text) == (Kind.EDITED, "where is 1043?")
    edit["event"]["previous_message"]["text"] = "where is 1043?"
    assert (await deliver(slack, edit)).items == ()


async def test_a_deletion_is_told(slack: Slack) -> None:
    said = await heard(slack, recorded("message_deleted"))
    assert said is not None
    assert said.kind == Kind.DELETED


async def test_no_bot_is_ever_answered(slack: Slack) -> None:
    bot = recorded("message_bot")
    assert (await deliver(slack, bot)).items == ()
    del bot["event"]["subtype"]
    assert (await deliver(slack, bot)).items == ()
    edit = recorded("message_changed")
    edit["event"]["message"]["bot_id"] = "B0001"
    assert (await deliver(slack, edit)).items == ()


async def test_other_rooms_are_not_ours(slack: Slack) -> None:
    message = recorded("message")
    message["event"] |= {"channel_type": "channel", "channel": "C0001"}
    assert (await deliver(slack, message)).items == ()


async def test_an_unknown_kind_of_message_is_kept_and_politely_answered(slack: Slack) -> None:
    message = recorded("message")
    message["event"]["subtype"] = "hologram"
    said = await heard(slack, message)
    assert said is not None
    assert said.kind == Kind.UNSUPPORTED


@pytest.mark.parametrize("note", ["channel_join", "huddle_thread", "pinned_item"])
async def test_what_slack_notes_in_a_room_is_not_answered(slack: Slack, note: str) -> None:
    message = recorded("message")
    message["event"]["subtype"] = note
    assert await heard(slack, message) is None


async def test_an_event_that_nobody_said_is_kept_and_not_answered(slack: Slack) -> None:
    event = recorded("message")
    event["event"] = {"type": "app_home_opened", "user": "U0001", "channel": "D0001", "tab": "home"}
    (item,) = (await deliver(slack, event)).items
    assert (item.lane, slack.decode(item)) == ("x/slack/T0001", None)


async def test_a_pressed_button_brings_its_value(slack: Slack) -> None:
    answer = await press(slack, recorded("block_actions"))
    (item,) = answer.items
    said = slack.decode(item)
    assert isinstance(said, Inbound)
    assert (answer.status, answer.body, item.lane, said.choice) == (200, b"", LANE, "push:1:on")
    assert said.at == datetime.fromtimestamp(1795460403.25, UTC)


async def test_the_same_press_has_one_key_and_the_next_press_another(slack: Slack) -> None:
    pressed = recorded("block_actions")
    first = (await press(slack, pressed)).items[0].key
    pressed["trigger_id"] = "another delivery"
    assert (await press(slack, pressed)).items[0].key == first
    pressed["actions"][0]["action_ts"] = "1795460404.000000"
    assert (await press(slack, pressed)).items[0].key != first


async def test_a_button_that_only_opens_an_address_asks_for_nothing(slack: Slack) -> None:
    pressed = recorded("block_actions")
    del pressed["actions"][0]["value"]
    (item,) = (await press(slack, pressed)).items
    assert slack.decode(item) is None


async def test_a_slash_command_is_kept_under_its_trigger(slack: Slack) -> None:
    fields = {"command": "/wismo", "text": "", "team_id": "T0001", "channel_id": "D0001", "trigger_id": "1.2"}
    (item,) = (await slack.webhook(signed(urlencode(fields).encode(), kind="application/x-www-form-urlencoded"))).items
    said = slack.decode(item)
    assert said is not None
    assert (item.key, item.lane, said.kind) == ("t:1.2", LANE, Kind.UNSUPPORTED)


async def test_nonsense_in_a_stored_item_is_a_value_error(slack: Slack) -> None:
    for body in (b"{", b"[]", b'{"type":"event_callback"}', b'{"type":"block_actions","actions":[]}'):
        with pytest.raises(ValueError, match="not a payload"):
            slack.decode(Item("k", LANE, body))


async def test_a_failing_auth_test_loses_no_event(slack: Slack, fake: FakeSlack) -> None:
    fake.said["auth.test"] = (500, "down", {})
    said = await heard(slack, recorded("message"))
    assert said is not None
    assert fake.calls == []


# ---- the account -------------------------------------------------------------------------------------------


async def test_the_account_is_asked_once_and_known_from_then_on(slack: Slack, fake: FakeSlack) -> None:
    fake.said["auth.test"] = [(503, "down", {}), {"ok": True, "team_id": "T0001"}]
    with pytest.raises(Temporary):
        await slack.account()
    assert [await slack.account(), await slack.account()] == ["T0001", "T0001"]
    assert len(fake.calls) == 2


async def test_a_team_in_the_settings_needs_no_call(http: httpx.AsyncClient) -> None:
    assert await Slack(settings("http://127.0.0.1:1/api/", team_id="T9"), http).account() == "T9"


async def test_the_check_names_workspace_and_bot(slack: Slack, fake: FakeSlack) -> None:
    assert await slack.check() == "Slack workspace Shop, bot wismo answers"
    fake.said["auth.test"] = {"ok": False, "error": "invalid_auth"}
    with pytest.raises(Misconfigured, match="invalid_auth"):
        await slack.check()


# ---- out ---------------------------------------------------------------------------------------------------


async def test_a_message_leaves_as_block_kit_with_our_id(slack: Slack, fake: FakeSlack) -> None:
    text = 'Order <b>1042</b> &amp; <i>more</i>: <a href="https://x.example/?a=1&amp;b=2">see</a>'
    sent = await slack.send(outbound(text, choices=(Choice("yes:1", "Yes"), Choice("no:1", "N" * 80))))
    (method, body, token) = fake.calls[0]
    section, actions = body["blocks"]
    yes, no = actions["elements"]
    assert (sent, method, token) == ("1795460409.000100", "chat.postMessage", "Bearer xoxb-1")
    assert (body["channel"], body["unfurl_links"], body["unfurl_media"]) == ("D0001", False, False)
    assert section["text"]["verbatim"] is True
    assert section["text"]["text"] == "Order *1042* &amp; _more_: <https://x.example/?a=1&amp;b=2|see>"
    assert (yes["value"], yes["text"]["type"], len(no["text"]["text"])) == ("yes:1", "plain_text", 75)
    assert yes["action_id"] != no["action_id"]
    assert body["metadata"]["event_payload"] == {"id": "17"}


def test_a_buyers_text_never_becomes_markup_a_link_or_a_mention() -> None:
    (text,) = sections("&lt;!channel&gt; &lt;@U1&gt; *bold* _x_ ~y~ `z` a_b\n&gt; quote")
    assert "<" not in text
    assert not any(mark in text for mark in ("*bold", " _x", "~y", "`z"))
    assert "a_b" in text
    assert "\n&gt;" not in text


def test_styles_stay_within_a_line_and_touch_no_space() -> None:
    assert sections("<b> one \ntwo</b>") == [" *one* \n*two*"]


@pytest.mark.parametrize("text", ["&amp;" * 4000, "word " * 800 + "\n" + "x" * 2000, "\n".join(["line"] * 900)])
def test_a_long_text_is_cut_into_sections_that_slack_takes(text: str) -> None:
    parts = sections(text)
    assert len(parts) > 1
    assert all(0 < len(part) <= SECTION for part in parts)
    assert "".join(parts).replace("\n", "") == text.replace("\n", "")


def test_an_empty_text_makes_no_section() -> None:
    assert sections("") == []


async def test_files_leave_in_the_three_steps(slack: Slack, fake: FakeSlack, tmp_path: Path) -> None:
    photo = tmp_path / "abc"
    photo.write_bytes(b"jpeg")
    upload = {"ok": True, "upload_url": f"{fake.url}/upload/F7", "file_id": "F7"}
    fake.said["files.getUploadURLExternal"] = upload
    media = Media(MediaKind.IMAGE, mime="image/jpeg", name="cup.jpg", path=str(photo))
    assert await slack.send(outbound("Your <b>cup</b>", media=(media,))) == "F7"
    (first, asked, _), (last, shared, _) = fake.calls
    assert (first, asked) == ("files.getUploadURLExternal", {"filename": "cup.jpg", "length": "4"})
    assert fake.files == {"F7": b"jpeg"}
    assert (last, json.loads(shared["files"])) == ("files.completeUploadExternal", [{"id": "F7", "title": "cup.jpg"}])
    assert (shared["channel_id"], shared["initial_comment"]) == ("D0001", "Your *cup*")


async def test_a_broken_line_before_the_last_step_has_shown_nobody_anything(
    slack: Slack, fake: FakeSlack, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    fake.said["files.getUploadURLExternal"] = "break"
    with pytest.raises(Temporary):
        await slack.send(outbound("", media=(Media(MediaKind.DOCUMENT, path=str(tmp_path / "f")),)))


async def test_a_file_is_fetched_with_the_token(slack: Slack, fake: FakeSlack) -> None:
    fake.said["files.info"] = {"ok": True, "file": {"url_private": f"{fake.url}/files/b"}}
    for ref in (f"{fake.url}/files/a", "F0002"):
        assert b"".join([c async for c in slack.fetch(Media(MediaKind.IMAGE, ref))]) == b"jpeg bytes"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/files-pri/a",
        "https://files.slack.com@evil.example/a",
        "https://files.slack.com.evil.example/a",
        "http://files.slack.com/a",
        "https://drive.example/shared",
        "file:///etc/passwd",
    ],
)
async def test_the_token_goes_to_slack_alone(slack: Slack, address: str) -> None:
    with pytest.raises(Refused, match="not kept by Slack"):
        await anext(aiter(slack.fetch(Media(MediaKind.IMAGE, address))))


async def test_a_message_of_unknown_outcome_is_found_by_our_id(slack: Slack, fake: FakeSlack) -> None:
    ours = {"event_type": "wismo_outbound", "event_payload": {"id": "17"}}
    fake.said["conversations.history"] = {
        "ok": True,
        "messages": [{"ts": "3.0", "text": "17"}, {"ts": "2.0", "metadata": ours}],
    }
    assert await slack.find(outbound()) == "2.0"
    ours["event_payload"] = {"id": "18"}
    assert await slack.find(outbound()) is None
    assert fake.calls[0][1]["include_all_metadata"] == "true"


# ---- refusals ----------------------------------------------------------------------------------------------

CLASSES: dict[str, type[WismoError]] = {
    "wait": Temporary,
    "pause": Temporary,
    "retry": Temporary,
    "unreachable": Unreachable,
    "operator": Misconfigured,
    "plain": Refused,
    "refused": Refused,
}


@pytest.mark.parametrize(("code", "action"), [(code, action) for code, (action, _) in error_table().items()])
async def test_every_code_has_its_action(slack: Slack, fake: FakeSlack, code: str, action: str) -> None:
    fake.said["chat.postMessage"] = {"ok": False, "error": code}
    with pytest.raises(CLASSES[action], match=code) as raised:
        await slack.send(outbound("secret words"))
    assert "secret words" not in str(raised.value)
    assert len(fake.calls) == (2 if action == "plain" else 1)


async def test_a_limit_waits_for_this_chat_as_long_as_slack_says(slack: Slack, fake: FakeSlack) -> None:
    fake.said["chat.postMessage"] = (429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "7"})
    with pytest.raises(Temporary) as raised:
        await slack.send(outbound())
    assert (raised.value.retry_after, raised.value.account_wide) == (7.0, False)


async def test_the_workspaces_limit_rests_the_account(slack: Slack, fake: FakeSlack) -> None:
    fake.said["chat.postMessage"] = {"ok": False, "error": "message_limit_exceeded"}
    with pytest.raises(Temporary) as raised:
        await slack.send(outbound())
    assert raised.value.account_wide
    assert raised.value.retry_after == 3600.0


async def test_blocks_that_slack_refuses_leave_as_plain_text(slack: Slack, fake: FakeSlack) -> None:
    fake.said["chat.postMessage"] = [{"ok": False, "error": "invalid_blocks"}, {"ok": True, "ts": "5.0"}]
    assert await slack.send(outbound("A &amp; <b>B</b>", choices=(Choice("y", "Yes"),))) == "5.0"
    again = fake.calls[1][1]
    assert "blocks" not in again
    assert again["text"] == "A &amp; B\n• Yes"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((500, "down", {}), Temporary),
        ((503, {"ok": False}, {}), Temporary),
        ((404, "<html>", {}), Misconfigured),
        ((200, "hello", {}), Unknown),
        ((200, "<html>", {"Content-Type": "application/json"}), Unknown),
        ((200, {"ok": True}, {}), Unknown),
        ({"ok": False, "error": "a_code_of_tomorrow"}, Refused),
        ("break", Unknown),
    ],
)
async def test_an_answer_that_is_no_answer_has_its_meaning(
    slack: Slack, fake: FakeSlack, answer: Any, kind: type[WismoError]
) -> None:
    fake.said["chat.postMessage"] = answer
    with pytest.raises(kind):
        await slack.send(outbound())
    assert len(fake.calls) == 1


async def test_what_never_left_may_be_sent_again(http: httpx.AsyncClient) -> None:
    channel = Slack(settings("http://127.0.0.1:9/api/"), http)
    with pytest.raises(Temporary):
        await channel.send(outbound())
    await channel.close()


# ---- the desk's channel -------------------------------------------------------------------------------------


async def test_a_desk_channel_that_is_closed_to_us_keeps_the_case_waiting(slack: Slack, fake: FakeSlack) -> None:
    desk = slack.desk(Posting("slack", {"default": "C0DESK"}, {"U0LEE": "Lee"}))
    fake.said["chat.postMessage"] = {"ok": False, "error": "not_in_channel"}
    with pytest.raises(Misconfigured, match="not_in_channel"):
        await desk.open("C0DESK", outbound("Case 1"))
