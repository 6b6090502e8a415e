"""A table as people save one: CSV of any delimiter in any of the usual encodings, with Excel's habits. Pure.

Nobody says in what encoding a file is: a mark at its start may, else UTF-8 is tried, else the bytes tell.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence

LONGEST_RECORD = 50
"""Lines of one record: a quote that is open for longer was never closed."""
DELIMITERS = ",;\t|"
_TITLES = 10
"""Lines looked at for a delimiter: a list may have its title above its headings."""
_HIGH = re.compile(rb"[\x80-\xff]+")
_SHORTENED = re.compile(r"\d[.,]?\d*E\+\d+", re.IGNORECASE)


Record = tuple[int, tuple[str, ...] | None]
"""A record's cells, None where a quote in it is never closed, with the line on which it begins, counted from 1."""


def read_records(raw: bytes) -> list[Record]:
    """The records of a file that hold something; ValueError where it is no text or is empty."""
    # By line ends alone: to `splitlines` a stray separator within a title would be one too.
    lines = list(io.StringIO(decoded(raw), newline=""))
    first = next((n for n, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise ValueError("the file is empty")
    told = re.fullmatch(r"sep=(.)\s*", lines[first])  # Excel's own first line
    start = first + 1 if told else first
    delimiter = told[1] if told else _delimiter(lines[start : start + _TITLES])
    return [(line + start, row) for line, row in _records(lines[start:], delimiter) if row is None or any(row)]


def shortened(cell: str) -> bool:
    """Whether a spreadsheet wrote a long number as 1.23E+17: its digits are lost."""
    return _SHORTENED.fullmatch(cell) is not None


def _delimiter(lines: Sequence[str]) -> str:
    line = next((line for line in lines if any(d in line for d in DELIMITERS)), "")
    return max(DELIMITERS, key=line.count)


def _records(lines: Sequence[str], delimiter: str) -> Iterator[Record]:
    mark = re.escape(delimiter)
    closed = re.compile(rf'(?:(?<={mark})|^)\s*"(?:[^"]|"")*"(?=\s*(?:{mark}|$))')
    opened = re.compile(rf'(?:{mark}|^)\s*"')
    at = 0
    while at < len(lines):
        end, text = at + 1, lines[at]
        while '"' in text and opened.search(closed.sub("", text)):
            if end >= len(lines) or end - at >= LONGEST_RECORD:
                break
            text += lines[end]
            end += 1
        else:
            yield at + 1, _cells(text, delimiter)
            at = end
            continue
        yield at + 1, None
        at += 1


def _cells(text: str, delimiter: str) -> tuple[str, ...] | None:
    try:
        row = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return None
    return tuple(cell.strip().replace("\x00", "") for cell in row)


def decoded(raw: bytes) -> str:
    """The text of a file; ValueError where it is none."""
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ValueError("this is a spreadsheet and no CSV; save it as CSV (UTF-8) and import that")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    begin = raw[:4096]
    for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):  # without the mark that says so
        if begin[place::2].count(0) > len(begin) / 4:
            return raw.decode(encoding, "replace")
    if begin.count(0) > len(begin) / 100:
        raise ValueError("this is no text file; save it as CSV")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode(_encoding(raw), "replace")


def _encoding(raw: bytes) -> str:
    """Which of the old encodings a text is in, by how its bytes above 127 stand together.

    Chinese comes in pairs, Cyrillic in words, and the accents of Western Europe mostly one by one.
    """
    runs = [len(run) for run in _HIGH.findall(raw)]
    if all(n % 2 == 0 for n in runs) or sum(n % 2 for n in runs) < len(runs) / 20:
        return "gb18030"
    return "cp1251" if sum(runs) / len(runs) > 2 else "cp1252"
