"""SQLAlchemy's statements run straight on sqlite3, for the hot path.

A message costs some fifteen statements, and SQLAlchemy's own execution of one (cache key, context, cursor, result)
takes three to ten times as long as SQLite's. So a Core statement that comes a second time is compiled once to
text, with where each parameter goes and how it is bound; the statements stay the same for both databases.
"""

import re
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, Executable, LargeBinary
from sqlalchemy.sql.compiler import SQLCompiler

_NOTHING = "SELECT NULL WHERE 0"
"""The empty list: nothing is in it, and everything is not in it; of NULL both would be unknown."""
_EXPANDING = re.compile(r"__\[POSTCOMPILE_(\w+)\]")
_VALUES = re.compile(r"VALUES (\((?:\?, )*\?\))")
TOGETHER = 64
"""At most so many rows are inserted by one statement that gives rows back; `executemany` gives none."""
_Converter = Callable[[Any], Any]


class Rows(list[Any]):
    """What a statement gave, with the part of SQLAlchemy's `Result` that the store uses."""

    rowcount = -1

    def all(self) -> "Rows":
        """Every row."""
        return self

    def first(self) -> Any:
        """The first row, or None."""
        return self[0] if self else None

    def scalars(self) -> list[Any]:
        """The first column."""
        return [row[0] for row in self]

    def scalar_one(self) -> Any:
        """The first column of the only row."""
        (row,) = self
        return row[0]


class _Form:
    """A statement compiled for one set of parameter names, its lists of one length each."""

    def __init__(self, statement: Any, dialect: Dialect, names: Sequence[str], sizes: Mapping[str, int]) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=list(names))
        self.sql = _EXPANDING.sub(lambda m: ",".join("?" * sizes[m[1]]) or _NOTHING, compiled.string)
        values = compiled.params
        self._fixed: list[Any] = []
        self._plain: list[tuple[int, str]] = []
        self._converted: list[tuple[int, str, _Converter]] = []
        self._lists: list[tuple[int, str, int, _Converter | None]] = []
        for name in compiled.positiontup or ():
            bind = compiled.binds[name]
            # SQLite takes bytes as they are; SQLAlchemy would wrap each in a view.
            raw = isinstance(bind.type, LargeBinary)
            convert = None if raw else bind.type.dialect_impl(dialect).bind_processor(dialect)
            place = len(self._fixed)
            if name in sizes:
                self._lists.append((place, name, sizes[name], convert))
                self._fixed += [None] * sizes[name]
            elif name in names:
                if convert is None:
                    self._plain.append((place, name))
                else:
                    self._converted.append((place, name, convert))
                self._fixed.append(None)
            else:
                self._fixed.append(convert(values[name]) if convert else values[name])
        self._read(statement, dialect)

    def _read(self, statement: Any, dialect: Dialect) -> None:
        columns = list(statement.exported_columns) if hasattr(statement, "exported_columns") else []
        self.returns = bool(columns)
        row: Any = namedtuple("row", [c.key for c in columns], rename=True)  # type: ignore[misc]
        self._make: Callable[[Any], Any] = partial(tuple.__new__, row)  # `_make` without its own frame
        converters = [c.type.dialect_impl(dialect).result_processor(dialect, None) for c in columns]
        self._converters = [(place, c) for place, c in enumerate(converters) if c is not None]

    def bound(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The parameters in the order of the text. A list is filled up with its last value."""
        values = self._fixed.copy()
        for place, name in self._plain:
            values[place] = parameters[name]
        for place, name, put in self._converted:
            values[place] = put(parameters[name])
        for place, name, size, convert in self._lists:
            given = [convert(v) for v in parameters[name]] if convert is not None else list(parameters[name])
            values[place : place + size] = given + given[-1:] * (size - len(given))
        return values

    def together(self, parameters: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
        """As few statements for all of these as there can be, each with its values: an INSERT takes several rows, in
        powers of two, so that few texts serve all lengths."""
        row, at = _VALUES.search(self.sql), 0
        if row is not None and row[1].count("?") != self.sql.count("?"):
            row = None  # a value that stands behind the row's own is bound once a statement, not once a row
        while at < len(parameters):
            left = len(parameters) - at
            size = min(1 << left.bit_length() - 1, TOGETHER) if row else 1
            sql = self.sql
            if row and size > 1:
                sql = f"{sql[: row.end()]}{f', {row[1]}' * (size - 1)}{sql[row.end() :]}"
            yield sql, [value for one in parameters[at : at + size] for value in self.bound(one)]
            at += size

    def rows(self, cursor: sqlite3.Cursor) -> list[Any]:
        """What the cursor holds, by name and in our types."""
        make, converters = self._make, self._converters
        if not converters:
            return [make(row) for row in cursor]
        made = []
        for found in cursor:
            row = list(found)
            for place, convert in converters:
                row[place] = convert(row[place])
            made.append(make(row))
        return made


class Prepared:
    """A transaction's connection: what is known runs on sqlite3, anything else through SQLAlchemy on the same one."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._raw: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
        self._forms: WeakKeyDictionary[Any, dict[tuple[Any, ...], _Form]] = WeakKeyDictionary()

    def begin(self, how: str) -> None:
        """Open a transaction; `how` is SQLite's statement for it, empty for none."""
        if how:
            self._raw.execute(how)

    def commit(self) -> None:
        """End the transaction, durably."""
        self._raw.commit()
        if self.connection.in_transaction():
            self.connection.commit()

    async def execute(self, statement: Executable, parameters: Any = None) -> Any:
        """As `AsyncConnection.execute`; it never waits."""
        forms = self._forms.get(statement)
        if forms is None:
            # A statement made for this one call would be compiled in vain: only what comes again is prepared.
            self._forms[statement] = {}
            return self.connection.execute(statement, parameters)
        if isinstance(parameters, Mapping) or not parameters:
            return self._once(forms, statement, parameters or {})
        form = self._form(forms, statement, parameters[0])
        result = Rows()
        if form.returns:
            for sql, values in form.together(parameters):
                result += form.rows(self._raw.execute(sql, values))
        else:
            result.rowcount = self._raw.executemany(form.sql, [form.bound(one) for one in parameters]).rowcount
        return result

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        """As `AsyncConnection.scalar`."""
        row = (await self.execute(statement, parameters)).first()
        return None if row is None else row[0]

    def _once(self, forms: dict[tuple[Any, ...], _Form], statement: Any, parameters: Mapping[str, Any]) -> Rows:
        form = self._form(forms, statement, parameters)
        cursor = self._raw.execute(form.sql, form.bound(parameters))
        result = Rows(form.rows(cursor) if form.returns else ())
        result.rowcount = cursor.rowcount
        return result

    def _form(self, forms: dict[tuple[Any, ...], _Form], statement: Any, parameters: Mapping[str, Any]) -> _Form:
        sizes = {name: _rounded(len(v)) for name, v in parameters.items() if isinstance(v, list | tuple)}
        key = (*parameters, *sizes.values())
        form = forms.get(key)
        if form is None:
            form = forms[key] = _Form(statement, self.connection.dialect, list(parameters), sizes)
        return form


def _rounded(length: int) -> int:
    """A power of two, so that few texts serve lists of all lengths; 0 for none."""
    return 1 << (length - 1).bit_length() if length else 0
