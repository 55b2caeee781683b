"""`Bus` on Redis: a channel for each room that has somebody on this node."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from anonchat import ChatError, Clock, Finding
from anonchat_redis.address import Address
from anonchat_redis.examining import examine
from anonchat_redis.line import Line
from anonchat_redis.subscription import Subscription

NAME_BYTES = 8
ECHO_SECONDS = 0.5  # between two publications to oneself
SILENT_SECONDS = 2.0  # without an echo, after which the subscription is taken for deaf


class RedisBus:
    """Publications carry the name of their node, which does not listen to itself.

    Twice a second a node publishes to itself. If it hears nothing of that, either of its connections is not what it seems:
    killed, half open, or led to a server that is no longer the master. Then the subscription is made anew.
    """

    shared = True

    def __init__(self, url: str, clock: Clock) -> None:
        """The clock does not matter here. Raises `StartError` for a URL that cannot be one."""
        address = Address.of(url)
        self._address = address
        self._prefix = address.prefix
        self._line = Line(address, "bus")
        self._name = secrets.token_bytes(NAME_BYTES)
        self._echoes = f"{self._prefix}node:{self._name.hex()}".encode()
        self._subscription = Subscription(address, self._heard)
        self._received: Callable[[str, bytes], None] = _nobody
        self._echoed_at = -SILENT_SECONDS
        self._renewed_at = 0.0
        self._echo_heard = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    async def start(self, received: Callable[[str, bytes], None]) -> None:
        """Returns when the first echo is heard, or after two seconds without: a node starts alone, too."""
        self._received = received
        await self._line.start()
        await self._subscription.add(self._echoes)
        self._subscription.start()
        self._renewed_at = time.monotonic()
        self._watching = asyncio.create_task(self._watch())
        if self._line.is_open:
            with suppress(TimeoutError):
                async with asyncio.timeout(SILENT_SECONDS):
                    await self._echo_heard.wait()

    async def close(self) -> None:
        """Publish what waits, then close."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._subscription.close()
        await self._line.close()

    async def check(self) -> None:
        """Raise `storage_unavailable` unless this node hears what is published."""
        if not self._line.is_open or time.monotonic() > self._echoed_at + SILENT_SECONDS:
            raise ChatError("storage_unavailable", "Other nodes cannot be heard for now: Redis is away.")

    async def findings(self) -> Sequence[Finding]:
        channel = self._named("doctor")
        return await examine(self._address, "bus", [(b"PUBLISH", channel, b""), (b"SUBSCRIBE", channel)])

    async def subscribe(self, channel: str) -> None:
        await self._subscription.add(self._named(channel))

    async def unsubscribe(self, channel: str) -> None:
        await self._subscription.remove(self._named(channel))

    def publish(self, channel: str, payload: bytes) -> None:
        self._line.tell(b"PUBLISH", self._named(channel), self._name + payload)

    def _named(self, channel: str) -> bytes:
        return f"{self._prefix}{channel}".encode()

    def _heard(self, channel: bytes, payload: bytes) -> None:
        if channel == self._echoes:
            self._echoed_at = time.monotonic()
            self._echo_heard.set()
        elif not payload.startswith(self._name):
            self._received(channel.decode().removeprefix(self._prefix), payload[NAME_BYTES:])

    async def _watch(self) -> None:
        delay = 0.02  # the first connection is about to stand
        while True:
            self._line.tell(b"PUBLISH", self._echoes, b"")
            await asyncio.sleep(delay)
            delay = min(delay * 2, ECHO_SECONDS)
            now = time.monotonic()
            if now > max(self._echoed_at, self._renewed_at) + SILENT_SECONDS:
                self._renewed_at = now
                self._subscription.renew()


def _nobody(_channel: str, _payload: bytes) -> None:
    """Before the start nothing is heard."""
