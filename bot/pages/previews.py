"""What the templates look like on each platform, as one page: no script, nothing fetched."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from msgspec import Struct

from bot.model.markup import runs
from bot.model.messages import Outbound
from bot.pages.bubbles import SKINS, Bubble, Skin, bubble_html

_TIME = "09:41"
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;
 max-width:1300px;padding:0 1em;background:#f4f5f7;color:#1c2733}
nav{line-height:2}nav a{color:#0b6bcb;margin-right:1em;white-space:nowrap}
h2{font-size:1.05em;margin:2em 0 .5em}.phones{display:flex;gap:16px}
.phones .phone{height:auto;border-radius:22px;box-shadow:none}.phones .chat{min-height:120px}
@media(max-width:1000px){.phones{overflow-x:auto;scroll-snap-type:x proximity}
.phones .phone{flex:0 0 86%;scroll-snap-align:start}}"""


class Shown(Struct, frozen=True):
    """One example in one language: what each channel (by its slug) would be sent."""

    template: str
    case: str
    locale: str
    sent: Sequence[tuple[str, Sequence[Outbound]]]


def page(shown: Sequence[Shown]) -> str:
    """The whole page."""
    css = files("bot.pages").joinpath("phones.css").read_text(encoding="utf-8")
    body = "\n".join([_index(shown), *map(_example, shown)])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Templates</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{css}</style><body>{body}</body></html>\n'
    )


def _index(shown: Sequence[Shown]) -> str:
    """A link to the first example of each template."""
    first: dict[str, Shown] = {}
    for one in shown:
        first.setdefault(one.template, one)
    links = " ".join(f'<a href="#{escape(_anchor(one))}">{escape(name)}</a>' for name, one in first.items())
    return f"<h1>Templates</h1><nav>{links}</nav>"


def _anchor(shown: Shown) -> str:
    return f"{shown.template}-{shown.case}-{shown.locale}".replace(" ", "-")


def _example(shown: Shown) -> str:
    skins = {skin.slug: skin for skin in SKINS}
    phones = "".join(_phone(skins[channel], messages) for channel, messages in shown.sent)
    title, locale = escape(f"{shown.template}: {shown.case} · {shown.locale}"), escape(shown.locale)
    return f'<h2 id="{escape(_anchor(shown))}">{title}</h2><div class="phones" lang="{locale}">{phones}</div>'


def _phone(skin: Skin, messages: Sequence[Outbound]) -> str:
    head = f'<div class="avatar">{skin.title[0]}</div><div>{escape(skin.title)}<small>{skin.name}</small></div>'
    chat = "".join(_row(skin, message) for message in messages)
    return (
        f'<section class="phone {skin.slug}" aria-label="{skin.name}"><div class="phone-head">{head}</div>'
        f'<div class="chat">{chat}</div></section>'
    )


def _row(skin: Skin, message: Outbound) -> str:
    titles = [message.menu] if message.menu else [choice.title for choice in message.choices]
    buttons = "".join(f'<span class="press" dir="auto">{escape(title)}</span>' for title in titles)
    return (
        f'<div class="row">{bubble_html(Bubble(False, tuple(runs(message.text)), _TIME), skin)}'
        f'<div class="presses">{buttons}</div></div>'
    )
