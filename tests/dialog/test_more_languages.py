"""Italian, Polish, Turkish, Japanese and Korean: what our own people would write, half of it never tuned on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from bot.dialog.turn import Understanding
from bot.dialog.understand import understand
from bot.model.conversations import Conversation
from bot.model.messages import Address, Inbound
from tests.house import LEXICON, MODEL

CHAT = Address("test", "shop", "anna")
FILES = sorted((Path(__file__).parent / "utterances").glob("*.yaml"))
LEAST = 0.93
"""The share of the held-out half that must be taken as it was meant."""


def read(text: str, record: Conversation | None = None) -> Understanding:
    heard = Inbound("1", datetime(2026, 11, 24, tzinfo=UTC), CHAT, text=text)
    return understand([heard], record or Conversation(CHAT), LEXICON, MODEL, "DE")


def missed(path: Path, half: str) -> tuple[list[str], int]:
    """The sentences that were taken for something else, and how many there are."""
    listed = yaml.safe_load(path.read_text(encoding="utf-8"))[half]
    return [text for intent, text in listed if read(text).intent != intent], len(listed)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_all_that_the_words_were_chosen_for_is_understood(path: Path) -> None:
    wrong, _ = missed(path, "tuned")
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_most_of_what_was_never_looked_at_is_understood(path: Path) -> None:
    wrong, asked = missed(path, "held_out")
    assert 1 - len(wrong) / asked >= LEAST


STOPS = (
    *("STOP", "stop", "unsubscribe", "stop messages"),
    *("baja", "no quiero más mensajes", "cancelar suscripción"),
    *("parar mensagens", "não quero mais mensagens", "sair da lista"),
    *("arrêter les messages", "désabonner", "je ne veux plus de messages"),
    *("Abmelden", "keine Nachrichten mehr", "Nachrichten aus"),
    *("disiscrivimi", "basta messaggi", "non scrivetemi più"),
    *("стоп", "СТОП", "отписаться", "не пишите мне больше"),
    *("wypisz mnie", "nie piszcie do mnie", "koniec wiadomości"),
    *("DUR", "mesaj istemiyorum", "bildirimleri durdur"),
    *("توقف", "إيقاف الرسائل", "لا أريد رسائل", "إلغاء الاشتراك"),
    *("退订", "停止", "不要再发消息了"),
    *("停止", "配信停止", "通知を止めてください"),
    *("수신거부", "중지", "알림 그만 보내 주세요"),
)
BLUNT = (
    *("please stop", "STOP!!!", "ok stop", "pls stop this", "can you stop", "stop now please"),
    *("para", "basta ya", "parem", "arrêtez", "hör auf", "fermati", "хватит", "стоп пожалуйста", "przestańcie"),
    *("yeter", "durdur", "كفاية", "أوقف", "停", "别发了", "やめて", "ストップ", "그만하세요", "스톱"),
)
STARTS = (
    *("START UPDATES", "notify me", "tell me of changes"),
    *("avísenme de los cambios", "activar notificaciones"),
    *("me avise das mudanças", "ativar notificações"),
    *("prévenez-moi des changements", "activer les notifications"),
    *("Benachrichtigungen aktivieren", "sagen Sie mir Bescheid"),
    *("attiva le notifiche", "avvisatemi"),
    *("включите уведомления", "сообщайте об изменениях"),
    *("włącz powiadomienia", "dajcie mi znać"),
    *("bildirimleri aç", "haber verin"),
    *("أخبرني بالجديد", "فعّل الإشعارات"),
    *("开启通知", "有变化通知我"),
    *("通知をオンにして", "知らせてください"),
    *("알림 켜 주세요", "알려 주세요"),
)
PEOPLE = (
    *("talk to a person", "hablar con una persona", "falar com uma pessoa", "parler à une personne"),
    *("mit einem Menschen sprechen", "parlare con una persona", "позовите человека", "rozmowa z konsultantem"),
    *("HUMAN", "agent please", "pessoa", "Mitarbeiter", "человек", "człowiek", "temsilci", "موظف", "人工", "사람"),
    *("yetkiliyle görüşmek istiyorum", "أريد التحدث مع شخص", "转人工", "担当者と話したい", "상담원과 통화하고 싶어요"),
)


@pytest.mark.parametrize(
    ("intent", "text"),
    [(i, t) for i, texts in (("notify_off", STOPS + BLUNT), ("notify_on", STARTS), ("human", PEOPLE)) for t in texts],
)
def test_stop_start_and_a_person_are_heard_in_every_language(intent: str, text: str) -> None:
    assert read(text).intent == intent


NO_STOPS = (
    *("don't stop the updates", "please do not turn off the notifications", "keep sending me messages"),
    *("no paren los avisos", "não parem os avisos", "n'arrêtez pas les notifications"),
    *("bitte die Benachrichtigungen nicht abschalten", "non fermate gli avvisi", "не отключайте уведомления"),
    *("nie wyłączajcie powiadomień", "bildirimleri kapatmayın", "لا توقفوا الإشعارات"),
    *("别停通知", "不要關閉通知", "通知は止めないで", "알림 끄지 마세요"),
    *("please stop the parcel", "it stopped moving in Leipzig", "can you make it stop at my office"),
    *("the bus stop", "i was at the bus stop when he rang", "the driver stopped by", "die Bushaltestelle"),
    *("la parada de autobús", "o ponto de ônibus", "l'arrêt de bus", "la fermata dell'autobus"),
    *(
        "автобусная остановка",
        "przystanek autobusowy",
        "otobüs durağı",
        "موقف الباص",
        "公交车站",
        "バス停",
        "버스 정류장",
    ),
)
NO_PEOPLE = ("is it made of human hair", "human resources", "a travel agent told me about you", "真人发的假发")


@pytest.mark.parametrize("text", NO_STOPS)
def test_what_only_sounds_like_stop_switches_nothing_off(text: str) -> None:
    assert "notify_off" not in dict(read(text).intents)


@pytest.mark.parametrize("text", NO_PEOPLE)
def test_what_only_sounds_like_a_person_calls_nobody(text: str) -> None:
    assert "human" not in dict(read(text).intents)


@pytest.mark.parametrize(
    ("text", "intent", "words_of"),
    [
        ("gde moya posylka", "wismo", "ru"),
        ("kogda pridet zakaz", "delivery_estimate", "ru"),
        ("hochu otmenit zakaz", "cancel", "ru"),
        ("Bestellung zurueckschicken", "return_refund", "de"),
        ("mein Paeckchen ist beschaedigt", "damaged_missing", "de"),
        ("holaaa", "greeting_thanks", "es"),
        ("訂單取消", "cancel", "zh"),
        ("我嘅包裹幾時到", "delivery_estimate", "zh"),
        ("搵真人", "human", "zh"),
        ("order 1042: 99999, 88888, 10115", "wismo", "en"),
    ],
)
def test_other_spellings_of_a_language_are_read(text: str, intent: str, words_of: str) -> None:
    said = read(text)
    assert (said.intent, said.words_of) == (intent, words_of)


@pytest.mark.parametrize(
    ("text", "yes", "locale"),
    [
        ("sì", True, "it"),
        ("no grazie", False, "it"),
        ("tak", True, "pl"),
        ("nie", False, "pl"),
        ("evet", True, "tr"),
        ("hayır", False, "tr"),
        ("はい、お願いします", True, "ja"),
        ("いいえ", False, "ja"),
        ("네 맞아요", True, "ko"),
        ("아니요", False, "ko"),
    ],
)
def test_yes_and_no(text: str, yes: bool, locale: str) -> None:
    assert read(text, Conversation(CHAT, locale=locale)).yes is yes


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Italian please", "it"),
        ("po polsku proszę", "pl"),
        ("Türkçe konuşalım", "tr"),
        ("日本語でお願いします", "ja"),
        ("한국어로 해 주세요", "ko"),
        ("sprechen Sie Polnisch?", "pl"),
        ("说日语吗", "ja"),
    ],
)
def test_a_language_is_asked_for_by_its_name(text: str, locale: str) -> None:
    assert read(text).asked_locale == locale


def test_han_alone_stays_japanese_in_a_japanese_chat() -> None:
    assert read("返品希望", Conversation(CHAT, locale="ja")).words_of == "ja"
    assert read("返品希望").words_of == "zh"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("numero d'ordine 1042", ("order", "1042")),
        ("numer zamówienia to 1042", ("order", "1042")),
        ("sipariş numaram 1042", ("order", "1042")),
        ("注文番号は1042です", ("order", "1042")),
        ("주문번호는 1042입니다", ("order", "1042")),
        ("kod pocztowy 00-950", ("postcode", "00-950")),
        ("우편번호는 04524입니다", ("postcode", "04524")),
        ("郵便番号は100-0001です", ("postcode", "100-0001")),
        ("CAP 20121", ("postcode", "20121")),
    ],
)
def test_a_number_is_what_its_word_says(text: str, found: tuple[str, str]) -> None:
    assert found in [(e.kind, e.value) for e in read(text).entities]
