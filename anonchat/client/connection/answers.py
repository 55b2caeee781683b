"""Requests that wait for the frame that answers them, matched by its `id`."""

from __future__ import annotations

import asyncio

from anonchat.client.connection.line import Frame
from anonchat.client.errors import ChatRefused, ClientError, NotReachable


class Answers:
    """At most `bound` requests of one chat."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: dict[str, asyncio.Future[Frame]] = {}

    def expect(self, key: str) -> asyncio.Future[Frame]:
        """The answer to the frame with the id `key`; to be followed by `forget`. Raises `ChatRefused`."""
        if len(self._waiting) >= self._bound:
            raise ChatRefused("overloaded", "Too many requests wait for their answer.")
        self._waiting[key] = asyncio.get_running_loop().create_future()
        return self._waiting[key]

    def forget(self, key: str) -> None:
        """Nobody waits for that answer any more."""
        self._waiting.pop(key, None)

    def settle(self, frame: Frame) -> bool:
        """Hand a frame to whom it answers; False if it answers nobody who waits."""
        key = frame.id if frame.id is not None or frame.event != "error" else frame.data.get("clientMsgId")
        waiting = self._waiting.get(key) if isinstance(key, str) else None
        if waiting is None:
            return False
        if not waiting.done():
            if frame.event == "error":
                waiting.set_exception(ChatRefused.told(frame.data))
            else:
                waiting.set_result(frame)
        return True

    def fail(self, error: ClientError | None = None) -> None:
        """No answer will come on this connection; `error` says why, if the chat is over."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error or NotReachable("The connection was lost before the answer came."))
                waiting.exception()  # who waits may be gone already
