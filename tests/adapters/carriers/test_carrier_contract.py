"""What every source keeps: a raw body nobody here wrote is tracks or one clear error, and no code flatters."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adapters.carriers
from bot.cli.tracking import described
from bot.model.codes import codes
from bot.model.parcels import Parcel
from bot.model.tracks import OffsetFrom, Status, Track
from bot.tracking.timeline import apply
from bot.tracking.vocabulary import known, terminal

RECORDED = Path(__file__).parents[2] / "recorded/carriers"
TABLES = Path(adapters.carriers.__path__[0])
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SOURCES = [m.name for m in pkgutil.iter_modules(adapters.carriers.__path__)]
Read = Callable[[bytes], list[Track]]

ODD = st.sampled_from(
    [
        "\ud800",
        "\x00\x1b[31m",
        "20261124 101500",
        "1764000000000",
        1764000000,
        "0001-01-01",
        "9999-12-31T23:59:59Z",
        1e308,
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def reader(source: str) -> Read:
    read: Read = importlib.import_module(f"adapters.carriers.{source}").read
    return read


def bodies(source: str) -> Iterator[Path]:
    yield from (f for f in (RECORDED / source).glob("*") if f.suffix in {".json", ".xml", ".csv"})


def judged(read: Read, body: bytes) -> list[Track]:
    """The tracks, each of which can be applied; empty where the body is refused in the one way that is allowed."""
    tracks: list[Track] = []
    with suppress(ValueError):
        tracks = read(body)
    for track in tracks:
        parcel, _ = apply(Parcel(1, 1, "", track.number), track, NOW)
        assert known(parcel.status, parcel.cause)
    assert msgspec.json.encode([described(track, NOW) for track in tracks])
    return tracks


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from paths(part, (*at, key))


def broken(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = broken(value[path[0]], path[1:], by)
    return copy


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_has_recordings_of_ours_and_reads_them(source: str) -> None:
    assert (RECORDED / source / "README.md").exists()
    assert any(judged(reader(source), file.read_bytes()) for file in bodies(source))


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_body_broken_anywhere_is_tracks_or_one_clear_error(source: str, data: st.DataObject) -> None:
    whole = [json.loads(f.read_text()) for f in bodies(source) if f.suffix == ".json"]
    if not whole:
        return
    body = data.draw(st.sampled_from(whole))
    path = data.draw(st.sampled_from(list(paths(body))))
    judged(reader(source), json.dumps(broken(body, path, data.draw(JSON))).encode())


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_body_with_bytes_changed_is_tracks_or_one_clear_error(source: str, data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([f.read_bytes() for f in bodies(source)])))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    judged(reader(source), bytes(body))


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"0", b"\xff\xfe", b"[" * 99_999, b"<a/>", b"<" * 9_999, BOMB, b"9" * 9_999],
    ids=range(11),
)
def test_nonsense_is_a_clear_error(source: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w") as raised:
        reader(source)(body)
    assert type(raised.value) is ValueError
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_body_twice_is_the_same_timeline(source: str) -> None:
    for file in bodies(source):
        for track in judged(reader(source), file.read_bytes()):
            once, _ = apply(Parcel(1, 1, "", track.number), track, NOW)
            assert apply(once, track, NOW)[0] == once


@pytest.mark.parametrize("source", SOURCES)
def test_an_instant_is_told_from_a_guess(source: str) -> None:
    for file in bodies(source):
        for scan in (s for t in judged(reader(source), file.read_bytes()) for s in t.scans):
            assert scan.at is None or scan.at.tzinfo is UTC
            assert scan.local is None or scan.local.tzinfo is None
            if scan.at is not None and scan.local is not None and scan.offset_from is OffsetFrom.UNKNOWN:
                assert scan.at.replace(tzinfo=None) == scan.local


@pytest.mark.parametrize("source", SOURCES)
def test_a_code_that_no_table_has_ends_no_journey(source: str) -> None:
    for file in bodies(source):
        for scan in (s for t in judged(reader(source), file.read_bytes()) for s in t.scans):
            assert scan.known or not terminal(scan.status, scan.cause) or scan.status is Status.DELIVERED


@pytest.mark.parametrize(
    "table", sorted(f.stem for f in TABLES.glob("*.csv") if f.read_text().startswith("code,status,cause"))
)
def test_a_table_speaks_the_one_vocabulary_and_names_its_source(table: str) -> None:
    assert all(known(c.status, c.cause) for c in codes(table).values())
    for line in (TABLES / f"{table}.csv").read_text().splitlines()[1:]:
        assert line.rstrip(",").count(",") >= 3, line
