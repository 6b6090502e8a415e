"""The pipe's promises, on both databases: one speaker, one answer, nothing lost, nothing told before proof."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from bot.errors import Misconfigured, Refused, Temporary, Unknown
from bot.model.messages import Purpose
from bot.model.orders import Order, Shipment
from bot.model.tokens import token, token_hash
from bot.model.tracks import OffsetFrom, Scan, Status, Track
from bot.store import Store
from bot.store.database import NOW
from bot.store.tables import Outbox
from tests.house import NOON, Home, fixed_clock, home


def order(number: str, buyer: str = "anna", phone: str = "+4915112340000", **more: object) -> Order:
    parcels = (Shipment(f"EE{int(number):09d}CN", "ems"),)
    known: dict[str, object] = {"email": f"{buyer}@example.org", "postcode": "10115", "country": "DE"}
    return Order(number, NOON, buyer_ref=buyer, phone=phone, parcels=parcels, **(known | more))  # type: ignore[arg-type]


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[Home]:
    store.clock.ahead = fixed_clock().ahead
    async with home(store, tmp_path) as opened:
        await opened.seed(order("1042"), order("1050"), order("2001", "bob", "+4915112349999", postcode="50667"))
        yield opened


async def test_a_message_delivered_twice_is_answered_once(house: Home) -> None:
    await house.hear("hello", key="same")
    await house.work()
    await house.hear("hello", key="same")
    await house.work()
    assert len(await house.send()) == 1


async def test_messages_that_wait_together_are_answered_together(house: Home) -> None:
    await house.hear("where is my order 1042?")
    await house.hear("the postcode is 10115")
    await house.work()
    (answer,) = await house.send()
    assert "Order 1042" in answer.text
    assert "10115" not in answer.text


async def test_an_order_of_another_buyer_reads_like_one_that_does_not_exist(house: Home) -> None:
    await house.ask("order 1042, postcode 10115")
    theirs = await house.ask("where is order 2001?")
    nobodys = await house.ask("where is order 7777?")
    assert theirs.replace("2001", "N") == nobodys.replace("7777", "N")


async def test_a_verified_phone_proves_the_buyer_and_several_orders_are_listed(house: Home) -> None:
    answer = await house.ask("where is my parcel?", phone="+4915112340000")
    assert "1042" in answer
    assert "1050" in answer
    assert "2001" not in answer


async def test_a_choice_is_also_made_by_its_number_or_its_title(house: Home) -> None:
    """Where a channel draws no button, and where somebody types all the same."""
    (listed,) = await house.say("where are my parcels?", phone="+4915112340000")
    titles = [choice.title for choice in listed.choices]
    assert sorted(titles) == ["1042", "1050"]
    assert f"Order {titles[1]}" in await house.ask("2")
    await house.ask("where are my parcels 1042 and 1050?")
    assert f"Order {titles[0]}" in await house.ask(titles[0])


async def test_a_forwarded_contact_proves_nothing(house: Home) -> None:
    answer = await house.ask("", contact={"phone": "+4915112340000", "own": False})
    assert "1042" not in answer
    assert "order number" in answer


async def test_an_own_contact_proves_the_buyer(house: Home) -> None:
    answer = await house.ask("", contact={"phone": "+49 1511 2340000", "own": True})
    assert "1042" in answer


async def test_a_phone_on_orders_of_two_buyers_proves_nothing(house: Home) -> None:
    await house.seed(order("3001", "carl", "+4915112340000"))
    answer = await house.ask("where is my parcel?", phone="+4915112340000")
    assert "1042" not in answer
    assert "3001" not in answer


async def test_another_phone_in_the_same_chat_ends_what_was_proved(house: Home) -> None:
    await house.ask("where is my parcel?", phone="+4915112340000")
    answer = await house.ask("where is my order 1042?", phone="+4915112349999")
    assert "I need to know that it is yours" in answer


async def test_a_proof_ends_after_thirty_days(house: Home) -> None:
    await house.ask("order 1042, postcode 10115")
    house.clock.forward(timedelta(days=31))
    assert "I need to know that it is yours" in await house.ask("where is my order 1042?")


async def test_a_photo_is_kept_and_honestly_answered(house: Home) -> None:
    (answer,) = await house.say("", media=["image"])
    assert "photo" in answer.text
    assert "I cannot judge it myself" in answer.text
    (case,) = await house.store.cases()
    assert case.kind == "media"
    assert list((house.engine.house.vault.folder).glob("??/*"))


async def test_a_takeover_withdraws_what_the_bot_had_ready(house: Home) -> None:
    await house.hear("where is my order 1042?")
    await house.work()
    await house.act("take")
    await house.work()
    assert await house.send() == []
    assert await house.say("hello?") == []
    await house.act("reply", text="This is Lee.")
    await house.work()
    (reply,) = await house.send()
    assert reply.text == "This is Lee."
    assert reply.purpose == Purpose.STAFF


async def test_while_one_person_holds_anothers_reply_is_a_note(house: Home) -> None:
    await house.say("hello")
    await house.act("take", "Lee")
    await house.act("reply", "Kim", "I am Kim")
    await house.work()
    assert await house.send() == []
    assert (await house.conversation()).holder == "staff:Lee"


async def test_a_staff_reply_is_text_and_never_markup(house: Home) -> None:
    await house.act("reply", text="<b>bold</b> & <script>")
    await house.work()
    (reply,) = await house.send()
    assert reply.text == "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;script&gt;"


async def test_a_scan_text_never_becomes_a_link_or_a_mention(house: Home) -> None:
    await house.seed(order("4001", items=()))
    answer = await house.say("where is order <b>@everyone</b> www.evil.example 4001")
    assert all("<b>@everyone" not in m.text for m in answer)


async def test_a_link_proves_its_order_once_and_the_first_chat_is_told_of_a_second(house: Home) -> None:
    text = token(bytes(range(16)))
    (dossier,) = [d for d in await house.store.find_orders(["1042"]) if d.order.number == "1042"]
    await house.store.save_link(token_hash(text), dossier.id)
    assert "Order 1042" in await house.ask("", start=text)
    second = await house.ask("", chat="mallory", start=text)
    assert "I need to know that it is yours" in second
    warned = [m for m in house.wire.sent if m.to.chat == "anna"][-1]
    assert "another chat" in warned.text
    assert await house.store.revoke_links(dossier.id) == 1
    assert "does not work any more" in await house.ask("", chat="third", start=text)


async def test_a_link_pressed_while_a_person_speaks_proves_its_order(house: Home) -> None:
    (dossier,) = await house.store.find_orders(["1042"])
    text = token(bytes(range(16)))
    await house.store.save_link(token_hash(text), dossier.id)
    await house.say("a person please")
    await house.act("take")
    await house.work()
    await house.send()
    assert await house.say(start=text) == [], "the bot is silent while Lee speaks"
    assert [p.order for p in (await house.conversation()).proofs] == [dossier.id]
    await house.act("handback")
    await house.work()
    await house.send()
    assert "1042" in await house.ask("where is my order?")


async def test_a_link_holds_until_thirty_days_after_the_last_delivery(house: Home) -> None:
    text = token(bytes(range(16)))
    (dossier,) = await house.store.find_orders(["1042"])
    await house.store.save_link(token_hash(text), dossier.id)
    house.clock.forward(timedelta(days=400))
    assert "Order 1042" in await house.ask("", start=text), "as long as it is on its way"
    at = house.clock.now()
    scan = Scan("X", "Delivered", "", at, at.replace(tzinfo=None), OffsetFrom.EXPLICIT, Status.DELIVERED)
    await house.hear_of(Track("ems", dossier.parcels[0].number, (scan,), source="test", at=at))
    house.clock.forward(timedelta(days=29))
    assert "Order 1042" in await house.ask("", start=text)
    house.clock.forward(timedelta(days=2))
    assert "does not work any more" in await house.ask("", start=text)


async def test_a_rate_error_delays_and_loses_nothing(house: Home) -> None:
    house.wire.failing = [Temporary("slow down", retry_after=0.0)] * 3
    assert len(await house.say("hello")) == 1


async def test_an_answer_of_unknown_outcome_is_sent_again(house: Home) -> None:
    house.wire.failing = [Unknown("the line broke")]
    await house.say("hello")
    await asyncio.sleep(1.1)
    assert len(await house.send()) + len(house.wire.sent) >= 1


async def test_a_refused_message_is_kept_with_its_error_and_the_next_one_goes(house: Home) -> None:
    house.wire.failing = [Refused("this never")]
    assert await house.say("hello") == []
    assert len(await house.say("hello again")) == 1
    ((error, count),) = await house.store.send_errors(5)
    assert "this never" in error
    assert count == 1


async def test_a_wrong_token_rests_the_account_and_keeps_its_rows(house: Home) -> None:
    house.wire.failing = [Misconfigured("bad token", key="channels.x.token")]
    assert await house.say("hello") == []
    assert (await house.store.health()).unsent == 1


async def test_what_cannot_be_read_becomes_a_dead_letter_at_once_and_its_neighbours_are_answered(house: Home) -> None:
    await house.hear("hello")
    await house.hear("hello", kind="no such kind")
    await house.hear("where is my order 1042?")
    await house.work()
    assert len(await house.store.dead_letters()) == 1
    (answer,) = await house.send()
    assert "1042" in answer.text
    assert len(await house.say("hello")) == 1


async def test_a_sticker_or_an_emoji_asks_nothing_and_opens_no_case(house: Home) -> None:
    assert "parcel assistant" in await house.ask(media=["image"], sticker=True)
    assert await house.say(media=["image"], sticker=True) == []
    assert await house.say("😂😂") == []
    await house.say("order 1042")
    await house.say("🤷‍♀️")
    assert "Order 1042" in await house.ask("10115"), "the question stands"
    assert (await house.conversation()).holder == "bot"


@pytest.mark.parametrize(
    ("said", "answer"),
    [("ok", "colleague"), ("👍", "colleague"), ("no thanks", "as it is"), ("👎", "as it is")],
)
async def test_a_short_word_or_a_thumb_confirms_or_not(house: Home, said: str, answer: str) -> None:
    await house.ask("order 1042, postcode 10115")
    await house.ask("please cancel my order")
    assert answer in await house.ask(said)


async def test_guesses_from_many_chats_slow_the_whole_shops_answers_down(house: Home) -> None:
    for n in range(40):
        await house.hear(f"order {9000 + n}, postcode 99999", chat=f"thief{n}")
    await house.work()
    heard = await machine_time(house)
    await house.say("order 8123, postcode 99998", chat="another")
    answers = [m.to.chat for m in await house.say("order 1042, postcode 10115", chat="anna")]
    # Read from the row, not from what has left by now: under load the wait may be over before anyone looks, and
    # the guessers' own answers, which wait too, leave between the others.
    assert await waits_until(house, "another") >= heard + 2
    assert await waits_until(house, "anna") <= await machine_time(house)
    assert answers.count("anna") == 1


async def machine_time(house: Home) -> float:
    async with house.store.database.read() as connection:
        return float((await connection.execute(select(NOW))).scalar_one())


async def waits_until(house: Home, chat: str) -> float:
    """The machine time from which this chat's newest answer may leave."""
    newest = select(col(Outbox.not_before)).where(col(Outbox.chat) == chat).order_by(col(Outbox.id).desc()).limit(1)
    async with house.store.database.read() as connection:
        return float((await connection.execute(newest)).scalar_one())


async def test_a_small_shops_orders_of_one_and_two_digits_are_found(house: Home) -> None:
    await house.seed(order("7", "carl", "", postcode="80331"), order("42", "dora", "", postcode="50667"))
    assert "Order 42" in await house.ask("where is order 42? 50667", chat="dora")
    assert "order number" in await house.ask("where is my parcel?", chat="carl")
    assert "order 7" in await house.ask("7", chat="carl")
    assert "Order 7" in await house.ask("80331", chat="carl")
