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
h2{font-size:1.05em;margin:2em 0 .5em}.phones{display:flex;gap:16px;flex-wrap:wrap}
.phones .phone{height:auto;max-height:none;border-radius:22px}.phones .chat{min-height:120px}"""


class Shown(Struct, frozen=True):
    """One example in one language: what each channel (by its slug) would be sent."""

    title: str
    locale: str
    sent: Sequence[tuple[str, Sequence[Outbound]]]


def page(shown: Sequence[Shown]) -> str:
    """The whole page."""
    css = files("bot.pages").joinpath("phones.css").read_text(encoding="utf-8")
    body = "\n".join(map(_example, shown))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Templates</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{css}</style><body>{body}</body></html>\n'
    )


def _example(shown: Shown) -> str:
    skins = {skin.slug: skin for skin in SKINS}
    phones = "".join(_phone(skins[channel], messages) for channel, messages in shown.sent)
    title = escape(f"{shown.title} · {shown.locale}")
    return f'<h2>{title}</h2><div class="phones" lang="{escape(shown.locale)}">{phones}</div>'


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
