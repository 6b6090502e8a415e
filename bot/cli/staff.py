"""`wismo staff`: who may sign in to the web desk."""

from typing import Annotated

import typer
from rich.table import Table

from bot.cli.session import DEFAULT, ConfigOption, complete, console, load, open_store, say, stop
from bot.config import Config
from bot.model.staff import Role
from bot.store.staff import INVITE_HOURS, Audited, StaffBook, name_key

staff = typer.Typer(no_args_is_help=True, help="Who may sign in to the web desk.")

RoleOption = Annotated[Role, typer.Option(help="agent answers; lead also sees reports; admin also lets people in.")]
NameArgument = Annotated[str, typer.Argument(help="The name that colleagues see.")]
TERMINAL = "(terminal)"


@staff.command()
def add(
    name: NameArgument,
    role: RoleOption = Role.AGENT,
    email: Annotated[str, typer.Option(help="What an OIDC provider vouches for, if you use one.")] = "",
    config: ConfigOption = DEFAULT,
) -> None:
    """Let a person in: prints a one-time link to set a password. Once more: a new link, and the old password ends."""
    if not name_key(name) or len(name) > 40:
        stop("✗ a name has 1 to 40 characters", 2)
    complete(_add(load(config), name, role, email))


async def _add(config: Config, name: str, role: Role, email: str) -> None:
    async with open_store(config) as store:
        book = StaffBook(store.database, store.clock)
        person, token = await book.add(name, role, email)
        await book.audit(Audited(TERMINAL, "made a sign-in link", detail=f"for {person.name}, {role.value}"))
    base = config.desk.url or f"http://{config.desk.host}:{config.desk.port}"
    say(f"✓ {person.name} ({role.value}) sets a password here; the link works once, for {INVITE_HOURS} hours:")
    say(f"{base}/desk/invite/{token}")


@staff.command("list")
def list_(config: ConfigOption = DEFAULT) -> None:
    """List who may sign in."""
    complete(_list(load(config)))


async def _list(config: Config) -> None:
    async with open_store(config) as store:
        people = await StaffBook(store.database, store.clock).everyone()
    if not people:
        say("Nobody yet: `wismo staff add NAME --role admin` lets the first person in.")
        return
    table = Table("name", "role", "e-mail", "state")
    for person in people:
        state = "shut out" if not person.active else "signs in" if person.signs_in or person.email else "has a link"
        table.add_row(person.name, person.role.value, person.email, state)
    console().print(table)


@staff.command()
def remove(name: NameArgument, config: ConfigOption = DEFAULT) -> None:
    """Shut a person out: their password and links end, their open pages close within seconds, their cases wait for
    the others."""
    complete(_remove(load(config), name))


async def _remove(config: Config, name: str) -> None:
    async with open_store(config) as store:
        book = StaffBook(store.database, store.clock)
        person = await book.named(name)
        if person is None:
            stop(f"✗ nobody is called {name}; `wismo staff list` shows who is there")
        await book.change(person.id, TERMINAL, active=False)
        await book.audit(Audited(TERMINAL, "shut out", detail=person.name))
    say(f"✓ {person.name} is signed out everywhere and cannot sign in")
