"""Counts in memory, made by addition, until they are written; and who is there, as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from anonchat_analytics.counts import PEAK, start_of

Key = tuple[str, str, int]
"""What a count is of: the room ("" for the whole server), the metric, when the hour began in milliseconds."""

SERVER = ""


K = TypeVar("K", bound=tuple[str | int, ...])


def merge(counts: dict[K, int], key: K, count: int) -> None:
    """Take one more count in: numbers add up, of peaks the highest stays. The second part of a key is the metric."""
    had = counts.get(key, 0)
    counts[key] = max(had, count) if key[1] == PEAK else had + count


class Poll(NamedTuple):
    """So many people have voted so far in the poll of that message."""

    message_id: str
    room_id: str
    hour: int
    voters: int


class Tally:
    """What was counted and not taken yet. A count of a room is one of the server, too, once it is written.

    It holds `most` counts. A room that comes later is counted for the server alone, a poll when it is heard of again;
    `take_left_out` says how often.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[Key, int] = {}
        self._polls: dict[str, Poll] = {}
        self._left_out = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: Key, count: int = 1) -> bool:
        """Take in a number or a peak; answers whether there was a place for its room."""
        if key[0] != SERVER and key not in self._counts and len(self._counts) >= self._most:
            self._left_out += 1
            if key[1] != PEAK:
                merge(self._counts, (SERVER, *key[1:]), count)
            return False
        merge(self._counts, key, count)
        return True

    def voted(self, poll: Poll) -> None:
        """Remember a poll; what of it is not counted yet, the database knows."""
        known = self._polls.get(poll.message_id)
        if known is None and len(self._polls) >= self._most:
            self._left_out += 1
        elif known is None or poll.voters > known.voters:
            self._polls[poll.message_id] = poll

    def take_polls(self) -> Sequence[Poll]:
        """All polls that were heard of; none is left."""
        taken, self._polls = tuple(self._polls.values()), {}
        return taken

    def take(self, most: int) -> Mapping[Key, int]:
        """So many of the counts at most, those that wait for longest."""
        return {key: self._counts.pop(key) for key in list(islice(self._counts, most))}

    def take_left_out(self) -> int:
        """How often there was no place since this was asked last."""
        taken, self._left_out = self._left_out, 0
        return taken


class Attendance:
    """How many are there, in each room and on this node, and the most at once in each hour, which goes into the tally.

    It holds a number for each room that has people, as the core does. Somebody who sits through an hour without a word
    is counted in it: the next hour begins with those who are there.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._present: dict[str, int] = {}
        self._here: dict[str, int] = {}
        self._hour = 0
        self._highest: dict[str, int] = {}
        self.total = 0  # on this node

    @property
    def peak(self) -> int:
        """The most at once on this node in the running hour."""
        return self._highest.get(SERVER, 0)

    def of(self, room_id: str) -> int:
        """How many are in a room."""
        return self._present.get(room_id, 0)

    def changed(self, now: int, room_id: str, present: int, here: int) -> None:
        """So many are in the room now, and so many of them on this node."""
        self.keep_up(now)
        self._present.pop(room_id, None)
        self.total += here - self._here.pop(room_id, 0)
        if here:
            self._here[room_id] = here
        if present:
            self._present[room_id] = present
            self._raise(room_id, present)
        else:
            self._highest.pop(room_id, None)  # the database knows it; who comes back is told to it once more
        self._raise(SERVER, self.total)

    def keep_up(self, now: int) -> None:
        """Begin a new hour, if it has come, with those who are there."""
        hour = start_of("hour", now)
        if hour == self._hour:
            return
        self._hour, self._highest = hour, {}
        for room_id, present in self._present.items():
            self._raise(room_id, present)
        self._raise(SERVER, self.total)

    def _raise(self, room_id: str, present: int) -> None:
        if present > self._highest.get(room_id, 0) and self._tally.add((room_id, PEAK, self._hour), present):
            self._highest[room_id] = present
