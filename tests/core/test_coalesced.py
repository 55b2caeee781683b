"""What many ask for at once is worked out once, and nobody's answer is older than the question."""

from __future__ import annotations

import asyncio
import gc

import pytest

from anonchat.connections.coalesced import Coalesced
from anonchat.testing import asynchronous


class Counter:
    """Answers with a number that the world has reached when the work begins."""

    def __init__(self) -> None:
        self.world = 0
        self.begun: list[str] = []
        self.gates: list[asyncio.Event] = []
        self.is_open = False
        self.coalesced = Coalesced(self.work)

    async def work(self, key: str) -> int:
        self.begun.append(key)
        found = self.world
        gate = asyncio.Event()
        self.gates.append(gate)
        if not self.is_open:
            await gate.wait()
        if found < 0:
            raise ArithmeticError(found)
        return found

    def release(self) -> None:
        """Let everything end, now and later."""
        self.is_open = True
        for gate in self.gates:
            gate.set()

    async def asked(self, *keys: str) -> list[asyncio.Task[int]]:
        tasks = [asyncio.create_task(self.coalesced.of(key)) for key in keys]
        for _ in range(3):
            await asyncio.sleep(0)
        return tasks


@asynchronous
async def test_who_asks_meanwhile_shares_the_next_answer() -> None:
    counter = Counter()
    tasks = await counter.asked("a", "b", "a", "a", "a")
    assert counter.begun == ["a", "b"], "one at a time"
    counter.release()
    assert await asyncio.gather(*tasks) == [0] * 5
    assert counter.begun == ["a", "b", "a"]


@asynchronous
async def test_no_answer_is_older_than_its_question() -> None:
    counter = Counter()
    first = await counter.asked("a")
    counter.world = 1
    second = await counter.asked("a", "a", "a")
    counter.world = 2
    counter.gates[0].set()
    await first[0]
    await asyncio.sleep(0)
    assert counter.begun == ["a", "a"], "the second is worked out, with what the world was when it began"
    counter.world = 3
    third = await counter.asked("a")
    counter.release()
    assert await asyncio.gather(*first, *second, *third) == [0, 2, 2, 2, 3]
    assert counter.begun == ["a", "a", "a"]


@asynchronous
async def test_all_are_told_of_a_failure_and_nothing_is_left_of_it() -> None:
    counter = Counter()
    counter.world = -1
    counter.release()
    for task in await counter.asked("a", "a", "a"):
        with pytest.raises(ArithmeticError):
            await task
    counter.world = 1
    assert await asyncio.gather(*await counter.asked("a")) == [1]


@asynchronous
async def test_who_stops_waiting_harms_nobody() -> None:
    counter = Counter()
    tasks = await counter.asked("a", "a", "a")
    for task in tasks[:2]:
        task.cancel()
    counter.release()
    assert await tasks[2] == 0
    assert all(task.cancelled() for task in tasks[:2])
    assert not counter.coalesced._running
    assert not counter.coalesced._next


@asynchronous
async def test_an_answer_that_nobody_waits_for_any_more_fails_in_silence() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    counter = Counter()
    counter.world = -1
    tasks = await counter.asked("a", "a")
    for task in tasks:
        task.cancel()
    counter.release()
    await asyncio.sleep(0.01)
    assert counter.begun == ["a", "a"]
    assert not counter.coalesced._next
    del task, tasks
    gc.collect()
    assert complaints == []


@asynchronous
async def test_the_next_can_be_asked_for_in_the_turn_in_which_one_ends() -> None:
    async def work(key: str) -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        return key

    coalesced = Coalesced(work)

    async def ask_after(turns: int) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await coalesced.of("a")

    for one in range(6):
        for other in range(6):
            assert await asyncio.gather(*map(ask_after, (one, other, 0))) == ["a", "a", "a"]
