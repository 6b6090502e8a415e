"""What `wismo doctor` says of the desk: who can sign in, who is there, and whether its channels take what is posted."""

from collections.abc import Iterator
from datetime import datetime

from bot.app import rules_of
from bot.config import Config
from bot.handoff import Rules, ladder
from bot.model.cases import Case
from bot.store import Store
from bot.store.desks import PostsWaiting, posts_waiting
from bot.store.staff import StaffBook

LATE_SECONDS = 120.0
"""A post that waits longer waits for a channel that is not there."""

Line = tuple[bool, str, str]
"""Whether it is well, what is so, and what to do."""


async def desk_lines(config: Config, store: Store) -> list[Line]:
    """All lines about the desk."""
    now, cases = store.clock.now(), await store.cases()
    people = await StaffBook(store.database, store.clock).everyone()
    signing_in = sum(p.active and (p.signs_in or config.desk.oidc is not None) for p in people)
    waiting = await posts_waiting(store.database, now)
    return [
        signed_in(signing_in, bool(config.desk.channels), len(cases)),
        *shifts(rules_of(config), cases, now),
        *(posted(w) for w in waiting),
    ]


def signed_in(people: int, channels: bool, cases: int) -> Line:
    """Whether anybody can look at a case."""
    if people:
        return True, f"desk: {people} can sign in", ""
    text = "desk: nobody can sign in to the web desk yet"
    well = channels or not cases
    return well, text, "" if channels else "let somebody in: `wismo staff add NAME --role admin`"


def shifts(rules: Rules, cases: list[Case], now: datetime) -> Iterator[Line]:
    """Who is on shift, by queue; nobody named in the config means that whoever looks may answer."""
    if not rules.people:
        return
    waiting = [case.queue for case in cases if ladder.waits(case)]
    for queue in rules.queue_names:
        if not any(not p.queues or queue in p.queues for p in rules.people):
            yield False, f"desk: nobody works in the queue {queue}", "name it under desk.staff, or move its cases"
            continue
        there = rules.on_shift(queue, "", now)
        if there:
            yield True, f"desk: on shift in the queue {queue}: {', '.join(there)}", ""
        elif queue in waiting and rules.hours.open_at(now, rules.zone):
            text = f"desk: {waiting.count(queue)} wait in the queue {queue}, and nobody is on shift"
            yield False, text, "see desk.staff: hours and absences"
        else:
            yield True, f"desk: nobody is on shift in the queue {queue} now", ""


def posted(waiting: PostsWaiting) -> Line:
    """Whether a desk's channel takes what is posted."""
    text = f"desk {waiting.account}: {waiting.count} posts wait, the oldest for {waiting.seconds:.0f} s"
    late = waiting.seconds > LATE_SECONDS
    remedy = f"is `wismo run` running, and is the bot in the channels under desk.channels.{waiting.account}?"
    return not late, text, remedy if late else ""
