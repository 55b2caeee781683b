"""A TCP line between a client and a server, or between a server and what it needs, on which much can go wrong.

It can go dead in one direction or both without either side being told, wait, be slow, be reset, and speak TLS.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct

READ_BYTES = 65_536
PIECE_BYTES = 1_024  # that a slow line passes on at once
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the system resets the connection instead of ending it


class Line:
    """Listens on `port` and passes on what comes, both ways, to a port of this machine.

    `up` is the way to the server, `down` the way back. While a way is ``"dead"`` its bytes are swallowed, and so is
    the end of the connection, as when a cable is cut; while it is ``"held"`` they wait. Both are ``"open"`` at first.
    TCP never skips bytes: a connection on which some were swallowed stays dead, only new ones get through again.
    """

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        """With `tls` the client speaks TLS with the line, as with a proxy in front of a server that has none."""
        self._target = target
        self._tls = tls
        self._ways = {"up": "open", "down": "open"}
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._delay_seconds = 0.0
        self._bytes_per_second: float | None = None
        self.port = 0

    async def open(self) -> None:
        """Begin to listen."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        # Accepted sockets inherit it; asyncio sets it only where it has opened the socket, and 40 ms are lost without.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = int(self._listening.getsockname()[1])
        # Not a server of asyncio: one that closes while it accepts leaves that connection open.
        self._accepting = asyncio.create_task(self._accept(self._listening))

    async def close(self) -> None:
        """Take no new connections, and end those that there are."""
        if self._listening is not None and self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
            self._listening.close()
        await self.cut()

    async def cut(self) -> None:
        """End every connection of the line, for both sides; new ones are taken."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # in which the transports end

    async def __aenter__(self) -> Line:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def become(self, *, up: str = "open", down: str = "open") -> None:
        """Let the ways be ``"open"``, ``"held"`` or ``"dead"`` from now on."""
        async with self._changed:
            self._ways = {"up": up, "down": down}
            self._changed.notify_all()

    def slow_down(self, *, delay_seconds: float = 0.0, bytes_per_second: float | None = None) -> None:
        """Let whatever comes wait, both ways, and pass on so much in a second; without arguments be as fast as ever."""
        self._delay_seconds, self._bytes_per_second = delay_seconds, bytes_per_second

    def reset(self) -> None:
        """Break every connection, as a firewall or a server that has died does; new ones get through."""
        for writer in self._writers:
            line = writer.get_extra_info("socket")
            if line.fileno() >= 0:  # else the other side has just ended it
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
            self._begin(accepted)

    def _begin(self, accepted: socket.socket) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            accepted.close()  # also where it was cancelled before it began

        task = asyncio.create_task(self._serve(accepted))
        self._tasks.add(task)
        task.add_done_callback(ended)

    async def _serve(self, accepted: socket.socket) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self._tls)
        except OSError:
            return  # gone already, or with no word of TLS
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._pass_on(reader, writer)
        finally:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump("up", reader, far_writer))
                both.create_task(self._pump("down", far_reader, writer))
        finally:
            self._writers -= ends
            far_writer.transport.abort()

    async def _pump(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_lost = False
        try:
            while data := await reader.read(READ_BYTES if self._bytes_per_second is None else PIECE_BYTES):
                await self._take_time(len(data))
                is_lost = is_lost or not await self._is_open(way)
                if not is_lost:
                    writer.write(data)
                    await writer.drain()
            if not is_lost and await self._is_open(way) and not writer.is_closing():
                if writer.can_write_eof():
                    writer.write_eof()
                else:  # TLS ends both ways at once
                    writer.close()
        except (OSError, RuntimeError):  # reset, by who was killed with something unread; uvloop calls it the latter
            if not is_lost and await self._is_open(way):
                writer.transport.abort()

    async def _take_time(self, size: int) -> None:
        seconds = self._delay_seconds + (size / self._bytes_per_second if self._bytes_per_second else 0.0)
        if seconds:
            await asyncio.sleep(seconds)

    async def _is_open(self, way: str) -> bool:
        """Whether bytes get through, once they no longer have to wait."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._ways[way] != "held")
            return self._ways[way] == "open"
