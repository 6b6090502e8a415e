"""The staff's desk in a real browser: two people on one case, a race, what arrives by itself, signing in, a phone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

PATIENCE = 20_000
PASSWORD = "four green parcels today"


@pytest.fixture(scope="module")
def buyer(browser: Browser, demo: str) -> Iterator[Page]:
    """The demo's page with its phones."""
    page = browser.new_page(viewport={"width": 1366, "height": 900})
    page.goto(demo)
    expect(page.locator(".phone")).to_have_count(3)
    yield page
    page.close()


@pytest.fixture(scope="module")
def mei(browser: Browser, demo: str) -> Iterator[Page]:
    """Mei's desk, as the demo opens it."""
    context = browser.new_context(viewport={"width": 1366, "height": 860})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{demo}/staff-desk")
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)
    yield page
    context.close()
    # A refused act is answered 409, which the browser writes down; anything else is a defect or against the policy.
    assert [c for c in complaints if "409" not in c] == []


@pytest.fixture(scope="module")
def link(mei: Page) -> str:
    """A one-time link for Kim, made on the page of staff."""
    base = mei.url.split("/desk")[0]
    mei.goto(f"{base}/desk/staff")
    mei.get_by_label("Name", exact=True).fill("Kim")
    mei.get_by_role("button", name="Make a one-time link").click()
    return mei.locator("code.link").inner_text()


@pytest.fixture(scope="module")
def kim(browser: Browser, link: str) -> Iterator[Page]:
    """Kim's desk, in a browser of their own, signed in by the link."""
    context = browser.new_context(viewport={"width": 1366, "height": 860})
    page = context.new_page()
    page.goto(link)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set it and sign in").click()
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)
    yield page
    context.close()


def say(buyer: Page, name: str, text: str) -> None:
    field = buyer.locator(f'section.phone[aria-label="{name}"] input')
    field.fill(text)
    field.press("Enter")


def asked(page: Page, channel: str) -> Locator:
    """The case of the buyer who asked for a person there, among those that the shop's rules opened by themselves."""
    return page.locator("#cases a").filter(has_text=channel).filter(has_text="asked for a person")


def open_case(page: Page, channel: str) -> None:
    page.goto(page.url.split("/desk")[0] + "/desk")
    asked(page, channel).click()
    expect(page.locator("#live")).to_have_text("live", timeout=PATIENCE)


def test_a_buyer_who_asks_for_a_person_appears_by_itself_and_so_do_their_messages(
    buyer: Page, mei: Page, shots: Path
) -> None:
    mei.goto(mei.url.split("/desk")[0] + "/desk")
    expect(mei.locator("#live")).to_have_text("live", timeout=PATIENCE)
    say(buyer, "WhatsApp", "I want to talk to a human")
    expect(asked(mei, "WhatsApp")).to_be_visible(timeout=PATIENCE)
    rows = mei.locator("#cases a").count()
    expect(mei.locator('[data-count="waiting"]')).to_have_text(str(rows))
    expect(mei.locator("#headline")).to_have_text(re.compile(rf"^({rows} waiting|\d+ late)$"))
    mei.screenshot(path=shots / "desk-inbox.png")
    for _ in range(rows):
        mei.keyboard.press("j")
    mei.keyboard.press("Enter")
    expect(mei.locator("#lines")).to_contain_text("I want to talk to a human", timeout=PATIENCE)
    expect(mei.locator(".window")).to_contain_text("WhatsApp takes free text for another")
    say(buyer, "WhatsApp", "<b>please</b> hurry")
    expect(mei.locator("#lines .line.buyer .said").last).to_have_text("<b>please</b> hurry", timeout=PATIENCE)


def test_the_keyboard_is_enough_to_take_over_note_and_reply(buyer: Page, mei: Page, shots: Path) -> None:
    open_case(mei, "WhatsApp")
    mei.keyboard.press("t")
    expect(mei.locator(".speaks")).to_contain_text("You speak", timeout=PATIENCE)
    mei.keyboard.press("n")
    mei.keyboard.type("She has called before.")
    mei.keyboard.press("Control+Enter")
    expect(mei.locator(".line.note .said").last).to_have_text("She has called before.", timeout=PATIENCE)
    mei.keyboard.press("Escape")
    mei.keyboard.press("r")
    mei.keyboard.type("Hello, this is Mei.")
    mei.keyboard.press("Control+Enter")
    heard = buyer.locator('section.phone[aria-label="WhatsApp"] .row:not(.mine) .bubble')
    expect(heard.filter(has_text="this is Mei").last).to_be_visible(timeout=PATIENCE)
    expect(mei.locator(".line.staff .state-of").last).to_contain_text("✓", timeout=PATIENCE)
    assert "called before" not in buyer.locator('section.phone[aria-label="WhatsApp"]').inner_text()
    mei.screenshot(path=shots / "desk-case.png")


