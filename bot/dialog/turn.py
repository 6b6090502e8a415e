"""The values that pass between the steps of a conversation's turn.

understand(messages, conversation)  -> Understanding
wants(conversation, understanding)  -> Wants        the engine gathers these
decide(Turn)                        -> Decision     the engine renders and commits it
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from bot.model.cases import CaseDraft
from bot.model.conversations import Conversation
from bot.model.messages import Address, Inbound, Reply
from bot.model.orders import Consent, Order
from bot.model.parcels import Parcel
from bot.tracking.eta import Tables


class Entity(Struct, frozen=True):
    """A typed piece of the message. `kind` is order, tracking, email, phone, postcode, last4, money, date,
    link (a token), or number (bare digits: a candidate for anything until an order confirms it).

    `value` is normalised for comparing, `raw` as typed. `carrier` is a tracking number's likely carrier.
    """

    kind: str
    value: str
    raw: str
    score: float = 1.0
    carrier: str = ""


class Understanding(Struct, frozen=True):
    """What the waiting messages of a chat mean together.

    `intents` are (name, score) from likeliest to least; empty where only an answer or a file came.
    `choice` is the value of a pressed button, or of the offered one whose number or title was typed.
    `yes` tells an affirmation from a refusal, None where it is neither. `locale` is what the message itself
    shows with confidence, else empty; `asked_locale` a language that was asked for by name, `words_of` the
    language whose words were read, which may be a guess. `angry` tells a small sign of anger, `greets` a hello that
    thanks for nothing.
    """

    text: str = ""
    intents: tuple[tuple[str, float], ...] = ()
    entities: tuple[Entity, ...] = ()
    choice: str | None = None
    yes: bool | None = None
    locale: str = ""
    asked_locale: str = ""
    words_of: str = ""
    angry: bool = False
    greets: bool = False

    @property
    def intent(self) -> str:
        """The likeliest intent, or empty."""
        return self.intents[0][0] if self.intents else ""

    def values(self, *kinds: str) -> tuple[str, ...]:
        """The normalised values of these kinds of entity, in the order typed."""
        return tuple([e.value for e in self.entities if e.kind in kinds])  # a list: asked for a dozen times a turn


class Wants(Struct, frozen=True):
    """What a turn must look up. `numbers` are order texts as typed or pending, `trackings` normalised.

    `orders` are the store's ids (in focus, chosen, proved); `buyer` asks for that buyer's newest orders;
    `phone` is a platform-verified number in E.164; `token` a link's token as it was pasted. `guesses`: a detail was
    typed that may be compared with an order's.
    """

    numbers: tuple[str, ...] = ()
    trackings: tuple[str, ...] = ()
    orders: tuple[int, ...] = ()
    buyer: int | None = None
    phone: str = ""
    token: str = ""
    guesses: bool = False


class Dossier(Struct, frozen=True):
    """One order with its parcels, under the store's id; `buyer` is the store's id of whose it is."""

    id: int
    buyer: int | None
    order: Order
    parcels: tuple[Parcel, ...] = ()


class Link(Struct, frozen=True):
    """A link's token as the store knows it; `first_chat` is the lane that used it first, or empty.

    Until when it holds follows from the order's delivery (30 days after), so `decide` judges it.
    """

    order: int
    created_at: datetime
    revoked: bool = False
    first_chat: str = ""


class Desk(Struct, frozen=True):
    """When people answer. `open` now; `next_open` is when staff are next there (UTC); `answer_by` is when an
    answer can be expected (UTC); `hours` as the shop wrote them."""

    open: bool
    next_open: datetime
    answer_by: datetime
    hours: str


class Shop(Struct, frozen=True):
    """The brand that speaks. `timezone` is IANA; `locale` the language where nothing else tells."""

    name: str
    country: str
    timezone: str
    locale: str
    locales: tuple[str, ...] = ("en",)


class Facts(Struct, frozen=True):
    """All that was gathered. `decide` reads nothing else.

    `found` are all dossiers, whoever's they are: what may be said of them is decided, not gathered.
    `numbers` maps a typed order text to the ids it matches; `trackings` a tracking number to (order id,
    parcel id) pairs. `phone_buyers` are the distinct buyers whose orders hold the verified phone.
    `misses` counts wrong proofs in the last hour per typed order text, `chat_misses` in this chat, `shop_misses`
    in all chats together.
    `lookups` counts distinct tracking numbers asked in this chat today. `feeds_down` maps a carrier to the
    UTC instant since which its source gives no answer. `tables` are what was learned of how long parcels take.
    """

    shop: Shop
    desk: Desk
    found: Mapping[int, Dossier] = field(default_factory=dict)
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    trackings: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    phone_buyers: tuple[int, ...] = ()
    buyer_orders: tuple[int, ...] = ()
    link: Link | None = None
    misses: Mapping[str, int] = field(default_factory=dict)
    chat_misses: int = 0
    shop_misses: int = 0
    lookups: int = 0
    feeds_down: Mapping[str, datetime] = field(default_factory=dict)
    consents: frozenset[str] = frozenset()
    tables: Tables = field(default_factory=Tables)


class Turn(Struct, frozen=True):
    """Everything a decision rests on; `now` is business time, UTC. `key` is unique to this turn."""

    key: str
    conversation: Conversation
    messages: Sequence[Inbound]
    said: Understanding
    facts: Facts
    now: datetime


class Reason(Struct, frozen=True):
    """Why a message was sent, or was not: the rule and its inputs, free of personal data. `about` is what it concerns
    where that is no chat: `o/<id>` an order, `p/<id>` a parcel."""

    rule: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


class Decision(Struct, frozen=True):
    """What follows from a turn. The engine renders the replies and commits all of it at once.

    `guessed` is the order text that a typed factor was compared with, `misses` those that it did not match.
    `looked_up` are tracking numbers answered without proof. `consents` go to the ledger. `used_link` is the token whose
    first use this was. `warned` are other chats that must be told something (a second use of a link).
    `say_after` slows the answer down by so much (guessing).
    """

    conversation: Conversation
    replies: tuple[Reply, ...] = ()
    case: CaseDraft | None = None
    consents: tuple[Consent, ...] = ()
    guessed: str = ""
    misses: tuple[str, ...] = ()
    looked_up: tuple[str, ...] = ()
    used_link: str = ""
    warned: tuple[tuple[Address, str], ...] = ()
    reasons: tuple[Reason, ...] = ()
    say_after: timedelta = timedelta(0)
