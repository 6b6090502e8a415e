"""The demo as its visitors use it: as a buyer, as staff, with the clock turned, on a laptop and a phone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

PATIENCE = 20_000


@pytest.fixture
def page(browser: Browser, demo: str) -> Page:
    """A visitor's laptop."""
    opened = browser.new_page(viewport={"width": 1366, "height": 900})
    opened.goto(demo)
    expect(opened.locator(".phone")).to_have_count(3)
    return opened


def phone(page: Page, name: str) -> Locator:
    return page.locator(f'section.phone[aria-label="{name}"]')


def say(page: Page, name: str, text: str) -> None:
    field = phone(page, name).locator("input")
    field.fill(text)
    field.press("Enter")


def hears(page: Page, name: str, text: str) -> None:
    expect(phone(page, name).locator(".row:not(.mine) .bubble").filter(has_text=text).last).to_be_visible(
        timeout=PATIENCE
    )


@pytest.mark.parametrize("name", ["Telegram", "WhatsApp", "Slack"])
def test_a_buyer_asks_proves_and_reads_where_the_parcel_is(page: Page, name: str, shots: Path) -> None:
    say(page, name, "where is my order 1042?")
    hears(page, name, "the postcode it goes to")
    say(page, name, "80202")
    hears(page, name, "reports:")
    page.screenshot(path=shots / f"asked-{name.lower()}.png", full_page=True)


def test_the_bot_knows_the_buyer_whose_own_number_whatsapp_vouches_for(page: Page) -> None:
    say(page, "WhatsApp", "Wo ist mein Paket?")
    hears(page, "WhatsApp", "Bestellung")


def test_staff_take_over_answer_and_hand_back(page: Page, shots: Path) -> None:
    desk = page.locator('.desk[aria-label="Desk Slack"]')
    say(page, "Slack", "I want to talk to a human")
    expect(desk.locator(".state")).to_have_text("waits for you", timeout=PATIENCE)
    desk.get_by_text("Take over").click()
    expect(desk.locator(".state")).to_have_text("Mei speaks", timeout=PATIENCE)
    desk.locator("input").fill("Hello, this is Mei. I have called the carrier.")
    desk.locator("input").press("Enter")
    hears(page, "Slack", "this is Mei")
    before = phone(page, "Slack").locator(".row:not(.mine)").count()
    say(page, "Slack", "where is my order 1042?")
    page.wait_for_timeout(2500)
    assert phone(page, "Slack").locator(".row:not(.mine)").count() == before, "the bot spoke over a person"
    page.screenshot(path=shots / "takeover.png", full_page=True)
    desk.get_by_text("Hand back").click()
    expect(desk.locator(".state")).to_have_text("the bot answers", timeout=PATIENCE)
    hears(page, "Slack", "parcel assistant again")


def test_the_clock_is_turned_and_the_parcel_has_moved(page: Page, shots: Path) -> None:
    now = page.locator(".now")
    before = now.inner_text()
    arrives = datetime.strptime(before.split(",")[0] + " 2000", "%a %d %b %Y").replace(tzinfo=UTC) + timedelta(days=12)
    for _ in range(4):
        page.get_by_text("+3 days").click()
    expect(now).to_contain_text(f"{arrives:%d %b}", timeout=4 * PATIENCE)
    say(page, "Telegram", "where is it now?")
    hears(page, "Telegram", "delivered")
    page.screenshot(path=shots / "clock.png", full_page=True)


def test_nothing_is_cut_off_at_phone_width(browser: Browser, demo: str, shots: Path) -> None:
    small = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    small.goto(demo)
    expect(small.locator(".phone")).to_have_count(3)
    small.wait_for_timeout(3500)
    small.screenshot(path=shots / "phone-width.png", full_page=True)
    assert small.evaluate("document.documentElement.scrollWidth") <= 390, "the page scrolls sideways"
    for button in small.locator("button:visible").all():
        box = button.bounding_box()
        assert box is None or box["height"] >= 30, "a button is too small for a thumb"


@pytest.mark.parametrize(("name", "width"), [("laptop", 1366), ("phone", 390)])
def test_an_orders_parcels_are_seen_with_their_way(
    browser: Browser, demo: str, shots: Path, name: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(demo)
    page.get_by_label("Find an order").fill("1042")
    page.locator(".q-table tbody tr").filter(has_text="1042").first.click()
    expect(page.get_by_role("heading", name="Order 1042")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("svg.routemap .here").first).to_be_visible()
    assert page.locator(".timeline .scan").count() >= 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "something is wider than the screen"
    page.screenshot(path=shots / f"parcel-{name}.png", full_page=True)
    page.get_by_text("Back to the phones").click()
    expect(page.locator(".phone")).to_have_count(3)


def test_each_fault_does_what_its_switch_says_and_is_seen_to_have_struck(page: Page, shots: Path) -> None:
    def heard(name: str) -> int:
        return phone(page, name).locator(".row:not(.mine)").count()

    def switch(title: str) -> None:
        page.get_by_text(title, exact=True).click()

    def struck(words: str) -> None:
        expect(page.locator(".met").filter(has_text=words)).to_be_visible(timeout=PATIENCE)

    before = heard("Telegram")
    switch("Too many requests (429)")
    say(page, "Telegram", "hello")
    struck("calls refused")
    assert heard("Telegram") == before
    switch("Too many requests (429)")
    expect(phone(page, "Telegram").locator(".row:not(.mine)")).to_have_count(before + 1, timeout=PATIENCE)
    switch("Deliver everything twice")
    say(page, "Telegram", "thanks")
    struck("delivered twice")
    expect(phone(page, "Telegram").locator(".row:not(.mine)")).to_have_count(before + 2, timeout=PATIENCE)
    switch("Deliver everything twice")
    switch("Deliver out of order")
    say(page, "Telegram", "hello")
    say(page, "Telegram", "help")
    struck("delivered backwards")
    switch("Deliver out of order")
    before = heard("WhatsApp")
    switch("WhatsApp window closed")
    say(page, "WhatsApp", "help")
    struck("only an approved template goes")
    assert heard("WhatsApp") == before
    page.screenshot(path=shots / "faults.png", full_page=True)
    switch("WhatsApp window closed")
    say(page, "WhatsApp", "help")
    expect(phone(page, "WhatsApp").locator(".row:not(.mine)")).to_have_count(before + 1, timeout=PATIENCE)
