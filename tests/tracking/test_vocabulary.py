"""The vocabulary against `facts/carriers.md` §6.1."""

from itertools import pairwise

import pytest

from bot.model.tracks import Action, Status
from bot.tracking.vocabulary import CAUSES, action, known, rank, terminal


def test_there_are_the_fifty_six_causes_of_the_facts() -> None:
    assert set(CAUSES) == set(Status)
    assert sum(len(causes) - 1 for status, causes in CAUSES.items() if status is not Status.RETURNED) == 56
    assert CAUSES[Status.RETURNED].keys() == CAUSES[Status.RETURNING].keys()


@pytest.mark.parametrize(
    ("status", "cause", "who"),
    [
        (Status.CUSTOMS, "duty_due", Action.BUYER),
        (Status.CUSTOMS, "info_required", Action.BUYER),
        (Status.PICKUP_READY, "", Action.BUYER),
        (Status.EXCEPTION, "address", Action.BUYER),
        (Status.EXCEPTION, "lost", Action.SELLER),
        (Status.IN_TRANSIT, "", Action.NONE),
        (Status.DELIVERED, "never heard of", Action.NONE),
    ],
)
def test_every_state_names_who_has_to_act(status: Status, cause: str, who: Action) -> None:
    assert action(status, cause) is who


def test_a_cause_belongs_to_its_status() -> None:
    assert known(Status.CUSTOMS, "duty_due")
    assert not known(Status.DELIVERED, "duty_due")


def test_only_five_states_are_terminal() -> None:
    ends = {(s, c) for s, causes in CAUSES.items() for c in causes if terminal(s, c)}
    lost = {(Status.EXCEPTION, c) for c in ("lost", "destroyed", "cancelled")}
    assert ends - lost == {(s, c) for s in (Status.DELIVERED, Status.RETURNED) for c in CAUSES[s]}
    assert lost <= ends


def test_ranks_follow_a_parcels_life() -> None:
    life = [
        Status.LABEL_CREATED,
        Status.ACCEPTED,
        Status.IN_TRANSIT,
        Status.OUT_FOR_DELIVERY,
        Status.DELIVERED,
        Status.RETURNED,
    ]
    assert all(rank(a) < rank(b) for a, b in pairwise(life))
    assert len({rank(s) for s in Status}) == len(Status)
