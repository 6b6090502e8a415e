"""Orders from CSV files as shops export them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.shops.csvfile import RowError, fields, guess_columns, load, orders
from bot.model.orders import Order

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def read(folder: Path, text: str, encoding: str = "utf-8") -> list[Order | RowError]:
    path = folder / "orders.csv"
    path.write_bytes(text.encode(encoding))
    table = load(path)
    return list(orders(table, guess_columns(table), NOW))


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
    list(orders(table, guess_columns(table) | {"number": table.header[0]}, NOW))
