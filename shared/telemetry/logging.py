"""Structured logs on stdout: one JSON line per change of state, ours and the libraries' alike.

What belongs to one call or connection is bound once, with structlog's `bound_contextvars`, under
the names `log_id` (the sync log, from webhook to note), `connection_id` and `hub_id`.

Our own lines do not pass through the standard library: they are written for every call, and would
cost three times as much.
"""

import logging
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.configuration.settings import LogFormat, LogLevel
from shared.telemetry.redaction import redact

# Servers and libraries that bring handlers of their own.
FOREIGN_LOGGERS = ("_granian", "granian.access", "celery", "celery.task", "tornado.access")
MOST_WAITING_LINES = 10_000
# Set by the processors below, whatever anybody says.
OWN_FIELDS = frozenset({"level", "logger", "timestamp"})


def configure_logging(level: LogLevel = "info", log_format: LogFormat | None = None) -> None:
    """Send structlog and the standard library's logging to stdout, in one form.

    Args:
        level: The least level that is shown.
        log_format: None means lines for people on a terminal and JSON everywhere else.
    """
    log_format = log_format or ("console" if sys.stdout.isatty() else "json")
    lines = Lines(sys.stdout)
    structlog.configure(
        processors=[*_enrichers(), *_renderers(log_format)],
        logger_factory=partial(_Output, lines),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    handler = _ForeignOutput(lines)
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


class Lines:
    """Writes lines to a stream from any thread.

    Whoever finds another thread writing leaves its line to that one. With the 32 threads of a
    worker a line costs a fifth less CPU than with structlog's own writers, whose threads wait for
    each other.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        # A stream that takes nothing costs the oldest lines, not the memory.
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING_LINES)
        self._is_writing = Lock()

    def write(self, line: str) -> None:
        """Write a line, or have it written; never raises, and waits for no other thread."""
        self._waiting.append(line + "\n")
        # Again after the release: a line may have come between the last write and it.
        while self._waiting and self._is_writing.acquire(blocking=False):
            try:
                self._write_waiting()
            finally:
                self._is_writing.release()

    def _write_waiting(self) -> None:
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        # A log that nobody reads any more must not end the work that it tells of.
        with suppress(OSError, ValueError):
            self._stream.write("".join(lines))
            self._stream.flush()


class _Output:
    """Lines under a logger's name."""

    def __init__(self, lines: Lines, name: str = "") -> None:
        self._lines = lines
        self.name = name

    def _write(self, line: str) -> None:
        self._lines.write(line)

    # The names that structlog looks up.
    debug = info = warning = error = critical = _write


class _ForeignOutput(logging.Handler):
    """The standard library's lines among ours."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.write(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)


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
