"""A clock that stands still until a test moves it."""

from __future__ import annotations

from anonchat.clock import Clock


class SettableClock(Clock):
    """Starts at a fixed moment and moves only by `advance`. Jobs that fall due run within a quarter of a real second."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self._now = now

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock, backwards too."""
        self._now += round(seconds * 1_000)
