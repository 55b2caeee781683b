"""Secret votes until the close: who has voted, and the totals. In `Ephemeral`, changed by compare-and-set, never at rest.

All secret polls of a room lie in one value, so that the end of the room removes it by its name. Who votes is a keyed
hash; which option somebody voted for is in no value, not even for a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from weakref import WeakValueDictionary

import orjson

from anonchat import ChatError, PluginContext, Room, Session, keyed_hash
from anonchat_polls.poll import Poll

T = TypeVar("T")

ATTEMPTS = 100  # against the votes on other nodes; those of this node come one at a time
MOST_VOTERS = 10_000  # in one poll: they are written anew with each vote
HASH_LENGTH = 12  # hex digits: among the most voters two share one once in 5 million polls
HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Ballots:
    """The votes of one secret poll. Once sealed they stay as they are."""

    voters: tuple[str, ...]
    totals: tuple[int, ...]
    sealed: bool = False

    def with_vote(self, voter: str, options: Collection[int]) -> Ballots:
        """With one more vote. Sorted, so that the order tells nothing."""
        totals = (count + (number in options) for number, count in enumerate(self.totals, 1))
        return replace(self, voters=tuple(sorted((*self.voters, voter))), totals=tuple(totals))


Change = Callable[[dict[str, Ballots]], T]


class BallotBoxes:
    """One box for each room. It is lost when the process ends, or Redis; then members send their votes again."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ephemeral = ctx.ephemeral
        self._kept = ctx.config["longest_seconds"] * 1_000 + HOUR
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def cast(self, poll: Poll, voter: str, options: Collection[int]) -> None:
        """Count one vote. Raises `already_voted`, `poll_closed`, `polls.too_many_voters`, `overloaded`."""

        def change(box: dict[str, Ballots]) -> None:
            ballots = box.get(poll.id) or _empty(poll)
            if ballots.sealed:
                raise ChatError("poll_closed")
            if voter in ballots.voters:
                raise ChatError("already_voted", "You have voted already, and a vote in a secret poll is final.")
            if len(ballots.voters) >= MOST_VOTERS:
                raise ChatError("polls.too_many_voters", f"At most {MOST_VOTERS} people can vote in a secret poll.")
            box[poll.id] = ballots.with_vote(voter, options)

        await self._change(poll.room_id, change)

    async def seal(self, poll: Poll) -> Ballots:
        """Let no vote in any more; returns what was voted. Sealing again gives the same."""

        def change(box: dict[str, Ballots]) -> Ballots:
            box[poll.id] = replace(box.get(poll.id) or _empty(poll), sealed=True)
            return box[poll.id]

        return await self._change(poll.room_id, change)

    async def discard(self, poll: Poll) -> None:
        """Forget what was voted. The seal stays, for a vote that is on its way, until the next `prune`."""

        def change(box: dict[str, Ballots]) -> None:
            box[poll.id] = Ballots((), (), sealed=True)

        await self._change(poll.room_id, change)

    async def known(self, room_id: str) -> Mapping[str, Ballots]:
        """Poll id -> what has been voted so far."""
        return _decoded(await self._ephemeral.get(room_id))

    async def prune(self, room_id: str, gone: Collection[str]) -> None:
        """Remove the ballots of polls that are over."""

        def change(box: dict[str, Ballots]) -> None:
            for poll_id in gone:
                box.pop(poll_id, None)

        await self._change(room_id, change)

    async def remove(self, room_id: str) -> None:
        """Remove everything of a room."""
        await self._ephemeral.remove(room_id)

    async def _change(self, room_id: str, change: Change[T]) -> T:
        async with self._locks.setdefault(room_id, asyncio.Lock()):
            for _ in range(ATTEMPTS):
                stored = await self._ephemeral.get(room_id)
                box = dict(_decoded(stored))
                answer = change(box)
                changed = _encoded(box)
                if changed == (stored or _encoded({})) or await self._put(room_id, changed, stored):
                    return answer
        raise ChatError("overloaded", retry_after_ms=1_000)

    async def _put(self, room_id: str, changed: bytes, stored: bytes | None) -> bool:
        absent = stored is None
        return await self._ephemeral.put(room_id, changed, self._kept, only_if_absent=absent, only_if=stored)


def voter_of(room: Room, poll: Poll, session: Session) -> str:
    """What stands for a session in one poll and in no other."""
    return keyed_hash(room.secret, poll.id, session.id)[:HASH_LENGTH]


def _empty(poll: Poll) -> Ballots:
    return Ballots((), (0,) * len(poll.options))


def _encoded(box: Mapping[str, Ballots]) -> bytes:
    return orjson.dumps({poll_id: (found.voters, found.totals, found.sealed) for poll_id, found in box.items()})


def _decoded(stored: bytes | None) -> Mapping[str, Ballots]:
    packed: Mapping[str, tuple[Sequence[str], Sequence[int], bool]] = orjson.loads(stored) if stored else {}
    return {
        poll_id: Ballots(tuple(voters), tuple(totals), sealed) for poll_id, (voters, totals, sealed) in packed.items()
    }