def test_a_reply_is_taken_back_and_its_text_stands_in_the_field_again(buyer: Page, mei: Page, shots: Path) -> None:
    open_case(mei, "WhatsApp")
    mei.keyboard.press("r")
    mei.keyboard.type("This was for somebody else.")
    mei.keyboard.press("Control+Enter")
    undo = mei.locator(".line.staff").last.get_by_role("button", name="Undo")
    expect(undo).to_be_visible(timeout=PATIENCE)
    mei.screenshot(path=shots / "desk-undo.png")
    undo.click()
    expect(mei.locator("#told")).to_have_text("Taken back.", timeout=PATIENCE)
    expect(mei.locator("#text")).to_have_value("This was for somebody else.")
    expect(mei.locator(".line.staff .state-of").last).to_contain_text("taken back", timeout=PATIENCE)
    expect(undo).to_have_count(0, timeout=PATIENCE)
    assert "somebody else" not in buyer.locator('section.phone[aria-label="WhatsApp"]').inner_text()
    mei.locator("#text").fill("")


def test_a_reply_that_has_left_is_changed_and_deleted_in_the_buyers_chat(buyer: Page, mei: Page, shots: Path) -> None:
    say(buyer, "Telegram", "I want to talk to a human")
    mei.goto(mei.url.split("/desk")[0] + "/desk")
    expect(asked(mei, "Telegram")).to_be_visible(timeout=PATIENCE)
    open_case(mei, "Telegram")
    mei.keyboard.press("r")
    mei.keyboard.type("I ask teh carrier.")
    mei.keyboard.press("Control+Enter")
    line, phone = mei.locator(".line.staff").last, buyer.locator('section.phone[aria-label="Telegram"]')
    expect(line.get_by_text("Edit", exact=True)).to_be_visible(timeout=PATIENCE)
    line.get_by_text("Edit", exact=True).click()
    line.get_by_label("What it should say").fill("I ask the carrier.")
    mei.screenshot(path=shots / "desk-edit.png")
    line.get_by_role("button", name="Change it in the buyer").click()
    expect(mei.locator("#told")).to_have_text("Changed in the buyer's chat.", timeout=PATIENCE)
    expect(phone).to_contain_text("I ask the carrier.", timeout=PATIENCE)
    expect(phone).not_to_contain_text("teh")
    expect(line.locator(".state-of")).to_contain_text("changed since", timeout=PATIENCE)
    line.get_by_text("Delete", exact=True).click()
    line.get_by_role("button", name="Delete it in the buyer").click()
    expect(phone).not_to_contain_text("I ask the carrier.", timeout=PATIENCE)
    expect(line.get_by_text("Delete", exact=True)).to_have_count(0, timeout=PATIENCE)


def test_a_case_is_opened_for_an_order(mei: Page, shots: Path) -> None:
    mei.goto(mei.url.split("/desk")[0] + "/desk/new")
    mei.get_by_label("Order, or its buyer's name or e-mail").fill("a")
    mei.get_by_role("button", name="Find").click()
    expect(mei.get_by_text("No order of this number")).to_be_visible()
    mei.get_by_label("Order, or its buyer's name or e-mail").fill("example")
    mei.get_by_role("button", name="Find").click()
    expect(mei.locator("main section").first).to_be_visible()
    mei.screenshot(path=shots / "desk-new.png")


def test_what_is_written_before_the_answer_comes_stays(mei: Page) -> None:
    open_case(mei, "WhatsApp")
    mei.evaluate(
        "ask = window.fetch; window.fetch = (...of) => new Promise(f => setTimeout(f, 1500)).then(() => ask(...of)); 0"
    )
    mei.keyboard.press("n")
    mei.keyboard.type("Slow line today.")
    mei.keyboard.press("Control+Enter")
    mei.keyboard.type("And one more thing")
    expect(mei.locator(".line.note .said").last).to_have_text("Slow line today.", timeout=PATIENCE)
    mei.wait_for_timeout(500)
    assert mei.locator("#text").input_value() == "And one more thing"
    mei.locator("#text").fill("")


