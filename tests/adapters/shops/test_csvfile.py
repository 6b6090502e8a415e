"""Orders from CSV files as shops export them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.shops.csvfile import RowError, dates, fields, guess_columns, load, orders
from bot.model.orders import Order
from bot.model.shortdates import Style, usual

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def read(folder: Path, text: str, encoding: str = "utf-8") -> list[Order | RowError]:
    path = folder / "orders.csv"
    path.write_bytes(text.encode(encoding))
    table = load(path)
    return list(orders(table, guess_columns(table), NOW, {}))


def test_a_shop_export_with_several_rows_an_order(tmp_path: Path) -> None:
    text = (
        "Name,Email,Shipping Zip,Shipping Country,Lineitem name,Lineitem quantity,Created at\n"
        "#5001,a@example.org,'10115,DE,Lamp,2,2026-11-01 10:00:00 +0800\n#5001,,,,Cable,1,\n"
        "#5002,b@example.org,1,US,Cup,1,\n"
    )
    one, two = read(tmp_path, text)
    assert isinstance(one, Order)
    assert isinstance(two, Order)
    assert (one.number, one.postcode, [i.title for i in one.items]) == ("5001", "10115", ["Lamp", "Cable"])
    assert one.placed_at == datetime(2026, 11, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_chinese_headings_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    (order,) = read(
        tmp_path, "订单号\t收货人\t邮编\t国家\t商品\t运单号\nA1042\t王芳\t510000\t中国\t台灯\tRB123456785CN\n", encoding
    )
    assert isinstance(order, Order)
    assert (order.number, order.name, order.country) == ("A1042", "王芳", "CN")
    assert (order.parcels[0].number, order.parcels[0].carrier) == ("RB123456785CN", "china-post")


def test_a_bad_row_is_told_with_its_line_and_the_others_are_kept(tmp_path: Path) -> None:
    text = (
        'order;title;quantity;country\n1001;"Scarf\ngrey";1;US\n'
        "1002;Cup;many;US\n;Cup;1;US\n1004;Cup;1;Atlantis\n1005;Cup;2;Brasil\n"
    )
    found = read(tmp_path, text)
    assert [o.number for o in found if isinstance(o, Order)] == ["1001", "1005"]
    assert [(e.line, e.column) for e in found if isinstance(e, RowError)] == [
        (4, "quantity"),
        (5, "order"),
        (6, "country"),
    ]


def test_what_stands_below_a_strange_heading_tells_what_it_is(tmp_path: Path) -> None:
    (order,) = read(tmp_path, "order,x,y\n1001,a@example.org,+49 151 12340000\n")
    assert isinstance(order, Order)
    assert (order.email, order.phone) == ("a@example.org", "+49 151 12340000")


def test_every_field_has_headings() -> None:
    assert {"number", "email", "tracking", "accessories"} <= set(fields())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.binary(max_size=400))
def test_no_file_makes_it_fall_over(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(raw)
    try:
        table = load(path)
    except ValueError:
        return
    columns = guess_columns(table) | {"number": table.header[0]}
    found = dates(table, columns, NOW)
    list(orders(table, columns, NOW, {f: d.styles[0] if d.styles else None for f, d in found.items()}))


@pytest.mark.parametrize(
    ("encoding", "country", "name", "code"),
    [
        ("cp1252", "Österreich", "Jürgen Groß", "AT"),
        ("cp1252", "España", "José Muñoz", "ES"),
        ("cp1251", "Россия", "Анна Иванова", "RU"),
        ("gb18030", "中国", "王芳", "CN"),
        ("utf-8-sig", "Österreich", "Jürgen", "AT"),
    ],
)
def test_old_encodings_are_told_apart(tmp_path: Path, encoding: str, country: str, name: str, code: str) -> None:
    (order,) = read(tmp_path, f"Order,Customer,Country\n1,{name},{country}\n", encoding)
    assert isinstance(order, Order)
    assert (order.name, order.country) == (name, code)


def test_a_quote_that_is_never_closed_costs_its_own_row(tmp_path: Path) -> None:
    rows = "".join(f"{n},Cup,1\n" for n in range(100, 200))
    found = read(tmp_path, f'order,product,qty\n1,"Lamp\n big",1\n2,"Cup,1\n3,Screen 5" wide,1\n{rows}')
    assert [f.line for f in found if isinstance(f, RowError)] == [4]
    numbers = [o.number for o in found if isinstance(o, Order)]
    assert numbers == ["1", "3", *(str(n) for n in range(100, 200))]


def test_what_would_shift_or_was_shortened_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, "order,address,zip\n1,Main St 5, Berlin,10115\n2,x,1\n1.2E+11,x,1\n")
    assert [(f.line, f.column) for f in found if isinstance(f, RowError)] == [(2, ""), (4, "order")]


def test_excels_own_first_line_names_the_delimiter(tmp_path: Path) -> None:
    (order,) = read(tmp_path, "sep=;\r\nOrder;Note, long;Zip\r\n7;a,b;10115\r\n")
    assert isinstance(order, Order)
    assert (order.number, order.postcode) == ("7", "10115")


@pytest.mark.parametrize(
    ("content", "words"), [(b"PK\x03\x04rest", "spreadsheet"), (b"\x00\x01\x02x,y", "no text"), (b" \n\n", "empty")]
)
def test_what_is_no_csv_is_told_plainly(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load(path)


def test_an_opt_in_is_as_old_as_its_order_however_often_the_file_is_imported(tmp_path: Path) -> None:
    text = "order,created at,consent,accepts marketing\n1,2026-11-01 10:00:00 +0000,yes,no\n2,,yes,no\n3,,no,yes\n"
    dated, undated, none = read(tmp_path, text)
    assert isinstance(dated, Order)
    assert isinstance(undated, Order)
    assert isinstance(none, Order)
    assert [c.at for c in dated.consent] == [datetime(2026, 11, 1, 10, tzinfo=UTC)]
    assert [c.at for c in undated.consent] == [datetime(1970, 1, 1, tzinfo=UTC)]
    assert none.consent == ()


def read_dates(folder: Path, country: str, *written: str) -> list[str]:
    """How the dates of a file are read, or that they are refused, or that somebody must be asked."""
    path = folder / "orders.csv"
    path.write_text("order;order date\n" + "".join(f"A{n};{text}\n" for n, text in enumerate(written)))
    table = load(path)
    columns = guess_columns(table)
    styles: dict[str, Style | None] = {}
    for field, found in dates(table, columns, NOW).items():
        if len(found.styles) > 1 and Style.YEAR in found.styles:
            return [f"asked: {', '.join(found.styles)}"]
        styles[field] = usual(country) if len(found.styles) > 1 else next(iter(found.styles), None)
    read = list(orders(table, columns, NOW, styles))
    told = {o.number: f"{o.placed_at:%Y-%m-%d %H:%M}" for o in read if isinstance(o, Order) and o.placed_at}
    return [told.get(f"A{n}", "refused") for n in range(len(written))]


@pytest.mark.parametrize(
    ("country", "written", "read_as"),
    [
        ("DE", ["03/04/2026"], ["2026-04-03 00:00"]),
        ("US", ["03/04/2026"], ["2026-03-04 00:00"]),
        ("DE", ["11/13/2026", "03/04/2026"], ["2026-11-13 00:00", "2026-03-04 00:00"]),
        ("US", ["13/11/2026", "03/04/2026"], ["2026-11-13 00:00", "2026-04-03 00:00"]),
        ("US", ["13/11/2026", "11/13/2026", "03/04/2026"], ["2026-11-13 00:00", "2026-11-13 00:00", "refused"]),
        ("US", ["11/1/26 9:05 PM", "11/1/2026 12:30 AM"], ["2026-11-01 21:05", "2026-11-01 00:30"]),
        ("DE", ["1.11.2026 09:05", "2026/11/1 9:05:10"], ["2026-11-01 09:05", "2026-11-01 09:05"]),
        ("DE", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00", "46338"], ["refused"] * 3),
        ("DE", ["Nov 1, 2026", "2026-11-01 10:00:00 +0800"], ["2026-11-01 00:00", "2026-11-01 02:00"]),
        ("DE", ["26-11-24"], ["asked: day first, year first"]),
        ("DE", ["26-11-24", "26-10-31"], ["2026-11-24 00:00", "2026-10-31 00:00"]),
        ("DE", ["26-11-24", "26. 2. 3."], ["asked: day first, year first"]),
        ("DE", ["26-11-24", "1-11-24"], ["2024-11-26 00:00", "2024-11-01 00:00"]),
        ("KR", ["26. 11. 24.", "26. 9. 30."], ["2026-11-24 00:00", "2026-09-30 00:00"]),
        ("US", ["11/24/26", "11/12/26"], ["2026-11-24 00:00", "2026-11-12 00:00"]),
        ("DE", ["12.05.2026", "12.11.2026", "99.99.2026"], ["2026-05-12 00:00", "2026-11-12 00:00", "refused"]),
        ("US", ["12/05/2026", "12/11/2026"], ["2026-05-12 00:00", "2026-11-12 00:00"]),
    ],
)
def test_a_day_is_read_as_its_column_and_the_country_write_it(
    tmp_path: Path, country: str, written: list[str], read_as: list[str]
) -> None:
    assert read_dates(tmp_path, country, *written) == read_as


def test_a_column_that_does_not_tell_is_read_as_the_other_dates_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("order;order date;ship date;note\n1;26-11-05;26-11-06;x\n2;26-11-05;26-10-31;y\n")
    table = load(path)
    found = dates(table, guess_columns(table), NOW)
    assert {d.heading: d.styles for d in found.values()} == {"order date": (Style.YEAR,), "ship date": (Style.YEAR,)}


def test_good_rows_are_kept_beside_the_oddest(tmp_path: Path) -> None:
    text = (
        "order,title,email\n1,A\u2028B\x0b,\n2,"
        + "x" * 200_000
        + ",\n"
        + "9" * 101
        + ",C,\n---,D,\n3,E\x00F,\n3,E\x00F,\n"
    )
    found = read(tmp_path, text)
    good = [o for o in found if isinstance(o, Order)]
    assert [(o.number, [i.title for i in o.items]) for o in good] == [("1", ["A\u2028B"]), ("3", ["EF"])]
    assert [e.line for e in found if isinstance(e, RowError)] == [3, 4, 5]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_excels_own_encoding_is_known_without_its_mark(tmp_path: Path, encoding: str) -> None:
    (order,) = read(tmp_path, "Order,Email\n1001,a@example.org\n", encoding)
    assert isinstance(order, Order)


def test_a_file_without_headings_loses_no_order_to_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no headings"):
        read(tmp_path, "1001,a@example.org,DE\n1002,b@example.org,DE\n")
