"""Pages that follow by themselves: one watcher reads what was touched, each open page's stream tells its own.

Server-sent events. A stream never queues: it is woken, looks at what is so now, and sends what is new to its page,
so a slow browser gets the latest state and costs no memory. Sessions are checked anew while streams are open.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.desk.house import DeskHouse
from bot.desk.inbox import Board, Look, headline
from bot.desk.transcript import Line
from bot.model.staff import Visit
from bot.store.bell import Bell
from bot.store.desk import CaseLine

GATHER_SECONDS = 0.25
"""So long changes are gathered before anybody hears of them."""
SHARE = 3.0
"""The watcher rests so many times as long as a core worked for it: reading alone never takes more than a quarter."""
SESSION_SECONDS = 2.0
CLOCK_SECONDS = 20.0
"""So often pages look again though nothing happened: a promise may have become late."""
ALIVE_SECONDS = 15.0
OVERLAP_SECONDS = 3.0
MOST_LOOKS = 20_000
MOST_STREAMS = 12
"""So many pages one session may have open at once; the one that was opened first closes."""

log = structlog.get_logger()


@dataclass(eq=False)
class Stream:
    """An open page: whose, what of the inbox it shows, and which case. `seen` is when that was last touched as the page
    was drawn; `lines` are those of its transcript that the page has."""

    visit: Visit
    look: Look | None
    case: int | None
    rung: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    case_rung: bool = True
    rows: dict[int, str] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    seen: float | None = None

    def ring(self, *, case: bool) -> None:
        """Something changed; `case` tells whether the case on this page did."""
        self.case_rung = self.case_rung or case
        self.rung.set()

    def end(self) -> None:
        """Close the page's stream."""
        self.over = True
        self.rung.set()


Draw = Callable[[CaseLine], str]
Parts = Callable[[Stream, tuple[str, ...]], Coroutine[Any, Any, dict[str, str]]]


