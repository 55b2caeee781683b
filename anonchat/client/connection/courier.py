"""Carries frames to the server and their answers back; messages one after another, until each is taken or refused."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from random import Random
from typing import Any

from anonchat.client.connection.answers import Answers
from anonchat.client.connection.lifeline import Lifeline
from anonchat.client.connection.line import Frame, encode
from anonchat.client.connection.outbox import Ack, Outbox, Outgoing
from anonchat.client.connection.pace import Pace
from anonchat.client.errors import PASSING, ChatRefused, ClientError, NotOurs, NotReachable

TEXTS = frozenset({"send_message", "edit_message"})
"""Events with a text of which the server has told how long it may be."""


class Courier:
    """Works for one chat."""

    def __init__(self, pace: Pace, random: Random, lifeline: Lifeline, answers: Answers) -> None:
        self.outbox = Outbox(pace.outbox)
        self._pace = pace
        self._random = random
        self._lifeline = lifeline
        self._answers = answers
        self._numbers = itertools.count(1)

    async def exchange(self, event: str, data: Mapping[str, Any]) -> Frame:
        """Send a frame once there is a connection, and wait for its answer. Raises `ClientError`."""
        key = str(next(self._numbers))
        frame = encode(event, data, key)
        try:
            async with asyncio.timeout(self._pace.request):
                await self._lifeline.ready()
                self._check(event, data, len(frame))
                answer = self._answers.expect(key, len(frame))
                if not self._lifeline.send(frame):
                    raise NotReachable("The connection was lost before this was sent.")
                return await answer
        except TimeoutError as error:
            raise NotReachable("No answer came in time.") from error
        finally:
            self._answers.forget(key)

    def _check(self, event: str, data: Mapping[str, Any], size: int) -> None:
        """Raises `ChatRefused` for a text that is too long, and for a frame that would end the connection by its size."""
        length, most = len(str(data.get("text", ""))), self._lifeline.text_length
        if event in TEXTS and length > most:
            raise ChatRefused("text_too_long", f"At most {most} characters; this has {length}.")
        if size > self._lifeline.frame_bytes:
            raise ChatRefused("too_large", f"At most {self._lifeline.frame_bytes} bytes; this has {size}.")

    async def deliver(self) -> None:
        """Send the outbox for ever. One at a time, so that they keep their order whatever happens to one of them."""
        while True:
            outgoing = await self.outbox.head()
            try:
                outgoing.succeed(Ack.told(await self._insist(outgoing)))
            except ClientError as error:
                outgoing.fail(error)
            except (KeyError, TypeError):
                outgoing.fail(NotOurs("the answer to a message is not as expected"))
            if self._lifeline.closed is not None:
                return
            self.outbox.pop()

    async def _insist(self, outgoing: Outgoing) -> Frame:
        """Send until there is an answer: the same `clientMsgId` each time, so that the server takes it once."""
        attempts = 0
        while True:
            try:
                return await self.exchange("send_message", outgoing.data())
            except NotReachable:
                # Not a busy loop: the next attempt waits for the next connection.
                await asyncio.sleep(0)
            except ChatRefused as refusal:
                attempts += 1
                if refusal.code not in PASSING or attempts >= self._pace.send_attempts:
                    raise
                wait = refusal.retry_after or self._pace.shortest_wait
                await asyncio.sleep(min(wait, self._pace.longest_wait) * self._random.uniform(1, 1.2))

    def fail(self, error: ClientError) -> None:
        """The chat is over: nothing is answered or sent any more."""
        self._answers.fail(error)
        self.outbox.fail(error)
