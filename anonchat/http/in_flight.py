"""Requests that are being answered: a shutdown waits for them, since what they do is done, and would be done once more."""

from __future__ import annotations

import asyncio


class InFlight:
    """How many there are, on one server."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = asyncio.Event()
        self.is_ending = False
        """Whether the server is going away, so that each answer is the last of its connection."""

    def begin(self) -> None:
        """A request has come."""
        self._count += 1

    def end(self, _: object = None) -> None:
        """An answer was sent, or nobody is there to take it."""
        self._count -= 1
        self._changed.set()

    async def finished(self) -> None:
        """Wait until every request is answered."""
        while self._count:
            self._changed.clear()
            await self._changed.wait()
