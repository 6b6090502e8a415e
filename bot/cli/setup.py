"""`wismo init`: asks, tries each credential at once, and writes the config and `.env`.

What to ask of an account is read from its adapter's own `Settings`, so a new adapter is asked for without a
line here.
"""

import importlib
import os
import pkgutil
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args

import typer
import yaml
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from bot.cli.files import write_config, write_secrets
from bot.cli.questions import Prepared, Questions, Terminal
from bot.cli.session import DEFAULT, ConfigOption, complain, complete, refuse, say, stop
from bot.config import Faults, ShopPart, WebPart, told
from bot.errors import WismoError, describe
from bot.transport import fresh_client

INVENTED = {"secret", "verify_token"}
"""Settings that nobody gives us: both sides only have to hold the same random value."""
KINDS = {"channels": "Which channels", "carriers": "Which tracking sources"}
ALONE = {"console"}
"""Channels that are no account anywhere."""
SHOP = {
    "name": ("The shop's name", None),
    "country": ("Its country, two letters", None),
    "timezone": ("Its time zone, like Europe/Berlin", None),
    "locale": ("Its own language", "en"),
    "hours": ("When people answer, like mon-fri 09:00-18:00, sat 10:00-14:00", None),
}


def init(
    config: ConfigOption = DEFAULT,
    answers: Annotated[Path | None, typer.Option(help="Ask nobody: take the answers from this YAML file.")] = None,
) -> None:
    """Set the bot up: a few questions, each credential tried at once."""
    try:
        questions: Questions = _prepared(answers) if answers else Terminal()
        _check_overwrite(config, questions)
        values, hidden, failed = _asked(questions)
        write_secrets(config.parent / ".env", hidden)
        write_config(config, values)
    except Faults as faults:
        refuse(faults)
    except WismoError as error:
        stop(f"✗ {error}")
    except OSError as error:
        stop(f"✗ nothing was written: {error.filename}: {error.strerror}")
    say(f"✓ {config} and {config.parent / '.env'} (secrets, for you alone) are written.")
    say("Next: `wismo import FILE.csv` for your orders, `wismo doctor --register`, then `wismo run`.")
    if failed:
        stop(f"✗ left out, since their credentials did not work: {', '.join(failed)}")


