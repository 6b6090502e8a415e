"""What comes in from a person and what goes out to one, the same for every channel."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

NOWHERE = "none"
"""The channel of whoever has no chat: nobody serves it, so that nothing can leave there."""


class Address(Struct, frozen=True, order=True):
    """One chat of one account. `account` is the platform's own id (bot, team, phone number id)."""

    channel: str
    account: str
    chat: str

    def __str__(self) -> str:
        return f"{self.channel}/{self.account}/{self.chat}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """The inverse of `str`; a chat id may itself hold slashes."""
        channel, account, chat = text.split("/", 2)
        return cls(channel, account, chat)


class MediaKind(StrEnum):
    """What a file is to a person."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


class Media(Struct, frozen=True):
    """A file. Incoming: `ref` is what the channel fetches it by. Stored: `digest` names our copy at `path`.

    `mime` is the platform's claim until the file is stored, and then what its content says.
    `size` is in bytes. `sticker`: a picture that is a gesture, and shows nothing to look at.
    """

    kind: MediaKind
    ref: str = ""
    mime: str = ""
    name: str = ""
    size: int | None = None
    digest: str = ""
    path: str = ""
    sticker: bool = False

    @property
    def lost(self) -> bool:
        """Of what came in, once it was fetched: whether there is no copy of it. A gesture is none to miss."""
        return not self.digest and not self.sticker


class Contact(Struct, frozen=True):
    """A shared contact card. `own` only where the platform vouches that it is the sender's own number."""

    phone: str
    own: bool


class Kind(StrEnum):
    """What happened in the chat."""

    MESSAGE = "message"
    EDITED = "edited"
    DELETED = "deleted"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    ADVERTISING_OFF = "advertising_off"  # the platform's own switch, which is no word on parcels
    ADVERTISING_ON = "advertising_on"
    MOVED = "moved"  # the person left this number: whoever writes from it now is another
    UNSUPPORTED = "unsupported"  # a kind we cannot read: kept, and answered politely


UNSPOKEN = frozenset({Kind.BLOCKED, Kind.UNBLOCKED, Kind.MOVED, Kind.ADVERTISING_OFF, Kind.ADVERTISING_ON})
"""What happened to a chat without anybody saying something in it."""


class Inbound(Struct, frozen=True):
    """One thing a person did in a chat.

    `id` is the platform's and unique per account. `at` is UTC. `choice` is the value of the button pressed.
    `start` is a deep link's payload. `phone` is the sender's own number in E.164 when the platform itself
    vouches for it. `locale` is the chat's language as the platform tells it (BCP 47), a hint only.
    """

    id: str
    at: datetime
    sender: Address
    kind: Kind = Kind.MESSAGE
    text: str = ""
    choice: str | None = None
    media: tuple[Media, ...] = ()
    contact: Contact | None = None
    start: str | None = None
    phone: str | None = None
    locale: str | None = None
    name: str = ""


class State(StrEnum):
    """How far a message got, in the order of `RANK`; `FAILED` ends it."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


RANK = {State.SENT: 1, State.DELIVERED: 2, State.READ: 3, State.FAILED: 4}


class Receipt(Struct, frozen=True):
    """The platform's word on one of our messages.

    `outbound_id` is ours where the platform echoes it, else empty; `platform_id` is the platform's.
    `pricing` is the platform's price object as it came. `closed`: it failed because the window is shut;
    `gone`: because the person cannot be reached until they write again.
    """

    id: str
    at: datetime
    sender: Address
    state: State
    outbound_id: str = ""
    platform_id: str = ""
    reason: str = ""
    closed: bool = False
    gone: bool = False
    pricing: Mapping[str, Any] = field(default_factory=dict)


MAX_CHOICE = 64
"""Bytes of a choice's value: Telegram's callback data is the smallest of all platforms."""


class Choice(Struct, frozen=True):
    """Something a person can pick: `value` comes back to us, `title` is read by them."""

    value: str
    title: str

    def __post_init__(self) -> None:
        if not 0 < len(self.value.encode()) <= MAX_CHOICE:
            raise ValueError(f"a choice's value has 1 to {MAX_CHOICE} bytes")


RATES = "r:"
"""How a button's value begins by which a buyer says whether they were satisfied: `r:good:<case>`."""


class Purpose(StrEnum):
    """Why a message leaves: an answer was asked for; a notice was not and passes the gate; `DESK` is for staff."""

    ANSWER = "answer"
    NOTICE = "notice"
    STAFF = "staff"
    DESK = "desk"


class Option(Struct, frozen=True):
    """A choice before it is worded: `phrase` names a text of the locale, `title` is data shown as it is."""

    value: str
    phrase: str = ""
    title: str = ""


class Reply(Struct, frozen=True):
    """What to say: a template, its facts, and a key under which it is said once, ever, to this address.

    `zone` is the IANA name of the zone in which its dates are told. From `expires_at` on it does not leave.
    """

    to: Address
    template: str
    facts: Mapping[str, Any]
    key: str
    locale: str
    zone: str = "UTC"
    purpose: Purpose = Purpose.ANSWER
    options: tuple[Option, ...] = ()
    media: tuple[Media, ...] = ()
    ask_contact: bool = False
    expires_at: datetime | None = None


class Approved(Struct, frozen=True):
    """A message template that the platform approved beforehand; parameters by name."""

    name: str
    language: str
    parameters: tuple[tuple[str, str], ...] = ()


class DeskPost(Struct, frozen=True):
    """What an Outbound to a desk is, beside its files and buttons: it is worded when it leaves, so that a card is as
    things stand then.

    `kind` is show (the case's card, opened or brought up to date), leave (its last card here: it goes on in another
    channel), say (a line in the case's thread), mark (how far
    a staff message got, on that message) or tell (a word that one person alone reads). `who` is the platform's id
    of that person, `mention` are names of staff to call, `message` the platform's id of the marked message.
    """

    kind: str
    case: int = 0
    template: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    who: str = ""
    mention: tuple[str, ...] = ()
    message: str = ""
    mark: str = ""


class Outbound(Struct, frozen=True):
    """One platform call: how a reply reads at one address. `text` is neutral markup (`bot.model.markup`).

    `ask_contact` is the title of a button by which the person shares their own phone number, or empty.
    `menu` is the title of the list's button where choices become a list. `approved` is sent instead of the text;
    `fallback` is what says the same where the platform finds that free text is not allowed any more. `amends` is the
    platform's id of an earlier message of ours: this one takes its place, or deletes it where it has no text.
    """

    id: str
    to: Address
    text: str
    choices: tuple[Choice, ...] = ()
    media: tuple[Media, ...] = ()
    approved: Approved | None = None
    fallback: Approved | None = None
    ask_contact: str = ""
    menu: str = ""
    purpose: Purpose = Purpose.ANSWER
    holder_version: int = 0
    expires_at: datetime | None = None
    amends: str = ""
    desk: DeskPost | None = None


class Limits(Struct, frozen=True):
    """What a channel can carry: counts, and lengths in characters (`text` after markup is stripped)."""

    text: int
    caption: int
    buttons: int
    button_title: int
    rows: int = 0
    row_title: int = 0
    text_with_buttons: int = 0  # 0: the same as `text`
    media: bool = True
    ask_contact: bool = False
    contact_alone: bool = False  # a message that asks for the contact carries no choices
    window: bool = False  # free text only for a while after the buyer's last message
    amends: bool = False  # a message can be changed, and deleted, after it was sent
    media_bytes: int = 20 * 1024 * 1024
