"""Request coalescing: what many ask for in the same moment is worked out once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Coalesced(Generic[Key, Answer]):
    """Answers that must not be older than the question, so that nobody gets one whose work had begun before.

    For each key one answer is worked out at a time; all who ask meanwhile share the next. Nothing is remembered.
    """

    def __init__(self, work: Callable[[Key], Awaitable[Answer]]) -> None:
        """`work(key)` is cancelled with who asked for it, unless it is shared: then it is done, whoever still waits."""
        self._work = work
        self._running: dict[Key, asyncio.Event] = {}
        self._next: dict[Key, asyncio.Task[Answer]] = {}

    async def of(self, key: Key) -> Answer:
        """The answer. Costs the work itself, or a wait for the one before it. Raises what the work raises."""
        if key not in self._running and key not in self._next:
            return await self._run(key)
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._run_after(self._running[key], key))
            task.add_done_callback(_heard)
        try:
            return await asyncio.shield(task)
        finally:
            del task  # a failure would hold this frame, and with it itself

    async def _run(self, key: Key) -> Answer:
        ended = self._running[key] = asyncio.Event()
        try:
            return await self._work(key)
        finally:
            del self._running[key]
            ended.set()

    async def _run_after(self, ended: asyncio.Event, key: Key) -> Answer:
        try:
            await ended.wait()
        finally:
            del self._next[key]
        return await self._run(key)


def _heard(task: asyncio.Task[Any]) -> None:
    """Its failure is told to who waits; if nobody does any more, nobody needs to know."""
    if not task.cancelled():
        task.exception()
