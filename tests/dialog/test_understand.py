"""What the words of eight languages are taken to mean; sentences of our own, none of them training material."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialog.decide import ACT
from bot.dialog.entities import entities
from bot.dialog.turn import Understanding
from bot.dialog.understand import understand
from bot.model.conversations import Conversation
from bot.model.messages import Address, Choice, Inbound
from bot.tracking.numbers import candidates, gs1, not_tracked_through, s10
from tests.house import LEXICON, MODEL

CHAT = Address("test", "shop", "anna")


def read(text: str, record: Conversation | None = None) -> Understanding:
    heard = Inbound("1", datetime(2026, 11, 24, tzinfo=UTC), CHAT, text=text)
    return understand([heard], record or Conversation(CHAT), LEXICON, MODEL, "DE")


def kinds(text: str) -> list[tuple[str, str]]:
    return [(e.kind, e.value) for e in entities(text, LEXICON)[0]]


SENTENCES = (
    ("wismo", "where is my order 1042?"),
    ("wismo", "hi, wheres my package"),
    ("wismo", "Any update on #1042"),
    ("wismo", "it hasn't arrived yet"),
    ("delivery_estimate", "When will it arrive?"),
    ("delivery_estimate", "how long does shipping take"),
    ("stalled", "my parcel hasn't moved in two weeks"),
    ("stalled", "why is it stuck in Shanghai"),
    ("customs", "why do i have to pay customs"),
    ("not_received", "it says delivered but i didn't get anything"),
    ("not_received", "marked as delivered, nothing here"),
    ("damaged_missing", "the box was crushed and the mug is broken"),
    ("damaged_missing", "one item is missing from my package"),
    ("packing_list", "what is in my parcel?"),
    ("change_address", "i need to change the delivery address"),
    ("cancel", "please cancel my order"),
    ("return_refund", "i want my money back"),
    ("received", "I received it, thanks"),
    ("received", "it came, all good"),
    ("human", "talk to a human"),
    ("human", "can I speak with someone"),
    ("notify_off", "stop"),
    ("notify_off", "stop sending me messages"),
    ("notify_on", "let me know when it ships"),
    ("language", "English please"),
    ("greeting_thanks", "thanks!"),
    ("greeting_thanks", "hello"),
    ("help", "help"),
    ("other", "do you have this in blue?"),
    ("wismo", "¿Dónde está mi pedido 1042?"),
    ("delivery_estimate", "cuándo llega mi paquete"),
    ("stalled", "mi paquete está parado desde hace semanas"),
    ("customs", "tengo que pagar aduana?"),
    ("not_received", "dice entregado pero no he recibido nada"),
    ("damaged_missing", "llegó roto"),
    ("change_address", "quiero cambiar la dirección de entrega"),
    ("cancel", "quiero cancelar mi pedido"),
    ("return_refund", "quiero que me devuelvan el dinero"),
    ("human", "quiero hablar con una persona"),
    ("received", "ya me llegó, gracias"),
    ("notify_off", "no me envíen más mensajes"),
    ("wismo", "Wo ist mein Paket?"),
    ("delivery_estimate", "Wann kommt meine Bestellung an?"),
    ("stalled", "Die Sendung bewegt sich seit Tagen nicht"),
    ("not_received", "Laut Status zugestellt, aber ich habe nichts bekommen"),
    ("damaged_missing", "Die Tasse ist kaputt angekommen"),
    ("customs", "Muss ich Zoll bezahlen?"),
    ("change_address", "Ich möchte die Adresse ändern"),
    ("human", "Ich will mit einem Menschen sprechen"),
    ("cancel", "Bestellung stornieren bitte"),
    ("wismo", "où est ma commande ?"),
    ("delivery_estimate", "quand est-ce que mon colis arrive"),
    ("not_received", "indiqué livré mais je n'ai rien reçu"),
    ("return_refund", "je veux un remboursement"),
    ("human", "je veux parler à quelqu'un"),
    ("change_address", "je voudrais changer l'adresse de livraison"),
    ("damaged_missing", "le colis est arrivé abîmé"),
    ("wismo", "cadê meu pedido?"),
    ("delivery_estimate", "quando chega minha encomenda"),
    ("stalled", "meu pacote está parado em Curitiba"),
    ("customs", "preciso pagar taxa na alfândega?"),
    ("not_received", "consta como entregue mas não recebi"),
    ("human", "quero falar com um atendente"),
    ("wismo", "где мой заказ 1042"),
    ("delivery_estimate", "когда придет посылка"),
    ("stalled", "посылка застряла, не двигается"),
    ("customs", "нужно платить пошлину?"),
    ("not_received", "написано доставлено, но я ничего не получил"),
    ("damaged_missing", "пришла разбитая кружка"),
    ("human", "хочу поговорить с оператором"),
    ("received", "я получил посылку, спасибо"),
    ("cancel", "отмените заказ"),
    ("wismo", "我的订单1042到哪了"),
    ("delivery_estimate", "什么时候能到"),
    ("stalled", "物流一直不更新"),
    ("customs", "要交关税吗"),
    ("not_received", "显示已签收但我没收到"),
    ("damaged_missing", "东西坏了"),
    ("human", "转人工"),
    ("cancel", "我要取消订单"),
    ("return_refund", "我要退款"),
    ("change_address", "帮我改一下地址"),
    ("received", "收到了,谢谢"),
    ("packing_list", "包裹里面有什么"),
    ("wismo", "أين طلبي 1042؟"),
    ("delivery_estimate", "متى يصل الطرد"),
    ("stalled", "الشحنة متوقفة منذ أسبوع"),
    ("customs", "هل يجب أن أدفع رسوم الجمارك؟"),
    ("not_received", "مكتوب تم التسليم لكن لم أستلم شيئا"),
    ("human", "أريد التحدث مع موظف"),
    ("cancel", "أريد إلغاء الطلب"),
    ("return_refund", "أريد استرداد المال"),
    ("greeting_thanks", "Hola"),
    ("greeting_thanks", "danke"),
    ("wismo", "1042"),
    ("other", "do you ship to Canada?"),
    ("other", "do you have size M"),
    ("other", "what payment methods do you accept"),
    ("other", "is this store legit"),
    ("other", "how much is shipping"),
    ("other", "I want to buy 3 of these"),
    ("other", "can I get a discount code"),
    ("other", "how do I reset my password"),
    ("other", "what's the weather today"),
    ("other", "lol ok so anyway"),
    ("other", "is the blue one in stock"),
    ("other", "my card was declined"),
    ("other", "asdf qwer"),
    ("other", "¿tienen talla M?"),
    ("other", "¿hacen envíos a Chile?"),
    ("other", "cuánto cuesta"),
    ("other", "haben Sie das in Rot?"),
    ("other", "Welche Zahlungsarten gibt es?"),
    ("other", "avez-vous ce modèle en rouge ?"),
    ("other", "comment créer un compte"),
    ("other", "есть ли скидка"),
    ("other", "какие способы оплаты"),
    ("other", "有蓝色的吗"),
    ("other", "可以用支付宝吗"),
    ("other", "هل لديكم خصم"),
    ("other", "vocês vendem no atacado?"),
    ("wismo", "track my parcel"),
    ("wismo", "what's the status of my order"),
    ("wismo", "has my order shipped yet?"),
    ("wismo", "Can you check my order please"),
    ("stalled", "my order is late"),
    ("stalled", "this is taking forever"),
    ("stalled", "still waiting for my parcel after 3 weeks"),
    ("stalled", "I think my package is lost"),
    ("not_received", "I never received my package"),
    ("not_received", "neighbor says he doesn't have it and it says delivered"),
    ("customs", "customs asked for documents"),
    ("customs", "do I have to pay import tax"),
    ("packing_list", "what did I order again?"),
    ("packing_list", "can you send the packing list"),
    ("change_address", "I moved, can you send it to my new address"),
    ("change_address", "wrong address on my order"),
    ("cancel", "I don't want it anymore"),
    ("return_refund", "how do I return this"),
    ("return_refund", "I'd like to exchange for a larger size"),
    ("damaged_missing", "wrong item received"),
    ("damaged_missing", "you sent me the wrong color"),
    ("damaged_missing", "the box was empty"),
    ("human", "agent"),
    ("human", "I want to make a complaint"),
    ("human", "customer service please"),
    ("notify_off", "unsubscribe"),
    ("notify_off", "don't message me"),
    ("notify_on", "notify me about changes"),
    ("language", "can you speak Spanish?"),
    ("language", "habla español?"),
    ("received", "Package arrived safely, you can close this"),
    ("delivery_estimate", "will it arrive before Christmas?"),
    ("delivery_estimate", "ETA?"),
    ("wismo", "Is there any update on 77120, thank you"),
    ("greeting_thanks", "ok"),
    ("greeting_thanks", "👍"),
)


@pytest.mark.parametrize(("intent", "text"), SENTENCES, ids=[t for _, t in SENTENCES])
def test_a_sentence_means_what_its_writer_meant(intent: str, text: str) -> None:
    assert read(text).intent == intent


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("where is my order 1042?", [("order", "1042")]),
        ("#1042", [("order", "1042")]),
        ("1042", [("number", "1042")]),
        ("my number is +1 415 555 0100, zip 94107", [("phone", "+1 415 555 0100"), ("postcode", "94107")]),
        ("90210 is my zip", [("postcode", "90210")]),
        (
            "I paid $1299.00 on 2026-10-01 for order 4455",
            [("money", "$1299.00"), ("date", "2026-10-01"), ("order", "4455")],
        ),
        ("订单号：20261042 邮编 510000", [("order", "20261042"), ("postcode", "510000")]),
        ("رقم الطلب ١٠٤٢", [("order", "1042")]),
        ("ORD-10422 and RR123456785CN", [("order", "ORD-10422"), ("tracking", "RR123456785CN")]),
        ("1Z 999 AA1 01 2345 6784", [("tracking", "1Z999AA10123456784")]),
        ("see https://example.org/track?n=RR123456785CN", [("tracking", "RR123456785CN")]),
        ("is it jane.doe+x@example.co.uk", [("email", "jane.doe+x@example.co.uk")]),
        ("SW1A 1AA", [("postcode", "SW1A 1AA")]),
        ("no numbers here", []),
        ("order 42 where is it", [("order", "42")]),
        ("订单42", [("order", "42")]),
        ("where is #7?", [("order", "7")]),
        ("№1042", [("order", "1042")]),
        ("order1042", [("order", "1042")]),
        ("order 3 more please", []),
        ("order 2 weeks ago", []),
        ("заказ 3 недели назад", []),
        ("you guys are #1", []),
        ("orders 1042, 1043 and 1050", [("order", "1042"), ("order", "1043"), ("order", "1050")]),
        ("order 1042, 10115", [("order", "1042"), ("number", "10115")]),
        ("1042 or 1043", [("number", "1042"), ("number", "1043")]),
        ("１０４２", [("number", "1042")]),
        ("06 12 34 56 78", [("phone", "06 12 34 56 78")]),
        ("07700 900123", [("phone", "07700 900123")]),
        ("8 (912) 345-67-89", [("phone", "8 (912) 345-67-89")]),
        ("138 1234 5678", [("phone", "138 1234 5678")]),
        ("11 91234-5678", [("phone", "11 91234-5678")]),
        ("612 34 56 78", [("phone", "612 34 56 78")]),
        ("090-1234-5678", [("phone", "090-1234-5678")]),
        ("13812345678", [("number", "13812345678"), ("phone", "13812345678")]),
        ("00340434161094022115", [("number", "00340434161094022115"), ("tracking", "00340434161094022115")]),
        ("LB 123 456 785 HK", [("tracking", "LB123456785HK")]),
        ("111 22", [("postcode", "111 22")]),
        ("560 001", [("postcode", "560 001")]),
        ("D04 X285", [("postcode", "D04 X285")]),
        ("1012 ab", [("postcode", "1012 ab")]),
        ("SE-111 22", [("postcode", "111 22"), ("number", "SE-111 22")]),
        ("AD500", [("postcode", "AD500"), ("number", "AD500")]),
        ("where's 114-1234567-1234567?", [("order", "114-1234567-1234567")]),
        ("pedidos 1042 y 1043", [("order", "1042"), ("order", "1043")]),
        ("الطلبات 1042 و 1043", [("order", "1042"), ("order", "1043")]),
        ("pedido n.º 1042", [("order", "1042")]),
        ("CEP 01310-100", [("postcode", "01310-100")]),
        ("买了300块钱", [("money", "300块钱")]),
        ("120x60 cm, 5000 mAh, 100% cotton", []),
        ("customer since 2023", [("date", "since 2023")]),
    ],
)
def test_numbers_are_taken_for_what_they_are(text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(text) == found


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Wo bleibt mein Paket?", "de"),
        ("¿Dónde está mi pedido?", "es"),
        ("cadê minha encomenda?", "pt"),
        ("où est mon colis", "fr"),
        ("где посылка", "ru"),
        ("快递到哪了", "zh"),
        ("أين طلبي", "ar"),
        ("where is my parcel", "en"),
        ("1042", ""),
        ("ok", ""),
        ("荷物はどこですか", "ja"),
        ("배송 언제 오나요", "ko"),
        ("dov'è il mio pacco", "it"),
        ("gdzie jest moja paczka", "pl"),
        ("kargom nerede kaldı", "tr"),
        ("कहाँ है", ""),
    ],
)
def test_the_language_is_told_where_it_shows(text: str, locale: str) -> None:
    assert read(text).locale == locale


def test_an_offered_choice_is_picked_by_its_number_or_its_title() -> None:
    record = Conversation(CHAT, offered=(Choice("yes", "Yes"), Choice("i:human", "Talk to a person")))
    assert read("2", record).choice == "i:human"
    assert read("talk to a PERSON", record).choice == "i:human"
    assert read("3", record).choice is None


@given(st.text(max_size=200))
def test_no_text_makes_it_fall_over(text: str) -> None:
    read(text)


def test_check_digits() -> None:
    assert s10("473124829")
    assert gs1("00340434161094022115")
    assert candidates("1Z999AA10123456784")[0].valid is True
    assert candidates("1Z999AA10123456785")[0].valid is False
    assert candidates("HELLO") == ()


@pytest.mark.parametrize(
    ("carrier", "number", "ordinary"),
    [("china-post", "UA000000005CN", True), ("china-post", "123456789", True), ("china-post", "RB123456785CN", False)],
)
def test_an_ordinary_small_packet_is_known_by_its_number(carrier: str, number: str, ordinary: bool) -> None:
    assert not_tracked_through(carrier, number) is ordinary
    assert not not_tracked_through("tnt", "123456789")


@pytest.mark.parametrize(
    ("intent", "text"),
    [
        ("notify_off", "unsubscribe me from these shipping updates please, the parcel arrived long ago"),
        ("notify_off", "no quiero recibir más avisos del envío de mi paquete"),
        ("notify_off", "I don't want to receive any more notifications about the delivery of my order"),
        ("notify_off", "I no longer wish to be notified about this order"),
        ("notify_off", "我不想再收到关于订单的通知了"),
        ("notify_off", "لا أريد المزيد من الرسائل عن طلبي"),
        ("human", "where is my order? I want to speak to an agent now"),
        ("human", "I need to talk to a real person about my package being lost since last month"),
        ("human", "je veux parler à quelqu'un, mon colis est perdu depuis trois semaines"),
    ],
)
def test_a_stop_and_a_person_asked_for_stand_whatever_the_message_is_like(intent: str, text: str) -> None:
    assert read(text).intent == intent


def test_who_is_tired_of_waiting_and_asks_to_be_told_stops_nothing() -> None:
    assert read("please notify me, I don't want to wait anymore").intent != "notify_off"
    assert read("i no longer want to wait, notify me when it ships").intent != "notify_off"


@pytest.mark.parametrize(
    "text",
    [
        "tell me why the courier lies about the attempt",
        "keep the package at the post office please",
        "did you notify the courier that the address changed",
    ],
)
def test_nobody_has_consented_or_received_it_because_their_words_are_like_it(text: str) -> None:
    (intent, score), *_ = read(text).intents
    assert intent not in {"notify_on", "received"} or score < ACT
