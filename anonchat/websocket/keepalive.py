"""The one timer of a server that looks after all its connections."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from anonchat.clock import next_tick

TOGETHER = 8
"""Connections that are looked after in one turn of the event loop. A ping takes 20 µs and its pong twice that: of 10,000 who
are idle 400 are due in a second, and at once they would keep everybody waiting for some 20 ms.
"""


class Watched(Protocol):
    """A connection with a deadline."""

    due: float
    """When it wants to be looked at, in the time of the event loop."""

    def overdue(self, now: float) -> None:
        """Do what is due and set the next `due`; must not raise."""

    def close(self, code: int, reason: str = "") -> None:
        """Send what waits, then close."""

    def abort(self) -> None:
        """End at once."""


class Keepalive:
    """Calls every connection whose `due` has passed, about two ticks late at most: those of a tick are spread over the next one.

    A comparison for each connection and tick costs 8,000 connections half a millisecond a second; a timer for each
    connection would cost more memory, and more time whenever a deadline moves. The timer runs while anything is
    watched.
    """

    def __init__(self, tick_seconds: float) -> None:
        self._tick_seconds = tick_seconds
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._waited = False

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, connection: Watched) -> None:
        """Watch a connection until it is discarded."""
        self._watched.add(connection)
        if self._timer is None:
            self._set_timer()

    def discard(self, connection: Watched) -> None:
        """Stop watching; the last one stops the timer."""
        self._watched.discard(connection)
        if not self._watched and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close_all(self, code: int, reason: str) -> None:
        """Close all connections, in order."""
        for connection in list(self._watched):
            connection.close(code, reason)

    def abort_all(self) -> None:
        """End all connections at once, also those that nobody else knows of any more."""
        for connection in list(self._watched):
            connection.abort()

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        due = next_tick(loop.time(), self._tick_seconds)
        self._timer = loop.call_at(due, self._tick, due + self._tick_seconds)

    def _tick(self, latest: float) -> None:
        """After a stall of the event loop wait one tick: the pongs may lie in the sockets, not yet read."""
        self._set_timer()
        now = asyncio.get_running_loop().time()
        self._waited = now > latest and not self._waited
        if self._waited:
            return
        due = [connection for connection in self._watched if connection.due <= now]
        if due:
            self._look_after(iter(due), now, self._tick_seconds * TOGETHER / len(due))

    def _look_after(self, due: Iterator[Watched], since: float, pause: float) -> None:
        """Those of the tick that was at `since`, a few at a time with so many seconds in between."""
        loop = asyncio.get_running_loop()
        together = [*islice(due, TOGETHER)]
        for connection in together:
            # Meanwhile it may have been heard of, have been closed, or have been looked after in the next tick: what it
            # has time for since then is not over, even if the event loop stalls.
            if connection.due <= since and connection in self._watched:
                connection.overdue(loop.time())
        if len(together) == TOGETHER:
            loop.call_later(pause, self._look_after, due, since, pause)
