"""The way from a Tornado request to an open connection, with the PyPI client `websockets` and raw requests."""

import asyncio
import gc
import logging
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from wsproto.frame_protocol import FrameProtocol

from anonchat.protocol.frames import BINARY, TEXT, encode_frame
from anonchat.websocket.handshake import SocketHandler
from anonchat.websocket.transport import Peer, SocketTransport, Transports

SECONDS = 60
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def request(headers: dict[str, str], path: str = "/ws") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


REQUEST = request(GOOD)


class Echo:
    """A peer that sends back what comes."""

    def __init__(self, transport: SocketTransport) -> None:
        self.transport = transport

    def messages_received(self, messages: list[str | bytes]) -> None:
        for message in messages:
            is_text = isinstance(message, str)
            payload = message.encode() if isinstance(message, str) else message
            self.transport.enqueue(encode_frame(payload, TEXT if is_text else BINARY))

    def transport_closed(self, code: int | None) -> None:
        self.transport.abort()


class EchoHandler(SocketHandler):
    def open_peer(self, transport: SocketTransport) -> Peer:
        transport.enqueue(encode_frame(b"hello"))
        return Echo(transport)


class FaultyHandler(SocketHandler):
    def open_peer(self, transport: SocketTransport) -> Peer:
        raise ArithmeticError("bug")


class FaultyPrepareHandler(EchoHandler):
    async def prepare(self) -> None:
        raise ArithmeticError("secret")


def silent(handler: object) -> None:
    """No access log."""


@asynccontextmanager
async def served() -> AsyncIterator[tuple[int, Transports]]:
    transports = Transports()
    keywords = {"transports": transports}
    routes = [
        ("/ws", EchoHandler, keywords),
        ("/faulty", FaultyHandler, keywords),
        ("/prepare", FaultyPrepareHandler, keywords),
    ]
    server = HTTPServer(Application(routes, log_function=silent, serve_traceback=True))
    listener, port = bind_unused_port()
    server.add_socket(listener)
    try:
        yield port, transports
    finally:
        server.stop()
        transports.abort_all()
        await server.close_all_connections()


