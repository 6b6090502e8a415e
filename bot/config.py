"""The YAML file as typed models. All faults are reported at once, each with its key and what to do.

`${NAME}` in a value is taken from the environment or from `.env` beside the file. What belongs to one
adapter is checked by that adapter's own `Settings`; `app` joins those faults to these.
"""

import os
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import yaml
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from bot.errors import Misconfigured
from bot.model.hours import Hours, parse_hours
from bot.proactive.announce import Rules
from bot.proactive.gate import House as GateRules
from bot.store.keeping import Retention

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class _Part(BaseModel):
    # An id or secret of digits alone is a number to YAML.
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, coerce_numbers_to_str=True)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone; write it like Europe/Berlin or Asia/Shanghai")
    return name


def _country(value: object) -> object:
    """Norway's two letters are a `false` to YAML."""
    code = "NO" if value is False else value.upper() if isinstance(value, str) else ""
    if not re.fullmatch(r"[A-Z]{2}", code):
        raise ValueError("write its two letters, like DE or CN")
    return code


def _locale(tag: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", tag):
        raise ValueError("write the language's letters, like en, de or pt-BR")
    language, *rest = re.split("[-_]", tag)
    return "-".join([language.lower(), *rest])


def _hours(value: object) -> Hours:
    if isinstance(value, Hours):
        return value
    if not value:
        raise ValueError("when do people answer? write for example {mon-fri: 09:00-18:00}")
    return parse_hours(value)  # type: ignore[arg-type]


class ShopPart(_Part):
    """The brand. `hours` is when people answer, in `timezone`; without it nothing starts."""

    name: str = Field(min_length=1)
    country: Annotated[str, BeforeValidator(_country)]
    timezone: Annotated[str, AfterValidator(_zone)]
    locale: Annotated[str, AfterValidator(_locale)] = "en"
    hours: Annotated[Hours, BeforeValidator(_hours)]

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.timezone)


class KeepPart(_Part):
    """How many days things are kept."""

    inbox: int = Field(30, ge=1)
    keys: int = Field(365, ge=7)
    messages: int = Field(540, ge=1)
    dead: int = Field(90, ge=1)
    tracks: int = Field(540, ge=1)

    def retention(self) -> Retention:
        """As the store takes it."""
        return Retention(self.inbox, self.keys, self.messages, self.dead, self.tracks)


def _database_url(url: str) -> str:
    if url and not re.match(r"(sqlite|postgres(ql)?)(\+\w+)?:", url):
        raise ValueError("begins with postgresql:// or sqlite:///; leave it out for SQLite in database.data")
    return url


class DatabasePart(_Part):
    """Where everything is kept. `data` is the folder for files; SQLite lies there too unless `url` says otherwise."""

    url: Annotated[str, AfterValidator(_database_url)] = ""
    data: Path = Path("wismo-data")
    keep: KeepPart = KeepPart()
    media_bytes: int = Field(20 * 1024 * 1024, ge=1024)

    def make_folder(self) -> None:
        """Make the folder of buyers' data, which only we may open; one that is there stays as it is."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)


def _database(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


class ApiKey(_Part):
    """A key of the signed REST. The caller names `key`; `secret` signs."""

    key: str = Field(min_length=1)
    secret: SecretStr
    scopes: frozenset[Literal["orders", "scans"]] = frozenset({"orders"})


def _address(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise ValueError("write the whole address, like https://bot.example.org")
    return url


class WebPart(_Part):
    """Where we listen. `public_url` is how the world reaches us, for webhooks and links."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=65535)
    public_url: Annotated[str, AfterValidator(_address)] = ""
    api_keys: tuple[ApiKey, ...] = ()
    metrics_token: SecretStr = SecretStr("")


def _quiet(value: object) -> object:
    """`21:00-08:00` as minutes of the day; the span may pass midnight."""
    if isinstance(value, str):
        found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)", value.strip())
        if found is None:
            raise ValueError("write it like 21:00-08:00")
        h1, m1, h2, m2 = map(int, found.groups())
        return h1 * 60 + m1, h2 * 60 + m2
    return value


