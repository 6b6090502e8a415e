"""A push to the demo's WhatsApp, long after the buyer wrote last: only an approved template may say it."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.test_demo_page import PATIENCE, hears, phone, say


def test_news_of_a_parcel_reach_whatsapp_outside_its_window(browser: Browser, demo: str, shots: Path) -> None:
    page = browser.new_page(viewport={"width": 1366, "height": 900})
    page.goto(demo)
    expect(page.locator(".phone")).to_have_count(3)
    say(page, "WhatsApp", "Wo ist mein Paket?")
    hears(page, "WhatsApp", "Bestellung")
    phone(page, "WhatsApp").get_by_text("Änderungen melden").last.click(timeout=PATIENCE)
    page.wait_for_timeout(2000)
    delivered = phone(page, "WhatsApp").locator(".row:not(.mine) .bubble").filter(has_text="wurde zugestellt")
    for _ in range(14):
        if delivered.count():
            break
        page.get_by_text("+1 day").click()
        page.wait_for_timeout(4000)
    page.screenshot(path=shots / "pushed-whatsapp.png", full_page=True)
    expect(delivered.last).to_be_visible(timeout=PATIENCE)
    expect(phone(page, "WhatsApp")).to_contain_text("Mit der Antwort STOP")
    phone(page, "WhatsApp").get_by_text("Ja, alles gut").last.click()
    page.wait_for_timeout(3000)
    page.screenshot(path=shots / "pressed-whatsapp.png", full_page=True)
