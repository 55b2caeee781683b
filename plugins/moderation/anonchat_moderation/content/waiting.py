"""How many messages wait for the moderators: bounded for each session and room, so that a raid fills nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from anonchat import HeldMessage
from anonchat_moderation.acts import Acts
from anonchat_moderation.content.memory import Recent

MOST_OF_SESSION = 5
MOST_IN_ROOM = 500
ROOMS = 1_000
FRESH_MILLISECONDS = 1_000  # after which what happened on other nodes is known here
ARRIVAL_MILLISECONDS = 5_000  # after which a message that was let in, but never stored, does not count any more


LOOKS, LOOK_SECONDS = 100, 0.01  # for what is on its way into the database


class Waits(NamedTuple):
    """Whose message waits, and why."""

    session_id: str
    reason: str


@dataclass(slots=True)
class _Room:
    """`stored`: by message id. `coming`: (session id, when) of those that are on their way into the database.

    `missing`: what was stored, and was not there any more at the last reading.
    """

    stored: dict[str, Waits] = field(default_factory=dict)
    missing: dict[str, Waits] = field(default_factory=dict)
    coming: deque[tuple[str, int]] = field(default_factory=deque)
    read_at: int | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_fresh(self, now: int) -> bool:
        return self.read_at is not None and self.read_at <= now < self.read_at + FRESH_MILLISECONDS


class Waiting:
    """Lets messages in to wait, up to the bounds: exact on one node, within seconds on many."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self._rooms = Recent(_Room, ROOMS)

    async def admit(self, room_id: str, session_id: str) -> bool:
        """Whether one more message of a session may wait; if so it counts from now on."""
        room, now = await self._fresh(room_id), self._acts.now
        while room.coming and room.coming[0][1] + ARRIVAL_MILLISECONDS <= now:
            room.coming.popleft()
        own = _count(room, session_id)
        own += sum(author == session_id for author, _ in room.coming)
        if own >= MOST_OF_SESSION or len(room.stored) + len(room.coming) >= MOST_IN_ROOM:
            return False
        room.coming.append((session_id, now))
        return True

    async def settled(self, room_id: str) -> None:
        """Wait until what was let in before is stored, for a second at most."""
        room = self._rooms.get(room_id)
        coming = set(room.coming)
        for _ in range(LOOKS):
            if coming.isdisjoint(room.coming):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def of_session(self, room_id: str, session_id: str) -> Mapping[str, Waits]:
        """Message id -> what of a session waits."""
        room = await self._fresh(room_id)
        return {key: waits for key, waits in room.stored.items() if waits.session_id == session_id}

    def last_known(self, room_id: str, session_id: str) -> Mapping[str, Waits]:
        """Message id -> what of a session waited when it was last looked at; some of it may be gone since."""
        room = self._rooms.get(room_id)
        known = {**room.missing, **room.stored}
        return {key: waits for key, waits in known.items() if waits.session_id == session_id}

    async def read(self, room_id: str) -> Sequence[HeldMessage]:
        """All that waits in a room, oldest first, as it is in the database now."""
        room = self._rooms.get(room_id)
        async with room.lock:
            return await self._read(room_id, room, self._acts.now)

    async def _fresh(self, room_id: str) -> _Room:
        """The room as it was in the database at most a second ago, and as it changed here since."""
        room = self._rooms.get(room_id)
        if not room.is_fresh(self._acts.now):
            async with room.lock:
                if not room.is_fresh(now := self._acts.now):
                    await self._read(room_id, room, now)
        return room

    async def _read(self, room_id: str, room: _Room, now: int) -> Sequence[HeldMessage]:
        before = frozenset(room.stored)
        held = await self._acts.ctx.messages.held(room_id, MOST_IN_ROOM)
        arrived = {key: waits for key, waits in room.stored.items() if key not in before}
        found = {one.message.id: Waits(one.message.session_id, one.reason) for one in held} | arrived
        room.missing = {key: waits for key, waits in room.stored.items() if key not in found}
        room.stored = found
        room.read_at = now
        return held

    def arrived(self, room_id: str, message_id: str, session_id: str, reason: str) -> None:
        """A message is stored, and waits."""
        room = self._rooms.get(room_id)
        room.stored[message_id] = Waits(session_id, reason)
        coming = next((entry for entry in room.coming if entry[0] == session_id), None)
        if coming is not None:
            room.coming.remove(coming)

    def gone(self, room_id: str, message_id: str) -> Waits | None:
        """A message does not wait any more; answers what was known of it."""
        return self._rooms.get(room_id).stored.pop(message_id, None)

    def reread(self, room_id: str) -> None:
        """What waits has changed in the database."""
        self._rooms.get(room_id).read_at = None


def _count(room: _Room, session_id: str) -> int:
    return sum(waits.session_id == session_id for waits in room.stored.values())
