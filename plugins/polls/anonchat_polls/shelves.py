"""Where the ballot boxes stand: which secret polls have one, by room. So they are found when their polls are gone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from zlib import crc32

import orjson

from anonchat import PluginContext
from anonchat_polls.swapping import swap

SHELVES = 32  # values over which the rooms are spread, so that rooms seldom wait for each other
DAY = 86_400_000


class Shelves:
    """Poll id -> room id, in `Ephemeral` like the boxes themselves. Changed at the first vote of a poll, and after its end."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._kept = ctx.config["longest_seconds"] * 1_000 + 2 * DAY  # longer than any box
        self._locks = [asyncio.Lock() for _ in range(SHELVES)]

    async def enter(self, poll_id: str, room_id: str) -> None:
        """Note down that a poll has a box. Before the box is made, so that none is overlooked."""
        await self._change(_shelf_of(room_id), lambda polls: polls | {poll_id: room_id})

    async def strike(self, polls: Mapping[str, str]) -> None:
        """Take out polls (poll id -> room id). After their boxes were cleared."""
        gone: dict[int, set[str]] = defaultdict(set)
        for poll_id, room_id in polls.items():
            gone[_shelf_of(room_id)].add(poll_id)
        for shelf, poll_ids in gone.items():
            await self._change(shelf, lambda found, poll_ids=poll_ids: _without(found, poll_ids))  # type: ignore[misc]

    async def in_room(self, room_id: str) -> Mapping[str, str]:
        """The polls of one room that have a box."""
        found = await self._read(_shelf_of(room_id))
        return {poll_id: of_room for poll_id, of_room in found.items() if of_room == room_id}

    async def all(self) -> Mapping[str, str]:
        """All polls that have a box: as many as there are open secret polls, and a few more."""
        found: dict[str, str] = {}
        for shelf in range(SHELVES):
            found |= await self._read(shelf)
        return found

    async def _read(self, shelf: int) -> dict[str, str]:
        return _decoded(await self._ctx.ephemeral.get(_key(shelf)))

    async def _change(self, shelf: int, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        async with self._locks[shelf]:
            await swap(self._ctx, _key(shelf), self._kept, lambda stored: orjson.dumps(change(_decoded(stored))))


def _shelf_of(room_id: str) -> int:
    return crc32(room_id.encode()) % SHELVES


def _key(shelf: int) -> str:
    return f"shelf:{shelf}"


def _without(found: Mapping[str, str], poll_ids: set[str]) -> dict[str, str]:
    return {poll_id: room_id for poll_id, room_id in found.items() if poll_id not in poll_ids}


def _decoded(stored: bytes | None) -> dict[str, str]:
    found: dict[str, str] = orjson.loads(stored) if stored else {}
    return found
