"""One line for each kind of trouble and minute, however often it happens: a flood must not fill the disk."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

SECONDS = 60.0
KINDS = 1_000  # that are remembered
NAMING = (
    "plugin",
    "hook",
    "job",
    "role",
    "node",
    "worker",
    "code",
    "by",
    "route",
    "event_name",
    "doubt",
    "failure",
    "type",
)
"""Fields of a line that tell one kind from another; all others may differ from line to line."""


@dataclass(slots=True)
class _Told:
    at: float
    repeated: int = 0


class OncePerMinute(logging.Filter):
    """Lets the first warning or error of a kind through, and then one a minute.

    A kind is the place where a line is written, what `NAMING` says in it, and where its exception was raised. How many
    were left out stands as `repeated` in the next line of the kind; metrics count all of them.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._told: dict[object, _Told] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is to be written. Called by `logging`."""
        if record.levelno < logging.WARNING:
            return True
        kind, now = _kind_of(record), self._seconds()
        told = self._told.get(kind)
        if told is not None and now < told.at + SECONDS:
            told.repeated += 1
            return False
        if len(self._told) >= KINDS:
            self._told.clear()  # plugins can make up as many as they like; then some lines come twice
        record.__dict__["repeated"] = told.repeated if told is not None else 0
        self._told[kind] = _Told(now)
        return True


def tell_repeated(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put into a line how many of its kind were left out before it: a processor of structlog's `ProcessorFormatter`."""
    repeated = getattr(line["_record"], "repeated", 0)
    return {**line, "repeated": repeated} if repeated else line


def _kind_of(record: logging.LogRecord) -> object:
    fields = record.msg if isinstance(record.msg, dict) else {"event": record.msg, "exc_info": record.exc_info}
    named = tuple(str(fields.get(name)) for name in NAMING)
    return record.name, str(fields.get("event", record.msg)), named, _origin_of(fields.get("exc_info"))


def _origin_of(given: object) -> object:
    """The kind of an exception and where it was raised; None without one. `given` as `logging` takes it."""
    error = given[1] if isinstance(given, tuple) else sys.exception() if given is True else given
    if not isinstance(error, BaseException):
        return None
    innermost = error.__traceback__
    while innermost is not None and innermost.tb_next is not None:
        innermost = innermost.tb_next
    place = (innermost.tb_frame.f_code.co_filename, innermost.tb_lineno) if innermost is not None else None
    return type(error).__qualname__, place
