"""The emulated platforms, proved with the vendors' own clients before our adapters met them."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
import telegram
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import local_client
from bot.model.clock import Clock
from bot.sandbox.shop import FIRST, ORDERS, SHOWN
from bot.sandbox.telegram import html_fault
from bot.sandbox.town import Town, make_town

# PTB warns at every read of `retry_after` of the type it will have.
pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


def bot_of(town: Town) -> telegram.Bot:
    return telegram.Bot(town.telegram.token, f"{town.base}/telegram/bot", f"{town.base}/telegram/file/bot")


async def test_telegrams_own_client_sends_polls_and_answers_a_button(town: Town) -> None:
    phone = town.phone(town.telegram)
    async with bot_of(town) as bot:
        assert (await bot.get_me()).username == "lantern_demo_bot"
        keyboard = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Yes", callback_data="yes")]])
        sent = await bot.send_message(
            phone.chat, "<b>Hello</b> &amp; welcome", parse_mode="HTML", reply_markup=keyboard
        )
        assert sent.text == "Hello & welcome"
        town.telegram.say(phone, "hi")
        town.telegram.press(phone, phone.lines[0], "yes")
        updates = await bot.get_updates(timeout=1)
        assert [u.effective_user.first_name for u in updates if u.effective_user] == [phone.name] * 2
        query = updates[1].callback_query
        assert query is not None
        assert await query.answer()
        with pytest.raises(telegram.error.BadRequest):
            await query.answer()
        assert await bot.get_updates(offset=updates[-1].update_id + 1, timeout=0) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [("<b>open", "can't parse entities"), ("<blink>x</blink>", "can't parse entities"), ("x" * 4097, "too long")],
)
async def test_telegram_refuses_what_it_would_refuse(town: Town, text: str, said: str) -> None:
    async with bot_of(town) as bot:
        with pytest.raises(telegram.error.BadRequest, match=f"(?i){said}"):
            await bot.send_message(town.phone(town.telegram).chat, text, parse_mode="HTML")


async def test_telegram_refuses_long_button_data_an_unknown_chat_and_polling_beside_a_webhook(town: Town) -> None:
    chat = town.phone(town.telegram).chat
    async with bot_of(town) as bot:
        keyboard = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Yes", callback_data="x" * 65)]])
        with pytest.raises(telegram.error.BadRequest, match=r"(?i)button_data_invalid"):
            await bot.send_message(chat, "x", reply_markup=keyboard)
        with pytest.raises(telegram.error.BadRequest, match=r"(?i)chat not found"):
            await bot.send_message(1, "x")
        await bot.set_webhook("http://127.0.0.1:9/", secret_token="s")
        with pytest.raises(telegram.error.Conflict):
            await bot.get_updates(timeout=0)


async def test_telegram_says_too_many_with_the_seconds_to_wait(town: Town) -> None:
    async with bot_of(town) as bot:
        chat = town.phone(town.telegram).chat
        for _ in range(5):
            await bot.send_message(chat, "x")
        with pytest.raises(telegram.error.RetryAfter):
            await bot.send_message(chat, "x")


async def test_slacks_own_client_posts_reads_back_and_uploads(town: Town) -> None:
    phone = town.phone(town.slack)
    client = AsyncWebClient(token=town.slack.token, base_url=f"{town.base}/slack/api/")
    assert (await client.auth_test())["team_id"] == town.slack.team
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "*Hello*"}}
    metadata = {"event_type": "x", "event_payload": {"id": "7"}}
    sent = await client.chat_postMessage(channel=phone.chat, text="Hello", blocks=[block], metadata=metadata)
    history = await client.conversations_history(channel=phone.chat, include_all_metadata=True)
    assert history["messages"][0]["ts"] == sent["ts"]
    assert history["messages"][0]["metadata"] == metadata
    assert (await client.files_upload_v2(channel=phone.chat, content="hello", filename="a.txt"))["ok"]
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await client.chat_postMessage(channel="C0", text="x")
    wrong = {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "x" * 76}}]}
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        await client.chat_postMessage(channel=phone.chat, text="x", blocks=[wrong])
    stranger = AsyncWebClient(token="xoxb-wrong", base_url=f"{town.base}/slack/api/")
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await stranger.auth_test()


async def test_whatsapp_refuses_fields_that_are_not_documented_and_a_shut_window_fails_by_a_status(town: Town) -> None:
    api, phone = town.whatsapp, town.phone(town.whatsapp)
    url = f"{town.base}/graph/v24.0/{api.number}/messages"
    head = {"Authorization": f"Bearer {api.token}"}
    body = {"messaging_product": "whatsapp", "recipient": phone.user, "type": "text", "text": {"body": "hi"}}
    async with local_client() as http:
        for wrong in (
            {"colour": 1},
            {"text": {"body": ""}},
            {"text": {"body": "x" * 4097}},
            {"type": "poem"},
            {"recipient": None},
        ):
            assert (await http.post(url, headers=head, json=body | wrong)).status_code == 400
        assert (await http.post(url, json=body)).status_code == 401
        sent: list[bytes] = []
        api.send = lambda event: sent.append(event.body)  # type: ignore[method-assign]
        phone.last_said = api.clock.now() - timedelta(hours=25)
        assert (await http.post(url, headers=head, json=body)).status_code == 200
    (status,) = json.loads(sent[0])["entry"][0]["changes"][0]["value"]["statuses"]
    assert (status["status"], status["errors"][0]["code"]) == ("failed", 131047)


async def test_17track_knows_what_lies_before_the_clock_and_no_more(town: Town) -> None:
    number = next(o for o in town.shop.orders if o.number == str(SHOWN)).parcels[0].number
    url, head = f"{town.base}/17track/track/v2.4", {"17token": town.carriers.token}
    async with local_client() as http:
        early = (await http.post(f"{url}/gettrackinfo", headers=head, json=[{"number": number}])).json()
        assert early["data"]["rejected"][0]["error"]["code"] == -18019902
        await http.post(f"{url}/register", headers=head, json=[{"number": number}])
        one = (await http.post(f"{url}/gettrackinfo", headers=head, json=[{"number": number}])).json()
        town.clock.forward(timedelta(days=20))
        await asyncio.sleep(1.1)
        two = (await http.post(f"{url}/gettrackinfo", headers=head, json=[{"number": number}])).json()
        status = [r["data"]["accepted"][0]["track_info"]["latest_status"]["status"] for r in (one, two)]
        assert status[0] == "InTransit"
        assert status[1] == "Delivered"
        assert (await http.post(f"{url}/getquota", headers={"17token": "x"}, json=[])).json()["code"] == -18010002


async def test_the_sandbox_answers_to_this_machines_names_only(town: Town) -> None:
    async with local_client() as http:
        answer = await http.get(
            f"{town.base}/telegram/bot{town.telegram.token}/getMe", headers={"host": "evil.example"}
        )
        assert answer.status_code == 400


def test_two_towns_share_no_secret() -> None:
    async def secrets() -> set[str]:
        async with httpx.AsyncClient() as http:
            town = make_town(Clock(), http, 1)
            return {town.telegram.token, town.slack.token, town.slack.secret, town.whatsapp.token, town.carriers.token}

    assert not asyncio.run(secrets()) & asyncio.run(secrets())


def test_the_shop_is_large_enough_and_on_real_lanes() -> None:
    assert ORDERS >= 200
    assert FIRST <= SHOWN
    assert html_fault("<b>x</b>") == ""
