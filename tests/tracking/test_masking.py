"""What is covered in a scan's text, and what must stay readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tracking.masking import mask


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("【义乌市】已收寄,揽投员:王小明,联系电话:13812345678", ["王小明", "13812345678"]),
        ("投递员李强 电话 138-1234-5678 正在派件", ["李强", "138-1234-5678"]),
        ("快递员【赵六】手机号[+86 138 1234 5678]", ["赵六", "138 1234 5678"]),
        ("Out for delivery. Courier: Ivan Petrov, phone +7 912 345-67-89", ["Ivan", "Petrov", "912"]),
        ("Signed for by: J SMITH", ["SMITH"]),
        ("Signed by Maria O'Neill at front desk", ["Maria", "O'Neill"]),
        ("Your driver John Doe (212) 555-0142 is close", ["John", "Doe", "555-0142"]),
        ("Курьер: Иван Петров, тел. 8 912 345 67 89", ["Иван", "Петров", "345"]),
        ("Entregador: João Silva, telefone: 11 91234-5678", ["João", "Silva", "91234"]),
        ("签收人:张三", ["张三"]),
        ("快件已由[张三]签收", ["张三"]),
        ("已签收，他人代收：门卫 王五", ["王五"]),
        ("派送员[李四]的电话是13800138000", ["李四", "13800138000"]),
        ("业务员王五(13800138000)", ["王五", "13800138000"]),
        ("Signed by: john smith", ["john", "smith"]),
        ("Zugestellt an: MEIER", ["MEIER"]),
        ("Left with neighbour: Frau Schmidt", ["Schmidt"]),
        ("Delivered to JOHN SMITH", ["JOHN", "SMITH"]),
        ("Signature: J DOE", ["DOE"]),
        ("Livré à M. DUPONT", ["DUPONT"]),
        ("Entregado a: JUAN PEREZ", ["JUAN", "PEREZ"]),
        ("Recebedor: MARIA SILVA", ["MARIA", "SILVA"]),
        ("Сдано: Иванов И.И.", ["Иванов"]),
        ("Получено адресатом Петров", ["Петров"]),
        ("Abgegeben bei Nachbar Müller", ["Müller"]),
        ("Package handed to neighbor MARTINEZ at 12 Main St", ["MARTINEZ"]),
        ("Kurier: Jan Kowalski 600 700 800", ["Kowalski", "600 700 800"]),
        ("快遞員：陳大文，電話：91234567", ["陳大文", "91234567"]),
        ("已妥投,收发室 李阿姨 签收", ["李"]),
        ("Передано курьеру Кузнецову Олегу (+7 (495) 123-45-67)", ["Кузнецову", "123-45-67"]),
        ("Received by: Anna-Maria de la Cruz", ["Anna", "Cruz"]),
        ("Recebido por: José da Silva", ["José", "Silva"]),
        ("Call your driver at 555-0199", ["555-0199"]),
        ("Contact courier on 07700 900123", ["900123"]),
        ("POD: J.DOE", ["DOE"]),
        ("Getekend door: JANSEN", ["JANSEN"]),
        ("Firmato da: BIANCHI", ["BIANCHI"]),
        ("Teslim alan: Ahmet Yılmaz", ["Ahmet", "Yılmaz"]),
        ("受取人：田中太郎", ["田中太郎"]),
        ("배송기사 김철수(010-1234-5678)", ["김철수", "1234-5678"]),
        ("Left with neighbour at no 12, Mrs Thompson", ["Thompson"]),
        ("Delivered to door of MR K BROWN", ["BROWN"]),
        ("Bezorgd bij de heer Jansen", ["Jansen"]),
        ("Consignee: JANE DOE refused", ["JANE", "DOE"]),
        ("Receiver: Li Wei", ["Li", "Wei"]),
        ("Signature obtained from Hoffmann", ["Hoffmann"]),
        ("Write to john.smith@example.com for access", ["john.smith", "example.com"]),
    ],
)
def test_names_and_phone_numbers_are_covered(text: str, secrets: list[str]) -> None:
    shown = mask(text)
    assert "***" in shown
    assert [s for s in secrets if s in shown] == []


@pytest.mark.parametrize(
    "text",
    [
        "Departed facility ISC NEW YORK NY(USPS) 2026-10-14 04:20",
        "Handed to partner, new number 9400111899223100001234",
        "已转单,单号为 LW123456785CN",
        "到达【上海国际交换站】",
        "Delivered, front door, 10118 NEW YORK",
        "Consignment 123456789 arrived at hub 42",
        "Package SF1234567890123 released by customs",
        "Delivered to PARCEL LOCKER",
        "Delivered to the agent",
        "由本人签收",
        "由丰巢代签收",
        "Livré à Paris",
        "Вручено адресату",
        "投递员正在派送",
        "由中国邮政派送",
        "签收人：本人",
        "Received by Deutsche Post",
        "Agent Processing",
        "Recipient Not Available",
        "Driver en route",
        "Consignee: not available",
        "Arrived at JACKSON MS UNITED STATES",
        "Delivered to 12 OAK DR, SPRINGFIELD",
        "",
    ],
)
def test_places_dates_and_numbers_of_parcels_stay(text: str) -> None:
    assert mask(text) == text


@given(st.text())
def test_masking_takes_any_text_and_a_second_time_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("正在派送途中(派件人:张三,电话:13800000000)", ("张三", "13800000000")),
        ("【常熟】的王翔（13800000000）正在第1次派件", ("王翔", "13800000000")),
        ("快件由李小明派送，请保持电话畅通", ("李小明",)),
        ("已签收，寄件人：赵六", ("赵六",)),
    ],
)
def test_whoever_carries_it_in_china_is_covered_too(text: str, hidden: tuple[str, ...]) -> None:
    assert not any(word in mask(text) for word in hidden)
