"""Wrong proofs and unproved look-ups, counted in the database: for all chats and all processes."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.dialog.identity import MISSES
from bot.dialog.turn import Wants
from bot.model.orders import number_key
from bot.store.database import Database
from bot.store.tables import Guess, core

GUESS_HOUR = timedelta(hours=1)
LOOKUP_DAY = timedelta(days=1)
MOST_OF_SHOP = 1000
"""Misses of a whole shop are counted no further: answers are as slow as they get long before."""

_guesses = core(Guess)


def hashed(text: str) -> str:
    """A typed order text or a token as it is stored: not readable, yet the same every time."""
    return sha256(text.encode()).hexdigest()


def subject_of(number: str) -> str:
    """Under what guesses at an order are counted, however its number was typed."""
    return hashed(number_key(number))


async def counts(
    connection: AsyncConnection, wants: Mapping[str, Wants], now: datetime
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Misses of the last hour by the order's subject and by chat, and look-ups of the last day by chat."""
    subjects = {subject_of(n) for w in wants.values() for n in w.numbers}
    near = {"since": now - GUESS_HOUR, "subjects": list(subjects), "lanes": list(wants)}
    wrongs = (await connection.execute(_WRONGS, near)).all()
    asking = [lane for lane, w in wants.items() if w.trackings]
    lookups = await connection.execute(_LOOKUPS, {"since": now - LOOKUP_DAY, "lanes": asking}) if asking else ()
    return Counter(r.subject for r in wrongs), Counter(r.lane for r in wrongs), {r.lane: r.n for r in lookups}


async def of_shop(connection: AsyncConnection, now: datetime) -> int:
    """Misses of the last hour in all chats together, up to `MOST_OF_SHOP`."""
    return int((await connection.execute(_OF_SHOP, {"since": now - GUESS_HOUR})).scalar_one())


async def too_late(
    connection: AsyncConnection,
    database: Database,
    guessed: Mapping[str, str],
    missed: Collection[str],
    now: datetime,
) -> set[str]:
    """The lanes whose comparison must not count, be it right or wrong: others used up the order's guesses meanwhile.

    `guessed` is the order text that each lane's turn compared a detail with, `missed` the lanes in which it was wrong.
    Turns that guess at one order commit one after the other.
    """
    if not guessed:
        return set()
    subjects = {lane: subject_of(number) for lane, number in guessed.items()}
    if not database.sqlite:
        for subject in sorted(set(subjects.values())):
            await connection.execute(_ONE_AT_A_TIME, {"subject": subject})
    near = {"since": now - GUESS_HOUR, "subjects": list(set(subjects.values())), "lanes": []}
    used = Counter(r.subject for r in await connection.execute(_WRONGS, near))
    late = set()
    for lane, subject in subjects.items():
        if used[subject] >= MISSES:
            late.add(lane)
        elif lane in missed:
            used[subject] += 1
    return late


_WRONGS = select(_guesses.c.subject, _guesses.c.lane).where(
    _guesses.c.kind == "miss",
    _guesses.c.at > bindparam("since"),
    _guesses.c.subject.in_(bindparam("subjects", expanding=True))
    | _guesses.c.lane.in_(bindparam("lanes", expanding=True)),
)
_LOOKUPS = (
    select(_guesses.c.lane, func.count(_guesses.c.subject.distinct()).label("n"))
    .where(
        _guesses.c.kind == "lookup",
        _guesses.c.at > bindparam("since"),
        _guesses.c.lane.in_(bindparam("lanes", expanding=True)),
    )
    .group_by(_guesses.c.lane)
)
_OF_SHOP = select(func.count()).select_from(
    select(_guesses.c.id)
    .where(_guesses.c.kind == "miss", _guesses.c.at > bindparam("since"))
    .limit(MOST_OF_SHOP)
    .subquery()
)
_ONE_AT_A_TIME = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("subject"), 0)))
"""Until the transaction ends; SQLite's writers take turns anyway."""
