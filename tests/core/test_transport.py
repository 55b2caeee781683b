"""One connection over real TCP: what it delivers, in which order it answers, and that its end always comes."""

import asyncio
import logging
import os
import socket
import struct
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
from wsproto.frame_protocol import Frame, FrameProtocol, Opcode

from anonchat.protocol.frames import encode_frame
from anonchat.websocket.link import Link
from anonchat.websocket.transport import SocketLimits, SocketTransport, Transports

SECONDS = 60
QUICK = SocketLimits(ping_seconds=0.1, pong_seconds=0.1, unfinished_seconds=0.2, close_seconds=0.2)


class Echo:
    """A peer that notes what comes and sends it back."""

    def __init__(self, transport: SocketTransport) -> None:
        self.transport = transport
        self.calls: list[list[str | bytes]] = []
        self.ends: list[int | None] = []
        self.ended = asyncio.Event()

    def messages_received(self, messages: list[str | bytes]) -> None:
        self.calls.append(messages)
        for message in messages:
            self.transport.enqueue(encode_frame(message.encode() if isinstance(message, str) else message))

    def transport_closed(self, code: int | None) -> None:
        self.ends.append(code)
        self.ended.set()

    async def end(self) -> int | None:
        """The one close code, when the connection is gone and a later turn added none."""
        await asyncio.wait_for(self.ended.wait(), SECONDS)
        await asyncio.sleep(0)
        (code,) = self.ends
        assert self.transport.closed
        return code


class Client:
    """A client on a raw socket; frames are made and read by wsproto."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.protocol = FrameProtocol(client=True, extensions=[])
        self.frames: list[Frame] = []

    def send(self, *pieces: bytes | bytearray) -> None:
        self.writer.write(b"".join(pieces))

    async def frame(self) -> Frame | None:
        """The next frame, or None at the end of the stream."""
        while not self.frames:
            data = await asyncio.wait_for(self.reader.read(65536), SECONDS)
            if not data:
                return None
            self.protocol.receive_bytes(data)
            self.frames += self.protocol.received_frames()
        return self.frames.pop(0)

    async def payloads(self) -> list[object]:
        """The payloads of all frames up to the end of the stream; a close frame gives its code and reason."""
        found: list[object] = []
        while frame := await self.frame():
            found.append(frame.payload)
        return found

    def text(self, message: str) -> bytes:
        return bytes(self.protocol.send_data(message))

    def close(self, code: int | None = None) -> bytes:
        return bytes(self.protocol.close(code))


@asynccontextmanager
async def connected(
    transports: Transports,
    make_peer: Callable[[SocketTransport], Echo] = Echo,
    buffer_bytes: int = 0,
    make_link: Callable[[socket.socket], Link] = Link,
) -> AsyncIterator[tuple[Echo, Client]]:
    """A started transport and its client; small socket buffers make a client that does not read slow soon."""
    client_socket = socket.socket()
    with socket.create_server(("127.0.0.1", 0)) as listener, client_socket:
        for one in (listener, client_socket) if buffer_bytes else ():
            for direction in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                one.setsockopt(socket.SOL_SOCKET, direction, buffer_bytes)
        client_socket.connect(listener.getsockname())
        server_socket, _ = listener.accept()
        reader, writer = await asyncio.open_connection(sock=client_socket, limit=65536)
        transport = SocketTransport(make_link(server_socket), transports)
        peer = make_peer(transport)
        transport.start(peer)
        try:
            yield peer, Client(reader, writer)
        finally:
            transport.abort()
            if not writer.transport.is_closing():
                writer.transport.abort()


async def turns_until(condition: Callable[[], bool]) -> None:
    """Let the event loop turn until something is so."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0)