class ProactivePart(_Part):
    """What buyers are told unasked. `late_risk` is the chance of missing the promise from which a buyer is told that
    it is late; `stall_share` the share of parcels that may be called stuck by mistake; `window_days` how far a
    window's end must move to be news. `quiet` are hours of the buyer's day in which nothing leaves."""

    enabled: bool = True
    quiet: Annotated[tuple[int, int], BeforeValidator(_quiet)] = (21 * 60, 8 * 60)
    calm_a_day: int = Field(1, ge=1, le=10)
    urgent_a_day: int = Field(6, ge=1, le=50)
    business_days_only: bool = False
    late_risk: float = Field(0.5, gt=0, lt=1)
    stall_share: float | None = Field(None, gt=0, lt=0.5)
    window_days: int = Field(2, ge=1, le=30)
    ladder_days: int = Field(3, ge=1, le=30)
    unfulfilled_hours: int = Field(72, ge=24, le=24 * 30)

    def rules(self) -> Rules:
        """What is news, as the announcer takes it."""
        return Rules(
            theta=self.late_risk,
            moved=self.window_days,
            ladder=timedelta(days=self.ladder_days),
            unfulfilled=timedelta(hours=self.unfulfilled_hours),
        )

    def gate(self) -> GateRules:
        """What may leave, as the gate takes it."""
        return GateRules(
            quiet=self.quiet,
            calm_a_day=self.calm_a_day,
            urgent_a_day=self.urgent_a_day,
            business=self.business_days_only,
        )


class OidcPart(_Part):
    """An OIDC provider by which staff may sign in; `claim` of its token must equal a person's e-mail address."""

    issuer: str = Field(pattern="^https?://")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    claim: str = "email"
    title: str = "single sign-on"


def _desk_url(url: str) -> str:
    at = urlsplit(url)
    plain = at.scheme == "http" and at.hostname in {"127.0.0.1", "localhost", "::1"}
    if url and (not at.netloc or not (at.scheme == "https" or plain)):
        raise ValueError("write it like https://desk.example.org; plain http is for this machine alone")
    return url.rstrip("/")


class WebDeskPart(_Part):
    """Where the web desk is. `url` is how staff reach it, through a TLS proxy; without it: from this machine alone.

    Whoever does nothing for `idle_hours` signs in again. `web` False: `wismo run` starts no desk beside the bot.
    """

    web: bool = True
    host: str = "127.0.0.1"
    port: int = Field(8081, ge=1, le=65535)
    url: Annotated[str, AfterValidator(_desk_url)] = ""
    idle_hours: float = Field(12.0, gt=0, le=168)
    oidc: OidcPart | None = None


class QueuePart(_Part):
    """Which cases come to a queue, by kind, language and shop; what is left out takes any."""

    kinds: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()


class AbsencePart(_Part):
    """First and last day away, in the shop's zone: `2026-12-24` or `2026-12-24..2026-12-31`."""

    days: tuple[date, date]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if isinstance(value, dict):
            return value
        first, _, last = str(value).partition("..")
        try:
            days = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
        except ValueError as error:
            raise ValueError("write days away like 2026-12-24 or 2026-12-24..2026-12-31") from error
        if days[1] < days[0]:
            raise ValueError(f"{value!r} runs backwards")
        return {"days": days}


def _own_hours(value: object) -> Hours | None:
    return None if value is None else _hours(value)


class StaffPart(_Part):
    """A member of staff; the key is the name by which colleagues know them. `hours` are the shop's unless given."""

    hours: Annotated[Hours | None, BeforeValidator(_own_hours)] = None
    absent: tuple[AbsencePart, ...] = ()
    queues: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()


