"""The room as this screen knows it: its state, what is on its way, and what has been seen. Knows no widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anonchat.client.chat import Chat
from anonchat.client.connection.outbox import Outgoing
from anonchat.client.errors import ClientError
from anonchat.client.events import Received
from anonchat.client.state import RoomState
from anonchat.client.terminal.attention import Attention
from anonchat.client.terminal.entries import Entries, Line, Pending
from anonchat.client.words.sentences import refusal

MESSAGES = 5_000
"""Kept and drawn; all of them are drawn again when the terminal gets another width, 0.15 ms each."""


class Conversation:
    """`changed` is called whenever there is something new to show."""

    def __init__(self, chat: Chat, changed: Callable[[], None]) -> None:
        self.state = RoomState(MESSAGES)
        self.attention = Attention()
        self._chat = chat
        self._changed = changed
        self._entries = Entries()
        self._pending: list[Pending] = []
        self._loading = False

    def apply(self, event: Received) -> None:
        """Take in an event of the room."""
        self.state.apply(event.event, event.data, event.seq)
        self._pending = [entry for entry in self._pending if not self._is_settled(entry, event)]
        self._changed()

    def _is_settled(self, pending: Pending, event: Received) -> bool:
        """Whether a message stands in the list in another way now, or will never do."""
        if pending.message_id in self.state.messages or pending.message_id in self.state.moderation.held:
            return True
        is_dropped = event.event == "message_dropped" and event.data["messageId"] == pending.message_id
        return is_dropped or (event.event == "held_messages" and pending.waits is not None)

    @property
    def newest(self) -> int:
        """The seq of the last message, 0 without any."""
        last = next(reversed(self.state.messages.values()), None)
        return int(last["seq"]) if last is not None else 0

    def lines(self) -> list[Line]:
        """Everything in the list."""
        return self._entries.lines(self.state, self._pending, self.attention.unread_after)

    def below(self) -> int:
        """How many messages wait below what can be seen."""
        return self.attention.below(self.state.messages.values(), self.state.me.get("sessionId"))

    async def load_older(self) -> None:
        """Ask for the page before the oldest message, once at a time and if there is any. Raises `ClientError`."""
        if self._loading or not self.state.has_more:
            return
        oldest = next(iter(self.state.messages.values()), None)
        self._loading = True
        try:
            await self._chat.history(oldest["seq"] if oldest else None)
        finally:
            self._loading = False

    # --- what is on its way

    def posted(self, outgoing: Outgoing) -> Pending:
        """Show a message at once; to be followed by `watch`."""
        pending = Pending(outgoing)
        self._pending.append(pending)
        self.attention.answered()
        self._changed()
        return pending

    async def watch(self, pending: Pending) -> None:
        """Wait for what becomes of a message."""
        try:
            ack = await pending.outgoing
        except ClientError as error:
            pending.error = refusal(error)
        else:
            pending.message_id = ack.message_id
            pending.waits = ack.held
        self._changed()

    def pending(self, key: str | None) -> Pending | None:
        """The message on its way that `key` names."""
        return next((entry for entry in self._pending if entry.outgoing.client_msg_id == key), None)

    def unsent(self) -> list[Outgoing]:
        """Messages that the server does not have, whether they wait or have failed."""
        return [entry.outgoing for entry in self._pending if not entry.outgoing.is_sent]

    def drop(self, pending: Pending) -> None:
        """Forget a message that has failed."""
        self._pending = [entry for entry in self._pending if entry is not pending]
        self._changed()

    def retry(self, pending: Pending) -> Pending:
        """Send a failed message again, under the same id. Raises `ClientError`."""
        old = pending.outgoing
        outgoing = self._chat.post(old.text, old.reply_to, client_msg_id=old.client_msg_id)
        self.drop(pending)
        return self.posted(outgoing)

    # --- messages

    def message(self, key: str | None) -> Mapping[str, Any] | None:
        """A message that is not deleted."""
        wire = self.state.messages.get(key or "")
        return wire if wire is not None and "deletedAt" not in wire else None

    def is_own(self, wire: Mapping[str, Any]) -> bool:
        """Whether it is one's own."""
        return bool(wire["authorSessionId"] == self.state.me.get("sessionId"))

    def may_delete(self, wire: Mapping[str, Any]) -> bool:
        """Whether it is of use to ask the server for it."""
        return self.is_own(wire) or self.state.me.get("role") == "moderator"