def test_everything_is_answered_in_the_order_it_came() -> None:
    """Autobahn 2.10 and 5.19: messages and pings of one read keep their order, also around a message in fragments."""

    async def main() -> None:
        async with connected(Transports()) as (peer, client):
            protocol = client.protocol
            client.send(
                client.text("a"),
                protocol.ping(b"1"),
                protocol.send_data("b", fin=False),
                protocol.ping(b"2"),
                protocol.send_data("c"),
                client.text("d"),
                client.close(1000),
            )
            assert [str(payload) if isinstance(payload, str) else payload for payload in await client.payloads()] == [
                "a",
                b"1",
                b"2",
                "bc",
                "d",
                (1000, ""),
            ]
            assert await peer.end() == 1000
            assert peer.calls == [["a"], ["bc", "d"]]

    asyncio.run(main())


def test_one_call_for_all_messages_of_a_read_and_one_send_for_all_answers() -> None:
    sends: list[int] = []

    def counting(server_socket: socket.socket) -> Link:
        def send(data: memoryview) -> int:
            sends.append(len(data))
            return server_socket.send(data)

        link = Link(server_socket)
        link.send = send
        return link

    async def main() -> None:
        async with connected(Transports(), make_link=counting) as (peer, client):
            expected = [str(number) for number in range(500)]
            client.send(*map(client.text, expected))
            received = [await client.frame() for _ in expected]
            assert [frame.payload for frame in received if frame] == expected
            assert [message for call in peer.calls for message in call] == expected
            assert len(sends) == len(peer.calls) < 5

    asyncio.run(main())


@pytest.mark.parametrize(
    ("sent", "echoed", "told"), [(None, (1005, ""), 1005), (1000, (1000, ""), 1000), (4999, (4999, ""), 4999)]
)
def test_a_client_that_closes_gets_its_code_back(sent: int | None, echoed: tuple[int, str], told: int) -> None:
    """Autobahn 7.1, 7.7 and 7.13; what it asked before is still answered, what it sends after is not."""

    async def main() -> None:
        async with connected(Transports()) as (peer, client):
            client.send(client.text("last"), client.close(sent), client.text("late"))
            assert await client.payloads() == ["last", echoed]
            assert await peer.end() == told
            assert peer.calls == [["last"]]

    asyncio.run(main())


def test_closing_sends_what_waits_then_the_reason_and_waits_for_the_client() -> None:
    async def main() -> None:
        async with connected(Transports()) as (peer, client):
            for number in range(3):
                peer.transport.enqueue(encode_frame(b"%d" % number))
            peer.transport.close(4403, "kicked")
            peer.transport.close(1000, "only the first counts")
            peer.transport.enqueue(encode_frame(b"too late"))
            assert [(await client.frame() or pytest.fail("ended")).payload for _ in range(4)] == [
                "0",
                "1",
                "2",
                (4403, "kicked"),
            ]
            client.send(client.text("ignored"), client.protocol.ping(b"ignored"))
            assert not peer.ended.is_set(), "the client has not closed yet"
            client.send(client.close(4403))
            assert await client.payloads() == []
            assert await peer.end() == 4403
            assert peer.calls == []

    asyncio.run(main())


def test_a_client_that_never_answers_a_close_is_gone_in_time() -> None:
    async def main() -> None:
        transports = Transports(QUICK)
        async with connected(transports) as (peer, client):
            peer.transport.close(1001, "going away")
            assert await client.payloads() == [(1001, "going away")]
            assert await peer.end() == 1001
            assert len(transports) == 0

    asyncio.run(main())


BROKEN = {
    "unmasked": (b"\x81\x01a", 1002),
    "not text": (b"\x81\x81\0\0\0\0\xff", 1007),
    "huge announced length": (b"\x82\xff" + (1 << 62).to_bytes(8), 1009),
    "bad close code": (b"\x88\x82\0\0\0\0" + (1005).to_bytes(2), 1002),
}


@pytest.mark.parametrize(("broken", "code"), BROKEN.values(), ids=BROKEN)
def test_a_broken_protocol_is_told_and_ends_while_the_client_still_sends(broken: bytes, code: int) -> None:
    """The close frame survives although megabytes arrive after the error; they are not kept."""

    async def main() -> None:
        async with connected(Transports()) as (peer, client):
            client.send(client.text("good"), broken, bytes(4 << 20))
            payloads = await client.payloads()
            assert payloads[0] == "good"
            assert isinstance(payloads[1], tuple)
            assert payloads[1][0] == code
            client.writer.close()
            assert await peer.end() == code

    asyncio.run(main())


