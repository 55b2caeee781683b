"""Structured logs, as JSON or for a console. They hold no address, token, name or text of a person."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

# Tornado's own lines hold addresses and whole URLs.
SILENCED = ("tornado.access", "tornado.general", "tornado.application")


def set_up(level: str, style: str) -> None:
    """Send the logs of this process to standard error. `style` is "console", "json", or "auto" for what fits there.

    Changes the process: called by the command line, never by the library.
    """
    if style == "auto":
        style = "console" if sys.stderr.isatty() else "json"
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if style == "console":
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("anonchat").setLevel(level.upper())
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
