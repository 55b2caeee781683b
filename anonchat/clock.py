"""Time: one clock for a whole server, so that tests can set it; how times are written; when what recurs begins."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

TICK_SECONDS = 0.5


class Clock:
    """The system's wall clock. Everything that is stored or compared with stored times asks this object."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC, an integer."""
        return time.time_ns() // 1_000_000


def iso(milliseconds: int) -> str:
    """ISO-8601 in UTC with milliseconds, as every time on the wire is written: ``2026-11-20T20:44:02.123Z``."""
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{_seconds(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1_024)
def _seconds(seconds: int) -> str:
    """A whole second; the messages of a moment share it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso_or_none(milliseconds: int | None) -> str | None:
    """Like `iso`; None stays None."""
    return None if milliseconds is None else iso(milliseconds)


def next_tick(now: float, seconds: float = TICK_SECONDS) -> float:
    """The next multiple of `seconds` after `now`, in the time of the event loop.

    What recurs begins together there, so that a server with nothing to do wakes up a few times a second and not at every
    timer. Timers of the loop may be early: the moment that was waited for is not the next.
    """
    return ((now + seconds / 4) // seconds + 1) * seconds
