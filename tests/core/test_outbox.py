"""The outbox and the timer of a server, over real sockets that a test can fill to the brim."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from tornado.iostream import IOStream, StreamClosedError

from anonchat.websocket.keepalive import Keepalive
from anonchat.websocket.outbox import FLUSHES_A_TURN, FRAME_COST, SEND_BYTES, Flusher, Outbox

SECONDS = 5


class CountingStream(IOStream):
    """A stream that remembers what each `send()` was given."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(connected)
        self.sends: list[object] = []

    def write_to_fd(self, data: memoryview) -> int:
        self.sends.append(data.obj)
        return super().write_to_fd(data)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    server, client = socket.socketpair()
    with server, client:
        client.setblocking(False)
        yield server, client


async def receive(client: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, size - len(received)), SECONDS)
    return received


def fill(server: socket.socket) -> int:
    """Write until the operating system takes no more; returns how much it took."""
    server.setblocking(False)
    taken = 0
    try:
        while True:
            taken += server.send(b"." * 4096)
    except BlockingIOError:
        return taken


def test_one_send_for_all_frames_and_no_copy_of_a_single_one(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        stream = CountingStream(pair[0])
        outbox = Outbox(stream, 1 << 20)
        frames = [b"one", b"two", b"three"]
        assert all(outbox.add(frame) for frame in frames)
        assert outbox.flush() is None
        assert stream.sends == [b"onetwothree"]
        assert outbox.add(frames[0])
        assert outbox.flush() is None
        assert stream.sends[1] is frames[0]
        assert outbox.empty
        assert await receive(pair[1], 14) == b"onetwothreeone"

    asyncio.run(main())


def test_order_is_kept_while_the_stream_is_slow(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        stream = CountingStream(pair[0])
        outbox = Outbox(stream, 1 << 20)
        taken = fill(pair[0])
        expected = b""
        for number in range(40):
            frame = bytes((number,)) * 10_000
            expected += frame
            assert outbox.add(frame)
            outbox.flush()
        assert not outbox.empty
        received = asyncio.create_task(receive(pair[1], taken + len(expected)))
        async with asyncio.timeout(SECONDS):
            while not received.done():
                sending = outbox.flush()
                await (sending if sending is not None else asyncio.sleep(0))
        assert (await received)[taken:] == expected
        assert outbox.empty
        assert max(len(data) for data in stream.sends if isinstance(data, bytes)) <= SEND_BYTES

    asyncio.run(main())


def test_it_is_bounded_and_drops_what_may_be_dropped(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        outbox = Outbox(IOStream(pair[0]), 10 * (100 + FRAME_COST))
        kept, dropped = [bytes((number,)) * 100 for number in range(6)], b"d" * 100
        for frame in kept[:5]:
            assert outbox.add(frame)
            assert outbox.add(dropped, droppable=True)
        assert outbox.add(dropped, droppable=True), "a new one is dropped, which is no failure"
        assert outbox.add(kept[5]), "the waiting ones make room"
        assert [outbox.add(b"x" * 100) for _ in range(5)] == [True] * 4 + [False]
        assert outbox.flush() is None
        assert await receive(pair[1], 1000) == b"".join(kept) + b"x" * 400

    asyncio.run(main())


def test_dropping_finds_its_frames_after_a_part_was_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        big = SEND_BYTES - 1000
        outbox = Outbox(IOStream(pair[0]), 4 * SEND_BYTES)
        taken = fill(pair[0])
        for letter in b"abc":
            assert outbox.add(bytes((letter,)) * big)
            assert outbox.add(b"-" * 2000, droppable=True)
        assert outbox.flush() is not None
        assert outbox.add(b"d" * SEND_BYTES), "dropping made room"
        received = asyncio.create_task(receive(pair[1], taken + 3 * big + SEND_BYTES))
        async with asyncio.timeout(SECONDS):
            while not received.done():
                sending = outbox.flush()
                await (sending if sending is not None else asyncio.sleep(0))
        assert b"-" not in await received
        assert (await received)[taken:].startswith(b"a" * big + b"b" * big + b"c" * big + b"d")

    asyncio.run(main())


def test_what_the_stream_still_holds_counts(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        outbox = Outbox(IOStream(pair[0]), 60_000)
        fill(pair[0])
        assert outbox.add(bytes(50_000))
        assert outbox.flush() is not None
        assert not outbox.add(bytes(50_000))
        outbox.clear()
        assert not outbox.add(bytes(50_000)), "the stream has not forgotten it"

    asyncio.run(main())


def test_it_waits_for_bytes_that_others_wrote(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        stream = IOStream(pair[0])
        outbox = Outbox(stream, 1 << 20)
        taken = fill(pair[0])
        stream.write(b"handshake")
        assert outbox.add(b"frame")
        sending = outbox.flush()
        assert sending is not None
        received = asyncio.create_task(receive(pair[1], taken + 14))
        await asyncio.wait_for(sending, SECONDS)
        assert outbox.flush() is None
        assert (await received)[taken:] == b"handshakeframe"

    asyncio.run(main())


def test_a_closed_stream_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        stream = IOStream(pair[0])
        outbox = Outbox(stream, 1 << 20)
        assert outbox.add(b"frame")
        stream.close()
        with pytest.raises(StreamClosedError):
            outbox.flush()

    asyncio.run(main())


class Order:
    """A flushable that notes when it was flushed."""

    def __init__(self, log: list[int], number: int) -> None:
        self.log, self.number = log, number

    def flush(self, most: int) -> int:
        self.log.append(self.number)
        if self.number == 1:
            raise ArithmeticError("a bug in one of them")
        return 1


def test_the_flusher_works_at_the_end_of_the_turn_and_lets_others_in_between() -> None:
    async def main() -> None:
        log: list[int] = []
        asyncio.get_running_loop().set_exception_handler(lambda *_: log.append(-1))
        flusher = Flusher()
        count = FLUSHES_A_TURN + 10
        for number in range(count):
            flusher.add(Order(log, number))
        assert log == []
        seen = []
        for _ in range(6):
            await asyncio.sleep(0)
            seen.append(len(log))
        assert any(3 < length < count for length in seen), "a long list takes more than one turn"
        assert log[:3] == [0, 1, -1], "one failure is reported and stops nobody else"
        assert log[3:] == list(range(2, count))

    asyncio.run(main())


class Deadline:
    """A watched connection that can only be late."""

    def __init__(self, due: float) -> None:
        self.due = due
        self.seen = asyncio.Event()

    def overdue(self, now: float) -> None:
        self.due = now + 1000
        self.seen.set()

    def close(self, code: int, reason: str = "") -> None:
        self.seen.set()

    def abort(self) -> None:
        self.seen.set()


def test_the_timer_calls_only_what_is_due_and_runs_only_while_needed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        keepalive = Keepalive(0.01)
        soon, late = Deadline(loop.time()), Deadline(loop.time() + 1000)
        keepalive.add(soon)
        keepalive.add(late)
        await asyncio.wait_for(soon.seen.wait(), SECONDS)
        assert not late.seen.is_set()
        keepalive.discard(soon)
        keepalive.abort_all()
        assert late.seen.is_set()
        keepalive.discard(late)
        assert len(keepalive) == 0
        again = Deadline(loop.time())
        keepalive.add(again)
        await asyncio.wait_for(again.seen.wait(), SECONDS)

    asyncio.run(main())
