"""What plugins tell everybody who comes: read once for each position of a room, and never older than what is told with it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from anonchat import Remembered
from anonchat.plugins.remembered import ROOMS
from anonchat.testing import asynchronous, running_server, settings_in
from anonchat.testing.people import OpenRoom, open_room
from anonchat_pins import Pins


class Shelf:
    """Rooms at a position each, and how often each was read."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.reads: list[str] = []
        self.remembered = Remembered(self.read, self.positions.get)

    async def read(self, room: str) -> int:
        self.reads.append(room)
        await asyncio.sleep(0)
        return len(self.reads)


@asynchronous
async def test_it_is_read_once_for_each_position() -> None:
    shelf = Shelf()
    shelf.positions["a"] = 7
    assert [await shelf.remembered.of("a") for _ in range(3)] == [1, 1, 1]
    shelf.positions["a"] = 8
    assert [await shelf.remembered.of("a") for _ in range(2)] == [2, 2]


@asynchronous
async def test_what_happens_during_a_read_makes_the_next_one_read_anew() -> None:
    shelf = Shelf()
    shelf.positions["a"] = 7
    reading = asyncio.create_task(shelf.remembered.of("a"))
    await asyncio.sleep(0)
    shelf.positions["a"] = 8
    assert await reading == 1
    assert await shelf.remembered.of("a") == 2


@asynchronous
async def test_who_asks_at_once_shares_a_read_also_one_that_fails() -> None:
    shelf = Shelf()
    shelf.positions["a"] = 7
    assert await asyncio.gather(*(shelf.remembered.of("a") for _ in range(5))) == [1] * 5

    async def failing(room: str) -> int:
        raise ArithmeticError(await shelf.read(room))

    shelf.remembered = Remembered(failing, shelf.positions.get)
    outcomes = await asyncio.gather(*(shelf.remembered.of("a") for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["2"] * 3
    with pytest.raises(ArithmeticError, match="3"):
        await shelf.remembered.of("a")


@asynchronous
async def test_who_stops_waiting_takes_nothing_from_the_others() -> None:
    shelf = Shelf()
    shelf.positions["a"] = 7
    first, second = (asyncio.create_task(shelf.remembered.of("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1


@asynchronous
async def test_where_nobody_is_here_nothing_is_remembered() -> None:
    shelf = Shelf()
    assert [await shelf.remembered.of("a") for _ in range(2)] == [1, 2]


@asynchronous
async def test_its_memory_is_bounded() -> None:
    shelf = Shelf()
    shelf.positions = {str(number): 1 for number in range(ROOMS + 1)}
    shelf.remembered = Remembered(shelf.read, shelf.positions.get)
    for room in shelf.positions:
        await shelf.remembered.of(room)
    await shelf.remembered.of(str(ROOMS))
    assert len(shelf.reads) == ROOMS + 1
    await shelf.remembered.of("0")
    assert len(shelf.reads) == ROOMS + 2, "the oldest was dropped"


async def pins_told(room: OpenRoom, stack: AsyncExitStack, name: str) -> list[str]:
    """What a newcomer is told to be pinned."""
    person = await stack.enter_async_context(room.enter(name))
    told = await person.hear("pinned_messages")
    return [message["id"] for message in told.data["messages"]]


@pytest.mark.gen_test
async def test_many_who_come_cost_one_read_and_each_pin_is_seen_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    rows = Pins._rows

    async def counted(self: Pins, room_id: str) -> object:
        reads.append(room_id)
        return await rows(self, room_id)

    monkeypatch.setattr(Pins, "_rows", counted)
    settings = settings_in(tmp_path, plugins={"enabled": ("pins",)})
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(settings))
        room = await open_room(server)
        zoe = await stack.enter_async_context(room.enter("Zoe", moderator=True))
        said = [(await zoe.say(f"message {number}")).data["serverMessageId"] for number in range(3)]
        for number, message_id in enumerate(said):
            await zoe.ask("pin_message", {"messageId": message_id})
            reads.clear()
            told = [await pins_told(room, stack, f"Guest {number} {place}") for place in range(8)]
            assert told == [said[: number + 1]] * 8
            assert len(reads) <= 2, "also the pins of the history are among them"
