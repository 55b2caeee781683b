"""The way in for messages: known already? within limits? through the filters? Then the writer has them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from anonchat.errors import ChatError
from anonchat.limits import Limits
from anonchat.messages.content import is_storable, text_of
from anonchat.messages.lanes import Lanes
from anonchat.messages.receipts import Receipts, key_of
from anonchat.messages.writer import Done, Writer
from anonchat.models import Draft, Held, Receipt, Session
from anonchat.plugins.dispatch import Dispatcher

REPETITIONS = "300/10 seconds"


class Intake:
    """Takes in what people and plugins send."""

    def __init__(
        self, receipts: Receipts, writer: Writer, dispatcher: Dispatcher, limits: Limits, *, text_length: int
    ) -> None:
        self._receipts = receipts
        self._writer = writer
        self._dispatcher = dispatcher
        self._limits = limits
        self._text_length = text_length
        self._lanes = Lanes()

    async def send(self, session: Session, data: Mapping[str, Any], done: Done) -> None:
        """Take in a message; `done` is called after its commit with the receipt, or with the `ChatError` that refuses it.

        Returns when the message has its place in the order of this session's sends, before it is stored. A repeated
        `client_msg_id` gets the stored receipt, whatever limits and filters say by now.
        """
        content = {"type": "text", "text": text_of(data["text"], self._text_length)}
        draft = Draft(session.room_id, session, data["client_msg_id"], content, data["reply_to_id"])
        await self._take_in(draft, done, limited=True)

    async def post(self, draft: Draft) -> Receipt:
        """Send what a plugin has made, through the filters, and wait until it is stored. Raises what refuses it."""
        if not is_storable(draft.content, draft.mentions) or not isinstance(draft.content.get("text"), str):
            raise TypeError('The content of a message is JSON with a "type" and a "text".')
        stored: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

        def done(outcome: Receipt | ChatError) -> None:
            if stored.done():
                return  # whoever waited has given up
            if isinstance(outcome, ChatError):
                stored.set_exception(outcome)
            else:
                stored.set_result(outcome)

        await self._take_in(draft, done, limited=False)
        return await stored

    async def _take_in(self, draft: Draft, done: Done, *, limited: bool) -> None:
        if not self._is_new(draft) and await self._is_repeated(draft, done):
            return
        if not self._dispatcher.has("filter_message"):
            await self._submit(draft, done, limited=limited)
            return
        # One send of a session in the filters at a time, in the order of their coming.
        has_waited = await self._lanes.enter(draft.session.id)
        try:
            if not has_waited or not await self._is_repeated(draft, done):
                await self._submit(draft, done, limited=limited)
        finally:
            self._lanes.leave(draft.session.id)

    async def _submit(self, draft: Draft, done: Done, *, limited: bool) -> None:
        """Hand over what limits and filters let through."""
        held: Held | None = None
        try:
            if limited:
                await self._limits.hit("messages_per_session", draft.session.id)
            if self._dispatcher.has("filter_message"):
                draft, held = await self._dispatcher.filter(
                    "filter_message", "draft", draft, may_hold=True, fits=_is_draft_of
                )
        except ChatError:
            if (known := await self._receipts.find(key_of(draft))) is None:
                raise
            await self._repeat(known, draft.session, done)
        else:
            self._writer.submit(draft, done, held)

    def _is_new(self, draft: Draft) -> bool:
        """Whether nothing is known of this send, as of most."""
        key = key_of(draft)
        return self._receipts.remembered(key) is None and not self._writer.has(key)

    async def _is_repeated(self, draft: Draft, done: Done) -> bool:
        """Whether the same send is on its way, or was answered not long ago; then that is the answer."""
        if self._writer.join(draft, done):
            return True
        known = self._receipts.remembered(key_of(draft))
        if known is not None:
            await self._repeat(known, draft.session, done)
        return known is not None

    async def _repeat(self, known: Receipt, session: Session, done: Done) -> None:
        """Answer a repetition. Whoever comes back may repeat much, but not for ever."""
        await self._limits.hit_rate("repetitions_per_session", REPETITIONS, session.id)
        done(known)

    async def settle(self) -> None:
        """Wait until every message taken in so far is stored."""
        await self._writer.finish()


def _is_draft_of(before: Draft, after: Draft) -> bool:
    """Whether a filter has changed only what it may: content, mentions and the message replied to."""
    whose = (after.room_id, after.client_msg_id) == (before.room_id, before.client_msg_id)
    reply = after.reply_to_id is None or isinstance(after.reply_to_id, str)
    return whose and after.session is before.session and reply and is_storable(after.content, after.mentions)
