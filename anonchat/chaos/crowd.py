"""A room full of senders, and the server that is broken under them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random

from anonchat.chaos.ledger import Entry, Ledger, reckon
from anonchat.chaos.sender import Sender
from anonchat.client import Link, Membership, Server
from anonchat.testing.lines import Line
from anonchat.testing.processes import ServerProcess

SENDERS = 4
PAGE = 200
LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 30.0


class NotHealed(Exception):
    """The server did not go on in time."""


class Crowd:
    """Used as ``async with crowd.talking(): ...``. `rate` is how many messages all of them send each second."""

    def __init__(self, server: ServerProcess, chance: Random, rate: float = math.inf) -> None:
        self.server = server
        self.chance = chance
        self.senders: list[Sender] = []
        self._rate = rate
        self._members: list[Membership] = []
        self._lives: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        """Open a room and come; everybody sends as long as this lasts, and is gone afterwards."""
        await self._come()
        self._lives = [asyncio.create_task(sender.live()) for sender in self.senders]
        try:
            # Nobody sends before all are in, so that everybody sees everything.
            await self.until(lambda: all(sender.is_online for sender in self.senders))
            self._let_send(True)
            yield
        finally:
            for life in self._lives:
                life.cancel()
            await asyncio.gather(*self._lives, return_exceptions=True)
            for sender in self.senders:
                await sender.line.close()

    @contextmanager
    def hurrying(self) -> Iterator[None]:
        """Everybody sends as much as goes, as long as this lasts."""
        usual = [sender.rate for sender in self.senders]
        for sender in self.senders:
            sender.rate = math.inf
        try:
            yield
        finally:
            for sender, rate in zip(self.senders, usual, strict=True):
                sender.rate = rate

    @property
    def acked(self) -> int:
        """How many messages are acknowledged."""
        return sum(len(sender.account.acked) for sender in self.senders)

    async def progress(self) -> None:
        """Wait until everybody has got an ack for something that was sent after now. Raises `NotHealed`."""
        next_ones = [f"{sender.account.name}-{sender.account.sent + 1}" for sender in self.senders]
        await self.until(
            lambda: all(text in sender.account.acked for sender, text in zip(self.senders, next_ones, strict=True))
        )

    async def finish(self) -> None:
        """No new sends; wait until all are acknowledged and everybody has seen the last. Raises `NotHealed`."""
        self._let_send(False)
        await self.until(lambda: not any(sender.account.waiting or not sender.is_online for sender in self.senders))
        # An author is told of the ack before the room is told of the message. A server that acknowledges too early goes
        # on storing after this.
        newest = await Server(self.server.url).call_as(self._members[0], "GET", "/messages?limit=1")
        await self.until(lambda: all(sender.has_seen(newest["seq"]) for sender in self.senders))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds. Raises `NotHealed` after half a minute."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not holds():
                    for life in self._lives:
                        if life.done():
                            life.result()  # raises what a sender ran into
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise NotHealed(f"Something was still missing after {PATIENCE_SECONDS:g} s.") from None

    async def stored(self) -> list[Entry]:
        """All messages as the server has them."""
        found: list[Entry] = []
        server, somebody = Server(self.server.url), self._members[0]
        while True:
            after = found[-1][0] if found else 0
            page = await server.call_as(somebody, "GET", f"/messages?after={after}&limit={PAGE}")
            found += [(wire["seq"], wire["id"], wire["content"]["text"]) for wire in page["messages"]]
            if not page["hasMore"]:
                return found

    async def ledger(self) -> Ledger:
        """What became of everything until now."""
        return reckon([sender.account for sender in self.senders], await self.stored())

    async def _come(self) -> None:
        server = Server(self.server.url)
        created = await server.create_room("Chaos", ephemeral=False)
        for number in range(SENDERS):
            member = await server.join(Link.parse(created.join_url), f"Sender {number}")
            line = Line(self.server.port)
            await line.open()
            self._members.append(member)
            self.senders.append(Sender(f"s{number}", member.session_token, line, self._rate / SENDERS))

    def _let_send(self, is_sending: bool) -> None:
        for sender in self.senders:
            sender.is_sending = is_sending