def test_two_on_one_case_see_each_other_and_only_one_takes_it_over(
    buyer: Page, mei: Page, kim: Page, shots: Path
) -> None:
    say(buyer, "Slack", "I want to talk to a human")
    for page in (mei, kim):
        page.goto(page.url.split("/desk")[0] + "/desk")
        expect(asked(page, "Slack")).to_be_visible(timeout=PATIENCE)
        open_case(page, "Slack")
    expect(mei.locator(".here")).to_contain_text("Kim looks at this too", timeout=PATIENCE)
    press = "document.querySelector('[data-key=t]').click()"
    mei.evaluate(press)
    kim.evaluate(press)
    for page in (mei, kim):
        expect(page.locator("#told")).to_have_text(re.compile("speak"), timeout=PATIENCE)
    told = sorted(page.locator("#told").inner_text() for page in (mei, kim))
    assert sum(text.startswith("You speak now") for text in told) == 1, told
    assert sum("was faster and speaks now" in text for text in told) == 1, told
    loser = mei if "faster" in mei.locator("#told").inner_text() else kim
    loser.screenshot(path=shots / "desk-race.png")
    loser.keyboard.press("r")
    loser.locator("#text").fill("I am late")
    loser.locator("#send").click()
    expect(loser.locator("#told")).to_contain_text("kept as a note", timeout=PATIENCE)
    assert loser.locator("#text").input_value() == "I am late", "a refused reply must not lose its text"
    assert "I am late" not in buyer.locator('section.phone[aria-label="Slack"]').inner_text()


def test_a_wrong_password_is_told_and_a_guesser_is_locked_out(browser: Browser, kim: Page, shots: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(kim.url.split("/desk")[0] + "/desk/sign-in")
    for n in range(6):
        page.get_by_label("Your name").fill("Kim")
        page.get_by_label("Password").fill(f"a guess, number {n}")
        page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Too many tries")
    page.screenshot(path=shots / "desk-locked-out.png")
    context.close()


PAGES = ("/desk", "/desk/cases/1", "/desk/reports", "/desk/staff", "/desk/canned", "/desk/new?q=example")


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_cut_off_at_phone_width(browser: Browser, mei: Page, shots: Path, path: str) -> None:
    state = mei.context.storage_state()
    context: BrowserContext = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, storage_state=state
    )
    small = context.new_page()
    small.goto(mei.url.split("/desk")[0] + path)
    small.wait_for_timeout(600)
    assert small.evaluate("document.documentElement.scrollWidth") <= 390, "the page scrolls sideways"
    for button in small.locator("button:visible, .views a:visible").all():
        box = button.bounding_box()
        assert box is None or box["height"] >= 28, f"too small for a thumb: {button.inner_text()}"
    name = re.sub(r"\W", "-", path)
    small.screenshot(path=shots / f"desk-phone{name}.png")
    context.close()


def test_a_phone_shows_what_was_said_last(browser: Browser, mei: Page) -> None:
    state = mei.context.storage_state()
    context = browser.new_context(viewport={"width": 390, "height": 640}, storage_state=state)
    small = context.new_page()
    small.goto(mei.url.split("/desk")[0] + "/desk/cases/1")
    small.wait_for_timeout(600)
    last, field = small.locator("#lines > li").last.bounding_box(), small.locator("#write").bounding_box()
    assert last is not None
    assert field is not None
    assert 0 <= last["y"] + last["height"] <= field["y"] + 1, "the newest line is out of sight"
    context.close()


NAMELESS = """() => [...document.querySelectorAll(
    'input:not([type=hidden]), select, textarea, button, a, img, svg[role=img]')].filter(e => !(
        e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim() || e.title ||
        (e.tagName === 'IMG' && e.hasAttribute('alt')))).map(e => e.outerHTML.slice(0, 90))"""


def test_every_field_and_button_has_a_name_for_screen_readers(mei: Page) -> None:
    base = mei.url.split("/desk")[0]
    for path in (*PAGES, "/desk/audit"):
        mei.goto(base + path)
        nameless = mei.evaluate(NAMELESS)
        assert not nameless, f"{path}: {nameless}"
        assert mei.locator("h1").count() >= 1, path
    mei.goto(base + "/desk/cases/1")
    assert mei.locator("#lines").get_attribute("aria-live") == "polite"


def test_the_reports_are_drawn(mei: Page, shots: Path) -> None:
    mei.goto(mei.url.split("/desk")[0] + "/desk/reports?days=7")
    expect(mei.locator("svg.chart")).to_have_count(4)
    mei.screenshot(path=shots / "desk-reports.png", full_page=True)


def test_whoever_is_shut_out_is_led_to_the_sign_in_page_within_seconds(mei: Page, kim: Page) -> None:
    open_case(kim, "Slack")
    mei.goto(mei.url.split("/desk")[0] + "/desk/staff")
    mei.locator("tr").filter(has_text="Kim").get_by_role("button", name="Shut out").click()
    expect(kim).to_have_url(re.compile("/desk/sign-in"), timeout=10_000)
