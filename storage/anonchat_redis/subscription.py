"""The connection that hears what is published. A killed one is made anew, with all its channels."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from anonchat_redis.address import FAILURES, Address, Open, disconnect, writing
from anonchat_redis.line import ANSWER_SECONDS, PAUSES

log = structlog.get_logger("anonchat.redis")

CHANNELS = 500  # that one command subscribes to

Heard = Callable[[bytes, bytes], None]


class Subscription:
    """`heard(channel, payload)` is called in the event loop. Nobody is told that something was missed: who cares compares."""

    def __init__(self, address: Address, heard: Heard) -> None:
        self._address = address
        self._heard = heard
        self._wanted: dict[bytes, None] = {}
        self._answers: dict[bytes, list[asyncio.Future[None]]] = {}
        self._connection: Open | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_confirmed = False

    def start(self) -> None:
        """Begin, and keep at it until `close`."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Hear nothing more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def add(self, channel: bytes) -> None:
        """Returns when the server has confirmed it, or after a second; without a server at once. It is kept up in any case."""
        self._wanted[channel] = None
        if self._connection is None:
            return
        answer = asyncio.get_running_loop().create_future()
        self._answers.setdefault(channel, []).append(answer)
        with suppress(*FAILURES):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._send(b"SUBSCRIBE", (channel,))
                await answer

    async def remove(self, channel: bytes) -> None:
        """The opposite of `add`."""
        if channel in self._wanted:
            del self._wanted[channel]
            with suppress(*FAILURES):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._send(b"UNSUBSCRIBE", (channel,))

    def renew(self) -> None:
        """The connection is deaf: make another one."""
        if self._task is not None and self._connection is not None:
            self._task.cancel()
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        pause = PAUSES[0]
        while True:
            self._is_confirmed = False
            try:
                await self._listen(await self._address.connect())
            except FAILURES as error:
                log.warning("the subscription is made anew", failure=str(error))
            if self._is_confirmed:  # else the server takes connections and lets nobody subscribe
                pause = PAUSES[0]
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, PAUSES[1])

    async def _listen(self, connection: Open) -> None:
        try:
            self._connection = connection
            channels = list(self._wanted)
            for start in range(0, len(channels), CHANNELS):
                await self._send(b"SUBSCRIBE", channels[start : start + CHANNELS])
            while True:
                # No time is set: silence is not a fault here, and the echo of the bus finds a dead connection.
                kind, channel, value = await connection.read_response(timeout=math.inf)
                if kind == b"message":
                    self._tell(channel, value)
                elif kind == b"subscribe":
                    self._is_confirmed = True
                    for answer in self._answers.pop(channel, ()):
                        if not answer.done():
                            answer.set_result(None)
        finally:
            if self._connection is connection:
                self._connection = None
                self._release()
            await disconnect(connection)

    def _tell(self, channel: bytes, payload: bytes) -> None:
        try:
            self._heard(channel, payload)
        except Exception:
            log.exception("a publication could not be taken in; the comparison with the database finds what it said")

    async def _send(self, verb: bytes, channels: Sequence[bytes]) -> None:
        if self._connection is not None:
            with writing():
                await self._connection.send_packed_command(self._connection.pack_command(verb, *channels))

    def _release(self) -> None:
        """Whoever waits for a confirmation goes on: the next connection begins with all channels."""
        for answers in self._answers.values():
            for answer in answers:
                if not answer.done():
                    answer.set_result(None)
        self._answers.clear()
