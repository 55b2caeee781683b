"""What the person does with a selected message."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from anonchat.client.chat import Chat
from anonchat.client.errors import ClientError
from anonchat.client.terminal.conversation import Conversation
from anonchat.client.terminal.entries import Pending
from anonchat.client.terminal.pane import WritingPane
from anonchat.client.words.sentences import refusal


class Actions:
    """Answer, change and delete; and for one that did not go: try again, take the text back, drop."""

    def __init__(self, chat: Chat, conversation: Conversation, pane: WritingPane) -> None:
        self._chat = chat
        self._conversation = conversation
        self._pane = pane
        self._armed: str | None = None

    def choose(self, action: str, key: str | None) -> None:
        """Do "reply", "edit", "delete", "pin" or "back" with the message that `key` names."""
        armed, self._armed = self._armed, None
        pending = self._conversation.pending(key)
        wire = self._conversation.message(key)
        if action == "back" or (pending is None and wire is None):
            self._pane.composer.focus()
        elif pending is not None:
            self._settle(action, pending)
        elif wire is not None and action == "reply":
            self._pane.answer(wire)
        elif wire is not None and action == "edit":
            self._change(wire)
        elif wire is not None and action == "pin":
            self._pin(wire)
        elif wire is not None:
            self._delete(wire, is_sure=armed == key)

    def _settle(self, action: str, pending: Pending) -> None:
        if pending.error is None:
            return
        if action == "reply":
            try:
                self._pane.run_worker(self._conversation.watch(self._conversation.retry(pending)))
            except ClientError as error:
                self._pane.say(str(error))
            return
        self._conversation.drop(pending)
        if action == "edit":
            self._pane.take_back(pending.outgoing.text)

    def _change(self, wire: Mapping[str, Any]) -> None:
        if self._conversation.is_own(wire) and wire["content"].get("type") == "text":
            self._pane.change(wire)
        else:
            self._pane.say("Only your own messages can be changed.")

    def _delete(self, wire: Mapping[str, Any], is_sure: bool) -> None:
        if not self._conversation.may_delete(wire):
            self._pane.say("Only your own messages can be deleted.")
        elif is_sure:
            self._pane.run_worker(self._ask(self._chat.delete(wire["id"])))
        else:
            self._armed = wire["id"]
            self._pane.say("Press d again to delete this message.")

    def _pin(self, wire: Mapping[str, Any]) -> None:
        if "pin" not in self._pane.offers():
            self._pane.say(
                "Only moderators can pin messages." if "pins" in self._chat.plugins else "Nothing can be pinned here."
            )
            return
        event = "unpin_message" if wire["id"] in self._conversation.state.pins.all else "pin_message"
        self._pane.run_worker(self._ask(self._chat.request(event, {"messageId": wire["id"]})))

    async def _ask(self, asking: Awaitable[object]) -> None:
        try:
            await asking
        except ClientError as error:
            self._pane.say(refusal(error))
