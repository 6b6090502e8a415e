"""Who may sign in to the desk, who is signed in, how often somebody tries, and the log of what they looked at."""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model.clock import Clock
from bot.model.events import StaffAct
from bot.model.messages import Address
from bot.model.staff import Role, Staff, Visit
from bot.ports import Item
from bot.store import codec, queue
from bot.store.buckets import advance, machine_now
from bot.store.casetables import CaseRow
from bot.store.database import NOW, Database
from bot.store.group import Group
from bot.store.stafftables import AuditRow, FlowRow, SessionRow, StaffRow
from bot.store.tables import Conversation, core

_staff, _sessions, _flows, _audit = map(core, (StaffRow, SessionRow, FlowRow, AuditRow))
_cases, _conversations = map(core, (CaseRow, Conversation))

INVITE_HOURS = 72
MOST_DAYS = 7
"""A session ends after so many days, however busy it is."""
TOUCH_SECONDS = 300.0
FLOW_SECONDS = 600.0


class Audited(Struct, frozen=True):
    """One line of the audit log; `case` and `order` are the store's ids."""

    staff: str
    what: str
    case: int | None = None
    order: int | None = None
    detail: str = ""


class Flow(Struct, frozen=True):
    """What was sent along to the OIDC provider and must come back."""

    browser: str
    nonce: str
    verifier: str


def hashed(token: str) -> str:
    """A cookie, link or state as it is stored."""
    return sha256(token.encode()).hexdigest()


def name_key(name: str) -> str:
    """A name as names are compared: nobody may pass for a colleague by capitals or spaces."""
    return " ".join(name.split()).casefold()


