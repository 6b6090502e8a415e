"""The demo's page: three phones, the shop's parcels, a staff corner, a clock to turn, and faults to switch on.

What the phones do goes over the platforms' wire like in life; what staff does goes through `Backstage`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from importlib.resources import files
from urllib.parse import quote
from zoneinfo import ZoneInfo

from msgspec import Struct
from nicegui import ui

from bot.model.conversations import BOT, QUEUE, Conversation
from bot.model.messages import Address
from bot.model.parcels import Parcel
from bot.pages.bubbles import SKINS, Bubble, Button, Skin, phone
from bot.sandbox.platform import Line, Phone, Platform
from bot.sandbox.shop import SHOWN
from bot.sandbox.town import PIXEL, Town

PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='180' height='110'%3E%3Crect width='180' height='110' fill='%23d9c7a3'/%3E%3Cpath d='M30 35h120v60H30z' fill='%23b98d52'/%3E%3Cpath d='M30 35l18-18h84l18 18z' fill='%23caa167'/%3E%3C/svg%3E"  # noqa: E501
REFRESH_SECONDS = 0.3
ROWS = 8
STEPS = (("+1 hour", 1), ("+6 hours", 6), ("+1 day", 24), ("+3 days", 72))
FAULTS = (
    ("too_many", "Too many requests (429)", "calls refused; each is repeated when the platform allows it"),
    ("duplicate", "Deliver everything twice", "events delivered twice; each has one answer"),
    ("shuffle", "Deliver out of order", "groups of messages delivered backwards; each is answered"),
    ("closed", "WhatsApp window closed", "messages refused: until the buyer writes, only an approved template goes"),
    ("down", "Carrier data down", "look-ups without an answer; buyers are told how old the news is"),
)
"""Each fault, its switch, and what is told of how often it struck."""
STAFF = "Mei"


class OrderRow(Struct, frozen=True):
    """An order as the list shows it."""

    number: str
    buyer: str
    country: str
    status: str
    postcode: str


class Backstage(Struct, frozen=True):
    """What the page asks of the bot it belongs to."""

    conversation: Callable[[Address], Awaitable[Conversation]]
    case: Callable[[Address], Awaitable[str]]
    act: Callable[[Address, str, str], Awaitable[None]]
    orders: Callable[[], Awaitable[Sequence[OrderRow]]]
    parcels: Callable[[str], Awaitable[Sequence[Parcel]]]
    forward: Callable[[timedelta], Awaitable[None]]
    addresses: Mapping[str, Address]


def build(town: Town, stage: Backstage) -> None:
    """Draw the page for one visitor."""
    ui.page_title("Wismo demo")
    ui.add_css(files("bot.pages").joinpath("phones.css").read_text(encoding="utf-8"))
    ui.add_css(files("bot.sandbox").joinpath("page.css").read_text(encoding="utf-8"))
    with ui.element("main").classes("demo"):
        _head(town, stage)
        with ui.element("div").classes("phones"):
            for skin, platform in zip(SKINS, town.chats, strict=True):
                _phone(town, skin, platform)
        with ui.element("div").classes("below"):
            _staff(town, stage)
            _orders(stage)
            _faults(town)


def _head(town: Town, stage: Backstage) -> None:
    with ui.element("header").classes("head"):
        with ui.element("div"):
            ui.html("<h1>Wismo <small>the parcel desk a shop owns</small></h1>", sanitize=False)
            hint = f"Ask in any phone: <b>where is my order {SHOWN}?</b> Its postcode is in the list of orders below."
            ui.html(f"<p>{hint}</p>", sanitize=False)
        with ui.element("div").classes("clock").props('aria-label="The shop\'s clock"'):
            now = ui.label().classes("now")
            for title, hours in STEPS:
                with ui.element("button").on("click", partial(stage.forward, timedelta(hours=hours))):
                    ui.label(title)

    def tick() -> None:
        local = town.clock.now().astimezone(ZoneInfo("Asia/Shanghai"))
        now.set_text(local.strftime("%a %d %b, %H:%M") + " in the shop")

    tick()
    ui.timer(1.0, tick)


def _phone(town: Town, skin: Skin, platform: Platform) -> None:
    owner = town.phone(platform)

    def say(text: str) -> None:
        platform.say(owner, text)  # type: ignore[attr-defined]

    def press(line: Line, button: Button) -> None:
        platform.press(owner, line, button.value)  # type: ignore[attr-defined]

    def share(line: Line) -> None:
        platform.share(owner, line)  # type: ignore[attr-defined]

    def pressed(button: Button) -> None:
        line = next(x for x in reversed(owner.lines) if any(b.value == button.value for b in x.buttons))
        press(line, button)

    def shared() -> None:
        share(next(x for x in reversed(owner.lines) if x.share))

    with ui.element("div").classes("holder"):
        redraw = phone(skin, _bubbles(owner), say, pressed, shared)
        with ui.element("div").classes("beside"):
            ui.label(f"{owner.name}, on {skin.name}")
            with ui.element("button").on("click", lambda: platform.photo(owner, PIXEL, PICTURE)):  # type: ignore[attr-defined]
                ui.label("Send a photo")
    seen = {"changed": owner.changed}

    def tick() -> None:
        if seen["changed"] != owner.changed:
            seen["changed"] = owner.changed
            redraw(_bubbles(owner))

    ui.timer(REFRESH_SECONDS, tick)


def _bubbles(owner: Phone) -> list[Bubble]:
    return [
        Bubble(
            mine=line.mine,
            runs=line.runs,
            time=line.at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%H:%M"),
            buttons=tuple(Button(b.title, b.value) for b in line.buttons),
            menu=line.menu,
            share=line.share,
            picture=line.picture,
            ticks=2 if line.mine else 0,
            read=line.mine,
        )
        for line in owner.lines[-50:]
    ]


def _staff(town: Town, stage: Backstage) -> None:
    with ui.element("section").classes("card"):
        told = f"You are {STAFF} from customer service."
        desk = '<a href="/staff-desk" target="_blank" rel="noopener">Open the staff desk</a>'
        ui.html(f"<h2>Staff corner</h2><p>{told} {desk}</p>", sanitize=False)
        for skin, platform in zip(SKINS, town.chats, strict=True):
            _desk(stage, skin, stage.addresses[platform.name])


def _desk(stage: Backstage, skin: Skin, address: Address) -> None:
    typed = {"text": ""}
    with ui.element("div").classes("desk").props(f'aria-label="Desk {skin.name}"'):
        with ui.element("div").classes("who"):
            ui.label(skin.name).classes("name")
            state = ui.label().classes("state")
        why = ui.label().classes("why")
        with ui.element("div").classes("acts"):
            take = _button("Take over", lambda: stage.act(address, "take", ""))
            back = _button("Hand back", lambda: stage.act(address, "handback", ""))
        with ui.element("form").classes("answer") as form:
            text = ui.element("input").props(f'placeholder="Reply as {STAFF}" aria-label="Reply on {skin.name}"')
            text.on("input", js_handler="(e) => emit(e.target.value)", handler=lambda e: typed.update(text=str(e.args)))
            with ui.element("button").props("type=submit"):
                ui.label("Reply")

        async def reply() -> None:
            said, typed["text"] = typed["text"].strip(), ""
            ui.run_javascript(f'getElement({text.id}).value = ""')
            if said:
                await stage.act(address, "reply", said)

        form.on("submit.prevent", reply)

    async def tick() -> None:
        record = await stage.conversation(address)
        state.set_text(_holder(record))
        why.set_text(await stage.case(address))
        take.set_visibility(record.holder in {BOT, QUEUE})
        back.set_visibility(record.holder != BOT)

    ui.timer(0.7, tick)


def _holder(record: Conversation) -> str:
    if record.holder == BOT:
        return "the bot answers"
    return "waits for you" if record.holder == QUEUE else f"{record.holder.removeprefix('staff:')} speaks"


def _button(title: str, pressed: Callable[[], Awaitable[None]]) -> ui.element:
    with ui.element("button").props("type=button").on("click", pressed) as made:
        ui.label(title)
    return made


def _orders(stage: Backstage) -> None:
    with ui.element("section").classes("card wide"):
        ui.html("<h2>Orders of the shop</h2><p>Open one to see its parcels' way.</p>", sanitize=False)
        columns = [
            {"name": n, "label": n.capitalize(), "field": n, "align": "left", "sortable": True}
            for n in ("number", "buyer", "country", "postcode", "status")
        ]
        wanted = ui.input(placeholder="Find an order, a buyer, a status").props("dense outlined clearable")
        wanted.props('aria-label="Find an order"')
        table = ui.table(columns=columns, rows=[], row_key="number", pagination=ROWS).props("dense flat")
        wanted.bind_value_to(table, "filter")
        table.on("rowClick", lambda e: ui.navigate.to(f"/orders/{quote(str(e.args[1]['number']), safe='')}"))

    async def tick() -> None:
        rows = [
            {"number": o.number, "buyer": o.buyer, "country": o.country, "postcode": o.postcode, "status": o.status}
            for o in await stage.orders()
        ]
        if rows != table.rows:
            table.rows = rows
            table.update()

    ui.timer(3.0, tick, immediate=True)


def _faults(town: Town) -> None:
    told: dict[str, ui.label] = {}
    with ui.element("section").classes("card"):
        ui.html("<h2>Let something go wrong</h2><p>Nothing may be lost, doubled or out of order.</p>", sanitize=False)
        for name, title, _ in FAULTS:
            on = any(getattr(platform.faults, name) for platform in _stricken(town, name))
            ui.switch(title, value=on, on_change=lambda e, n=name: _switch(town, n, on=bool(e.value)))
            told[name] = ui.label().classes("met").props("role=status")

    def tick() -> None:
        for name, _, what in FAULTS:
            times = sum(platform.faults.met.get(name, 0) for platform in _stricken(town, name))
            told[name].set_text(f"{times} {what}" if times else "")
            told[name].set_visibility(times > 0)

    tick()
    ui.timer(1.0, tick)


def _switch(town: Town, name: str, *, on: bool) -> None:
    for platform in _stricken(town, name):
        setattr(platform.faults, name, on)


def _stricken(town: Town, name: str) -> Sequence[Platform]:
    """Those on whom a fault falls."""
    return (town.carriers, *town.direct) if name == "down" else town.platforms
