"""The contract of `Bus`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from anonchat.clock import Clock
from anonchat.storage.backends import open_backend
from anonchat.storage.roles import Bus
from anonchat.testing import asynchronous

PATIENCE_SECONDS = 60.0


class Ear:
    """One node's end of the bus, and what came out of it."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard: list[tuple[str, bytes]] = []
        self._changed = asyncio.Event()

    def receive(self, channel: str, payload: bytes) -> None:
        """To be given to the bus."""
        self.heard.append((channel, payload))
        self._changed.set()

    async def until(self, payload: bytes) -> None:
        """Wait for a payload."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while payload not in [heard for _, heard in self.heard]:
                self._changed.clear()
                await self._changed.wait()


class BusContract:
    """What one node may rely on, alone or not."""

    def url(self, folder: Path) -> str:
        """The URL of a bus that is new for each `folder`."""
        raise NotImplementedError

    @asynccontextmanager
    async def node(self, folder: Path) -> AsyncIterator[Ear]:
        """One more node on the bus of `folder`."""
        ear = Ear(cast("Bus", open_backend("bus", self.url(folder), Clock())))
        await ear.bus.start(ear.receive)
        try:
            yield ear
        finally:
            await ear.bus.close()

    @asynchronous
    async def test_a_node_does_not_hear_itself(self, tmp_path: Path) -> None:
        async with self.node(tmp_path) as ear:
            await ear.bus.subscribe("room:1:messages")
            ear.bus.publish("room:1:messages", b"hello")
            await ear.bus.unsubscribe("room:1:messages")
        assert ear.heard == []

    @asynchronous
    async def test_subscribing_twice_and_leaving_what_was_never_entered(self, tmp_path: Path) -> None:
        async with self.node(tmp_path) as ear:
            await ear.bus.subscribe("room:1:messages")
            await ear.bus.subscribe("room:1:messages")
            await ear.bus.unsubscribe("room:1:messages")
            await ear.bus.unsubscribe("room:2:messages")
            ear.bus.publish("room:2:messages", b"to nobody")
        assert ear.heard == []


class SharedBusContract(BusContract):
    """What two nodes may rely on while nothing fails: a bus may lose, but not without a reason."""

    @asynchronous
    async def test_others_hear_in_order_what_they_subscribed_to(self, tmp_path: Path) -> None:
        payloads = [str(number).encode() for number in range(200)]
        async with self.node(tmp_path) as one, self.node(tmp_path) as other:
            assert one.bus.shared
            await other.bus.subscribe("room:1:messages")
            for payload in payloads:
                one.bus.publish("room:2:messages", b"not for you")
                one.bus.publish("room:1:messages", payload)
            await other.until(payloads[-1])
        assert other.heard == [("room:1:messages", payload) for payload in payloads]
        assert one.heard == []

    @asynchronous
    async def test_after_unsubscribing_nothing_more_is_heard(self, tmp_path: Path) -> None:
        async with self.node(tmp_path) as one, self.node(tmp_path) as other:
            for channel in ("room:1:messages", "room:2:messages"):
                await other.bus.subscribe(channel)
            await other.bus.unsubscribe("room:1:messages")
            one.bus.publish("room:1:messages", b"not any more")
            one.bus.publish("room:2:messages", b"bytes \x00\xff")
            await other.until(b"bytes \x00\xff")
        assert other.heard == [("room:2:messages", b"bytes \x00\xff")]
