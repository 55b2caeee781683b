"""One at a time for each key, in the order of coming. A key that nobody holds costs nothing."""

from __future__ import annotations

import asyncio
from collections import deque


class Lanes:
    """`enter` and `leave`, as a lock for each key; there are as many as keys that are held."""

    def __init__(self) -> None:
        self._held: dict[str, deque[asyncio.Future[None]] | None] = {}  # who waits for each key that is held

    async def enter(self, key: str) -> bool:
        """Wait until the key is free, and hold it; answers whether it was held by somebody else meanwhile.

        Whoever is cancelled while waiting holds nothing.
        """
        if key not in self._held:
            self._held[key] = None
            return False
        waiting = self._held[key]
        if waiting is None:
            waiting = self._held[key] = deque()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(key)  # it was one's turn already
            raise
        return True

    def leave(self, key: str) -> None:
        """Let the next in."""
        waiting = self._held[key]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._held[key]
