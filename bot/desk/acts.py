"""What staff do to a case. An act is an event in the conversation's lane like any other: it is stored, the bot's worker
decides, and the page waits a moment to say what came of it. What is not decided yet is on the page as waiting.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.desk.gate import row_number
from bot.desk.house import DeskHouse
from bot.desk.inbox import speaker
from bot.errors import Refused
from bot.model.events import StaffAct
from bot.model.messages import NOWHERE, Address, Media, MediaKind
from bot.model.staff import Role, Visit
from bot.ports import Item
from bot.store.codec import pack
from bot.store.desk import CaseLine
from bot.store.queue import Arrival
from bot.store.staff import Audited

KINDS = frozenset(
    {
        "take",
        "reply",
        "note",
        "handback",
        "resolve",
        "snooze",
        "assign",
        "move",
        "ack",
        "tag",
        "priority",
        "send_push",
        "bridge",
        "undo",
        "edit",
    }
)
OF_OPEN = frozenset({"snooze", "assign", "move", "ack", "tag", "priority"})
"""What is done to an open case alone; a reply or a note to one that is over opens a new one."""
ENDS = frozenset({"handback", "resolve"})
"""What is done to the case of the page alone; where that was over already, nothing was."""
CHANGED: Mapping[str, tuple[bool, str]] = {
    "recalled": (True, "Deleted in the buyer's chat; they may have read it."),
    "undone": (True, "Taken back."),
    "amended": (True, "Changed in the buyer's chat."),
    "edited": (True, "Changed before it left."),
    "in_parts": (False, "Not changed: it went in several messages. Delete it and write anew."),
    "not_theirs": (False, "Not done: only who wrote it, a lead or an admin can take it back."),
}
"""What came of taking a reply back or changing it, by the history's word for it; the first that is there counts."""
TOO_LATE = (False, "Too late: it has left already.")
PATIENCE = 4.0
LONGEST = 8000
NAP = re.compile(r"(\d{1,3})([hd])")


async def act(house: DeskHouse, request: Request, visit: Visit) -> Response:
    """Do something to a case."""
    case = int(request.path_params["id"])
    form = await request.form()
    line = await house.reading.line(case)
    kind = str(form.get("kind", ""))
    if line is None or kind not in KINDS:
        return _told(request, case, "There is no such case or act.", ok=False)
    if line.case.closed_at is not None and kind in OF_OPEN:
        return _told(request, case, "It is resolved. Take it over again first.", ok=False)
    try:
        done = await _act(house, form, visit, line, kind)
    except Refused as error:
        return _told(request, case, f"Not sent: {error}.", ok=False)
    if kind == "move" and done.whom not in house.queues:
        return _told(request, case, "There is no such queue.", ok=False)
    if kind in {"reply", "edit"} and not done.text and not done.media:
        return _told(request, case, "There is nothing to send.", ok=False)
    item = Item(key=done.id, lane=line.case.conversation, body=pack(done))
    await house.store.receive([Arrival("wismo", item)])
    await house.staff.audit(Audited(visit.name, kind, case, line.case.order))
    ok, text = await _outcome(house, visit, case, done)
    return _told(request, case, text, ok=ok)


async def _act(house: DeskHouse, form: FormData, visit: Visit, line: CaseLine, kind: str) -> StaffAct:
    upload = form.get("file")
    media: tuple[Media, ...] = ()
    if kind == "reply" and isinstance(upload, UploadFile) and upload.filename:
        media = (await kept(house, upload),)
    whom = str(form.get("whom", "")).strip()
    return StaffAct(
        id=uuid4().hex,
        at=house.now(),
        staff=visit.name,
        to=Address.parse(line.case.conversation.removeprefix("c/")),
        kind=kind,
        text=str(form.get("text", "")).replace("\r\n", "\n").strip()[:LONGEST],
        media=media,
        version=row_number(str(form.get("version", ""))),
        ref=str(form.get("ref", ""))[:200],
        whom=await _colleague(house, whom) if kind == "assign" else whom if kind == "move" else "",
        undo_seconds=house.settings.undo_seconds if kind == "reply" else 0.0,
        case=line.case.id,
        senior=visit.role.may(Role.LEAD),
        until=nap(str(form.get("nap", "")), house.now(), house.zone) if kind == "snooze" else None,
    )