class Live:
    """The watcher, the board, and the streams. `row` draws a line of the inbox; `parts` what a stream's page has not
    of its case, in named parts. `looked` are sessions with the cases (0: the inbox) that the audit log has them
    looking at."""

    def __init__(self, house: DeskHouse, row: Draw, parts: Parts) -> None:
        self.house = house
        self.board = Board()
        self.streams: dict[Stream, None] = {}
        self.looked: set[tuple[str, int]] = set()
        self._row = row
        self._parts = parts
        self._bell = Bell(house.store.database)
        self._read = False
        self._tasks: list[asyncio.Task[None]] = []
        self._drawn: dict[int, tuple[float, int, str]] = {}

    async def start(self) -> None:
        """Read the open cases and watch from now on."""
        await self.refresh()
        self._tasks = [asyncio.create_task(work()) for work in (self._watch, self._check, self._tick)]

    async def stop(self) -> None:
        """End every stream and the watcher."""
        self.end_streams()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._bell.close()

    def end_streams(self) -> None:
        """Let every open page go; it comes again by itself."""
        for stream in self.streams:
            stream.end()

    async def refresh(self) -> set[int]:
        """Read what was touched since; which cases look different now."""
        since = max(0.0, self.board.seen - OVERLAP_SECONDS) if self._read else None
        lines = await self.house.reading.touched(since)
        self._read = True
        return self.board.take(lines, self.house.now())

    def tell(self, changed: set[int]) -> None:
        """Wake the streams of whoever looks at what changed."""
        for stream in self.streams:
            mine = stream.case in changed
            if mine or (changed and stream.look is not None):
                stream.ring(case=mine)

    def first_look(self, visit: Visit, case: int) -> bool:
        """Whether this session is not known yet to look at this; from now on it is."""
        key = (visit.key, case)
        if key in self.looked:
            return False
        if len(self.looked) >= MOST_LOOKS:
            self.looked.clear()
        self.looked.add(key)
        return True

    def watching(self, case: int) -> tuple[str, ...]:
        """Who has this case open now."""
        return tuple(sorted({s.visit.name for s in self.streams if s.case == case and not s.over}))

    def drawn(self, line: CaseLine) -> str:
        """A line of the inbox; drawn once while nothing of it changes, for it tells minutes."""
        minute = int(self.house.now().timestamp() // 60)
        known = self._drawn.get(line.case.id)
        if known is None or known[:2] != (line.touched, minute):
            known = (line.touched, minute, self._row(line))
            self._drawn[line.case.id] = known
        return known[2]

    # ---- streams -----------------------------------------------------------------------------------------

    async def stream(self, mine: Stream) -> AsyncIterator[bytes]:
        """What one page is told, until it goes or its session ends."""
        self._admit(mine)
        try:
            yield b"retry: 1500\n\n"
            while not mine.over:
                message = await self._news(mine)
                if message:
                    yield b"data: " + json.dumps(message).encode() + b"\n\n"
                try:
                    await asyncio.wait_for(mine.rung.wait(), ALIVE_SECONDS)
                except TimeoutError:
                    yield b": alive\n\n"
                mine.rung.clear()
            yield b"event: end\ndata: {}\n\n"
        finally:
            self.streams.pop(mine, None)
            self._here(mine)

    def _admit(self, stream: Stream) -> None:
        others = [s for s in self.streams if s.visit.key == stream.visit.key and not s.over]
        if len(others) >= MOST_STREAMS:
            others[0].end()
        self.streams[stream] = None
        self._here(stream)

    def _here(self, stream: Stream) -> None:
        """Who else has the case open is told when somebody comes and goes."""
        for other in self.streams:
            if stream.case is not None and other.case == stream.case and other is not stream:
                other.ring(case=True)

    async def _news(self, stream: Stream) -> dict[str, Any]:
        """What is so now and was not told to this page yet."""
        told: dict[str, Any] = {}
        if stream.look is not None:
            told |= self._inbox_news(stream, stream.look)
        if stream.case is not None and stream.case_rung:
            stream.case_rung = False
            parts = await self._parts(stream, self.watching(stream.case))
            fresh = {k: v for k, v in parts.items() if stream.parts.get(k) != v}
            if fresh:
                stream.parts |= {k: v for k, v in fresh.items() if not k.startswith("line-")}
                told["parts"] = fresh
        return told

    def _inbox_news(self, stream: Stream, look: Look) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if look.view != "resolved":
            lines = self.board.view(look, stream.visit.name, self.house.now())
            rows = {line.case.id: self.drawn(line) for line in lines}
            fresh = {i: row for i, row in rows.items() if stream.rows.get(i) != row}
            order = list(rows)
            if fresh or order != stream.order:
                told["inbox"] = {"order": order, "rows": fresh}
            stream.rows, stream.order = rows, order
        counts = self.board.tally(stream.visit.name)
        if counts != stream.counts:
            stream.counts = counts
            told |= {"counts": counts, "headline": headline(counts)}
        return told

    # ---- watching ----------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            try:
                await self._bell.wait()
                began = time.process_time()
                self.tell(await self.refresh())
                await asyncio.sleep(max(GATHER_SECONDS, SHARE * (time.process_time() - began)))
            except Exception as error:
                log.error("desk.watch_failed", error=type(error).__name__)
                await asyncio.sleep(1.0)

    async def _check(self) -> None:
        """Sessions that ended, and people who were shut out, have their streams closed."""
        while True:
            await asyncio.sleep(SESSION_SECONDS)
            with suppress(Exception):  # a database that is away for a moment signs nobody out
                asked = list(self.streams)  # whoever comes while we ask was checked at the door
                open_now = await self.house.staff.still_open(list({s.visit.key for s in asked})) if asked else {}
                for stream in asked:
                    if stream.visit.key not in open_now:
                        stream.end()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            self.board.take((), self.house.now())
            for stream in self.streams:
                stream.ring(case=False)
