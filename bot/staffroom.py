"""The web desk on a running app, in a process of its own: whoever serves it loads this module by its name."""

from starlette.applications import Starlette

from bot.app import App, desk_at, rules_of
from bot.desk.app import build_mark, create_desk, pages_folder, static_files
from bot.desk.house import DeskHouse, Provider, Settings
from bot.desk.words import filters
from bot.render import Pages
from bot.store.desk import DeskBook
from bot.store.staff import StaffBook


def make_desk(app: App) -> Starlette:
    """The desk as an ASGI app."""
    return create_desk(desk_house(app))


def desk_house(app: App) -> DeskHouse:
    """What the web desk works with, on the same store."""
    config, oidc = app.config, app.config.desk.oidc
    provider = None
    if oidc is not None:
        secret = oidc.client_secret.get_secret_value()
        provider = Provider(oidc.issuer, oidc.client_id, secret, oidc.claim, oidc.title)
    build = build_mark(static_files())
    pages = Pages(pages_folder(), {"shop": config.shop.name, "build": build}, filters(config.shop.zone, app.clock.now))
    return DeskHouse(
        store=app.store,
        staff=StaffBook(app.store.database, app.clock, config.desk.idle_hours),
        reading=DeskBook(app.store.database),
        clock=app.clock,
        shop=app.shop,
        opening=lambda now: desk_at(config, now),
        zone=config.shop.zone,
        locale=config.shop.locale,
        hours=config.shop.hours,
        renderer=app.renderer,
        pages=pages,
        vault=app.vault,
        limits={c.kind: c.limits for c in app.adapters.channels.values()},
        decode=lambda port, item: app.adapters.ports[port].decode(item) if port in app.adapters.ports else None,
        http=app.http,
        settings=Settings(config.desk.url, provider, config.database.media_bytes),
        queues=rules_of(config).queue_names,
    )
