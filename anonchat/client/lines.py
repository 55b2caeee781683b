"""The lines of the standard input, read without keeping the program from ending."""

from __future__ import annotations

import asyncio
import codecs
import os
import threading
from collections.abc import AsyncGenerator, Callable

CHUNK = 65_536
LONGEST = 1_000_000
WAITING = 100


async def read_lines(descriptor: int) -> AsyncGenerator[str, None]:
    """Each line of an open file, pipe or terminal, without its end, until there are no more.

    A daemon thread reads the bare descriptor: a file cannot be watched by the event loop, and a thread that sits in
    Python's own buffered reader would abort the interpreter's exit. At most `WAITING` lines are read ahead.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    places = threading.Semaphore(WAITING)

    def put(line: str | None) -> None:
        places.acquire()
        loop.call_soon_threadsafe(lines.put_nowait, line)

    threading.Thread(target=_read, args=(descriptor, put), daemon=True, name="standard input").start()
    while (line := await lines.get()) is not None:
        places.release()
        yield line


def _read(descriptor: int, put: Callable[[str | None], None]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    try:
        while chunk := os.read(descriptor, CHUNK):
            *lines, rest = (rest + decoder.decode(chunk)).split("\n")
            if len(rest) > LONGEST:
                lines, rest = [*lines, rest], ""
            for line in lines:
                put(line.removesuffix("\r"))
        for last in (rest, None) if rest else (None,):
            put(last)
    except (OSError, RuntimeError):
        return  # the input or the loop is gone: nobody reads any more
