"""A chat: one participant's presence in one room, kept up across lost connections until it is left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, Self

from anonchat.client.connection.answers import Answers
from anonchat.client.connection.ballots import Ballots
from anonchat.client.connection.courier import Courier
from anonchat.client.connection.feed import Feed
from anonchat.client.connection.lifeline import Lifeline
from anonchat.client.connection.line import Frame, encode
from anonchat.client.connection.outbox import Ack, Outgoing
from anonchat.client.connection.pace import Pace
from anonchat.client.errors import ChatClosed
from anonchat.client.events import ChatEvent, Closed, Received
from anonchat.client.requests import Requests
from anonchat.client.server import Membership, Server

TYPING_SECONDS = 3.0
"""How often it is told that somebody goes on typing; the others let it expire after 6 seconds."""

LEFT = 1000
FAILED = 1011

log = logging.getLogger("anonchat.client")


class Chat(Requests):
    """Used as ``async with Chat(membership) as chat: async for event in chat: ...``.

    Events come once and in order, see `anonchat.client.events`. Lost connections are made anew, and what was missed
    comes then. The program should go on taking events; one that does not for long falls behind and catches up later.
    Each method raises `ChatClosed` once the chat is over.
    """

    def __init__(self, membership: Membership, *, pace: Pace | None = None, random: Random | None = None) -> None:
        self.membership = membership
        pace, random = pace or Pace(), random or SystemRandom()
        self._feed = Feed(pace.events)
        answers = Answers(pace.requests)
        self._lifeline = Lifeline(membership, pace, random, self._feed, answers)
        self._courier = Courier(pace, random, self._lifeline, answers)
        self._ballots = Ballots(self._exchange)
        self._life: asyncio.Task[None] | None = None
        self._typing_told = 0.0

    async def __aenter__(self) -> Self:
        self._life = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatEvent:
        event = await self._feed.take()
        self._lifeline.taken()
        if isinstance(event, Received) and event.event == "open_polls":
            self._ballots.compare(event.data)
        if isinstance(event, Received) and event.event == "votes_lost":
            self._ballots.lost(event.data["pollIds"])
        return event

    async def close(self) -> None:
        """Hang up. The session goes on, and its name stays reserved for a while; `leave` gives both up."""
        self._over(LEFT, "closed")
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])

    async def leave(self, *, forget: bool = False) -> None:
        """End the session. `forget` also deletes what one wrote, where the room allows it."""
        await Server(self.membership.base_url).leave(self.membership, forget=forget)
        self._over(LEFT, "left")
        await self.close()

    # --- messages

    def post(self, text: str, reply_to: str | None = None, *, client_msg_id: str | None = None) -> Outgoing:
        """Queue a message and return at once. Raises `OutboxFull`.

        `client_msg_id` is for a message that was posted before and has failed: the server takes it only once.
        """
        self._lifeline.check()
        outgoing = Outgoing(text, reply_to, client_msg_id)
        self._courier.outbox.add(outgoing)
        return outgoing

    async def send(self, text: str, reply_to: str | None = None) -> Ack:
        """Send a message and wait until the server has it for good, however often the connection is lost meanwhile.

        Raises `ChatRefused` if the server does not take it. Cancelling does not take it back.
        """
        return await self.post(text, reply_to)

    @property
    def unsent(self) -> int:
        """How many messages wait to be sent, or for the answer to that."""
        return len(self._courier.outbox)

    async def flush(self, most: int = 0) -> None:
        """Wait until at most `most` messages wait to be sent; also returns when the chat is over."""
        await self._courier.outbox.wait_until(most)

    def typing(self, typing: bool = True) -> None:
        """Tell the others; may be called at each key press. Says nothing while offline."""
        now = asyncio.get_running_loop().time()
        due = now - self._typing_told >= TYPING_SECONDS if typing else self._typing_told > 0
        if due and self._lifeline.send(encode("typing", {"typing": typing})):
            self._typing_told = now if typing else 0.0

    async def request(self, event: str, data: Mapping[str, Any]) -> Frame:
        """Send any event, for instance a plugin's, and wait for its answer; waits for the connection first.

        Raises `ChatRefused` with the server's code, or `NotReachable`; whether it was done is then not known. A `vote` in
        a secret poll is sent again by itself if the server has forgotten it.
        """
        return await (self._ballots.vote(data) if event == "vote" else self._exchange(event, data))

    async def _exchange(self, event: str, data: Mapping[str, Any]) -> Frame:
        self._lifeline.check()
        return await self._courier.exchange(event, data)

    @property
    def plugins(self) -> Sequence[str]:
        """The plugins of the server; none as long as no connection was made."""
        return self._lifeline.plugins

    @property
    def skipped(self) -> int:
        """How many events were left out, because they were not as the protocol has them."""
        return self._lifeline.skipped

    def server_time(self) -> float:
        """The server's clock in seconds since 1970; this machine's clock may be wrong."""
        return self._lifeline.clock.now()

    # --- how it lives

    async def _live(self) -> None:
        try:
            closed = await self._work()
        except Exception:
            log.exception("the chat failed and is closed")
            closed = Closed(FAILED, "internal")
        self._over(closed.code, closed.reason)

    async def _work(self) -> Closed:
        """Until there is no connection any more, or one part fails: without it a program would wait for nothing."""
        async with asyncio.TaskGroup() as parts:
            others = [parts.create_task(work) for work in (self._courier.deliver(), self._ballots.cast_again())]
            closed = await self._lifeline.run()
            for other in others:
                other.cancel()
        return closed

    def _over(self, code: int, reason: str) -> None:
        """The first word counts."""
        self._lifeline.end(code, reason)
        self._courier.fail(ChatClosed(code, reason))
