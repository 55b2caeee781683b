"""The events that wait for the program."""

from __future__ import annotations

import asyncio

from anonchat.client.events import ChatEvent, Closed

OVERFLOW = 4


class Feed:
    """A queue that is never waited for by its writer: when it `is_full`, the chat leaves out what can be had again."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._queue: asyncio.Queue[ChatEvent] = asyncio.Queue()
        self._over = False

    def is_full(self, live: bool) -> bool:
        """Whether the program is so far behind that nothing more should be put in.

        What a new connection brings at its beginning (not `live`) may go above the bound: a program that waits for a
        send takes no events, and nothing can be sent before a connection has begun.
        """
        return self._queue.qsize() >= (self._bound if live else OVERFLOW * self._bound)

    @property
    def is_drained(self) -> bool:
        """Whether the program has taken half of what may wait."""
        return self._queue.qsize() <= self._bound // 2

    def put(self, event: ChatEvent) -> None:
        """Add an event."""
        self._queue.put_nowait(event)

    async def take(self) -> ChatEvent:
        """The next event. Raises StopAsyncIteration after `Closed`."""
        if self._over:
            raise StopAsyncIteration
        event = await self._queue.get()
        self._over = isinstance(event, Closed)
        return event
