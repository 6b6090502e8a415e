"""A conversation as staff read it: what the buyer wrote, what the bot and people said and how far it came, notes,
and what happened to the case. Pure; the rows come from the store, the reading of a platform's message from its port.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from html import escape

from msgspec import Struct

from bot.handoff.speaking import NO_CHAT
from bot.model.events import Event, StaffAct
from bot.model.markup import Run, runs
from bot.model.messages import Inbound, Kind
from bot.ports import Item
from bot.store import codec
from bot.store.desk import HistoryRow, Paper, SaidRow, WrittenRow
from bot.store.outbox import AMEND
from bot.store.tables import InboxState, OutboxState

SENDS = {
    OutboxState.READY: "on its way",
    OutboxState.SENDING: "on its way",
    OutboxState.WITHDRAWN: "not sent: a person took over",
    OutboxState.EXPIRED: "not sent: its time was over",
    OutboxState.UNKNOWN: "not known whether it arrived",
}
TICKS = {"sent": "✓ sent", "delivered": "✓✓ delivered", "read": "✓✓ read", "failed": "⚠ not delivered"}
HAPPENED: Mapping[str, str] = {
    "opened": "Case opened",
    "again": "Asked for a person again",
    "took": "{who} took over",
    "acknowledged": "{who} said: mine",
    "handed_back": "{who} handed back to the bot",
    "resolved": "{who} resolved the case",
    "snoozed": "{who} put it to sleep",
    "woke": "Woke up",
    "assigned": "{who} gave it to",
    "moved": "{who} moved it to the queue",
    "released": "{who} gave it back to the queue, from somebody who works here no more",
    "tagged": "{who} set the tags",
    "priority": "{who} set the priority to",
    "paged": "Called",
    "nobody_there": "Nobody is there to be called",
    "late": "A promise was broken",
    "told_buyer": "The buyer was told that it takes longer",
    "on_its_way": "Was on its way when a person took over",
    "withdrawn": "Taken back when a person took over",
    "edited": "{who} changed a reply",
    "bridged": "{who} told the buyer that an answer waits",
    "undone": "{who} took a reply back",
    "recalled": "{who} deleted a reply in the buyer's chat, who may have read it",
    "amended": "{who} changed a reply in the buyer's chat",
    "not_amended": "The platform did not change or delete a reply: it stands as it was",
    "in_parts": "{who} wanted to change a reply; it stands as it was: its words take more than one message",
    "too_late": "{who} was too late",
    "not_theirs": "{who} wanted to take back what a colleague wrote; only a lead or an admin can",
    "push_sent": "{who} sent what was held back",
}
HANDED_BACK_BY_TIME = "Handed back: nobody wrote for a while"
SWITCHED = {
    Kind.BLOCKED: "The buyer blocked us",
    Kind.UNBLOCKED: "The buyer can be reached again",
    Kind.ADVERTISING_OFF: "The buyer switched advertising off in their app; news of parcels goes on",
    Kind.ADVERTISING_ON: "The buyer takes advertising again",
}
SHOWN_KINDS = {
    Kind.EDITED: "edited",
    Kind.DELETED: "deleted by the buyer",
    Kind.UNSUPPORTED: "a kind that cannot be shown",
}


NOT_THERE = "a file that could not be fetched, was too large, or is no longer kept"
PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


class Shown(Struct, frozen=True):
    """A file in the conversation; `id` is the store's."""

    id: int
    name: str
    mime: str
    size: int

    @property
    def picture(self) -> bool:
        """Whether browsers may draw it: of kinds that hold no script."""
        return self.mime in PICTURES


class Line(Struct, frozen=True):
    """One line. `side` is buyer, bot, staff, note or event; `state` how far it came, `bad` that it failed.

    `why` are the rules by which the bot said it; `push` is the key of a notice that staff may send, `bridge` the act of
    a reply that a closed window kept back, of which the buyer can be told by an approved template, `undo` that of a
    reply that has not left yet, `change` that of one which the channel can still delete, and change where its words
    are one of `messages`; `now` is what it says there since it was changed.
    """

    key: str
    at: datetime
    side: str
    who: str
    text: tuple[Run, ...]
    state: str = ""
    bad: bool = False
    files: tuple[Shown, ...] = ()
    choices: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    push: str = ""
    bridge: str = ""
    undo: str = ""
    change: str = ""
    messages: int = 0
    now: str = ""


class Fates(Struct, frozen=True):
    """What became of staff's replies, by their acts: whom each is by, which a shut window kept back, which were taken
    back in time, deleted, or changed (and to what); and how many messages of words each took. `amends`: the channel
    still can. `kept` are our copies of files, by their digest."""

    said_by: Mapping[str, str]
    shut: Container[str]
    undone: Container[str]
    recalled: Container[str]
    amended: Mapping[str, str]
    messages: Mapping[str, int]
    amends: bool
    kept: Mapping[str, int]


