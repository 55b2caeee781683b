"""Carries frames to the server and their answers back; messages one after another, until each is taken or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any

from anonchat.client.connection.answers import Answers
from anonchat.client.connection.lifeline import Lifeline
from anonchat.client.connection.line import Frame
from anonchat.client.connection.outbox import Ack, Outbox, Outgoing
from anonchat.client.connection.pace import Pace
from anonchat.client.errors import PASSING, ChatRefused, ClientError, NotOurs, NotReachable


class Courier:
    """Works for one chat."""

    def __init__(self, pace: Pace, random: Random, lifeline: Lifeline, answers: Answers) -> None:
        self.outbox = Outbox(pace.outbox)
        self._pace = pace
        self._random = random
        self._lifeline = lifeline
        self._answers = answers

    async def exchange(self, event: str, data: Mapping[str, Any], key: str) -> Frame:
        """Send a frame with the id `key` once there is a connection, and wait for its answer. Raises `ClientError`."""
        try:
            async with asyncio.timeout(self._pace.request):
                await self._lifeline.ready()
                answer = self._answers.expect(key)
                self._lifeline.write(event, data, key)
                return await answer
        except TimeoutError as error:
            raise NotReachable("No answer came in time.") from error
        finally:
            self._answers.forget(key)

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
        """Send until there is an answer: the same id each time, so that the server takes it once."""
        attempts = 0
        while True:
            try:
                return await self.exchange("send_message", outgoing.data(), outgoing.client_msg_id)
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