class StaffBook:
    """The staff of one shop. Business time dates the audit log; sessions and links run on machine time."""

    def __init__(self, database: Database, clock: Clock, idle_hours: float = 12.0) -> None:
        self.database = database
        self.clock = clock
        self.idle = idle_hours * 3600
        self._write_audit = Group(self._write_audit_all)

    # ---- people ------------------------------------------------------------------------------------------

    async def everyone(self) -> list[Staff]:
        """All staff, by name."""
        async with self.database.read() as connection:
            return [_person(r) for r in await connection.execute(select(_staff).order_by(_staff.c.key))]

    async def named(self, name: str) -> Staff | None:
        """The member of staff of this name."""
        return await self._one(_staff.c.key == name_key(name))

    async def by_email(self, email: str) -> Staff | None:
        """The one active member of staff with this e-mail address."""
        if not email:
            return None
        return await self._one(and_(_staff.c.email == email.strip().casefold(), _staff.c.active))

    async def _one(self, where: Any) -> Staff | None:
        async with self.database.read() as connection:
            rows = (await connection.execute(select(_staff).where(where).limit(2))).all()
        return _person(rows[0]) if len(rows) == 1 else None

    async def add(self, name: str, role: Role, email: str = "") -> tuple[Staff, str]:
        """Let a person in, or give one who is in a new role; with the token of their one-time link.

        Their old password and sessions end: whoever asks for a new link has lost control of them.
        """
        token = secrets.token_urlsafe(32)
        shown = " ".join(name.split())
        values = {
            "role": role.value,
            "active": True,
            "email": email.strip().casefold(),
            "password": "",
            "invite": hashed(token),
            "invite_until": NOW + INVITE_HOURS * 3600,
        }

        async def work(connection: AsyncConnection) -> Any:
            fresh = self.database.insert(_staff).values(
                key=name_key(name), name=shown, created_at=self.clock.now(), seen_at=None, **values
            )
            kept = {k: v for k, v in values.items() if k != "email" or v}
            fresh = fresh.on_conflict_do_update(index_elements=[_staff.c.key], set_=kept).returning(_staff)
            row = (await connection.execute(fresh)).one()
            await connection.execute(delete(_sessions).where(_sessions.c.staff_id == row.id))
            return row

        return _person(await self.database.write(work)), token

    async def invited(self, token: str) -> Staff | None:
        """Whom a one-time link lets set a password."""
        return await self._one(and_(_staff.c.invite == hashed(token), _staff.c.invite_until > NOW, _staff.c.active))

    async def set_password(self, token: str, password_hash: str) -> Staff | None:
        """Use a one-time link up; None where somebody was faster or its time is over."""
        used = (
            update(_staff)
            .where(_staff.c.invite == hashed(token), _staff.c.invite_until > NOW, _staff.c.active)
            .values(password=password_hash, invite="", invite_until=0.0)
            .returning(_staff)
        )
        row = await self.database.write(lambda c: _first(c, used))
        return _person(row) if row is not None else None

    async def password(self, name: str) -> tuple[Staff, str] | None:
        """An active person with their password's hash."""
        async with self.database.read() as connection:
            row = (await connection.execute(select(_staff).where(_staff.c.key == name_key(name)))).first()
        return (_person(row), row.password) if row is not None and row.active else None

    async def rehash(self, staff: int, password_hash: str) -> None:
        """Keep a password under today's costs."""
        await self.database.write(
            lambda c: c.execute(update(_staff).where(_staff.c.id == staff).values(password=password_hash))
        )

    async def change(self, staff: int, by: str, *, role: Role | None = None, active: bool | None = None) -> None:
        """Give a role, or shut out or let back in. Whoever is shut out is signed out everywhere, and `by` gives their
        open cases back to the queues: a buyer must not go on talking to somebody who cannot answer."""
        values: dict[str, Any] = {}
        if role is not None:
            values["role"] = role.value
        if active is not None:
            values |= {"active": active} | ({} if active else {"password": "", "invite": ""})

        async def work(connection: AsyncConnection) -> None:
            if values:
                await connection.execute(update(_staff).where(_staff.c.id == staff).values(**values))
            if active is False:
                await connection.execute(delete(_sessions).where(_sessions.c.staff_id == staff))
                name = await connection.scalar(select(_staff.c.name).where(_staff.c.id == staff))
                await self._release(connection, str(name), by)

        await self.database.write(work)

    async def _release(self, connection: AsyncConnection, gone: str, by: str) -> None:
        theirs = or_(_cases.c.owner == gone, _conversations.c.holder == f"staff:{gone}")
        rows = (
            select(_cases.c.id, _cases.c.lane)
            .join(_conversations, _conversations.c.lane == _cases.c.lane)
            .where(_cases.c.closed_at.is_(None), theirs)
        )
        now, acts = self.clock.now(), []
        for row in await connection.execute(rows):
            to = Address.parse(row.lane.removeprefix("c/"))
            act = StaffAct(uuid4().hex, now, by, to, "release", whom=gone, case=row.id, senior=True)
            acts.append(queue.Arrival("wismo", Item(key=act.id, lane=row.lane, body=codec.pack(act))))
        if acts:
            await queue.receive(connection, self.database, acts, now)

    # ---- sessions ----------------------------------------------------------------------------------------

    async def sign_in(self, staff: int) -> str:
        """Begin a session; the cookie's value, which is stored nowhere."""
        cookie = secrets.token_urlsafe(32)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(_sessions).where(_sessions.c.valid_until <= NOW))
            await connection.execute(
                insert(_sessions).values(
                    key=hashed(cookie),
                    staff_id=staff,
                    secret=secrets.token_urlsafe(32),
                    valid_until=NOW + self.idle,
                    most_until=NOW + MOST_DAYS * 86_400,
                )
            )
            seen = update(_staff).where(_staff.c.id == staff).values(seen_at=self.clock.now())
            await connection.execute(seen)

        await self.database.write(work)
        return cookie

    async def visit(self, cookie: str) -> Visit | None:
        """The session of a cookie, while it holds and its owner is not shut out. A used one holds longer."""
        if not cookie:
            return None
        rows = await self.database.view(lambda c: _open(c, [hashed(cookie)]))
        if not rows:
            return None
        row = rows[0]
        if row.left < self.idle - TOUCH_SECONDS:
            longer = update(_sessions).where(_sessions.c.key == row.key)
            await self.database.write(lambda c: c.execute(longer.values(valid_until=NOW + self.idle)))
        return _visit(row)

    async def still_open(self, keys: Sequence[str]) -> dict[str, Visit]:
        """Those of these sessions that still hold, by their key."""
        rows = await self.database.view(lambda c: _open(c, keys))
        return {row.key: _visit(row) for row in rows}

    async def sign_out(self, key: str) -> None:
        """End one session."""
        await self.database.write(lambda c: c.execute(delete(_sessions).where(_sessions.c.key == key)))

    async def revoke(self, staff: int) -> int:
        """End every session of a person; how many there were."""
        gone = await self.database.write(lambda c: c.execute(delete(_sessions).where(_sessions.c.staff_id == staff)))
        return int(gone.rowcount)

    # ---- the way to the OIDC provider and back -----------------------------------------------------------

    async def begin_flow(self, state: str, flow: Flow) -> None:
        """Remember what the provider must bring back."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(_flows).where(_flows.c.valid_until <= NOW))
            await connection.execute(
                insert(_flows).values(
                    key=hashed(state),
                    browser=hashed(flow.browser),
                    nonce=flow.nonce,
                    verifier=flow.verifier,
                    valid_until=NOW + FLOW_SECONDS,
                )
            )

        await self.database.write(work)

    async def end_flow(self, state: str, browser: str) -> Flow | None:
        """What was sent along, once, and only to the browser that was sent."""
        used = delete(_flows).where(
            _flows.c.key == hashed(state), _flows.c.browser == hashed(browser), _flows.c.valid_until > NOW
        )
        row = await self.database.write(lambda c: _first(c, used.returning(_flows)))
        return Flow(row.browser, row.nonce, row.verifier) if row is not None else None

    # ---- tries -------------------------------------------------------------------------------------------

    async def may_try(self, buckets: Sequence[tuple[str, int, float]]) -> bool:
        """Whether another try is allowed: each bucket (name, at once, seconds for one more) must have a turn left.

        They are asked in this order, and a try that one refuses takes nothing from those behind it.
        """

        async def work(connection: AsyncConnection) -> bool:
            now = await machine_now(connection)
            for name, most, seconds in buckets:
                if not await advance(connection, self.database, f"try/{name}", now, seconds, seconds * most, 1):
                    return False
            return True

        return await self.database.write(work)

    # ---- audit -------------------------------------------------------------------------------------------

    async def audit(self, line: Audited) -> None:
        """Write down who looked at what; returns when it is stored."""
        await self._write_audit(line)

    async def _write_audit_all(self, lines: Sequence[Audited]) -> Sequence[None]:
        at = self.clock.now()
        rows = [
            {"at": at, "staff": x.staff, "what": x.what, "case_id": x.case, "order_id": x.order, "detail": x.detail}
            for x in lines
        ]
        await self.database.write(lambda c: c.execute(insert(_audit), rows))
        return [None] * len(lines)

    async def audited(self, limit: int = 200, before: int | None = None) -> list[tuple[int, Any, Audited]]:
        """The newest lines of the log, as (id, instant, line); `before` an id for the page after."""
        rows = select(_audit).order_by(_audit.c.id.desc()).limit(limit)
        if before is not None:
            rows = rows.where(_audit.c.id < before)
        async with self.database.read() as connection:
            return [
                (r.id, r.at, Audited(r.staff, r.what, r.case_id, r.order_id, r.detail))
                for r in await connection.execute(rows)
            ]

    async def count(self) -> int:
        """How many people may sign in."""
        async with self.database.read() as connection:
            return int(await connection.scalar(select(func.count()).select_from(_staff).where(_staff.c.active)) or 0)


async def _first(connection: AsyncConnection, statement: Any) -> Any:
    """The first row, fetched before the commit: SQLite commits nothing while a RETURNING is half read."""
    return (await connection.execute(statement)).first()


async def _open(connection: AsyncConnection, keys: Sequence[str]) -> list[Any]:
    rows = select(
        _sessions.c.key,
        _sessions.c.secret,
        (_sessions.c.valid_until - NOW).label("left"),
        _staff.c.id,
        _staff.c.name,
        _staff.c.role,
    ).where(
        _sessions.c.key.in_(list(keys)),
        _sessions.c.valid_until > NOW,
        _sessions.c.most_until > NOW,
        _staff.c.id == _sessions.c.staff_id,
        _staff.c.active,
    )
    return list((await connection.execute(rows)).all())


def _visit(row: Any) -> Visit:
    return Visit(row.key, row.id, row.name, Role(row.role), row.secret)


def _person(row: Any) -> Staff:
    return Staff(row.id, row.name, Role(row.role), row.active, row.email, bool(row.password), row.seen_at)