Decode = Callable[[str, Item], Event | None]


def read(paper: Paper, decode: Decode, *, amends: bool = False) -> list[Line]:
    """All lines, oldest first. `amends`: the channel can change and delete what it has delivered."""
    released = {h.data.decode(): h.who for h in paper.history if h.what == "push_sent"}
    # What changes a message says nothing new: its line of the history tells of it.
    said = [row for row in paper.said if row.body and not row.key.startswith(AMEND)]
    fates = _fates(paper, said, released, amends=amends)
    titles = {c.value: c.title for row in said for c in codec.outbound(row.body or b"").choices}
    heard = [(row, _event(row, decode)) for row in paper.written]
    brought = _brought(paper, heard)
    lines = [
        line for row, event in heard if (line := _written(row, event, brought.get(row.id, ()), titles)) is not None
    ]
    lines += [_said(row, fates, paper) for row in said]
    lines += [line for row in paper.history if (line := _happened(row, released)) is not None]
    return sorted(lines, key=lambda line: (line.at, line.side == "event", line.key))


def _fates(paper: Paper, said: Sequence[SaidRow], released: Mapping[str, str], *, amends: bool) -> Fates:
    def acts(*what: str) -> set[str]:
        return {f"staff:{h.data.decode()}" for h in paper.history if h.what in what}

    replies = {"staff:" + h.key.removesuffix(":reply"): h.who for h in paper.history if h.what == "reply"}
    said_by = {**replies, **released}
    # Of each change that the platform refused, what it was to change, and by which edit.
    refused = {h.key.rpartition(":")[0] for h in paper.history if h.what == "not_amended"}
    shut = {f"staff:{h.data.decode()}" for h in paper.history if h.what == "failed" and h.text == "closed"}
    return Fates(
        said_by=said_by,
        shut=shut - acts("bridged"),
        undone=acts("undone"),
        recalled=acts("recalled") - refused,
        amended={
            act: h.text
            for h in paper.history
            if h.what == "amended"
            and f"{(act := f'staff:{h.data.decode()}')}:{h.key.removesuffix(':amended')}" not in refused
        },
        messages=Counter(_act(row.key, said_by) for row in said if codec.outbound(row.body or b"").text),
        amends=amends,
        kept={f.digest: f.id for f in paper.files},
    )


def _plain(text: str) -> tuple[Run, ...]:
    return (Run(text),) if text else ()


def _event(row: WrittenRow, decode: Decode) -> Event | None:
    """What came in, as its port or we ourselves read it; what nobody reads any more is still a line."""
    if row.body is None:
        return None
    try:
        return codec.unpack(row.body) if row.port == "wismo" else decode(row.port, Item(row.key, row.lane, row.body))
    except Exception:
        return None


def _brought(paper: Paper, heard: Sequence[tuple[WrittenRow, Event | None]]) -> Mapping[int, list[Shown]]:
    """The files of each message and each reply of staff, by its row. Files are stored when what brought them is
    handled, an album at once: from the newest on, each belongs to the newest before it that wants one more."""
    wants = {
        row.id: len(event.media)
        for row, event in sorted(heard, key=lambda h: -h[0].id)
        if isinstance(event, Inbound | StaffAct)
    }
    since = {row.id: row.received_at for row, _ in heard}
    brought: dict[int, list[Shown]] = {row: [] for row in wants}
    for f in sorted(paper.files, key=lambda f: -f.id):
        row = next((row for row, left in wants.items() if left and since[row] <= f.at), None)
        if row is not None:
            wants[row] -= 1
            brought[row].insert(0, Shown(f.id, f.name or "file", f.mime, f.size))
    return brought


def _written(row: WrittenRow, event: Event | None, files: Sequence[Shown], titles: Mapping[str, str]) -> Line | None:
    if row.port == "wismo":
        return _waiting_act(row, event)
    if row.body is None:
        gone = f"A message of {row.received_at:%d %b %Y}; its words were kept for a while and are gone."
        return Line(f"i{row.id}", row.received_at, "event", "", _plain(gone))
    if not isinstance(event, Inbound):
        return None
    if event.kind in SWITCHED:
        return Line(f"i{row.id}", row.received_at, "event", "", _plain(SWITCHED[event.kind]))
    pressed = event.choice or ""
    text = event.text or (f"pressed “{titles.get(pressed, pressed)}”" if pressed else "")
    if event.contact is not None:
        text = text or "shared a phone number"
    lost = row.state == InboxState.DONE and len(files) < len(event.media)
    return Line(
        f"i{row.id}",
        row.received_at,
        "buyer",
        event.name,
        _plain(text),
        state=SHOWN_KINDS.get(event.kind, "") or ("⚠ could not be handled" if row.state == InboxState.DEAD else ""),
        bad=row.state == InboxState.DEAD,
        files=(*files, *([Shown(0, NOT_THERE, "", 0)] if lost else [])),
    )


