"""How a case opens: by each thing that a buyer can say and each that a parcel can come to; the buyer hears of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.model.cases import Priority
from bot.model.orders import Duties, Order, Shipment
from bot.model.tracks import OffsetFrom, Place, Scan, Status, Track
from tests.house import NOON, sqlite_home

NUMBER = "EE100000005CN"
PARCELS = (Shipment(NUMBER, "ems", NOON - timedelta(days=8)),)
ANNA = Order("1042", NOON, buyer_ref="anna", name="Anna", postcode="10115", country="DE", duties=Duties.SELLER,
             placed_at=NOON - timedelta(days=9), parcels=PARCELS)  # fmt: skip
PROOF = "my order is 1042, postcode 10115"


@pytest.mark.parametrize(
    ("said", "kind", "priority"),
    [
        (["I want to talk to a human"], "human", Priority.NORMAL),
        (["this is ridiculous, get me a person"], "anger", Priority.URGENT),
        (["qwe rty uio", "asd fgh jkl"], "not_understood", Priority.NORMAL),
        ([PROOF, "the lamp arrived broken"], "damaged_missing", Priority.HIGH),
        ([PROOF, "I want a refund"], "return_refund", Priority.NORMAL),
        ([PROOF, "please change the delivery address", "yes"], "change_address", Priority.HIGH),
        ([PROOF, "please cancel my order", "yes"], "cancel", Priority.NORMAL),
    ],
)
async def test_what_a_buyer_says(tmp_path: Path, said: list[str], kind: str, priority: Priority) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.seed(ANNA)
        for words in said[:-1]:
            await house.ask(words)
            assert await house.store.cases() == []
        told = await house.ask(said[-1])
        (case,) = await house.store.cases()
        assert (case.kind, case.priority, case.queue, case.owner) == (kind, priority, "default", "")
        assert (case.order is not None) == (PROOF in said)
        assert "colleague" in told
        assert case.answer_due is not None
        assert (await house.conversation()).holder == "queue"


@pytest.mark.parametrize(
    ("status", "cause", "said", "kind"),
    [
        (Status.EXCEPTION, "lost", PROOF, "lost"),
        (Status.EXCEPTION, "damaged", PROOF, "damaged_missing"),
        (Status.RETURNING, "refused", PROOF, "refused"),
        (Status.CUSTOMS, "info_required", f"{PROOF}. What does customs want?", "customs"),
        (Status.CUSTOMS, "duty_due", "why do I have to pay customs for order 1042? 10115", "customs"),
        (Status.DELIVERED, "", f"{PROOF}. It says delivered but nothing came", "not_received"),
    ],
)
async def test_what_a_parcel_comes_to(tmp_path: Path, status: Status, cause: str, said: str, kind: str) -> None:
    async with sqlite_home(tmp_path) as house:
        await house.seed(ANNA)
        at = house.clock.now() - timedelta(hours=3)
        scan = Scan("X", "Said so", at.isoformat(), at, at.replace(tzinfo=None), OffsetFrom.EXPLICIT, status, cause,
                    Place("Berlin", "DE"), carrier="ems", source="ems")  # fmt: skip
        await house.hear_of(Track("ems", NUMBER, (scan,), source="ems", at=at))
        told = await house.ask(said)
        (case,) = [case for case in await house.store.cases() if case.conversation.endswith("/anna")]
        assert (case.kind, case.priority) == (kind, Priority.HIGH)
        assert case.order is not None
        assert "colleague" in told
