"""Work that waits for a database and goes together: while one commit is on its way to the disk, all that arrives waits, and
goes in the next one (group commit). A commit, and a hop to another thread, costs the same for one piece of work or a hundred.

On a busy server each turn of the event loop is a wait, so none is taken that is not needed: what is durable is told in the
turn that hears of it, and work whose driver needs no task begins in the turn in which it is asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

import structlog

from anonchat.errors import ChatError
from anonchat.storage.roles import Work

T = TypeVar("T")
log = structlog.get_logger("anonchat.storage")


class PendingWork:
    """One piece of work, and who waits for it. Whoever runs it leaves a result or an exception in `outcome`."""

    __slots__ = ("committed", "first", "future", "outcome", "work")

    def __init__(
        self, work: Work[Any], future: asyncio.Future[Any], committed: Callable[[], None] | None, first: bool = False
    ) -> None:
        self.work = work
        self.future = future
        self.committed = committed
        self.first = first
        self.outcome: Any = None

    def wake(self) -> None:
        """Hand the outcome to the caller, unless it has stopped waiting."""
        if self.future.done():
            return
        if isinstance(self.outcome, StopIteration):  # which no future takes
            failure = RuntimeError("the work raised StopIteration")
            failure.__cause__ = self.outcome
            self.future.set_exception(failure)
        elif isinstance(self.outcome, BaseException):
            self.future.set_exception(self.outcome)
        else:
            self.future.set_result(self.outcome)


Batch = Sequence[PendingWork]


class Completion:
    """What whoever runs a batch calls, in the event loop: one of the two. What is called after it changes nothing."""

    __slots__ = ("_batch", "_finished", "is_over")

    def __init__(self, batch: Batch, finished: Callable[[Batch, Batch], None]) -> None:
        self._batch = batch
        self._finished = finished
        self.is_over = False

    def finished(self, durable: Batch) -> None:
        """The outcomes are there, and of writing these are durable now."""
        if not self.is_over:
            self.is_over = True
            self._finished(self._batch, durable)

    def failed(self, error: BaseException) -> None:
        """The storage has failed, and all who wait are told so."""
        if self.is_over:
            return
        log.error("the database could not be reached", exc_info=error)
        for pending in self._batch:
            pending.outcome = ChatError("storage_unavailable", retry_after_ms=2_000)
            pending.outcome.__cause__ = error
        self.finished(())


Run = Callable[[Batch, Completion], None]


class WorkQueue:
    """Work that waits for its turn: in order within a lane, side by side between lanes."""

    def __init__(self, run: Run, *, together: int, most: int) -> None:
        """`run(batch, completion)` begins work, at most `together` pieces in one transaction. `most` may wait in all lanes."""
        self._run = run
        self._together = together
        self._most = most
        self._lanes: dict[Hashable, deque[PendingWork]] = {}  # those at work, and what waits in each
        self._waiting = 0
        self._emptied = asyncio.Event()

    @classmethod
    def awaiting(cls, run: Callable[[Batch], Awaitable[Batch]], *, together: int, most: int) -> WorkQueue:
        """For a driver that is asynchronous: `run(batch)` leaves the outcomes and answers what is durable, or raises."""
        running: set[asyncio.Task[None]] = set()

        async def work_off(batch: Batch, completion: Completion) -> None:
            try:
                durable = await run(batch)
            except BaseException as error:
                completion.failed(error)
                if not isinstance(error, Exception):
                    raise
            else:
                completion.finished(durable)

        def begin(batch: Batch, completion: Completion) -> None:
            task = asyncio.create_task(work_off(batch, completion))
            running.add(task)
            task.add_done_callback(running.discard)

        return cls(begin, together=together, most=most)

    def submit(
        self,
        work: Work[T],
        committed: Callable[[], None] | None = None,
        lane: Hashable = None,
        *,
        first: bool = False,
    ) -> asyncio.Future[T]:
        """Let work wait for the next turn of its lane; see `Database.transaction`. Refused as `overloaded`."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._waiting >= self._most:
            future.set_exception(ChatError("overloaded", retry_after_ms=1_000))
            return future
        pending = PendingWork(work, future, committed, first)
        if (waiting := self._lanes.get(lane)) is not None:
            waiting.append(pending)
            self._waiting += 1
        else:
            self._lanes[lane] = deque()
            self._begin(lane, [pending])
        return future

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        while self._lanes:
            self._emptied.clear()
            await self._emptied.wait()

    def _begin(self, lane: Hashable, batch: Batch) -> None:
        completion = Completion(batch, partial(self._finished, lane))
        try:
            self._run(batch, completion)
        except Exception as error:  # or the lane would wait for ever
            asyncio.get_running_loop().call_soon(completion.failed, error)

    def _finished(self, lane: Hashable, batch: Batch, durable: Batch) -> None:
        try:
            _tell(batch, durable)  # before the next begins, which might else be told of first
        finally:
            self._go_on(lane)

    def _go_on(self, lane: Hashable) -> None:
        waiting = self._lanes[lane]
        if waiting:
            following = [waiting.popleft() for _ in range(min(self._together, len(waiting)))]
            self._waiting -= len(following)
            self._begin(lane, following)
        else:
            del self._lanes[lane]
            self._emptied.set()


def _tell(batch: Batch, durable: Batch) -> None:
    """Wake the callers, and call what is to be called in the order of the commit: `first` before them, else after them."""
    loop = asyncio.get_running_loop()
    later: list[Callable[[], None]] = []
    for pending in durable:
        if pending.committed is None:
            continue
        if pending.first and not later:
            try:
                pending.committed()
            except Exception:
                log.exception("what follows a commit failed")
        else:
            later.append(pending.committed)
    for pending in batch:
        pending.wake()
    for committed in later:
        loop.call_soon(committed)  # after the callers: an answer goes out before its consequences
