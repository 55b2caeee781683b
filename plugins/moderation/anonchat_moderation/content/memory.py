"""What is remembered of those who write: in memory, bounded, and lost with the process. No text is kept, only hashes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MOST_PER_MINUTE = 60
MOST_TIMES = 5  # repetitions that a room may allow
MOST_SESSIONS = 20  # people who may say the same
CROWD_TEXTS = 200  # a room's latest texts, which are kept at least; at most twice as many
SENDERS = 5_000  # about 3 kB each for those who write without a pause
CROWDS = 500

Kept = TypeVar("Kept")
Sayers = tuple[tuple[str, int], ...]
"""(who, as `mark_of` has it; when), the latest last."""


Said = tuple[int, frozenset[int], int, str]
"""One text that was let through or held: (key, sketch of its words, when, which send it was)."""


@dataclass(slots=True)
class Sender:
    """One person: when they wrote, what they said last, and how often they have written."""

    times: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_PER_MINUTE))
    said: deque[Said] = field(default_factory=lambda: deque(maxlen=MOST_TIMES))
    sent: int = 0


@dataclass(slots=True)
class Crowd:
    """One room: who said the same last, by the key of the text.

    Two generations of at most `CROWD_TEXTS`: where the newer one is full the older one goes, so that hardly anything is
    to be done for a text that nobody else says.
    """

    texts: dict[int, Sayers] = field(default_factory=dict)
    earlier: dict[int, Sayers] = field(default_factory=dict)

    def sayers(self, key: int) -> Sayers:
        """Who has said it."""
        return self.texts.get(key) or self.earlier.get(key, ())

    def add(self, key: int, person: str, now: int) -> None:
        """Remember that `person` has said it."""
        sayers = self.sayers(key)
        if sayers:
            sayers = tuple(sayer for sayer in sayers if sayer[0] != person)[1 - MOST_SESSIONS :]
        if len(self.texts) >= CROWD_TEXTS and key not in self.texts:
            self.texts, self.earlier = {}, self.texts
        self.texts[key] = (*sayers, (person, now))


class Recent(Generic[Kept]):
    """The `most` values that were asked for last, and up to as many more that were before.

    Two generations: where the newer one is full the older one goes, so that to ask again costs one look-up.
    """

    def __init__(self, make: type[Kept], most: int) -> None:
        self._make = make
        self._most = most
        self._newer: dict[str, Kept] = {}
        self._older: dict[str, Kept] = {}

    def get(self, key: str) -> Kept:
        """The value of `key`, a new one if there is none."""
        value = self._newer.get(key)
        if value is None:
            if len(self._newer) >= self._most:
                self._newer, self._older = {}, self._newer
            value = self._newer[key] = self._older.pop(key, None) or self._make()
        return value

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)
