"""XML is known by how it begins, and read whatever stands before its markup."""

from codecs import BOM_UTF8

import pytest

from bot.model.xml import is_xml, parse_xml

BARE = b'<Response service="RouteService"><Head>OK</Head></Response>'


@pytest.mark.parametrize(
    "body",
    [
        BARE,
        b"\r\n\t " + BARE,
        BOM_UTF8 + BARE,
        BOM_UTF8 + b"\r\n<?xml version='1.0' encoding='UTF-8'?>" + BARE,
        b"<?xml version='1.0'?>" + BARE,
        BARE.decode().encode("utf-16"),
    ],
)
def test_a_mark_and_white_space_before_the_markup_are_let_be(body: bytes) -> None:
    assert is_xml(body)
    assert parse_xml(body, "SF").text("Head") == "OK"


@pytest.mark.parametrize("body", [b"", b"{}", BOM_UTF8 + b'{"text": "<b>"}', b"[1]", b'"<a/>"', b"a=<b/>"])
def test_what_begins_otherwise_is_none(body: bytes) -> None:
    assert not is_xml(body)
