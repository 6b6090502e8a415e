"""Staff open a case themselves: about an order, in its buyer's own chat."""

from datetime import timedelta

from msgspec.structs import replace

from bot.model.conversations import BOT
from bot.model.orders import Order
from tests.desk.test_acts import JSON, at_work
from tests.deskhouse import DeskHome
from tests.house import NOON

ANNA = Order("1042", NOON, buyer_ref="anna", name="Anna", email="anna@example.com", postcode="10115", country="DE",
             placed_at=NOON - timedelta(days=9))  # fmt: skip
OTTO = Order("1043", NOON, buyer_ref="otto", name="Otto", postcode="20095", country="DE")
LANE = "c/test/shop/anna"


async def known(desk: DeskHome) -> None:
    """Anna has proved her order; Otto never wrote."""
    await desk.home.seed(ANNA, OTTO)
    await desk.home.say("where is my order 1042?")
    await desk.home.say("10115")


async def test_a_case_is_opened_for_an_order_and_belongs_to_who_opened_it(desk: DeskHome) -> None:
    await known(desk)
    mei = await desk.visitor("Mei")
    for words in ("1042", "anna", "anna@ex"):
        page = (await mei.get(f"/desk/new?q={words}")).text
        assert "Order 1042" in page, words
        assert LANE in page, words
    order = page.split('name="order" value="')[1].split('"')[0]
    fields = {"q": "1042", "order": order, "lane": LANE, "text": "The warehouse found a second parcel."}
    async with at_work(desk):
        opened = await mei.post("/desk/new", fields)
    assert opened.headers["location"] == "/desk/cases/1"
    (case,) = await desk.home.store.cases()
    assert (case.owner, case.kind, case.summary, case.queue) == ("Mei", "staff", fields["text"], "default")
    assert case.order == int(order)
    assert not await desk.home.send()
    assert (await desk.home.conversation()).holder == BOT
    assert ("Mei", "opened a case") in [(line.staff, line.what) for _, _, line in await desk.book.audited()]


async def test_where_a_case_is_open_already_it_hears_of_it_and_keeps_its_owner(desk: DeskHome) -> None:
    await known(desk)
    await desk.home.say("I want to talk to a human")
    await desk.home.act("ack", "Lee")
    await desk.home.work()
    mei = await desk.visitor("Mei")
    page = (await mei.get("/desk/new?q=1042")).text
    assert "case #1 is open" in page
    order = page.split('name="order" value="')[1].split('"')[0]
    async with at_work(desk):
        opened = await mei.post("/desk/new", {"q": "1042", "order": order, "lane": LANE, "text": "A second parcel."})
    assert opened.headers["location"] == "/desk/cases/1"
    (case,) = await desk.home.store.cases()
    assert case.owner == "Lee"
    assert ("again", "A second parcel.") in [(e.what, e.text) for e in await desk.home.store.case_history(1)]


async def test_no_case_opens_in_a_chat_that_is_not_its_buyers_or_about_nothing(desk: DeskHome) -> None:
    await known(desk)
    mei = await desk.visitor("Mei")
    found = (await mei.get("/desk/new?q=1042")).text.split('name="order" value="')[1].split('"')[0]
    for fields in (
        {"q": "1043", "order": found, "lane": LANE, "text": "x"},
        {"q": "1042", "order": found, "lane": "c/test/shop/otto", "text": "x"},
        {"q": "1042", "order": found, "lane": LANE, "text": " "},
    ):
        assert (await mei.post("/desk/new", fields)).status_code == 400, fields
    assert await desk.home.store.cases() == []


async def test_a_buyer_who_has_no_chat_gets_a_case_in_which_only_staff_speak(desk: DeskHome) -> None:
    await known(desk)
    mei = await desk.visitor("Mei")
    page = (await mei.get("/desk/new?q=1043")).text
    assert "no chat with this buyer is known" in page
    order = page.split('name="order" value="')[1].split('"')[0]
    fields = {"q": "1043", "order": order, "lane": f"c/none/order/{order}", "text": "The label is unreadable."}
    async with at_work(desk):
        opened = await mei.post("/desk/new", fields)
        assert opened.headers["location"] == "/desk/cases/1"
        told = (await mei.post("/desk/cases/1/act", {"kind": "reply", "text": "Hello"}, headers=JSON)).json()
        assert "no chat of this buyer is known" in told["told"]
    (case,) = await desk.home.store.cases()
    assert (case.owner, case.order, case.conversation) == ("Mei", int(order), fields["lane"])
    assert (await mei.post("/desk/new", fields | {"lane": f"c/none/order/{int(order) - 1}"})).status_code == 400


async def test_a_chat_in_which_the_buyer_had_a_case_is_offered_for_their_other_orders(desk: DeskHome) -> None:
    await known(desk)
    await desk.home.say("I want to talk to a human")
    await desk.home.seed(replace(ANNA, number="1050"))
    mei = await desk.visitor("Mei")
    assert LANE in (await mei.get("/desk/new?q=1050")).text


async def test_a_chat_whose_proof_has_ended_is_not_offered_any_more(desk: DeskHome) -> None:
    await known(desk)
    mei = await desk.visitor("Mei")
    assert LANE in (await mei.get("/desk/new?q=1042")).text
    assert LANE not in (await mei.get("/desk/new?q=1043")).text
    record = await desk.home.conversation()
    assert [p.way for p in record.proofs] == ["postcode"]
    # As the platform tells it: somebody else has this account now.
    await desk.home.say("", kind="moved")
    assert not (await desk.home.conversation()).proofs
    assert LANE not in (await mei.get("/desk/new?q=1042")).text
