"""Structured logs on stdout: one JSON line per change of state, ours and the libraries' alike.

What belongs to one call or connection is bound once, with structlog's `bound_contextvars`, under
the names `log_id` (the sync log, from webhook to note), `connection_id` and `hub_id`.
"""

import logging
import sys
from collections.abc import Mapping

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.redaction import redact
from shared.settings import LogFormat, LogLevel

# Servers and libraries that bring handlers of their own.
FOREIGN_LOGGERS = ("_granian", "granian.access", "celery", "celery.task", "tornado.access")


def configure_logging(level: LogLevel = "info", log_format: LogFormat | None = None) -> None:
    """Send structlog and the standard library's logging through one formatter to stdout.

    Args:
        level: The least level that is shown.
        log_format: None means lines for people on a terminal and JSON everywhere else.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_enrichers(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        make_formatter(log_format or ("console" if sys.stdout.isatty() else "json"))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in FOREIGN_LOGGERS:
        foreign = logging.getLogger(name)
        foreign.handlers.clear()
        foreign.propagate = True


def make_formatter(log_format: LogFormat) -> logging.Formatter:
    """Return the formatter that every handler of the service uses."""
    renderer: Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer(sort_keys=True)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    return ProcessorFormatter(
        foreign_pre_chain=_enrichers(),
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,  # tracebacks become text, which can be redacted
            _redact_event,
            renderer,
        ],
    )


def _enrichers() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _redact_event(logger: WrappedLogger, name: str, event: EventDict) -> Mapping[str, object]:
    del logger, name
    return {key: redact(key, value) for key, value in event.items()}
