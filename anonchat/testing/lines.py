"""A TCP line between a client and a server that can go dead, in one direction or both, without either being told."""

from __future__ import annotations

import asyncio

READ_BYTES = 65_536


class Line:
    """Listens on `port` and passes on what comes, both ways, to a port of this machine.

    `up` is the way to the server, `down` the way back. While a way is ``"dead"`` its bytes are swallowed, and so is
    the end of the connection, as when a cable is cut; while it is ``"held"`` they wait. Both are ``"open"`` at first.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._ways = {"up": "open", "down": "open"}
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End every connection of the line, for both sides."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def become(self, *, up: str = "open", down: str = "open") -> None:
        """Let the ways be ``"open"``, ``"held"`` or ``"dead"`` from now on."""
        async with self._changed:
            self._ways = {"up": up, "down": down}
            self._changed.notify_all()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pass_on(reader, writer)
        except asyncio.CancelledError:
            pass  # the line is closed; asyncio would log a handler that ends so
        finally:
            self._tasks.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump("up", reader, far_writer))
                both.create_task(self._pump("down", far_reader, writer))
        finally:
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(READ_BYTES):
                if await self._is_open(way):
                    writer.write(data)
                    await writer.drain()
            if await self._is_open(way):
                writer.write_eof()
        except OSError:  # reset, by who was killed with something unread
            if await self._is_open(way):
                writer.transport.abort()

    async def _is_open(self, way: str) -> bool:
        """Whether bytes get through, once they no longer have to wait."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._ways[way] != "held")
            return self._ways[way] == "open"