def _prepared(path: Path) -> Prepared:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Faults([f"{path}: {error.strerror}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise Faults([f"{path.name}: not readable as YAML"]) from None
    if not isinstance(raw, Mapping):
        raise Faults([f"{path.name}: must be a mapping, laid out like the config"])
    return Prepared(raw)


def _check_overwrite(config: Path, questions: Questions) -> None:
    folder = next(f for f in config.absolute().parents if f.exists())
    if not os.access(folder, os.W_OK):
        stop(f"✗ {folder} cannot be written to; say where else: --config FILE")
    if config.exists() and not questions.yes("overwrite", f"{config} exists. Replace it?", default=False):
        stop(f"{config} exists; nothing was written.")


def _asked(questions: Questions) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    values: dict[str, Any] = {"shop": _shop(questions)}
    hidden: dict[str, str] = {}
    failed: list[str] = []
    values["web"] = _web(questions)
    if (database := questions.optional("database")) is not None:
        values["database"] = database
    for kind, prompt in KINDS.items():
        accounts = {}
        for name in questions.choose(kind, prompt, list(_adapters(kind))):
            settings = _account(kind, name, questions)
            if settings is None:
                failed.append(f"{kind}.{name}")
            else:
                accounts[name] = _hide(name, settings, hidden)
        values[kind] = accounts
    return values, hidden, failed


# ---- the shop --------------------------------------------------------------------------------------------


def _shop(questions: Questions) -> dict[str, Any]:
    values: dict[str, Any] = {}
    open_keys = list(SHOP)
    while True:
        for key in open_keys:
            prompt, default = SHOP[key]
            values[key] = questions.ask(f"shop.{key}", prompt, default)
        if isinstance(values["hours"], str):
            values["hours"] = _timetable(values["hours"])
        faults = _refused(ShopPart, values, "shop", questions)
        if not faults:
            return values
        open_keys = [key for key in SHOP if any(f.startswith(f"shop.{key}:") for f in faults)]


def _web(questions: Questions) -> dict[str, Any]:
    while True:
        url = questions.ask(
            "web.public_url", "Where the world reaches this machine, https://... (nothing: nowhere)", ""
        )
        given = {k: v for k in ("host", "port") if (v := questions.optional(f"web.{k}")) is not None}
        values = {"public_url": url} | given
        if not _refused(WebPart, values, "web", questions):
            return values


def _refused(part: type[BaseModel], values: Mapping[str, Any], name: str, questions: Questions) -> list[str]:
    """What is wrong with a part of the config, which whoever answers by hand is told and asked again; raises `Faults`
    where the answers came in a file."""
    try:
        part.model_validate(values)
    except ValidationError as error:
        faults = told(error, name)
        if not questions.patient:
            raise Faults(faults) from None
        for fault in faults:
            complain(f"✗ {fault}")
        return faults
    return []


def _timetable(text: str) -> dict[str, str]:
    """`mon-fri 09:00-18:00, sat 10:00-14:00` as the config's mapping; a span without a day joins the one before."""
    hours: dict[str, str] = {}
    day = ""
    for part in filter(None, (p.strip() for p in text.split(","))):
        found = re.fullmatch(r"([a-zA-Z][a-zA-Z -]*?):?\s+(\S.*)", part)
        day, span = found.groups() if found else (day or part, part)
        hours[day] = f"{hours[day]}, {span}" if day in hours else span
    return hours


# ---- accounts --------------------------------------------------------------------------------------------


def _adapters(kind: str) -> Iterator[str]:
    package = importlib.import_module(f"adapters.{kind}")
    for found in pkgutil.iter_modules(package.__path__):
        if found.name not in ALONE and hasattr(_module(kind, found.name), "Settings"):
            yield found.name


def _module(kind: str, name: str) -> ModuleType:
    return importlib.import_module(f"adapters.{kind}.{name}")


def _account(kind: str, name: str, questions: Questions) -> BaseModel | None:
    """The account's settings once its credentials have worked; None where they did not and were given up."""
    module = _module(kind, name)
    while True:
        try:
            settings: BaseModel = module.Settings.model_validate(_fields(f"{kind}.{name}", module, questions))
        except ValidationError as error:
            for fault in told(error, f"{kind}.{name}"):
                complain(f"✗ {fault}")
        else:
            works, answer = complete(_try(module, settings))
            if works:
                say(f"✓ {name}: {answer}")
                return settings
            complain(f"✗ {name}: {answer}")
        if not questions.patient or not questions.yes(name, "Try again?", default=True):
            return None


async def _try(module: ModuleType, settings: BaseModel) -> tuple[bool, str]:
    """Whether the credentials work, and what the platform said."""
    async with fresh_client() as http:
        port = module.connect(settings, http)
        try:
            return True, await port.check()
        except WismoError as error:
            return False, str(error)
        except Exception as error:
            return False, describe(error)
        finally:
            await port.close()


def _fields(below: str, module: ModuleType, questions: Questions) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field, info in module.Settings.model_fields.items():
        key = f"{below}.{field}"
        if field == "base_url" or not _typed(info):
            value = questions.optional(key)
        else:
            secret = _holds(info, SecretStr)
            default = secrets.token_urlsafe(24) if field in INVENTED else _default(info)
            value = questions.ask(key, f"  {below.partition('.')[2]}: {field}", default, secret=secret)
        if value is not None:
            values[field] = value
    return values


def _typed(info: FieldInfo) -> bool:
    return _holds(info, str) or _holds(info, SecretStr)


def _holds(info: FieldInfo, kind: type) -> bool:
    return info.annotation is kind or kind in get_args(info.annotation)


def _default(info: FieldInfo) -> str | None:
    if info.is_required():
        return None
    value = info.get_default(call_default_factory=True)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")


def _hide(name: str, settings: BaseModel, hidden: dict[str, str]) -> dict[str, Any]:
    """The account as it stands in the config: secrets as references, whose values go to `hidden`."""
    shown: dict[str, Any] = {}
    for field in sorted(settings.model_fields_set, key=list(type(settings).model_fields).index):
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            if not value.get_secret_value():
                continue
            variable = re.sub(r"\W", "_", f"{name}_{field}").upper()
            hidden[variable] = value.get_secret_value()
            shown[field] = f"${{{variable}}}"
        elif value not in (None, ""):
            shown[field] = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return shown
