"""Work that waits for a database and goes together: while one commit is on its way to the disk, all that arrives waits, and
goes in the next one (group commit). A commit, and a hop to another thread, costs the same for one piece of work or a hundred.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from anonchat.errors import ChatError
from anonchat.storage.roles import Work

T = TypeVar("T")
log = structlog.get_logger("anonchat.storage")


class PendingWork:
    """One piece of work, and who waits for it. Whoever runs it leaves a result or an exception in `outcome`."""

    __slots__ = ("committed", "future", "outcome", "work")

    def __init__(self, work: Work[Any], future: asyncio.Future[Any], committed: Callable[[], None] | None) -> None:
        self.work = work
        self.future = future
        self.committed = committed
        self.outcome: Any = None

    def wake(self) -> None:
        """Hand the outcome to the caller, unless it has stopped waiting."""
        if self.future.done():
            return
        if isinstance(self.outcome, BaseException):
            self.future.set_exception(self.outcome)
        else:
            self.future.set_result(self.outcome)


Run = Callable[[Sequence[PendingWork]], Awaitable[Sequence[PendingWork]]]


@dataclass(slots=True)
class _Lane:
    waiting: deque[PendingWork] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class WorkQueue:
    """Work that waits for its turn: in order within a lane, side by side between lanes."""

    def __init__(self, run: Run, *, together: int, most: int) -> None:
        """`run` does the work that it is given in one transaction, at most `together` pieces, and answers those that are
        durable now (of reading, none); what it raises is a failure of the storage, and all are told so. `most` may wait
        in all lanes.
        """
        self._run = run
        self._together = together
        self._most = most
        self._lanes: dict[Hashable, _Lane] = {}
        self._waiting = 0

    def submit(
        self, work: Work[T], committed: Callable[[], None] | None = None, lane: Hashable = None
    ) -> asyncio.Future[T]:
        """Let work wait for the next turn of its lane; see `Database.transaction`. Refused as `overloaded`."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._waiting >= self._most:
            future.set_exception(ChatError("overloaded", retry_after_ms=1_000))
            return future
        found = self._lanes.setdefault(lane, _Lane())
        found.waiting.append(PendingWork(work, future, committed))
        self._waiting += 1
        if found.task is None:
            found.task = asyncio.create_task(self._work_off(lane, found))
        return future

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        while tasks := [lane.task for lane in self._lanes.values() if lane.task is not None]:
            await asyncio.wait(tasks)

    async def _work_off(self, name: Hashable, lane: _Lane) -> None:
        try:
            while lane.waiting:
                batch = [lane.waiting.popleft() for _ in range(min(self._together, len(lane.waiting)))]
                self._waiting -= len(batch)
                durable = await self._run_all(batch)
                for pending in batch:
                    pending.wake()
                loop = asyncio.get_running_loop()
                for pending in durable:
                    if pending.committed is not None:
                        # After the callers, which were woken above: an answer goes out before its consequences.
                        loop.call_soon(pending.committed)
        finally:
            del self._lanes[name]

    async def _run_all(self, batch: Sequence[PendingWork]) -> Sequence[PendingWork]:
        """What is durable now. Never raises: whatever goes wrong, each caller is told."""
        try:
            return await self._run(batch)
        except Exception as error:
            log.exception("the database could not be reached")
            for pending in batch:
                pending.outcome = ChatError("storage_unavailable", retry_after_ms=2_000)
                pending.outcome.__cause__ = error
            return []
