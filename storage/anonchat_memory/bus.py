"""`Bus` of a single node: there is nobody else to tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from anonchat import Clock, Finding


class MemoryBus:
    """A bus with one node on it. Everything that it is given would go to the *other* nodes, and there are none."""

    shared = False

    def __init__(self, url: str, clock: Clock) -> None:
        """Nothing of the URL or the clock matters here."""

    async def start(self, received: Callable[[str, bytes], None]) -> None:
        """Nobody publishes to us: `received` is never called."""

    async def close(self) -> None:
        """Nothing is open."""

    async def subscribe(self, channel: str) -> None:
        """Nobody publishes."""

    async def unsubscribe(self, channel: str) -> None:
        """Nobody publishes."""

    def publish(self, channel: str, payload: bytes) -> None:
        """Nobody listens."""

    async def check(self) -> None:
        """There is nobody to hear."""

    async def findings(self) -> Sequence[Finding]:
        """Nothing can be wrong."""
        return ()
