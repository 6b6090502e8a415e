"""What can go wrong, named by what is to be done about it.

    WismoError
    ├── Temporary       try again later (after `retry_after` seconds, where the vendor named a time)
    ├── Unknown         the outcome is not known: look it up, else do not repeat a push
    ├── Closed          the channel's window is shut: send the approved template instead
    ├── Refused         this message never; the vendor understood and said no
    ├── Unreachable     this person not now: blocked, left, not on the platform
    └── Misconfigured   our settings are wrong: pause the account, keep its rows, raise the alarm

Only adapters raise the first six, and never retry: the sender and the worker own retries. A thing that
was not found is `None`, not an error. The vendor's own exception stays as `__cause__`. A message never
holds a secret or a buyer's datum: it goes to logs and to `wismo doctor`.
"""


class WismoError(Exception):
    """Any of ours; never raised itself."""


class Temporary(WismoError):
    """Busy, limited, down, or the line broke before anything was sent: try again later.

    `retry_after` is in seconds, None where the vendor named no time. `growing` is g where the vendor wants each try
    to wait longer than the one before: g⁰, g¹, g² … seconds. `account_wide` tells that the vendor limits the whole
    account and not this one recipient.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        growing: float | None = None,
        account_wide: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.growing = growing
        self.account_wide = account_wide


class Unknown(WismoError):
    """The request was written and no answer came: it may or may not have been carried out."""


class Closed(WismoError):
    """Free text is not allowed now (WhatsApp's 24 hours are over): only the approved template is."""


class Refused(WismoError):
    """The vendor understood this message and will never take it."""


class Unreachable(WismoError):
    """This person cannot be reached at this address until they write again."""


class Misconfigured(WismoError):
    """A setting is missing or wrong; `key` names it as it stands in the config file."""

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


def describe(error: BaseException) -> str:
    """An error for the dead letter: our own words, or a type and a place; never a value, which may be personal."""
    if isinstance(error, WismoError):
        return f"{type(error).__name__}: {error}"
    trace = error.__traceback__
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} in {place}"
