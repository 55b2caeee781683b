"""Secret votes until the close: who has voted, and the totals. In `Ephemeral`, changed by compare-and-set, never at rest.

Each secret poll has a value of its own, its box, which lives as long as the poll can be open; `Shelves` tell which there
are. Who votes is a keyed hash; which option somebody voted for is in no value, not even for a moment.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import orjson

from anonchat import ChatError, PluginContext, Room, keyed_hash, new_id
from anonchat_polls.poll import Poll
from anonchat_polls.shelves import DAY, Shelves
from anonchat_polls.swapping import swap

MOST_VOTERS = 10_000  # in one poll: they are written anew with each vote
HASH_LENGTH = 12  # hex digits: among the most voters two share one once in 5 million polls
SIZE = HASH_LENGTH // 2  # bytes
MARK = "boxes"  # where it is gone, all boxes are
MARK_KEPT = 365 * DAY
LATELY = 60_000  # milliseconds after the end of a poll in which a vote may still be on its way


@dataclass(frozen=True, slots=True)
class Ballots:
    """The votes of one secret poll. Once sealed they stay as they are.

    `packed` are the voters, `SIZE` bytes each. Sorted, so that the order tells nothing; not unpacked for a vote, which
    would cost all the voters before it.
    """

    packed: bytes
    totals: tuple[int, ...]
    sealed: bool = False

    @property
    def voters(self) -> Sequence[str]:
        """Who has voted, see `voter_of`."""
        return [self._at(index).hex() for index in range(self.count)]

    @property
    def count(self) -> int:
        """How many have voted."""
        return len(self.packed) // SIZE

    def holds(self, voter: str) -> bool:
        """Whether somebody has voted."""
        place = self._place(bytes.fromhex(voter))
        return self._at(place).hex() == voter

    def with_vote(self, voter: str, options: Collection[int]) -> Ballots:
        """With one more vote."""
        name = bytes.fromhex(voter)
        start = self._place(name) * SIZE
        totals = tuple(count + (number in options) for number, count in enumerate(self.totals, 1))
        return replace(self, packed=self.packed[:start] + name + self.packed[start:], totals=totals)

    def _at(self, index: int) -> bytes:
        return self.packed[index * SIZE : (index + 1) * SIZE]

    def _place(self, name: bytes) -> int:
        return bisect_left(range(self.count), name, key=self._at)


class BallotBoxes:
    """One box for each poll. They are lost when the process ends, or Redis; then members send their votes again: when they
    come back, or when `Recall` asks for them.
    """

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._mark: bytes | None = None
        self._shelves = Shelves(ctx)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def cast(self, poll: Poll, voter: str, options: Collection[int]) -> None:
        """Count one vote. Raises `already_voted`, `poll_closed`, `polls.too_many_voters`, `overloaded`."""

        def change(ballots: Ballots) -> Ballots:
            if ballots.sealed:
                raise ChatError("poll_closed")
            if ballots.holds(voter):
                raise ChatError("already_voted", "You have voted already, and a vote in a secret poll is final.")
            if ballots.count >= MOST_VOTERS:
                raise ChatError("polls.too_many_voters", f"At most {MOST_VOTERS} people can vote in a secret poll.")
            return ballots.with_vote(voter, options)

        await self._change(poll, change)

    async def seal(self, poll: Poll) -> Ballots:
        """Let no vote in any more; returns what was voted. Sealing again gives the same."""
        return await self._change(poll, lambda ballots: replace(ballots, sealed=True))

    async def known(self, polls: Collection[Poll]) -> Mapping[str, Ballots]:
        """Poll id -> what has been voted so far; polls without a box are missing."""
        stored = await asyncio.gather(*(self._ctx.ephemeral.get(_key(poll.id)) for poll in polls))
        return {poll.id: _decoded(box) for poll, box in zip(polls, stored, strict=True) if box is not None}

    async def listed(self, room_id: str | None = None) -> Mapping[str, str]:
        """Poll id -> room id of the polls that have a box, in one room or everywhere."""
        return await (self._shelves.all() if room_id is None else self._shelves.in_room(room_id))

    async def clear(self, polls: Mapping[str, str]) -> None:
        """Forget what was voted in polls (poll id -> room id) that are over or gone.

        For a minute an empty seal takes its place, so that a vote on its way is refused. Safe to do again.
        """
        for poll_id in polls:
            await self._ctx.ephemeral.put(_key(poll_id), _encoded(Ballots(b"", (), sealed=True)), LATELY)
        await self._shelves.strike(polls)

    async def were_lost(self) -> bool:
        """Whether all boxes have gone since this was asked last, as where Redis is flushed. False at first."""
        mark = await swap(self._ctx, MARK, MARK_KEPT, lambda stored: stored or new_id().encode())
        before, self._mark = self._mark, mark
        return before not in (None, mark)

    async def _change(self, poll: Poll, change: Callable[[Ballots], Ballots]) -> Ballots:
        key, life = _key(poll.id), self._life(poll)
        async with self._locks.setdefault(key, asyncio.Lock()):
            if await self._ctx.ephemeral.get(key) is None:
                await self._shelves.enter(poll.id, poll.room_id)
            empty = Ballots(b"", (0,) * len(poll.options))
            return _decoded(
                await swap(
                    self._ctx, key, life, lambda stored: _encoded(change(empty if stored is None else _decoded(stored)))
                )
            )

    def _life(self, poll: Poll) -> int:
        """Milliseconds: to the end of the poll, and a day in which the close may fail, or the machine may sleep."""
        now = self._ctx.clock.now()
        return max((poll.closes_at or now) - now, 0) + DAY


def voter_of(room: Room, poll: Poll, session_id: str) -> str:
    """What stands for a session in one poll and in no other."""
    return voter_in(poll.id, room.secret, session_id)


def voter_in(poll_id: str, secret: str, session_id: str) -> str:
    """The same of a poll whose id is known, and the secret of its room."""
    return keyed_hash(secret, poll_id, session_id)[:HASH_LENGTH]


def _key(poll_id: str) -> str:
    return f"box:{poll_id}"


def _encoded(ballots: Ballots) -> bytes:
    return orjson.dumps([ballots.totals, ballots.sealed]) + b"\n" + ballots.packed


def _decoded(stored: bytes) -> Ballots:
    head, _, packed = stored.partition(b"\n")
    totals, sealed = orjson.loads(head)
    return Ballots(packed, tuple(totals), sealed)
