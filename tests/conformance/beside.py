"""A server in a thread beside whoever uses it, and who may block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from queue import SimpleQueue

from .wire import SECONDS


@contextmanager
def in_a_thread(served: Callable[[], AbstractAsyncContextManager[int]]) -> Iterator[int]:
    """Run what `served()` opens in an event loop of its own; gives its port."""
    started: SimpleQueue[tuple[int, Callable[[], object]]] = SimpleQueue()

    async def serve() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        async with served() as port:
            started.put((port, lambda: loop.call_soon_threadsafe(ended.set)))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    port, end = started.get(timeout=SECONDS)
    try:
        yield port
    finally:
        end()
        thread.join(SECONDS)
