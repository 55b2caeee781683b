"""What many ask for at once is worked out once, and nobody's answer is older than the question."""

from __future__ import annotations

import asyncio

import pytest

from anonchat.coalesced import Coalesced
from anonchat.testing import asynchronous


class Counter:
    """Answers with a number that the world has reached when the work begins."""

    def __init__(self) -> None:
        self.world = 0
        self.begun: list[str] = []
        self.release = asyncio.Event()
        self.coalesced = Coalesced(self.work)

    async def work(self, key: str) -> int:
        self.begun.append(key)
        found = self.world
        await self.release.wait()
        if found < 0:
            raise ArithmeticError(found)
        return found

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
    counter.release.set()
    assert await asyncio.gather(*tasks) == [0] * 5
    assert counter.begun == ["a", "b", "a"]


@asynchronous
async def test_no_answer_is_older_than_its_question() -> None:
    counter = Counter()
    first = await counter.asked("a")
    counter.world = 1
    later = await counter.asked("a", "a", "a")
    counter.world = 2
    counter.release.set()
    assert await asyncio.gather(*first, *later) == [0, 2, 2, 2]
    assert counter.begun == ["a", "a"]


@asynchronous
async def test_all_are_told_of_a_failure_and_nothing_is_left_of_it() -> None:
    counter = Counter()
    counter.world = -1
    counter.release.set()
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
    counter.release.set()
    assert await tasks[2] == 0
    assert all(task.cancelled() for task in tasks[:2])
    assert not counter.coalesced._running
    assert not counter.coalesced._next


@asynchronous
async def test_an_answer_that_nobody_waits_for_any_more_fails_in_silence() -> None:
    counter = Counter()
    counter.world = -1
    for task in await counter.asked("a", "a"):
        task.cancel()
    counter.release.set()
    await asyncio.sleep(0.01)
    assert counter.begun == ["a", "a"]
    assert not counter.coalesced._next


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

    for turns in range(6):
        assert list(await asyncio.gather(ask_after(turns), ask_after(0))) == ["a", "a"]
