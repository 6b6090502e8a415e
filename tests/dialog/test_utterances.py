"""What people write to a shop, in their own ways: `language | intent | words` a line.

`sentences.txt` is what the words and rules were made with: nearly all of it must be right. `chatty.txt` is how buyers
type (short, indirect, misspelt, angry, two wishes at once: `a+b`) and was looked at when words were chosen; its other
half, never looked at, is `tests/benchmarks/utterances_held_out.txt`. `indirect.txt` never names what it asks for. From
these three the likeness is learnt (`learn.py`). `taken_back.txt` denies one wish and has another, or tells of a fear
that is over. `unseen.txt` was written afterwards and is never to be learned from: it shows what is to be expected of
plain sentences.
"""

from collections import Counter
from pathlib import Path

import pytest

from bot.dialog.understand import NEVER_LOST
from tests.dialog.test_understand import read

LANGUAGES = {"en", "es", "pt", "fr", "de", "ru", "zh", "ar"}
ALL = 13
ACTED_ON = 0.55
Lines = list[list[str]]


def lines(text: str) -> Lines:
    return [line.split("|", 2) for line in text.splitlines() if line.strip()]


KNOWN = lines(Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8"))
CHATTY = lines(Path(__file__).with_name("chatty.txt").read_text(encoding="utf-8"))
INDIRECT = lines(Path(__file__).with_name("indirect.txt").read_text(encoding="utf-8"))
TAKEN_BACK = lines(Path(__file__).with_name("taken_back.txt").read_text(encoding="utf-8"))
UNSEEN = lines(Path(__file__).with_name("unseen.txt").read_text(encoding="utf-8"))


def counted(given: Lines) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """By language: how many there are, whose likeliest intent is right, and whose language."""
    right: Counter[str] = Counter()
    spoken: Counter[str] = Counter()
    for language, intent, text in given:
        said = read(text)
        right[language] += (said.intent or "other") == intent
        spoken[language] += (said.locale or said.words_of) in {language, ""}
    return Counter(language for language, _, _ in given), right, spoken


def test_nearly_all_known_sentences_are_understood_in_every_language() -> None:
    total, right, spoken = counted(KNOWN)
    assert set(total) >= LANGUAGES
    for language in LANGUAGES:
        assert right[language] >= 0.96 * total[language], language
        assert spoken[language] >= 0.96 * total[language], language


def test_nearly_all_that_buyers_type_in_haste_is_understood_in_every_language() -> None:
    meant = [(language, set(intent.split("+")), text) for language, intent, text in CHATTY]
    total = Counter(language for language, _, _ in meant)
    right: Counter[str] = Counter()
    for language, intents, text in meant:
        heard = [name for name, _ in read(text).intents] or ["other"]
        right[language] += heard[0] in intents and intents <= set(heard)
    assert len(total) == ALL
    for language in total:
        assert right[language] >= 0.93 * total[language], language


def test_most_that_does_not_name_what_it_asks_for_is_understood() -> None:
    total, right, _ = counted(INDIRECT)
    for language in LANGUAGES:
        assert right[language] >= 0.9 * total[language], language


def test_what_a_message_takes_back_is_not_what_it_asks_for() -> None:
    total, right, _ = counted(TAKEN_BACK)
    assert right.total() >= 0.93 * total.total()


def test_no_stop_and_no_wish_for_a_person_is_taken_back_with_what_stands_beside_it() -> None:
    firm = [(intent, text) for _, intent, text in TAKEN_BACK if intent in NEVER_LOST]
    assert len(firm) > 4
    assert [(text, read(text).intent) for intent, text in firm if read(text).intent != intent] == []


def test_most_unseen_sentences_are_understood() -> None:
    total, right, spoken = counted(UNSEEN)
    assert right.total() >= 0.95 * total.total()
    assert spoken.total() >= 0.97 * total.total()


def test_what_is_none_of_our_business_triggers_hardly_anything() -> None:
    others = [text for _, intent, text in KNOWN + UNSEEN if intent == "other"]
    triggered = [t for t in others if (i := read(t).intents) and i[0][1] >= ACTED_ON and i[0][0] != "other"]
    assert len(triggered) <= 0.04 * len(others), triggered


@pytest.mark.parametrize(
    ("intent", "text"),
    [
        ("human", "real persn please"),
        ("human", "customer servise"),
        ("human", "is anyone there"),
        ("human", "hablar con alguein"),
        ("human", "quero falar com uma pesoa"),
        ("human", "parler a un agant"),
        ("human", "mit einem mesnchen sprechen"),
        ("human", "хочу поговорить с опператором"),
        ("human", "pozovite cheloveka"),
        ("notify_off", "unsubscibe"),
        ("notify_off", "sotp messages"),
        ("notify_off", "darme de baja"),
        ("notify_off", "قف"),
    ],
)
def test_a_person_and_a_stop_are_heard_in_spite_of_a_slip(intent: str, text: str) -> None:
    assert read(text).intent == intent
