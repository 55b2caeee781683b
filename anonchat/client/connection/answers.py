"""Requests that wait for the frame that answers them, matched by its `id`."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from anonchat.client.connection.line import Frame
from anonchat.client.errors import ChatRefused, ClientError, NotReachable


class Asked(NamedTuple):
    """A frame of so many bytes, and what will be its answer."""

    size: int
    answer: asyncio.Future[Frame]

    def fail(self, error: ClientError) -> None:
        """There will be no answer."""
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # who waits may be gone already


class Answers:
    """At most `bound` requests of one chat."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: dict[str, Asked] = {}

    def expect(self, key: str, size: int) -> asyncio.Future[Frame]:
        """The answer to the frame with the id `key`, of so many bytes; to be followed by `forget`. Raises `ChatRefused`."""
        if len(self._waiting) >= self._bound:
            raise ChatRefused("overloaded", "Too many requests wait for their answer.")
        self._waiting[key] = Asked(size, asyncio.get_running_loop().create_future())
        return self._waiting[key].answer

    def forget(self, key: str) -> None:
        """Nobody waits for that answer any more."""
        self._waiting.pop(key, None)

    def settle(self, frame: Frame) -> bool:
        """Hand a frame to whom it answers; False if it answers nobody who waits."""
        asked = self._waiting.get(frame.id) if isinstance(frame.id, str) else None
        if asked is None:
            return False
        if frame.event == "error":
            asked.fail(ChatRefused.told(frame.data))
        elif not asked.answer.done():
            asked.answer.set_result(frame)
        return True

    def fail(self, error: ClientError | None = None) -> None:
        """No answer will come on this connection; `error` says why, if there will be none on another either."""
        for asked in self._waiting.values():
            asked.fail(error or NotReachable("The connection was lost before the answer came."))

    def fail_largest(self, error: ClientError) -> None:
        """A frame has ended the connection by its size. Which one is not told: it was the largest, if it was any."""
        asked = [asked for asked in self._waiting.values() if not asked.answer.done()]
        if asked:
            max(asked, key=lambda one: one.size).fail(error)
