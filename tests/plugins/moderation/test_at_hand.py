"""What is at hand of rooms: fresh, read together, and never what was before a change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from anonchat import ChatError
from anonchat_moderation.at_hand import AHEAD_MILLISECONDS, FRESH_MILLISECONDS, TOGETHER, AtHand


class Shelf:
    """A store of versions of rooms, and all that was read from it."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.reads: list[Sequence[str]] = []
        self.now = 0
        self.failure: ChatError | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.at_hand = AtHand(self.read, lambda: self.now)

    async def read(self, rooms: Sequence[str]) -> Mapping[str, int]:
        self.reads.append(rooms)
        if self.failure is not None:
            raise self.failure
        found = {room: self.versions[room] for room in rooms if room in self.versions}
        await asyncio.sleep(0)
        await self.go.wait()
        return found


async def settle() -> None:
    """Let what runs beside come to its end."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_burst_in_many_rooms_is_few_reads() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {f"room-{number}": number for number in range(2 * TOGETHER)}
        asked = [room for room in shelf.versions for _ in range(3)]
        assert await asyncio.gather(*map(shelf.at_hand.of, asked)) == [shelf.versions[room] for room in asked]
        assert len(shelf.reads) <= 3

    asyncio.run(main())


def test_rooms_that_talk_are_read_with_the_first_that_is_stale() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1, "b": 1, "silent": 1}
        for room in shelf.versions:
            await shelf.at_hand.of(room)
        shelf.now += AHEAD_MILLISECONDS - 1
        shelf.reads.clear()
        assert shelf.at_hand.get("a", shelf.now) == shelf.at_hand.get("b", shelf.now) == 1
        shelf.at_hand._asked.discard("silent")
        shelf.now += FRESH_MILLISECONDS
        assert shelf.at_hand.get("a", shelf.now) is None
        await asyncio.gather(shelf.at_hand.of("a"), shelf.at_hand.of("b"))
        assert [sorted(rooms) for rooms in shelf.reads] == [["a", "b"]]

    asyncio.run(main())


def test_rooms_that_talk_are_read_before_they_are_stale() -> None:
    """So nobody waits: who asks at the half of the time has it read in passing, once for all."""

    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1, "b": 1}
        await asyncio.gather(shelf.at_hand.of("a"), shelf.at_hand.of("b"))
        shelf.versions = {"a": 2, "b": 2}
        shelf.now += AHEAD_MILLISECONDS
        assert [shelf.at_hand.get(room, shelf.now) for room in "abab"] == [1, 1, 1, 1]
        await settle()
        assert [sorted(rooms) for rooms in shelf.reads[1:]] == [["a", "b"]]
        shelf.now += FRESH_MILLISECONDS - 1
        assert [shelf.at_hand.get(room, shelf.now) for room in "ab"] == [2, 2]
        await settle()

    asyncio.run(main())


def test_all_who_wait_go_on_in_the_same_turn_of_the_event_loop() -> None:
    """And somebody who asks for another room in the very turn in which a read has ended begins the next."""

    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1, "b": 2}
        turns: list[int] = []
        turn = 0

        async def ask() -> None:
            await shelf.at_hand.of("a")
            turns.append(turn)
            assert await asyncio.wait_for(shelf.at_hand.of("b"), 60) == 2

        asking = asyncio.gather(*(ask() for _ in range(100)))
        while not asking.done():
            turn += 1
            await asyncio.sleep(0)
        assert len(turns) == 100
        assert len(set(turns)) == 1
        assert [list(rooms) for rooms in shelf.reads] == [["a"], ["b"]]

    asyncio.run(main())


def test_a_caller_that_gives_up_takes_nothing_from_the_others() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1}
        shelf.go.clear()
        first, second = (asyncio.ensure_future(shelf.at_hand.of("a")) for _ in range(2))
        await settle()
        first.cancel()
        shelf.go.set()
        assert await second == 1
        assert len(shelf.reads) == 1

    asyncio.run(main())


def test_what_cannot_be_read_ahead_is_read_by_who_needs_it() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1}
        await shelf.at_hand.of("a")
        shelf.now += AHEAD_MILLISECONDS
        shelf.failure = ChatError("storage_unavailable")
        assert await shelf.at_hand.of("a") == 1
        await settle()
        assert len(shelf.reads) == 2
        shelf.now += FRESH_MILLISECONDS
        with pytest.raises(ChatError, match="storage_unavailable"):
            await shelf.at_hand.of("a")
        shelf.failure = None
        assert await shelf.at_hand.of("a") == 1

    asyncio.run(main())


def test_a_read_that_began_before_a_change_does_not_bring_it_back() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1}
        shelf.go.clear()
        asking = asyncio.create_task(shelf.at_hand.of("a"))
        while not shelf.reads:
            await asyncio.sleep(0)
        shelf.versions["a"] = 2
        shelf.at_hand.drop("a")
        shelf.go.set()
        assert await asking == 2
        assert shelf.at_hand.get("a", shelf.now) == 2

    asyncio.run(main())


def test_a_room_that_has_ended() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1}
        await shelf.at_hand.of("a")
        del shelf.versions["a"]
        shelf.now += FRESH_MILLISECONDS
        for _ in range(2):
            with pytest.raises(ChatError, match="room_ended"):
                await shelf.at_hand.of("a")
        assert shelf.at_hand.latest("a") is None

    asyncio.run(main())


def test_a_clock_that_was_set_back() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1}
        await shelf.at_hand.of("a")
        shelf.versions["a"] = 2
        shelf.now -= 3_600_000
        assert shelf.at_hand.get("a", shelf.now) is None
        assert await shelf.at_hand.of("a") == 2

    asyncio.run(main())


def test_what_is_to_be_read_now_is_read_once_for_all_who_ask_at_once() -> None:
    async def main() -> None:
        shelf = Shelf()
        shelf.versions = {"a": 1}
        await shelf.at_hand.of("a")
        shelf.versions["a"] = 2
        asking = [shelf.at_hand.read("a", shelf.at_hand.reads) for _ in range(50)]
        assert await asyncio.gather(*asking) == [2] * 50
        assert len(shelf.reads) == 2

    asyncio.run(main())
