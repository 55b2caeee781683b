"""Work that waits and goes together: who is told what, in which order and turn, and that nobody waits for ever."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Sequence

import pytest

from anonchat import ChatError, Completion, PendingWork, Statements, WorkQueue
from anonchat.testing import asynchronous


async def nothing(_: Statements) -> None:
    """Work."""


class Runs:
    """A database that finishes a batch when it is told to."""

    def __init__(self) -> None:
        self.batches: list[Sequence[PendingWork]] = []
        self.completions: list[Completion] = []

    def run(self, batch: Sequence[PendingWork], completion: Completion) -> None:
        self.batches.append(batch)
        self.completions.append(completion)

    def finish(self) -> None:
        self.completions.pop(0).finished(self.batches[-1])


@asynchronous
async def test_work_begins_at_once_and_what_comes_meanwhile_goes_together() -> None:
    runs = Runs()
    queue = WorkQueue(runs.run, together=2, most=10)
    for _ in range(4):
        queue.submit(nothing)
    assert [len(batch) for batch in runs.batches] == [1]
    runs.finish()
    runs.finish()
    runs.finish()
    assert [len(batch) for batch in runs.batches] == [1, 2, 1]
    await queue.finish()


@pytest.mark.parametrize(
    ("firsts", "told"),
    [
        ((False, False), ["a woken", "b woken", "a committed", "b committed"]),
        ((True, True), ["a committed", "b committed", "a woken", "b woken"]),
        ((True, False), ["a committed", "a woken", "b woken", "b committed"]),
        ((False, True), ["a woken", "b woken", "a committed", "b committed"]),
    ],
    ids=["answers first", "consequences first", "one of each", "never out of order"],
)
@asynchronous
async def test_who_is_told_first(firsts: tuple[bool, bool], told: list[str]) -> None:
    runs, found = Runs(), list[str]()
    queue = WorkQueue(runs.run, together=2, most=10)
    queue.submit(nothing)  # the two others share the next batch
    for name, first in zip("ab", firsts, strict=True):
        future = queue.submit(nothing, lambda name=name: found.append(f"{name} committed"), first=first)  # type: ignore[misc]
        future.add_done_callback(lambda _, name=name: found.append(f"{name} woken"))  # type: ignore[misc]
    runs.finish()
    runs.finish()
    assert found == [*itertools.takewhile(lambda each: each.endswith("committed"), told)]  # in the same turn
    await asyncio.sleep(0)
    assert found == told


@asynchronous
async def test_what_follows_a_commit_may_fail() -> None:
    def fail() -> None:
        raise RuntimeError("a consequence")

    runs = Runs()
    queue = WorkQueue(runs.run, together=2, most=10)
    waits = queue.submit(nothing, fail, first=True)
    runs.finish()
    assert waits.done()
    assert waits.exception() is None


@pytest.mark.parametrize("failure", [OSError("gone"), asyncio.CancelledError()], ids=["fails", "is cancelled"])
@asynchronous
async def test_a_driver_that_fails_leaves_nobody_waiting(failure: BaseException) -> None:
    async def run(_: Sequence[PendingWork]) -> Sequence[PendingWork]:
        raise failure

    queue = WorkQueue.awaiting(run, together=2, most=10)
    for waits in [queue.submit(nothing, lane=lane) for lane in (1, 1, 2)]:
        with pytest.raises(ChatError, match="storage"):
            await waits
    await queue.finish()


@asynchronous
async def test_a_driver_that_cannot_begin_leaves_nobody_waiting() -> None:
    depths: list[int] = []

    def run(_: Sequence[PendingWork], __: Completion) -> None:
        depths.append(len(inspect.stack(0)))
        raise OSError("gone")

    queue = WorkQueue(run, together=1, most=20)
    for waits in [queue.submit(nothing) for _ in range(20)]:
        with pytest.raises(ChatError, match="storage"):
            await waits
    await queue.finish()
    assert max(depths[2:]) == depths[1]  # however many wait, one failure is not inside of another


@asynchronous
async def test_what_cannot_be_told_holds_up_nobody_else() -> None:
    """A future takes every exception but one."""
    runs = Runs()
    queue = WorkQueue(runs.run, together=2, most=10)
    waits = [queue.submit(nothing) for _ in range(2)]
    runs.batches[0][0].outcome = StopIteration()
    runs.finish()
    runs.finish()
    with pytest.raises(RuntimeError, match="StopIteration"):
        await waits[0]
    await waits[1]
    await queue.finish()


@asynchronous
async def test_a_batch_is_completed_once() -> None:
    runs = Runs()
    queue = WorkQueue(runs.run, together=2, most=10)
    waits = queue.submit(nothing)
    completion = runs.completions[0]
    runs.finish()
    completion.failed(OSError("late"))
    completion.finished(())
    assert waits.exception() is None
    assert runs.completions == []


@asynchronous
async def test_too_much_work_is_refused() -> None:
    runs = Runs()
    queue = WorkQueue(runs.run, together=2, most=1)
    queue.submit(nothing), queue.submit(nothing)
    with pytest.raises(ChatError) as refused:
        await queue.submit(nothing)
    assert refused.value.code == "overloaded"
    ended = asyncio.ensure_future(queue.finish())
    await asyncio.sleep(0)
    assert not ended.done()
    runs.finish()
    runs.finish()
    await ended
