"""`wismo cases`, `take`, `reply`, `handback`, with no worker running."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from bot.model.conversations import QUEUE, Conversation
from bot.model.messages import Address
from bot.store import Store, codec
from bot.store.casetables import CaseRow

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHAT = Address("whatsapp", "106", "4915127770001")


async def a_case(store: Store) -> None:
    row = insert(CaseRow).values(
        lane=f"c/{CHAT}", kind="damaged_missing", summary="A box came crushed", owner="", opened_at=AT
    )
    await store.database.write(lambda c: c.execute(row))
    await store.save_conversations([Conversation(CHAT, holder=QUEUE, case=1, locale="en")])


@pytest.fixture
def shop(write_config: Callable[..., Path], whatsapp: dict[str, Any], with_store: Callable[..., Any]) -> Path:
    with_store(a_case)
    return write_config(channels={"whatsapp": whatsapp})


@pytest.fixture
def outbox(tmp_path: Path) -> Callable[[], list[tuple[str, str]]]:
    """(purpose, text) of what is to be sent."""

    def read() -> list[tuple[str, str]]:
        connection = sqlite3.connect(tmp_path / "data" / "wismo.db")
        rows = connection.execute("SELECT purpose, body FROM outbox ORDER BY id").fetchall()
        connection.close()
        return [(purpose, codec.outbound(body).text) for purpose, body in rows]

    return read


@pytest.mark.usefixtures("shop")
def test_open_cases_are_listed_in_the_shops_time(wismo: Callable[..., Any]) -> None:
    told = wismo("cases")
    assert told.exit_code == 0
    assert "A box came crushed" in told.output
    assert "02 Mar 10:00" in told.output


@pytest.mark.usefixtures("shop")
def test_a_reply_takes_over_and_is_put_on_its_way(
    wismo: Callable[..., Any], outbox: Callable[[], list[tuple[str, str]]]
) -> None:
    told = wismo("reply", "1", "We send a new one <today> & tomorrow", "--as", "ana")
    assert told.exit_code == 0, told.output
    assert outbox() == [("staff", "We send a new one &lt;today&gt; &amp; tomorrow")]
    assert "ana" in wismo("cases").output


@pytest.mark.usefixtures("shop")
def test_who_does_not_hold_it_cannot_speak(
    wismo: Callable[..., Any], outbox: Callable[[], list[tuple[str, str]]]
) -> None:
    assert wismo("take", "1", "--as", "ana").exit_code == 0
    told = wismo("reply", "1", "Hello", "--as", "ben")
    assert told.exit_code == 1
    assert "ana speaks now" in told.output
    assert outbox() == []
    assert wismo("handback", "1", "--as", "ben").exit_code == 1


@pytest.mark.usefixtures("shop")
def test_handing_back_closes_the_case_and_is_announced(
    wismo: Callable[..., Any], outbox: Callable[[], list[tuple[str, str]]]
) -> None:
    wismo("take", "1", "--as", "ana")
    told = wismo("handback", "1", "--as", "ana")
    assert told.exit_code == 0, told.output
    assert "No case is open" in wismo("cases").output
    assert "closed" in wismo("cases", "--all").output
    assert len(outbox()) == 1


@pytest.mark.usefixtures("shop")
def test_a_case_that_is_not_there_is_told(wismo: Callable[..., Any]) -> None:
    told = wismo("take", "7", "--as", "ana")
    assert told.exit_code == 1
    assert "there is no case 7" in told.output