def test_a_broken_protocol_ends_also_if_the_client_stays() -> None:
    async def main() -> None:
        async with connected(Transports(QUICK)) as (peer, client):
            client.send(BROKEN["unmasked"][0])
            assert await client.payloads() == [(1002, "a frame is not masked")]
            assert await peer.end() == 1002

    asyncio.run(main())


def test_a_message_that_is_not_finished_in_time() -> None:
    """Neither a trickle of bytes nor pings between fragments prolong the time."""

    async def main() -> None:
        limits = SocketLimits(unfinished_seconds=0.2, close_seconds=0.2, control_frames=1_000_000)
        async with connected(Transports(limits)) as (trickle, one), connected(Transports(limits)) as (pinging, other):
            other.send(other.protocol.send_data("a", fin=False))
            frame = one.text("x" * 60_000)
            for place in range(len(frame)):
                if trickle.transport.closed and pinging.transport.closed:
                    break
                one.send(frame[place : place + 1])
                other.send(other.protocol.ping())
                await asyncio.sleep(0)
            assert await trickle.end() == 4400
            assert await pinging.end() == 4400

    asyncio.run(main())


def test_a_slow_reader_is_closed_and_the_others_are_served() -> None:
    async def main() -> None:
        transports = Transports(SocketLimits(queue_bytes=200_000))
        async with connected(transports, buffer_bytes=8192) as (slow, _), connected(transports) as (fast, client):
            frame = encode_frame(b"x" * 1000)
            count = 0
            async with asyncio.timeout(SECONDS):
                while not slow.transport.closed:
                    for peer in (slow, fast):
                        peer.transport.enqueue(frame)
                    count += 1
                    received = await client.frame()
                    assert received is not None
                    assert len(received.payload) == 1000
            assert count > 150, "it was given its queue before"
            assert await slow.end() == 4413
            assert not fast.transport.closed
            assert len(transports) == 1

    asyncio.run(main())


def test_a_reader_that_was_too_slow_can_still_learn_why() -> None:
    """All within one turn: the queue is dropped at once, the close frame is sent."""

    async def main() -> None:
        async with connected(Transports(SocketLimits(queue_bytes=10_000))) as (peer, client):
            for _ in range(20):
                peer.transport.enqueue(encode_frame(b"x" * 1000))
            assert peer.transport.closed
            client.send(client.close())
            assert await client.payloads() == [(4413, "too slow")]
            assert await peer.end() == 4413

    asyncio.run(main())


def test_a_client_that_pings_without_reading_costs_its_queue() -> None:
    async def main() -> None:
        limits = SocketLimits(queue_bytes=100_000, control_frames=1_000_000)
        async with connected(Transports(limits), buffer_bytes=8192) as (peer, client):
            async with asyncio.timeout(SECONDS):
                while not peer.transport.closed:
                    client.send(*(client.protocol.ping(b"x" * 125) for _ in range(50)))
                    await client.writer.drain()
                    await asyncio.sleep(0)
            assert await peer.end() == 4413

    asyncio.run(main())


def test_who_pings_without_end_is_closed_and_no_longer_decoded() -> None:
    """As many as are allowed are answered; the limit is for a second, so the same number is fine again in the next."""

    async def main() -> None:
        async with connected(Transports(SocketLimits(control_frames=50))) as (peer, client):
            ping = bytes(client.protocol.ping(b"?"))
            client.send(client.text("first"), ping * 10_000)
            found = await client.payloads()
            assert found[0] == "first"
            assert found[1:-1] == [b"?"] * 50
            assert found[-1] == (4429, "there may be 50 pings and pongs a second")
            client.writer.close()
            assert await peer.end() == 4429

    asyncio.run(main())


