"""When to try again: full jitter, so that those who were cut off together do not come back together."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from anonchat.client.connection.pace import Pace

FINAL = frozenset({1000, 4401, 4403, 4410})
"""Close codes after which coming back is of no use: left, session over, removed, room ended."""

TOO_SLOW = "not_identified"
"""Reason of a 4401 that is not final: over a slow network nobody could say in time who they are."""

CROWDED = frozenset({1013, 4429})
"""Close codes by which a server asks for fewer visits."""

CROWDED_ATTEMPT = 3
LONGEST_ASKED = 300.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended.

    `wait` is what the server asked for in seconds; `at_once` is for our own new starts; `hopeless` is for what would
    only happen again.
    """

    code: int | None
    reason: str
    wait: float | None = None
    at_once: bool = False
    hopeless: bool = False

    @property
    def is_final(self) -> bool:
        return self.hopeless or (self.code in FINAL and self.reason != TOO_SLOW)


class Backoff:
    """How long to wait before the next attempt."""

    def __init__(self, pace: Pace, random: Random) -> None:
        self._pace = pace
        self._random = random
        self.attempt = 0

    def lived(self, seconds: float) -> None:
        """A connection was online for so long."""
        if seconds >= self._pace.stable:
            self.attempt = 0

    def wait(self, ending: Ending) -> float:
        """Seconds until the next attempt."""
        attempt = max(self.attempt, CROWDED_ATTEMPT) if ending.code in CROWDED else self.attempt
        self.attempt += 1
        if ending.wait is not None:
            return min(max(ending.wait, 0.0), LONGEST_ASKED) + self._random.uniform(0, self._pace.shortest_wait)
        if ending.at_once and attempt == 0:
            return 0.0
        # 2**16 is far above every bound; without the minimum a year offline would make a huge number.
        most = min(self._pace.longest_wait, self._pace.shortest_wait * 2 ** min(attempt + 1, 16))
        return self._random.uniform(self._pace.shortest_wait, most)
