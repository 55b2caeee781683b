"""The writer: whoever waits for all that was submitted waits for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from anonchat.clock import Clock
from anonchat.errors import ChatError
from anonchat.messages.writer import Writer
from anonchat.models import Draft
from anonchat.observability.metrics import Metrics
from anonchat.storage.roles import MANY_ROOMS
from anonchat.testing import asynchronous


class Lanes:
    """A journal that cannot store what belongs to many rooms, and is full for that of one room when it is let."""

    def __init__(self) -> None:
        self.may = {"fast": asyncio.Event(), "slow": asyncio.Event()}

    async def transaction(self, work: object, room: str, answer: Callable[[], None]) -> None:
        if room == MANY_ROOMS:
            raise LookupError("one of them cannot be stored")
        await self.may[room].wait()
        raise ChatError("storage_full")


@asynchronous
async def test_where_a_batch_failed_each_of_it_is_waited_for() -> None:
    """They are answered room by room then, and not in the order of their coming."""
    lanes, answered = Lanes(), list[str]()
    unused: Any = None
    journal: Any = lanes
    writer = Writer(journal, unused, unused, Metrics(), Clock())
    for room in ("slow", "fast"):
        session: Any = SimpleNamespace(id=room)
        writer.submit(Draft(room, session, "1", {}, None), lambda _, room=room: answered.append(room))  # type: ignore[misc]
    finished = asyncio.ensure_future(writer.finish())
    lanes.may["fast"].set()
    while answered != ["fast"]:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert not finished.done()
    lanes.may["slow"].set()
    await finished
    assert answered == ["fast", "slow"]
