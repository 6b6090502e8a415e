"""What was said in a conversation finds its case, in any language, and only where it was said."""

import pytest

from tests.deskhouse import DeskHome


@pytest.mark.parametrize(
    "words", ["blue lantern", "BLUE LANTERN", "Müller", "привет", "Called her", "passed your message"]
)
async def test_words_of_the_buyer_the_bot_and_notes_find_the_case(desk: DeskHome, words: str) -> None:
    await desk.home.say("My blue lantern! Müller, Привет")
    await desk.home.say("I want to talk to a human")
    await desk.home.act("note", "Lee", "called her")
    await desk.home.work()
    await desk.home.say("I want to talk to a human", chat="otto")
    await desk.app.state.live.refresh()
    mei = await desk.visitor("Mei")
    page = (await mei.get(f"/desk?q={words}")).text
    assert 'id="c1"' in page
    assert ('id="c2"' in page) == (words == "passed your message")


async def test_what_nobody_said_finds_nothing(desk: DeskHome) -> None:
    await desk.home.say("I want to talk to a human")
    await desk.app.state.live.refresh()
    mei = await desk.visitor("Mei")
    for words in ("received_at", "holder_version", "text", "zebra", "%%%", "___"):
        assert 'id="c1"' not in (await mei.get(f"/desk?q={words}")).text, words


async def test_cases_that_are_over_are_found_by_what_was_said_too(desk: DeskHome) -> None:
    await desk.home.say("My blue lantern!")
    await desk.home.say("I want to talk to a human")
    await desk.home.act("resolve", "Lee")
    await desk.home.work()
    mei = await desk.visitor("Mei")
    assert 'id="c1"' in (await mei.get("/desk?view=resolved&q=blue+lantern")).text
    assert 'id="c1"' not in (await mei.get("/desk?view=resolved&q=red+lantern")).text
