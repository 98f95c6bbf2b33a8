"""Structured logs on stdout: one JSON line per change of state, ours and the libraries' alike.

What belongs to one call or connection is bound once, with structlog's `bound_contextvars`, under
the names `log_id` (the sync log, from webhook to note), `connection_id` and `hub_id`.

Our own lines do not pass through the standard library: they are written for every call, and would
cost three times as much.
"""

import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.redaction import redact
from shared.settings import LogFormat, LogLevel

# Servers and libraries that bring handlers of their own.
FOREIGN_LOGGERS = ("_granian", "granian.access", "celery", "celery.task", "tornado.access")
# Set by the processors below, whatever anybody says.
OWN_FIELDS = frozenset({"level", "logger", "timestamp"})


def configure_logging(level: LogLevel = "info", log_format: LogFormat | None = None) -> None:
    """Send structlog and the standard library's logging to stdout, in one form.

    Args:
        level: The least level that is shown.
        log_format: None means lines for people on a terminal and JSON everywhere else.
    """
    log_format = log_format or ("console" if sys.stdout.isatty() else "json")
    structlog.configure(
        processors=[*_enrichers(), *_renderers(log_format)],
        logger_factory=partial(_Output, sys.stdout),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_enrichers(),
            processors=[ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in FOREIGN_LOGGERS:
        foreign = logging.getLogger(name)
        foreign.handlers.clear()
        foreign.propagate = True


class _Output:
    """Writes finished lines, under a logger's name."""

    _lock = Lock()

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream = stream
        self.name = name

    def _write(self, line: str) -> None:
        # A log that nobody reads any more must not end the work that it tells of.
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    # The names that structlog looks up.
    debug = info = warning = error = critical = _write


def _enrichers() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(log_format: LogFormat) -> list[Processor]:
    renderer: Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer(sort_keys=True)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    # Tracebacks become text first, which can be redacted.
    return [structlog.processors.format_exc_info, _redact_event, renderer]


def _redact_event(logger: WrappedLogger, name: str, event: EventDict) -> Mapping[str, object]:
    del logger, name
    return {key: value if key in OWN_FIELDS else redact(key, value) for key, value in event.items()}
