"""Answers that staff keep ready."""

from msgspec import Struct
from sqlalchemy import delete, insert, select, update

from bot.model.clock import Clock
from bot.store.database import Database
from bot.store.stafftables import CannedRow
from bot.store.tables import core

_canned = core(CannedRow)


class Answer(Struct, frozen=True):
    """An answer as it was written; `locale` empty fits every language, `id` 0 is one that is not stored yet."""

    id: int
    title: str
    locale: str
    body: str


class CannedBook:
    """The answers of one shop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def answers(self) -> list[Answer]:
        """All of them, by title."""
        async with self.database.read() as connection:
            rows = await connection.execute(select(_canned).order_by(_canned.c.title, _canned.c.id))
            return [Answer(r.id, r.title, r.locale, r.body) for r in rows]

    async def save(self, answer: Answer, staff: str) -> None:
        """Keep a new answer, or change one."""
        values = {
            "title": answer.title,
            "locale": answer.locale,
            "body": answer.body,
            "changed_by": staff,
            "changed_at": self.clock.now(),
        }
        known = update(_canned).where(_canned.c.id == answer.id).values(**values)
        statement = known if answer.id else insert(_canned).values(**values)
        await self.database.write(lambda c: c.execute(statement))

    async def delete(self, answer: int) -> None:
        """Throw one away."""
        await self.database.write(lambda c: c.execute(delete(_canned).where(_canned.c.id == answer)))
