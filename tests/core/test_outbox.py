"""The outbox and the timer of a server, over real sockets that a test can fill to the brim."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from anonchat.websocket.keepalive import Keepalive
from anonchat.websocket.link import Link
from anonchat.websocket.outbox import FLUSHES_A_TURN, FRAME_COST, SEND_BYTES, Flusher, Outbox

SECONDS = 60


def counting(connected: socket.socket) -> tuple[Link, list[object]]:
    """A link, and a list of what each `send()` was given."""
    link, sends, send = Link(connected), list[object](), connected.send

    def counted(data: memoryview) -> int:
        sends.append(data.obj)
        return send(data)

    link.send = counted
    return link, sends


def started(outbox: Outbox, link: Link) -> Outbox:
    """The outbox flushes again when the link has sent what it held."""
    link.start(lambda _: None, outbox.flush)
    return outbox


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
        link, sends = counting(pair[0])
        outbox = Outbox(link, 1 << 20)
        frames = [b"one", b"two", b"three"]
        assert all(outbox.add(frame) for frame in frames)
        outbox.flush()
        assert sends == [b"onetwothree"]
        assert outbox.add(frames[0])
        outbox.flush()
        assert sends[1] is frames[0]
        assert outbox.empty
        assert await receive(pair[1], 14) == b"onetwothreeone"

    asyncio.run(main())


def test_order_is_kept_while_the_link_is_slow(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        link, sends = counting(pair[0])
        outbox = started(Outbox(link, 1 << 20), link)
        taken = fill(pair[0])
        expected = b""
        for number in range(40):
            frame = bytes((number,)) * 10_000
            expected += frame
            assert outbox.add(frame)
            outbox.flush()
        assert not outbox.empty
        received = asyncio.create_task(receive(pair[1], taken + len(expected)))
        assert (await received)[taken:] == expected
        assert outbox.empty
        assert max(len(data) for data in sends if isinstance(data, bytes)) <= SEND_BYTES

    asyncio.run(main())


def test_it_is_bounded_and_drops_what_may_be_dropped(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        outbox = Outbox(Link(pair[0]), 10 * (100 + FRAME_COST))
        kept, dropped = [bytes((number,)) * 100 for number in range(6)], b"d" * 100
        for frame in kept[:5]:
            assert outbox.add(frame)
            assert outbox.add(dropped, droppable=True)
        assert outbox.add(dropped, droppable=True), "a new one is dropped, which is no failure"
        assert outbox.add(kept[5]), "the waiting ones make room"
        assert [outbox.add(b"x" * 100) for _ in range(5)] == [True] * 4 + [False]
        outbox.flush()
        assert await receive(pair[1], 1000) == b"".join(kept) + b"x" * 400

    asyncio.run(main())


def test_dropping_finds_its_frames_after_a_part_was_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        big = SEND_BYTES - 1000
        link = Link(pair[0])
        outbox = started(Outbox(link, 4 * SEND_BYTES), link)
        taken = fill(pair[0])
        for letter in b"abc":
            assert outbox.add(bytes((letter,)) * big)
            assert outbox.add(b"-" * 2000, droppable=True)
        outbox.flush()
        assert link.is_holding
        assert outbox.add(b"d" * SEND_BYTES), "dropping made room"
        received = asyncio.create_task(receive(pair[1], taken + 3 * big + SEND_BYTES))
        assert b"-" not in await received
        assert (await received)[taken:].startswith(b"a" * big + b"b" * big + b"c" * big + b"d")

    asyncio.run(main())


def test_what_the_link_still_holds_counts(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        link = Link(pair[0])
        outbox = Outbox(link, 60_000)
        fill(pair[0])
        assert outbox.add(bytes(50_000))
        outbox.flush()
        assert link.is_holding
        assert not outbox.add(bytes(50_000))
        outbox.clear()
        assert not outbox.add(bytes(50_000)), "the link has not forgotten it"

    asyncio.run(main())


def test_a_closed_link_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        link = Link(pair[0])
        outbox = Outbox(link, 1 << 20)
        assert outbox.add(b"frame")
        link.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
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


def test_the_flusher_goes_on_after_a_call_from_a_foreign_thread() -> None:
    async def main() -> None:
        log: list[int] = []
        flusher = Flusher()
        with pytest.raises(RuntimeError):
            await asyncio.to_thread(flusher.add, Order(log, 2))
        flusher.add(Order(log, 3))
        await asyncio.sleep(0)
        assert log == [3]

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