async def ask(port: int, headers: dict[str, str], path: str = "/ws", rest: bytes = b"") -> tuple[bytes, bytes]:
    """Send a raw request and whatever follows it; returns the head of the answer and all that comes after it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(headers, path) + rest)
    async with asyncio.timeout(SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read() if head.startswith(b"HTTP/1.1 101") and rest else b""
    writer.close()
    return head, body


CLOSE = b"\x88\x80\0\0\0\0"
ANSWERED = encode_frame(b"hello") + b"\x88\x00"


def test_the_websockets_client_is_understood() -> None:
    async def main() -> None:
        messages: list[str | bytes] = ["", "früh", "x" * 65536, b"\x00\xff", b""]
        async with served() as (port, transports), asyncio.timeout(SECONDS):
            async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as client:
                assert await client.recv() == "hello"
                assert client.protocol.extensions == [], "it offered compression"
                for message in messages:
                    await client.send(message)
                assert [await client.recv() for _ in messages] == messages
                await client.send(["in ", "three ", "fragments"])
                assert await client.recv() == "in three fragments"
                await (await client.ping(b"are you there?"))
                await client.close(4321, "bye")
            assert client.close_code == 4321
            await none_left(transports)

    asyncio.run(main())


def test_the_answer_is_that_of_the_rfc_and_frames_may_come_with_the_request() -> None:
    async def main() -> None:
        async with served() as (port, _):
            head, body = await ask(port, GOOD, rest=CLOSE)
            assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            assert b"Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
            assert body == ANSWERED

    asyncio.run(main())


@pytest.mark.parametrize("count", [1, 3_000])
def test_what_comes_early_is_answered_whole(count: int) -> None:
    """Up to 180 kB, a part of which is in the buffers of Tornado when the connection opens."""

    async def main() -> None:
        async with served() as (port, _):
            early = FrameProtocol(client=True, extensions=[])
            sent = b"".join(bytes(early.send_data(f"{number:050}")) for number in range(count))
            _, body = await ask(port, GOOD, rest=sent + CLOSE)
            assert (
                body
                == encode_frame(b"hello")
                + b"".join(encode_frame(f"{number:050}".encode()) for number in range(count))
                + b"\x88\x00"
            )

    asyncio.run(main())


def test_a_flood_before_the_connection_is_open_ends_it_or_waits_in_the_system() -> None:
    """Bounded memory either way; and the server goes on."""

    async def main() -> None:
        async with served() as (port, transports):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            frame = bytes(FrameProtocol(client=True, extensions=[]).send_data("x" * 1_000))
            writer.write(request(GOOD) + frame * 4_000)
            writer.write_eof()
            async with asyncio.timeout(SECONDS):
                with suppress(ConnectionError):
                    while await reader.read(65536):
                        pass
            writer.close()
            await none_left(transports)
            assert (await ask(port, GOOD, rest=CLOSE))[1] == ANSWERED

    asyncio.run(main())


def test_much_may_come_at_once_with_the_request() -> None:
    """More than one read, and more than the stream of the handshake should ever keep."""

    async def main() -> None:
        message = encode_frame(b"x" * 60_000)
        masked = b"\x81\xfe" + (60_000).to_bytes(2) + bytes(4) + b"x" * 60_000
        async with served() as (port, _), asyncio.timeout(SECONDS):
            _, body = await ask(port, GOOD, rest=masked * 40 + CLOSE)
            assert body == encode_frame(b"hello") + message * 40 + b"\x88\x00"

    asyncio.run(main())


OFFERS = [
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=99; server_max_window_bits=1",
    "permessage-deflate; =; ;;, ,",
    ";",
    '"',
    "\x80\xff",
    "x" * 8000,
]


@pytest.mark.parametrize("offer", OFFERS, ids=range(len(OFFERS)))
def test_offers_are_ignored(offer: str) -> None:
    """Autobahn 12 and 13 ask for it; a malformed one is no reason to fail either."""

    async def main() -> None:
        async with served() as (port, _):
            for name in ("Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"):
                head, body = await ask(port, {**GOOD, name: offer}, rest=CLOSE)
                assert head.startswith(b"HTTP/1.1 101 ")
                assert name.lower().encode() not in head.lower()
                assert body == ANSWERED

    asyncio.run(main())


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in GOOD.items() if key != name}


REFUSED = {
    "no host": (without("Host"), 400),
    "no upgrade": (without("Upgrade"), 400),
    "another upgrade": ({**GOOD, "Upgrade": "h2c"}, 400),
    "no connection": (without("Connection"), 400),
    "another connection": ({**GOOD, "Connection": "close"}, 400),
    "no key": (without("Sec-WebSocket-Key"), 400),
    "a short key": ({**GOOD, "Sec-WebSocket-Key": "c2hvcnQ="}, 400),
    "a key that is not base64": ({**GOOD, "Sec-WebSocket-Key": "\xe4" * 24}, 400),
    "no version": (without("Sec-WebSocket-Version"), 426),
    "an old version": ({**GOOD, "Sec-WebSocket-Version": "8"}, 426),
    "a foreign origin": ({**GOOD, "Origin": "https://evil.example"}, 403),
}


@pytest.mark.parametrize(("headers", "status"), REFUSED.values(), ids=REFUSED)
def test_bad_handshakes(headers: dict[str, str], status: int) -> None:
    async def main() -> None:
        async with served() as (port, transports):
            head, _ = await ask(port, headers)
            assert head.startswith(f"HTTP/1.1 {status} ".encode())
            assert (status == 426) == (b"sec-websocket-version: 13" in head.lower())
            assert len(transports) == 0

    asyncio.run(main())


def test_a_bug_while_opening_tells_nothing_and_is_logged_without_the_request(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served() as (port, transports), asyncio.timeout(SECONDS):
            head, _ = await ask(port, GOOD, "/prepare?t=token")
            assert head.startswith(b"HTTP/1.1 500 ")
            assert b"Traceback" not in head
            async with websockets.connect(f"ws://127.0.0.1:{port}/faulty?t=token") as client:
                await client.wait_closed()
            assert (client.close_code, client.close_reason) == (1011, "internal error")
            assert len(transports) == 0

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    assert [record.name for record in caplog.records] == ["anonchat", "anonchat"]
    assert not any("token" in record.getMessage() or "127.0.0.1" in record.getMessage() for record in caplog.records)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"\x81\x81\0\0\0\0a", b"\x89\x80\0\0\0\0"]), max_size=8))
@settings(max_examples=40, deadline=None)
def test_no_bytes_do_harm(pieces: list[bytes]) -> None:
    """Every stream ends in an answer, nothing is left over, and nothing is logged as an error."""
    errors: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        async with served() as (port, transports), asyncio.timeout(SECONDS):
            reader, writer = await open_idle(port)
            writer.write(b"".join(pieces))
            writer.write_eof()
            await reader.read()
            writer.close()
            await none_left(transports)

    asyncio.run(main())
    assert errors == []


def test_an_idle_connection_is_small_and_keeps_no_handler() -> None:
    """Both ends live in this process, so the sockets of the clients are in the figure, and still it is low."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with served() as (port, transports), asyncio.timeout(SECONDS):
            with ExitStack() as clients:
                gc.disable()
                tracemalloc.start()
                try:
                    sizes = []
                    for _ in range(150):
                        client = clients.enter_context(socket.socket())
                        client.setblocking(False)
                        await loop.sock_connect(client, ("127.0.0.1", port))
                        await loop.sock_sendall(client, REQUEST)
                        while not (await loop.sock_recv(client, 4096)).endswith(b"hello"):
                            pass
                        sizes.append(tracemalloc.get_traced_memory()[0])
                    handlers = [
                        found for found in gc.get_objects() if type(found) is EchoHandler
                    ]  # isinstance() would ask dead proxies
                finally:
                    tracemalloc.stop()
                    gc.enable()
                assert len(transports) == 150
                assert handlers == []
                assert (sizes[-1] - sizes[49]) / 100 < 12 * 1024

    asyncio.run(main())


async def none_left(transports: Transports) -> None:
    while len(transports):
        await asyncio.sleep(0)


async def open_idle(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await reader.readuntil(b"hello")
    return reader, writer
