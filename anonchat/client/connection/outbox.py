"""Messages on their way out: one after another, each until it is answered."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from anonchat.client.connection.line import Frame
from anonchat.client.errors import ClientError, OutboxFull


@dataclass(frozen=True, slots=True)
class Ack:
    """The server has the message for good. `seq` is None while it is held; then `held` says why."""

    client_msg_id: str
    message_id: str
    seq: int | None
    created_at: str | None
    held: str | None = None

    @classmethod
    def told(cls, frame: Frame) -> Ack:
        """From `message_ack` or `message_held`."""
        data = frame.data
        if frame.event == "message_held":
            return cls(data["clientMsgId"], data["messageId"], None, None, str(data.get("reason", "")))
        return cls(data["clientMsgId"], data["serverMessageId"], data["seq"], data["createdAt"])


class Outgoing:
    """A message on its way. Awaiting it gives its `Ack` or raises why it was not taken, as often as one likes."""

    def __init__(self, text: str, reply_to: str | None, client_msg_id: str | None) -> None:
        self.text = text
        self.reply_to = reply_to
        self.client_msg_id = client_msg_id or str(uuid.uuid4())
        self._outcome: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, None, Ack]:
        # Whoever gives up waiting does not take the message back.
        return asyncio.shield(self._outcome).__await__()

    @property
    def done(self) -> bool:
        """Whether there is an outcome."""
        return self._outcome.done()

    @property
    def is_sent(self) -> bool:
        """Whether the server has it."""
        return self.done and self._outcome.exception() is None

    def data(self) -> Mapping[str, Any]:
        """Data of `send_message`, the same at each attempt."""
        reply = {"replyToId": self.reply_to} if self.reply_to is not None else {}
        return {"text": self.text, "clientMsgId": self.client_msg_id, **reply}

    def succeed(self, ack: Ack) -> None:
        """The server has it."""
        if not self._outcome.done():
            self._outcome.set_result(ack)

    def fail(self, error: ClientError) -> None:
        """The server does not take it, or the chat is over."""
        if not self._outcome.done():
            self._outcome.set_exception(error)
            self._outcome.exception()  # nobody has to wait for it


class Outbox:
    """What waits to be sent, in order, at most `bound` messages."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: deque[Outgoing] = deque()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, outgoing: Outgoing) -> None:
        """Queue a message. Raises `OutboxFull`."""
        if len(self._waiting) >= self._bound:
            raise OutboxFull
        self._waiting.append(outgoing)
        self._changed.set()

    async def head(self) -> Outgoing:
        """The message whose turn it is; it stays at the head until `pop`."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        return self._waiting[0]

    def pop(self) -> None:
        """The head is settled."""
        self._waiting.popleft()
        self._changed.set()

    def fail(self, error: ClientError) -> None:
        """Nothing of this will be sent any more."""
        while self._waiting:
            self._waiting.popleft().fail(error)
        self._changed.set()

    async def wait_until(self, most: int) -> None:
        """Wait until at most `most` messages are left."""
        while len(self._waiting) > most:
            self._changed.clear()
            await self._changed.wait()