def _waiting_act(row: WrittenRow, act: Event | None) -> Line | None:
    """A staff act that the bot has not handled yet; one that it has is in the history."""
    if row.state not in {InboxState.READY, InboxState.DEAD}:
        return None
    if not isinstance(act, StaffAct) or act.kind not in {"reply", "note"}:
        return None
    dead = row.state == InboxState.DEAD
    state = "⚠ could not be handled" if dead else "waits for the bot"
    side = "staff" if act.kind == "reply" else "note"
    return Line(f"a{row.id}", row.received_at, side, act.staff, _plain(act.text), state, bad=dead)


def _said(row: SaidRow, fates: Fates, paper: Paper) -> Line:
    message = codec.outbound(row.body or b"")
    staff = row.purpose == "staff"
    failed = row.state == OutboxState.DEAD or row.receipt == "failed"
    state = f"⚠ not delivered: {row.error}" if failed else _going(row, fates)
    # What can be done to a reply stands at its first message, whose key is that of its act.
    act = row.key.removeprefix("staff:") if staff and row.key in fates.said_by else ""
    there = row.state == OutboxState.SENT and not failed and row.key not in fates.recalled
    return Line(
        f"o{row.id}",
        row.created_at,
        "staff" if staff else "bot",
        fates.said_by.get(_act(row.key, fates.said_by), "staff") if staff else "bot",
        tuple(runs(message.text)),
        state,
        bad=failed or row.state == OutboxState.UNKNOWN,
        files=tuple(Shown(fates.kept.get(m.digest, 0), m.name or "file", m.mime, m.size or 0) for m in message.media),
        choices=tuple(c.title for c in message.choices),
        why=() if staff else paper.reasons.get(row.key.split(":", 1)[0], ()),
        undo=act if row.state == OutboxState.READY else "",
        bridge=act if failed and row.key in fates.shut else "",
        change=act if there and fates.amends else "",
        messages=fates.messages.get(row.key, 0),
        now=fates.amended.get(row.key, ""),
    )


def _going(row: SaidRow, fates: Fates) -> str:
    """How far a message came that did not fail."""
    act = _act(row.key, fates.said_by)
    if row.state == OutboxState.WITHDRAWN and act in fates.undone:
        return "taken back: the buyer does not read it"
    if act in fates.recalled:
        return "deleted in the buyer's chat"
    going = TICKS.get(row.receipt, SENDS.get(OutboxState(row.state), "✓ sent"))
    return f"{going}, changed since" if act in fates.amended else going


def _act(key: str, acts: Container[str]) -> str:
    """The key of the act that a message is part of, or changes: its own begins with it."""
    while key not in acts and ":" in key:
        key = key.rpartition(":")[0]
    return key


def _happened(row: HistoryRow, released: Mapping[str, str]) -> Line | None:
    key = f"h{row.id}"
    if row.what == "note":
        return Line(key, row.at, "note", row.who, _plain(row.text))
    if row.what == "refused":
        why = "no chat of this buyer is known" if row.data == NO_CHAT else "another person speaks"
        return Line(key, row.at, "note", row.who, _plain(row.text), state=f"⚠ not sent: {why}", bad=True)
    if row.what == "push":
        sent = released.get(row.key, "")
        state = f"sent by {sent}" if sent else "held back while a person speaks"
        return Line(key, row.at, "note", "bot", _plain(row.text), state, push="" if sent else row.key)
    if row.what == "reply" or row.what not in HAPPENED:
        return None
    idle = row.what == "handed_back" and row.who == "bot"
    told = HANDED_BACK_BY_TIME if idle else HAPPENED[row.what].format(who=row.who)
    text = f"{told}: {row.text}" if row.text and not idle else told
    return Line(key, row.at, "event", row.who, _plain(text))


def markup(text: Sequence[Run]) -> str:
    """Runs as HTML. Only our own tags are markup; a link is shown and never fetched or previewed."""
    return "".join(_run(run) for run in text)


def _run(run: Run) -> str:
    text = escape(run.text)
    for wanted, tag in ((run.code, "code"), (run.italic, "i"), (run.bold, "b")):
        text = f"<{tag}>{text}</{tag}>" if wanted else text
    return text
