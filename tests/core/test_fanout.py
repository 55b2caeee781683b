"""What a room sends reaches each of its connections once and in order, between what each is told of its own."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from anonchat.websocket import fanout, outbox
from anonchat.websocket.fanout import Fanout, SocketWire
from anonchat.websocket.link import Link
from anonchat.websocket.transport import SocketLimits, SocketTransport, Transports

SECONDS = 60
QUEUE = 60_000
NO_PINGS = 1e9  # seconds: a ping would stand between what is expected


class Silent:
    """A peer that ignores everything."""

    def __init__(self) -> None:
        self.code: int | None = None

    def messages_received(self, messages: list[str | bytes]) -> None:
        """Ignore them."""

    def transport_closed(self, code: int | None) -> None:
        self.code = code


class Member:
    """A member on a pair of sockets: `expected` is all that it has to get, and `got` what it has read so far."""

    def __init__(self, transports: Transports) -> None:
        ours, self.theirs = socket.socketpair()
        for end in (ours, self.theirs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # as small as the system has it
        self.peer = Silent()
        self.transport = SocketTransport(Link(ours), transports)
        self.transport.start(self.peer)
        self.expected = b""
        self.got = b""

    def tell(self, frame: bytes) -> None:
        self.expected += frame
        self.transport.enqueue(frame)

    def read(self) -> None:
        try:
            while data := self.theirs.recv(1 << 20):
                self.got += data
        except BlockingIOError:
            pass

    def __hash__(self) -> int:
        return id(self)


class Room:
    """A channel, and a random course of events in it."""

    def __init__(self, seed: int, transports: Transports) -> None:
        self.choice = random.Random(seed)
        self.transports = transports
        channel = SocketWire(transports).channel()
        assert isinstance(channel, Fanout)
        self.channel = channel
        self.here: list[Member] = []
        self.all: list[Member] = []
        self.count = 0

    def frame(self) -> bytes:
        self.count += 1
        return f"<{self.count}>".encode() * self.choice.choice((1, 1, 1, 400, 3_000))

    def come(self) -> None:
        member = Member(self.transports)
        self.all.append(member)
        self.here.append(member)
        self.channel.add(member)  # type: ignore[arg-type]

    def go(self) -> None:
        if self.here:
            member = self.here.pop(self.choice.randrange(len(self.here)))
            self.channel.discard(member)

    def tell_all(self) -> None:
        frame = self.frame()
        for member in self.here:
            member.expected += frame
        self.channel.send(frame)

    def tell_others(self) -> None:
        """All but some, of whom some may have gone."""
        frame, skipped = self.frame(), self.choice.sample(self.all, min(2, len(self.all)))
        for member in self.here:
            if member not in skipped:
                member.expected += frame
        self.channel.send(frame, skip=skipped)  # type: ignore[arg-type]

    def tell_one(self) -> None:
        if self.all:
            self.choice.choice(self.all).tell(self.frame())

    async def step(self) -> None:
        acts = (
            self.tell_all,
            self.tell_all,
            self.tell_others,
            self.tell_others,
            self.tell_one,
            self.tell_one,
            self.come,
            self.go,
        )
        self.choice.choice(acts)()
        for member in self.choice.sample(self.all, len(self.all) // 2):
            member.read()
        if self.choice.random() < 0.4:
            await asyncio.sleep(0)

    async def settle(self, members: Sequence[Member] | None = None) -> None:
        """Let them read until they have got all."""
        members = self.all if members is None else members
        async with asyncio.timeout(SECONDS):
            while self.channel._log or any(len(member.got) < len(member.expected) for member in members):
                for member in members:
                    member.read()
                await asyncio.sleep(0)


@contextmanager
def room_of(seed: int, queue_bytes: int) -> Iterator[Room]:
    transports = Transports(SocketLimits(queue_bytes=queue_bytes, ping_seconds=NO_PINGS))
    room = Room(seed, transports)
    try:
        yield room
    finally:
        transports.abort_all()
        for member in room.all:
            member.theirs.close()


@pytest.mark.parametrize("seed", range(12))
def test_each_gets_all_in_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FLUSHES_A_TURN", 1 + seed % 4)  # rounds over several turns
    monkeypatch.setattr(fanout, "SEND_BYTES", (1, 5_000, 65_536)[seed % 3])
    monkeypatch.setattr(fanout, "LOG_BYTES", (20_000, 1 << 20)[seed % 2])

    async def main() -> None:
        with room_of(seed, 1 << 30) as room:
            for _ in range(4):
                room.come()
            for _ in range(400):
                await room.step()
            await room.settle()
            assert room.count > 100
            assert all(member.got == member.expected for member in room.all)
            assert room.channel._bytes == 0

    asyncio.run(main())


def test_who_does_not_read_is_closed_and_nobody_else_waits() -> None:
    async def main() -> None:
        with room_of(1, QUEUE) as room:
            for _ in range(3):
                room.come()
            slow, *others = room.here
            for _ in range(200):
                room.tell_all()
                await room.settle(others)
            assert slow.transport.closed
            assert all(member.got == member.expected for member in others)

    asyncio.run(main())


def test_what_was_sent_before_a_close_arrives_before_the_close_frame() -> None:
    async def main() -> None:
        with room_of(2, 1 << 20) as room:
            room.come()
            (member,) = room.here
            room.tell_all()
            member.transport.close(1000, "bye")
            room.channel.send(b"after the end")
            member.expected += b"\x88\x05\x03\xe8bye"
            await room.settle()
            assert member.got == member.expected

    asyncio.run(main())


def test_who_is_closed_while_too_much_waits_gets_one_close_frame_with_the_true_code() -> None:
    async def main() -> None:
        with room_of(4, QUEUE) as room:
            room.come()
            (member,) = room.here
            for _ in range(3):
                room.channel.send(b"x" * (QUEUE // 2))
            member.transport.close(1001, "going away")
            async with asyncio.timeout(SECONDS):
                while member.got.count(b"\x88") == 0:
                    member.read()
                    await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            member.read()
            assert (member.got[:1], member.got[2:4]) == (b"\x88", (4413).to_bytes(2, "big"))
            assert b"going away" not in member.got
            member.transport.abort()
            await asyncio.sleep(0)
            assert member.peer.code == 4413

    asyncio.run(main())


def test_droppable_frames_of_a_channel_are_dropped_first() -> None:
    async def main() -> None:
        with room_of(3, QUEUE) as room:
            room.come()
            (member,) = room.here
            for _ in range(100):
                room.channel.send(b"d" * 3_000, droppable=True)
                await asyncio.sleep(0)
            assert not member.transport.closed
            member.transport.enqueue(b"<kept>")
            async with asyncio.timeout(SECONDS):
                while not member.got.endswith(b"<kept>"):
                    member.read()
                    await asyncio.sleep(0)
            assert len(member.got) < 100 * 3_000
            assert member.got.count(b"d") % 3_000 == 0

    asyncio.run(main())
