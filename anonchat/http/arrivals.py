"""Those who have just connected: let in once they speak, a few in a turn, so that a crowd at the gate holds up nobody inside."""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

ADMITTED = 2
"""In a turn of the event loop. Reading a request and answering it takes a fraction of a millisecond, and those who are
inside wait for all of these: when 10,000 came at once and all were let in as they came, for seconds."""

CLOSED = 128
"""In a turn, of those who have been silent for too long."""


class Arrival(NamedTuple):
    """A connection that has said nothing so far, and the time of the loop until which it may be silent."""

    connection: socket.socket
    address: Any
    until: float


class Arrivals:
    """Keeps connections and hands each to `admit(connection, address)` when it has something to say or has ended.

    In the order in which they speak. Who says nothing for `silent_seconds` is closed; it has cost a descriptor and a few
    hundred bytes until then. They have a selector of their own, which the event loop looks at as one file: so where thousands
    speak in the same moment they are looked at once (2 µs each), and what is done for them in each of the turns that follow
    is little.
    """

    def __init__(self, admit: Callable[[socket.socket, Any], None], silent_seconds: float) -> None:
        self._admit = admit
        self._silent_seconds = silent_seconds
        self._loop = asyncio.get_running_loop()
        self._selector = selectors.DefaultSelector()
        self._silent: dict[int, Arrival] = {}  # by descriptor, the oldest first
        self._speaking: deque[Arrival] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._listen()

    def add(self, connection: socket.socket, address: Any) -> None:
        """Take a connection that was just accepted."""
        connection.setblocking(False)
        try:
            self._selector.register(connection, selectors.EVENT_READ)
        except OSError:  # the system has no room for more
            connection.close()
            return
        until = self._loop.time() + self._silent_seconds
        self._silent[connection.fileno()] = Arrival(connection, address, until)
        if self._sweep is None:
            self._sweep = self._loop.call_at(until, self._close_silent)

    def close(self) -> None:
        """Close all who are not let in yet."""
        self._loop.remove_reader(self._selector)
        for arrival in (*self._silent.values(), *self._speaking):
            self._take(arrival).close()
        self._silent.clear()
        self._speaking.clear()
        self._selector.close()
        for later in (self._sweep, self._turn):
            if later is not None:
                later.cancel()

    def _take(self, arrival: Arrival) -> socket.socket:
        self._selector.unregister(arrival.connection)
        return arrival.connection

    def _listen(self) -> None:
        self._loop.add_reader(self._selector, self._hear)

    def _hear(self) -> None:
        """Until all who speak by now are let in nobody else needs to be heard."""
        self._loop.remove_reader(self._selector)
        for key, _ in self._selector.select(0):
            if (arrival := self._silent.pop(key.fd, None)) is not None:
                self._speaking.append(arrival)
        self._let_in()

    def _let_in(self) -> None:
        together = [self._speaking.popleft() for _ in range(min(ADMITTED, len(self._speaking)))]
        if self._speaking:
            self._turn = self._loop.call_soon(self._let_in)
        else:
            self._turn = None
            self._listen()
        for connection, address in [(self._take(arrival), arrival.address) for arrival in together]:
            self._admit(connection, address)

    def _close_silent(self) -> None:
        self._sweep = None
        now = self._loop.time()
        for descriptor, arrival in [*islice(self._silent.items(), CLOSED)]:
            if arrival.until <= now:
                del self._silent[descriptor]
                if _has_spoken(arrival.connection):  # while others were let in
                    self._speaking.append(arrival)
                else:
                    self._take(arrival).close()
        if self._silent:
            oldest = next(iter(self._silent.values()))
            self._sweep = self._loop.call_at(max(oldest.until, now), self._close_silent)


def _has_spoken(connection: socket.socket) -> bool:
    """Whether there is something to read, or an end."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