async def _colleague(house: DeskHouse, name: str) -> str:
    """The name as the colleague has it; only somebody who may sign in, or oneself by an empty name."""
    if not name:
        return ""
    person = await house.staff.named(name)
    if person is None or not person.active:
        raise Refused("nobody of this name works here")
    return person.name


def nap(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """How long a case sleeps: `3h`, `2d` (until nine in the morning of that day); None: until people are there."""
    found = NAP.fullmatch(text)
    if found is None:
        return None
    many = int(found[1])
    if found[2] == "h":
        return now + timedelta(hours=many)
    day = (now.astimezone(zone) + timedelta(days=many)).replace(hour=9, minute=0, second=0, microsecond=0)
    return day.astimezone(UTC)


async def kept(house: DeskHouse, upload: UploadFile) -> Media:
    """A file of staff, stored and typed by its content; raises `Refused` where it is too large."""

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await upload.read(64 * 1024):
            yield chunk

    name = re.sub(r"[^\w .()-]", "_", (upload.filename or "file").rsplit("/", 1)[-1])[-80:]
    return await house.vault.keep(Media(MediaKind.DOCUMENT, name=name), chunks())


async def settled(house: DeskHouse, done: StaffAct) -> bool:
    """Whether the bot handled an act within the time in which somebody waits for it."""
    began = time.monotonic()
    while not await house.reading.handled(done.id):
        if time.monotonic() - began > PATIENCE:
            return False
        await asyncio.sleep(0.08)
    return True


async def _outcome(house: DeskHouse, visit: Visit, case: int, done: StaffAct) -> tuple[bool, str]:
    """What came of it, as far as that is known after a moment."""
    if not await settled(house, done):
        return True, "Stored. The bot has not handled it yet; it stands below as waiting."
    line = await house.reading.line(case)
    if line is None:
        return False, "The case is gone."
    about = {"undo": f"undo:{done.ref}", "send_push": done.ref}.get(done.kind, done.id)
    history = {h.what for h in await house.reading.act_history(case, about)}
    return _worded(visit, line, done, history)


def _worded(visit: Visit, line: CaseLine, done: StaffAct, history: set[str]) -> tuple[bool, str]:
    other = line.holder.startswith("staff:") and speaker(line) != visit.name
    if "refused" in history and line.channel == NOWHERE:
        return False, "Not sent: no chat of this buyer is known. Write by e-mail or phone; your text is kept as a note."
    if "refused" in history:
        return False, f"Not sent: {speaker(line)} speaks now. Your text is kept as a note; take over to send it."
    if done.kind == "take":
        taken = (True, "You speak now. The bot is silent.")
        return (False, f"{speaker(line)} was faster and speaks now.") if other else taken
    if done.kind == "send_push":
        not_sent = f"Not sent: {speaker(line)} speaks now." if other else "Not sent: its case is over."
        return (True, "Sent.") if "push_sent" in history else (False, not_sent)
    if done.kind == "bridge" and "too_late" in history:
        return False, "No approved template is there for it: the buyer must write first."
    if done.kind in {"undo", "edit"}:
        return next((told for what, told in CHANGED.items() if what in history), TOO_LATE)
    if not history:
        over = done.kind in ENDS and line.case.closed_at is not None
        nothing = "Not done: this case is resolved." if over else "Nothing changed."
        return False, f"Not done: {speaker(line)} speaks now." if other else nothing
    words = {
        "reply": f"It goes to the buyer. {'' if 'took' not in history else 'You speak now.'}".strip(),
        "note": "Noted. Only staff see it.",
        "handback": "The bot speaks again.",
        "resolve": "Resolved. The bot speaks again.",
        "snooze": "It sleeps.",
        "assign": f"Given to {done.whom or 'you'}.",
        "move": f"Moved to the queue {done.whom}. It waits there for somebody.",
        "ack": "It is yours.",
        "bridge": "The buyer is told that an answer waits; it goes when they open the window.",
    }
    return True, words.get(done.kind, "Done.")


def _told(request: Request, case: int, text: str, *, ok: bool) -> Response:
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"ok": ok, "told": text}, 200 if ok else 409)
    return RedirectResponse(f"/desk/cases/{case}?told={quote(text)}", 303)