class ChannelDeskPart(_Part):
    """A chat platform as a desk: its channel for each queue, and who staff are there, by the platform's id of them.

    Nobody else can act, whoever is in the channel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    queues: dict[str, str] = Field(min_length=1)
    staff: dict[str, str] = Field(min_length=1)


def _nobody(value: object) -> object:
    return {k: v or {} for k, v in value.items()} if isinstance(value, dict) else value


class DeskPart(WebDeskPart):
    """How fast people mean to answer, in minutes and hours of opening time, and who they are.

    `ping_minutes` is how long somebody who was called has before the next is; after `handback_hours` of silence the
    bot speaks again.
    """

    answer_minutes: int = Field(60, ge=1, le=20_000)
    next_minutes: int = Field(60, ge=1, le=20_000)
    resolve_hours: int = Field(16, ge=1, le=2_000)
    ping_minutes: int = Field(10, ge=1, le=20_000)
    handback_hours: int = Field(4, ge=1, le=500)
    queues: Annotated[dict[str, QueuePart], BeforeValidator(_nobody)] = Field(default_factory=dict)
    staff: Annotated[dict[str, StaffPart], BeforeValidator(_nobody)] = Field(default_factory=dict)
    channels: dict[str, ChannelDeskPart] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, person in self.staff.items():
            for queue in person.queues:
                if queue not in {*self.queues, "default"}:
                    raise ValueError(f"staff {name} works in the queue {queue}, which is not among queues")
        shown = [queue for part in self.channels.values() for queue in part.queues]
        for queue in shown:
            if queue not in {*self.queues, "default"}:
                raise ValueError(f"channels show the queue {queue}, which is not among queues")
            if shown.count(queue) > 1:
                raise ValueError(f"the queue {queue} is shown in two channels; one is enough")
        if shown and "default" not in shown:
            raise ValueError("channels must show the queue default: everything else comes there")
        return self


class Config(_Part):
    """The whole file. Channels, carriers and shops are kept raw here: their adapters know them."""

    shop: ShopPart
    database: Annotated[DatabasePart, BeforeValidator(_database)] = DatabasePart()
    web: WebPart = WebPart()
    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)
    carriers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    shops: dict[str, dict[str, Any]] = Field(default_factory=dict)
    desk: DeskPart = DeskPart()
    proactive: ProactivePart = ProactivePart()
    templates: Path | None = None


class Faults(Misconfigured):
    """Everything that is wrong with a config, one line a fault: the key, a colon, what to do."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(self.faults))


def read(path: Path) -> Config:
    """The config in a file; raises `Faults`."""
    if not path.is_file():
        raise Faults([f"{path.name}: there is no such file; `wismo init` writes one"])
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise Faults([f"{path.name}: not readable as YAML{line}"]) from error
    environment = {**{k: v or "" for k, v in dotenv_values(path.parent / ".env").items()}, **os.environ}
    return build(raw, environment)


def build(raw: object, environment: Mapping[str, str]) -> Config:
    """The config in plain values; raises `Faults`."""
    if not isinstance(raw, dict):
        raise Faults(["config: the file must be a mapping with the key `shop`"])
    faults: list[str] = []
    filled = _filled(raw, environment, "", faults)
    try:
        config = Config.model_validate(filled)
    except ValidationError as error:
        raise Faults(faults + list(told(error, ""))) from None
    if faults:
        raise Faults(faults)
    return config


def told(error: ValidationError, below: str) -> list[str]:
    """A validation's faults, one line each, with the key as it stands in the file; never the value."""
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        key = ".".join([*([below] if below else []), *(str(part) for part in fault["loc"])])
        what = fault["msg"].removeprefix("Value error, ")
        known = {"missing": "is missing", "extra_forbidden": "is not a key here"}
        lines.append(f"{key}: {known.get(fault['type'], what)}")
    return lines


def _filled(value: object, environment: Mapping[str, str], key: str, faults: list[str]) -> object:
    if isinstance(value, dict):
        return {str(k): _filled(v, environment, f"{key}.{k}".lstrip("."), faults) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, environment, f"{key}.{i}", faults) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    absent = [name for name in _VARIABLE.findall(value) if name not in environment]
    faults += [f"{key}: the variable {name} is neither in the environment nor in .env" for name in absent]
    return _VARIABLE.sub(lambda m: environment.get(m[1], ""), value)
