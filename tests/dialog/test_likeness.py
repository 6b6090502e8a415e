"""The second opinion: what ships is what was learnt, and it says how sure it is."""

from importlib.resources import files

import pytest

from bot.dialog.likeness import MARK, Likeness, packed, pieces_of
from tests.dialog.learn import checksum
from tests.house import LEXICON

MOST_BYTES = 1 << 20


def test_the_model_was_learnt_from_the_sentences_as_they_stand() -> None:
    assert LEXICON.likeness.learnt_from == checksum(), "PYTHONPATH=. python -m tests.dialog.learn"
    assert len((files("bot.dialog") / "words" / "likeness.bin").read_bytes()) <= MOST_BYTES


def test_chances_are_one_together_and_follow_the_pieces_and_the_concepts() -> None:
    table = {" ab": (2.0, 0.0), "ab ": (2.0, 0.0), f"{MARK}stuck": (0.0, 4.0)}
    model = Likeness.unpacked(packed(("wismo", "stalled"), (0.0, 0.1), table, 7))
    assert model.learnt_from == 7
    by_words, by_concept, unseen = (dict(model.chances(t, c)) for t, c in (("ab", ()), ("xy", ("stuck",)), ("xy", ())))
    assert by_words["wismo"] == pytest.approx(1 / (1 + 2.718281828 ** (0.1 - 4)), abs=0.005)
    assert by_concept["stalled"] > 0.999
    assert unseen["stalled"] > unseen["wismo"]
    assert all(sum(chances.values()) == pytest.approx(1) for chances in (by_words, by_concept, unseen))


def test_a_number_is_one_whatever_it_is() -> None:
    assert pieces_of("day 24") == pieces_of("day 9")
