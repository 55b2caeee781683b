"""One connection for commands: all that wait are sent together, and what cannot be sent in time fails at once."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

from anonchat import ChatError, StartError
from anonchat_redis.address import FAILURES, REFUSED, Address, Open, disconnect, writing

log = structlog.get_logger("anonchat.redis")

ANSWER_SECONDS = 1.0  # that an answer is waited for; then the connection is taken for dead
CLOSE_SECONDS = 1.0  # that what waits has, to be sent at the end
BATCH = 1_000  # commands that are sent together at most
WAITING = 20_000  # commands that may wait
PAUSES = (0.05, 2.0)  # seconds between two attempts to connect: at first, and at most


class _Waiting(NamedTuple):
    packed: bytes
    answer: asyncio.Future[Any] | None


class Line:
    """`call` waits for an answer, `tell` for nothing. All commands of one turn of the event loop share a packet.

    While the server is away both fail at once, and the line is made anew in the background.
    """

    def __init__(self, address: Address, name: str) -> None:
        """`name` is for the log."""
        self._address = address
        self._name = name
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._connection: Open | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = 0

    @property
    def is_open(self) -> bool:
        """Whether the server answered last."""
        return self._connection is not None

    async def start(self) -> None:
        """Connect. A server that is away does not keep a node from starting; one that refuses it does (`StartError`)."""
        try:
            self._connection = await self._address.connect()
        except REFUSED as error:
            raise StartError(
                f"Redis at {self._address.shown} refuses this node ({error}). Look at user, password and database."
            ) from error
        except FAILURES as error:
            log.warning("redis is away; this node goes on alone", role=self._name, failure=str(error))
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Send what waits, for a second at most, then close."""
        if self._task is None:
            return
        with suppress(TimeoutError, ChatError, ResponseError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.call(b"PING")  # answered after all that waits
        task, self._task = self._task, None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._fail(())
        await self._drop_connection()

    # --- what callers do

    async def call(self, *command: Any) -> Any:
        """The answer. Raises `storage_unavailable`, also where the server says no, and redis-py's `NoScriptError`.

        What cannot be written as a command raises what redis-py says of it, and is nobody else's failure.
        """
        if self._connection is None or len(self._waiting) >= WAITING:
            raise _away()
        packed = _packed(self._connection, command)
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(packed, answer))
        self._wake.set()
        try:
            return await answer
        except NoScriptError:
            raise
        except ResponseError as error:  # it is full, cannot save, or this node may not write
            log.warning("redis refuses; this node goes on alone", role=self._name, failure=str(error))
            raise _away() from error

    def tell(self, *command: Any) -> None:
        """Send without waiting; what cannot be sent is counted and dropped. Raises what cannot be written, as `call` does."""
        if self._connection is None or len(self._waiting) >= WAITING:
            self._lost += 1
            return
        self._waiting.append(_Waiting(_packed(self._connection, command), None))
        self._wake.set()

    # --- the line itself

    async def _run(self) -> None:
        pause = PAUSES[0]
        while True:
            if self._connection is None:
                await self._connect_again()
            await self._wake.wait()
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if not self._waiting:
                self._wake.clear()
            try:
                await self._exchange(batch)
            except Exception as error:  # whatever it is: a line that ends would leave all who ask waiting for ever
                log.warning("redis is away; this node goes on alone", role=self._name, failure=str(error) or "timeout")
                self._fail(batch)
                await self._drop_connection()
                # A server that takes connections and fails each command would else get one for each.
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, PAUSES[1])
            except BaseException:
                self._fail(batch)
                raise
            else:
                pause = PAUSES[0]

    async def _exchange(self, batch: Sequence[_Waiting]) -> None:
        connection = self._connection
        assert connection is not None
        async with asyncio.timeout(ANSWER_SECONDS):
            with writing():
                await connection.send_packed_command([waiting.packed for waiting in batch])
            for waiting in batch:
                try:
                    outcome = await connection.read_response()
                except ReadOnlyError:
                    raise  # the master is another one now
                except ResponseError as error:
                    outcome = error
                if waiting.answer is None or waiting.answer.done():
                    continue
                if isinstance(outcome, ResponseError):
                    waiting.answer.set_exception(outcome)
                else:
                    waiting.answer.set_result(outcome)

    def _fail(self, batch: Sequence[_Waiting]) -> None:
        """Nobody knows whether what was sent was done; all that waits is told so, at once."""
        for waiting in (*batch, *self._waiting):
            if waiting.answer is None:
                self._lost += 1
            elif not waiting.answer.done():
                waiting.answer.set_exception(_away())
        self._waiting.clear()
        self._wake.clear()

    async def _connect_again(self) -> None:
        pause = PAUSES[0]
        while self._connection is None:
            try:
                self._connection = await self._address.connect()
            except Exception:
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, PAUSES[1])
        log.info("redis is back", role=self._name, dropped=self._lost)
        self._lost = 0

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await disconnect(connection)


def _packed(connection: Open, command: Sequence[Any]) -> bytes:
    return b"".join(connection.pack_command(*command))


def _away() -> ChatError:
    return ChatError("storage_unavailable", "The server cannot reach Redis for now.")
