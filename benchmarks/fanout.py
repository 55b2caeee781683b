"""Fan-out of messages to many receivers: our transports against a loop over Tornado's `write_message`.

    python benchmarks/fanout.py [receivers]

The receivers are raw sockets in a process of their own that count bytes. The server sends so many messages in one
turn of its event loop as are said to be in flight, and the next ones when all receivers have them.
"""

import asyncio
import multiprocessing
import selectors
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from anonchat.websocket.frames import encode_frame
from anonchat.websocket.handshake import SocketHandler
from anonchat.websocket.transport import Peer, SocketTransport, Transports

REQUEST = (
    b"GET /%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MESSAGE = "x" * 300
SECONDS = 2.0
IN_FLIGHT = (1, 4, 16, 64)


class Silent:
    """A peer that ignores everything."""

    def messages_received(self, messages: list[str | bytes]) -> None:
        """Ignore them."""

    def transport_closed(self, code: int | None) -> None:
        """Ignore it."""


class OurHandler(SocketHandler):
    """Collects transports in the setting `ours`."""

    def open_peer(self, transport: SocketTransport) -> Peer:
        self.settings["ours"].append(transport)
        return Silent()


class TornadoHandler(WebSocketHandler):
    """Collects handlers in the setting `tornados`."""

    async def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self.settings["tornados"].append(self)


def receive(pipe: Connection, port: int, path: bytes, receivers: int) -> None:
    """Report through the pipe whenever all receivers have got the bytes that it announced for each."""
    clients = []
    for _ in range(receivers):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(REQUEST % path)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(4096)
        clients.append(client)
    pipe.send("connected")
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ, client)
        while size := pipe.recv():
            left = size * receivers
            while left:
                for key, _ in selector.select():
                    left -= len(key.data.recv(1 << 20))
            pipe.send("received")


class Receivers:
    """The process of the receivers, as the server sees it."""

    def __init__(self, port: int, path: bytes, count: int) -> None:
        self._pipe, other = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=receive, args=(other, port, path, count))
        process.start()
        self._reports: asyncio.Queue[str] = asyncio.Queue()
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), lambda: self._reports.put_nowait(self._pipe.recv()))

    async def report(self) -> None:
        """Wait for the next report."""
        await self._reports.get()

    def announce(self, size: int) -> None:
        """Tell how many bytes each receiver will get."""
        self._pipe.send(size)

    def stop(self) -> None:
        """End the process."""
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.send(0)


async def measure(name: str, receivers: Receivers, count: int, broadcast: Callable[[], None]) -> None:
    """Print deliveries per second, and per second of the server's CPU time, for several messages in flight."""
    size = len(encode_frame(MESSAGE.encode()))
    await receivers.report()
    for in_flight in IN_FLIGHT:
        delivered = 0
        start, start_cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - start < SECONDS:
            receivers.announce(in_flight * size)
            for _ in range(in_flight):
                broadcast()
            await receivers.report()
            delivered += in_flight * count
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        print(
            f"{name:8} {in_flight:3} in flight: {delivered / seconds:12,.0f}/s {delivered / cpu:12,.0f} per CPU second"
        )
    receivers.stop()


async def main(count: int = 500) -> None:
    ours: list[SocketTransport] = []
    tornados: list[TornadoHandler] = []
    transports = Transports()
    routes: list[Any] = [("/ours", OurHandler, {"transports": transports}), ("/tornado", TornadoHandler)]
    server = HTTPServer(Application(routes, log_function=lambda _: None, ours=ours, tornados=tornados))
    listener, port = bind_unused_port()
    server.add_socket(listener)

    def broadcast_ours() -> None:
        frame = encode_frame(MESSAGE.encode())
        for transport in ours:
            transport.enqueue(frame)

    def broadcast_tornado() -> None:
        for handler in tornados:
            handler.write_message(MESSAGE)

    await measure("Tornado", Receivers(port, b"tornado", count), count, broadcast_tornado)
    await measure("anonchat", Receivers(port, b"ours", count), count, broadcast_ours)
    transports.abort_all()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
