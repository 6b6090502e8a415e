"""Logs: one JSON object a line on stderr. Of an error only its type and place: its text may be personal."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from bot.errors import describe


def configure(level: int) -> None:
    """Our own logs from `level` on; the libraries' from WARNING on (httpx names whole URLs below that)."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr(),
        cache_logger_on_first_use=False,
    )
    handler = _ToStderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


class _ToStderr(logging.Handler):
    """The libraries' logs to whatever stderr is at the moment of logging."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


class _Stderr:
    """Loggers on whatever stderr is at the moment of logging."""

    def __call__(self, *args: Any) -> structlog.PrintLogger:
        return structlog.PrintLogger(sys.stderr)


def _without_values(logger: Any, name: str, event: EventDict) -> EventDict:
    told = event.pop("exc_info", None)
    error = told[1] if isinstance(told, tuple) else told if isinstance(told, BaseException) else sys.exc_info()[1]
    if told and error is not None:
        event["error"] = describe(error)
    return event