def test_a_half_open_connection_is_gone_after_ping_pong_and_close() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with connected(Transports(QUICK)) as (peer, client):
            frame = await client.frame()
            start = (
                loop.time()
            )  # the ping comes at any moment of its time; a pong may take 0.1 s, the answer to a close 0.2
            assert frame is not None
            assert frame.opcode is Opcode.PING
            assert await client.payloads() == [(4408, "no pong")]
            assert await peer.end() == 4408
            assert 0.29 < loop.time() - start < 2

    asyncio.run(main())


def test_those_who_come_together_are_not_pinged_together() -> None:
    async def main() -> None:
        transports = Transports(SocketLimits(ping_seconds=100))
        async with AsyncExitStack() as stack:
            begun = asyncio.get_running_loop().time()
            crowd = [await stack.enter_async_context(connected(transports)) for _ in range(100)]
            moments = sorted(peer.transport.due - begun for peer, _ in crowd)
            most = asyncio.get_running_loop().time() - begun + 100
            assert 0 <= moments[0] < 30 < 70 < moments[-1] <= most

    asyncio.run(main())


def test_pongs_keep_a_connection_and_nothing_else_does() -> None:
    async def main() -> None:
        async with connected(Transports(QUICK)) as (peer, client):
            for _ in range(4):
                frame = await client.frame()
                assert frame is not None
                assert frame.opcode is Opcode.PING
                client.send(client.protocol.pong())
            assert not peer.transport.closed
            while not peer.transport.closed:
                client.send(client.text("I am here"))
                await client.frame()
            assert await peer.end() == 4408

    asyncio.run(main())


