"""Structured logs, as JSON or for a console. They hold no address, token, name or text of a person.

Warnings and errors of one kind stand there once a minute, see `repeats`.

Of an exception they show its kind and where it was raised, never its text or the values of variables: both may repeat
what a person wrote. The exceptions of `SPEAKING` are the exception, for their texts are made by us or by the system.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import structlog

from anonchat.errors import StartError
from anonchat.migrate.revisions import MigrationError
from anonchat.observability.repeats import OncePerMinute, tell_repeated

# Tornado's own lines hold addresses and whole URLs.
SILENCED = ("tornado.access", "tornado.general", "tornado.application")
SPEAKING = (StartError, MigrationError, sqlite3.OperationalError, sqlite3.IntegrityError)
CHAIN = 10  # exceptions of one chain or group that are shown
FRAMES = 40  # innermost calls of each of them


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
    last: list[Any] = [structlog.processors.ExceptionRenderer(_rendered), structlog.processors.JSONRenderer()]
    if style == "console":
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_write_exception)]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[tell_repeated, structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(OncePerMinute())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("anonchat").setLevel(level.upper())
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.raiseExceptions = False  # a line that cannot be written is not written elsewhere with its values


def report_loop_error(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """An exception handler for the event loop: asyncio's own prints tasks and transports, which hold texts and addresses."""
    structlog.get_logger("anonchat.server").error(
        "something failed that nobody waited for", exc_info=context.get("exception")
    )


def _write_exception(stream: TextIO, exc_info: Any) -> None:
    stream.write("\n" + _rendered(exc_info))


def _rendered(exc_info: Any) -> str:
    return "\n".join(_lines(exc_info[1]))


def _lines(error: BaseException | None) -> Iterator[str]:
    """An exception and what led to it, the last one first."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < CHAIN:
        error = waiting.pop(0)
        if error is None or id(error) in seen:
            continue
        yield f"{'caused by ' if seen else ''}{_name(error)}"
        yield from (line.rstrip() for line in traceback.format_tb(error.__traceback__, -FRAMES))
        seen.add(id(error))
        waiting += error.exceptions if isinstance(error, BaseExceptionGroup) else []
        waiting.append(error.__cause__ or (None if error.__suppress_context__ else error.__context__))


def _name(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, SPEAKING):
        return f"{kind}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{kind}: {error.strerror}"
    return kind
