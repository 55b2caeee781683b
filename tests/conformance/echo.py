"""An echo server made of the handshake and the transport of the real one, for conformance suites; never installed.

Chat rooms send nobody his own frames back, which is what such suites ask for. ``python -m tests.conformance.echo PORT``
serves until it is ended and prints its address; port 0 takes a free one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from anonchat.protocol.frames import BINARY, TEXT, encode_frame
from anonchat.websocket.handshake import SocketHandler
from anonchat.websocket.transport import Peer, SocketLimits, SocketTransport, Transports

# Suites send up to 16 MiB, and 4 MiB in fragments of 64 bytes with an empty one behind.
LIMITS = SocketLimits(frame_bytes=1 << 24, frame_fragments=1 << 17, queue_bytes=1 << 26)


class Echo:
    """A peer that sends back what comes."""

    def __init__(self, transport: SocketTransport) -> None:
        self._transport = transport

    def messages_received(self, messages: list[str | bytes]) -> None:
        for message in messages:
            frame = encode_frame(message.encode(), TEXT) if isinstance(message, str) else encode_frame(message, BINARY)
            self._transport.enqueue(frame)

    def transport_closed(self, code: int | None) -> None:
        """Nothing was kept."""


class EchoEntrance(SocketHandler):
    def open_peer(self, transport: SocketTransport) -> Peer:
        return Echo(transport)


def silent(_: object) -> None:
    """No access log."""


@asynccontextmanager
async def echoing(limits: SocketLimits = LIMITS, port: int = 0) -> AsyncIterator[int]:
    """Serve on a port of the loopback, 0 for a free one, which is what is given."""
    transports = Transports(limits)
    routes = [("/", EchoEntrance, {"transports": transports})]
    server = HTTPServer(Application(routes, log_function=silent))
    if port:
        server.listen(port, "127.0.0.1")
    else:
        listener, port = bind_unused_port()
        server.add_socket(listener)
    try:
        yield port
    finally:
        server.stop()
        transports.abort_all()
        await server.close_all_connections()


async def main() -> None:
    async with echoing(port=int(sys.argv[1])) as port:
        print(f"ws://127.0.0.1:{port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
