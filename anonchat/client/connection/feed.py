"""The events that wait for the program."""

from __future__ import annotations

import asyncio
from collections import deque

from anonchat.client.events import ChatEvent, Closed, Connecting, Offline


class Feed:
    """A queue that is never waited for by its writer: when it `is_full`, the chat leaves out what can be had again."""

    def __init__(self, bound: int) -> None:
        self._bound = max(bound, 1)
        self._waiting: deque[ChatEvent] = deque()
        self._came = asyncio.Event()
        self._over = False

    @property
    def is_full(self) -> bool:
        """Whether the program is so far behind that nothing more should be put in."""
        return len(self._waiting) >= self._bound

    @property
    def is_drained(self) -> bool:
        """Whether the program has taken half of what may wait."""
        return len(self._waiting) <= self._bound // 2

    def put(self, event: ChatEvent) -> None:
        """Add an event. Of the attempts to connect that a program is too far behind to hear of, only the last is kept."""
        if (
            self.is_full
            and isinstance(event, Connecting | Offline)
            and isinstance(self._waiting[-1], Connecting | Offline)
        ):
            self._waiting.pop()
        self._waiting.append(event)
        self._came.set()

    async def take(self) -> ChatEvent:
        """The next event. Raises StopAsyncIteration after `Closed`."""
        while not self._over:
            if self._waiting:
                event = self._waiting.popleft()
                self._over = isinstance(event, Closed)
                return event
            self._came.clear()
            await self._came.wait()
        raise StopAsyncIteration