def test_a_stalled_loop_is_not_taken_for_a_silent_client() -> None:
    """The pong arrived in time, only nobody could read it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with connected(Transports(QUICK)) as (peer, client):
            ping = await client.frame()
            assert ping is not None
            with socket.socket(fileno=os.dup(client.writer.get_extra_info("socket").fileno())) as direct:
                direct.send(client.protocol.pong())
            end = loop.time() + 0.5
            while loop.time() < end:
                pass
            assert (await client.frame() or ping).opcode is Opcode.PING
            assert not peer.transport.closed

    asyncio.run(main())


def more_than(calls: list[list[str | bytes]], count: int) -> bool:
    return len(calls) > count


class Pausing(Echo):
    """A peer that is full after each call."""

    def messages_received(self, messages: list[str | bytes]) -> None:
        self.calls.append(messages)
        self.transport.pause_reading()


def test_back_pressure_reaches_the_client_and_loses_nothing() -> None:
    async def main() -> None:
        async with connected(Transports(QUICK), Pausing, buffer_bytes=8192) as (peer, client):
            expected = [f"{number:06}" * 100 for number in range(5000)]
            client.send(*map(client.text, expected))
            sending = asyncio.create_task(client.writer.drain())
            await turns_until(lambda: len(peer.calls) == 1)
            held = client.writer.transport.get_write_buffer_size
            left = held()
            await asyncio.wait({sending}, timeout=0.5)
            assert not sending.done(), "the client cannot get rid of its 3 MB"
            assert left - held() < 300_000
            assert len(peer.calls) == 1
            assert not peer.transport.closed, "pings rest meanwhile, for pongs could not be seen"
            received = 0
            while received < len(expected):
                peer.transport.resume_reading()
                await turns_until(partial(more_than, peer.calls, len(peer.calls)))
                received = sum(map(len, peer.calls))
            assert [message for call in peer.calls for message in call] == expected

    asyncio.run(main())


def test_pausing_and_resuming_at_any_moment_loses_nothing() -> None:
    async def main() -> None:
        async with connected(Transports()) as (peer, client):
            peer.transport.pause_reading()
            client.send(client.text("a"))
            await client.writer.drain()
            for _ in range(20):
                await asyncio.sleep(0)
            assert peer.calls == []
            for _ in range(3):
                peer.transport.resume_reading()
                peer.transport.pause_reading()
            peer.transport.resume_reading()
            client.send(client.text("b"))
            assert [(await client.frame() or pytest.fail("ended")).payload for _ in range(2)] == ["a", "b"]

    asyncio.run(main())


def test_a_pause_does_not_count_as_the_time_of_the_client() -> None:
    """It could not finish its message; a silent connection beside it, gone after 0.4 s, is the clock."""

    async def main() -> None:
        async with connected(Transports(QUICK), Pausing) as (peer, client), connected(Transports(QUICK)) as (clock, _):
            second = client.text("second")
            client.send(client.text("first"), second[:5])
            assert await clock.end() == 4408
            peer.transport.resume_reading()
            assert (await client.frame() or pytest.fail("ended")).opcode is Opcode.PING
            client.send(second[5:])
            await turns_until(partial(more_than, peer.calls, 1))
            assert peer.calls == [["first"], ["second"]]

    asyncio.run(main())


def test_a_paused_connection_sees_its_end_and_can_be_closed() -> None:
    async def main() -> None:
        async with connected(Transports()) as (gone, one), connected(Transports()) as (closed, other):
            gone.transport.pause_reading()
            closed.transport.pause_reading()
            one.writer.close()
            assert await gone.end() is None
            closed.transport.close(1000, "bye")
            other.send(other.text("ignored"), other.close(1000))
            assert await other.payloads() == [(1000, "bye")]
            assert await closed.end() == 1000

    asyncio.run(main())


def test_a_connection_that_is_gone_can_be_resumed_without_harm() -> None:
    """Its inbox is still worked off, and lets it go on when it is nearly empty."""

    async def main() -> None:
        async with connected(Transports(), Pausing) as (peer, client):
            client.send(client.text("a"))
            await turns_until(lambda: len(peer.calls) == 1)
            client.send(client.text("kept"))
            await client.writer.drain()
            for _ in range(20):
                await asyncio.sleep(0)
            peer.transport.abort()
            peer.transport.resume_reading()
            await peer.end()
            assert peer.calls == [["a"]]

    asyncio.run(main())


def test_a_reset_is_an_end_without_a_code() -> None:
    async def main() -> None:
        async with connected(Transports()) as (peer, client):
            connected_socket = client.writer.get_extra_info("socket")
            connected_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.transport.abort()
            assert await peer.end() is None

    asyncio.run(main())


class Faulty(Echo):
    """A peer with a bug."""

    def messages_received(self, messages: list[str | bytes]) -> None:
        raise ArithmeticError("bug")

    def transport_closed(self, code: int | None) -> None:
        super().transport_closed(code)
        raise ArithmeticError("another bug")


def test_a_bug_of_a_peer_ends_its_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        transports = Transports()
        async with connected(transports, Faulty) as (faulty, one), connected(transports) as (_, other):
            one.send(one.text("a"), one.protocol.ping(), one.text("b"))
            assert await one.frame() is not None
            one.send(one.close(1011))
            assert await faulty.end() == 1011
            other.send(other.text("fine"))
            assert (await other.frame() or pytest.fail("ended")).payload == "fine"

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    assert [(record.name, bool(record.exc_info)) for record in caplog.records] == [("anonchat", True)] * 2


def test_aborting_ends_all_at_once_and_leaves_no_garbage() -> None:
    """Without the help of the garbage collector: what holds a transport in a circle is cut at its end."""

    async def main() -> None:
        transports = Transports()
        async with connected(transports) as (one, client), connected(transports) as (two, _):
            client.send(client.text("a"))
            assert await client.frame() is not None
            transports.abort_all()
            assert [await one.end(), await two.end()] == [None, None]
            assert len(transports) == 0

    asyncio.run(main())


def test_a_transport_goes_with_its_last_user() -> None:
    class Slotted(SocketTransport):
        __slots__ = ("__weakref__",)

    async def main() -> weakref.ref[SocketTransport]:
        server, client = socket.socketpair()
        with client:
            transport = Slotted(Link(server), Transports())
            peer = Echo(transport)
            transport.start(peer)
            transport.enqueue(encode_frame(b"a"))
            await asyncio.sleep(0)
            transport.abort()
            await peer.end()
            for _ in range(3):
                await asyncio.sleep(0)
            return weakref.ref(transport)

    assert asyncio.run(main())() is None
