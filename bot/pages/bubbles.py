"""A chat as its platform draws it: bubbles, ticks, buttons. Text is set as text, never as markup."""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape

from msgspec import Struct
from nicegui import ui

from bot.model.markup import Run


class Button(Struct, frozen=True):
    """Something to press; `value` is what the platform would send back."""

    title: str
    value: str


class Bubble(Struct, frozen=True):
    """One message. `mine` is the phone owner's own. `menu` is the title of a list's button, if it is a list.

    `share` is the title of a button that shares the owner's phone number. `ticks` counts ✓ (2 and `read`: blue).
    """

    mine: bool
    runs: tuple[Run, ...]
    time: str
    buttons: tuple[Button, ...] = ()
    menu: str = ""
    share: str = ""
    picture: str = ""
    ticks: int = 0
    read: bool = False
    author: str = ""


class Skin(Struct, frozen=True):
    """How one platform looks."""

    name: str
    slug: str
    title: str
    hint: str


SKINS = (
    Skin("Telegram", "telegram", "Lantern & Loom · bot", "Message"),
    Skin("WhatsApp", "whatsapp", "Lantern & Loom", "Type a message"),
    Skin("Slack", "slack", "Lantern & Loom  APP", "Message Lantern & Loom"),
)


def draw(bubble: Bubble, skin: Skin, press: Callable[[Button], None], share: Callable[[], None]) -> None:
    """One message with what can be pressed below it."""
    with ui.element("div").classes("row mine" if bubble.mine else "row"):
        ui.html(bubble_html(bubble, skin), sanitize=False)
        if bubble.buttons or bubble.share:
            with ui.element("div").classes("presses"):
                for button in bubble.buttons:
                    _press(button.title, partial(press, button))
                if bubble.share:
                    _press(bubble.share, share)


def _press(title: str, pressed: Callable[[], None]) -> None:
    with ui.element("button").classes("press").props("type=button").on("click", pressed):
        ui.label(title)


def bubble_html(bubble: Bubble, skin: Skin) -> str:
    """The bubble alone, without what can be pressed below it. Slack names its writer and hour above it."""
    picture = f'<img src="{escape(bubble.picture)}" alt="photo">' if bubble.picture else ""
    ticks = " " + "✓" * bubble.ticks if bubble.mine and bubble.ticks else ""
    head, meta = "", f'<span class="meta{" read" if bubble.read else ""}">{escape(bubble.time)}{ticks}</span>'
    if skin.slug == "slack":
        who = "You" if bubble.mine else bubble.author or skin.title.split("  ", maxsplit=1)[0]
        head, meta = f'<div class="who">{escape(who)}<small>{escape(bubble.time)}</small></div>', ""
    return f'{head}<div class="bubble" dir="auto">{picture}{"".join(map(_run, bubble.runs))}{meta}</div>'


def _run(run: Run) -> str:
    text = escape(run.text)
    for wanted, tag in ((run.code, "code"), (run.italic, "i"), (run.bold, "b")):
        text = f"<{tag}>{text}</{tag}>" if wanted else text
    if run.link.startswith(("https://", "http://")):
        return f'<a href="{escape(run.link)}" target="_blank" rel="noopener noreferrer">{text}</a>'
    return text


def phone(
    skin: Skin,
    bubbles: Sequence[Bubble],
    say: Callable[[str], None],
    press: Callable[[Button], None],
    share: Callable[[], None],
) -> Callable[[Sequence[Bubble]], None]:
    """A phone with its chat; returns what redraws the chat."""
    typed = {"text": ""}

    def send() -> None:
        wanted, typed["text"] = typed["text"].strip(), ""
        ui.run_javascript(f'getElement({text.id}).value = ""; getElement({text.id}).focus()')
        if wanted:
            say(wanted)

    with ui.element("section").classes(f"phone {skin.slug}").props(f'aria-label="{skin.name}"'):
        with ui.element("div").classes("phone-head"):
            ui.html(f'<div class="avatar">{skin.title[0]}</div>', sanitize=False)
            ui.html(f"<div>{escape(skin.title)}<small>{escape(skin.name)}</small></div>", sanitize=False)
        chat = ui.element("div").classes("chat").props('role="log" aria-live="polite"')
        with ui.element("form").classes("phone-foot").on("submit.prevent", send):
            text = ui.element("input").props(
                f'placeholder="{skin.hint}" aria-label="{skin.hint} ({skin.name})" autocomplete=off'
            )
            text.on("input", js_handler="(e) => emit(e.target.value)", handler=lambda e: typed.update(text=str(e.args)))
            with ui.element("button").props('type=submit aria-label="Send"'):
                ui.label("➤")

    def redraw(fresh: Sequence[Bubble]) -> None:
        chat.clear()
        with chat:
            for bubble in fresh:
                draw(bubble, skin, press, share)
        ui.run_javascript(f"const c = getElement({chat.id}); if (c) c.scrollTop = c.scrollHeight")

    redraw(bubbles)
    return redraw
