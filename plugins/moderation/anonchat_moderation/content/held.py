"""Held messages: who sees them waiting, who lets them through, who drops them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from anonchat import ChatError, Held, HeldMessage, Message, PluginContext, Session, Transaction, iso
from anonchat_moderation.acts import Acts
from anonchat_moderation.content.tables import COUNT_DECIDED, SELECT_REASON
from anonchat_moderation.content.tally import Tally
from anonchat_moderation.content.verdicts import PANIC_REASONS
from anonchat_moderation.content.waiting import MOST_IN_ROOM, Waiting
from anonchat_moderation.log import Log

SHOWN = 200  # held messages in one answer
SHOWN_BYTES = 200_000
DROPPED = "A moderator has dropped this message."
TAKEN_BACK = "Its author has deleted it."


class HeldMessages:
    """The messages of rooms that wait: the author sees his own, moderators all."""

    def __init__(self, acts: Acts, log: Log, waiting: Waiting, tally: Tally) -> None:
        self._acts = acts
        self._log = log
        self._waiting = waiting
        self._tally = tally

    @property
    def _ctx(self) -> PluginContext:
        return self._acts.ctx

    # --- seeing

    def arrived(self, message: Message, held: Held) -> None:
        """A message waits: moderators hear of it, and its author on all of their sockets."""
        self._waiting.arrived(message.room_id, message.id, message.session_id, held.reason)
        self._tally.add(message.room_id, "held")
        wire = held_wire(HeldMessage(message, held.until, held.reason))
        self._ctx.rooms.broadcast(message.room_id, "held_message", wire, moderators=True, skip=message.session_id)
        self._ctx.rooms.send(message.room_id, message.session_id, "held_message", wire)

    async def shown_to(self, session: Session) -> dict[str, Any]:
        """`held_messages`: all of the room to moderators, to others their own; oldest first, bounded."""
        if not session.is_moderator and not await self._waiting.of_session(session.room_id, session.id):
            return shown(())  # of a raid, nobody reads all that waits
        held = await self._waiting.read(session.room_id)
        return shown(held if session.is_moderator else [one for one in held if one.message.session_id == session.id])

    async def read(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """`get_held_messages`."""
        return await self.shown_to(by)

    async def frozen(self, room_id: str, reason: str) -> None:
        """What waited for its time waits for a moderator now, for `reason`: all whom it concerns are told."""
        self._waiting.reread(room_id)
        held = await self._ctx.messages.held(room_id, MOST_IN_ROOM)
        for one in held:
            if one.reason == reason:
                self._ctx.rooms.send(room_id, one.message.session_id, "held_message", held_wire(one))
        self._ctx.rooms.broadcast(room_id, "held_messages", shown(held), moderators=True)

    # --- deciding

    async def release(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Show a held message to everybody. Raises `message_not_found`, `conflict`."""
        message = await self._find(by.room_id, data["message_id"])
        await self._ctx.messages.release(by.room_id, message.id, self._recorded("released", by, message))
        return self.told(message.room_id, message.id, message.session_id, "message_released", by)

    async def drop(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Delete a held message. Raises `message_not_found`, `conflict`."""
        message = await self._find(by.room_id, data["message_id"])
        await self._ctx.messages.drop(by.room_id, message.id, self._recorded("dropped", by, message))
        return self.told(message.room_id, message.id, message.session_id, "message_dropped", by, DROPPED)

    async def _find(self, room_id: str, message_id: str) -> Message:
        message = (await self._ctx.messages.get(room_id, [message_id])).get(message_id)
        if message is None:
            raise ChatError("message_not_found")
        if message.seq is not None:
            raise ChatError("conflict", "This message is not held any more.")
        return message

    def _recorded(self, act: str, by: Session, message: Message) -> Callable[[Transaction], Awaitable[None]]:
        """What belongs into the transaction of the act: whether `by` may, the count of a panic, and the log."""

        async def work(tx: Transaction, _: int) -> None:
            await count_decided(tx, by.room_id, message.id, act)
            await self._log.write(tx, by.room_id, act, by=by)
            if act == "dropped":
                await self._acts.tell(tx, by.room_id, act, message.session_id, DROPPED)

        return self._acts.moderating(by, work)

    def told(
        self, room_id: str, message_id: str, author: str, event: str, by: Session | None = None, reason: str = ""
    ) -> Mapping[str, Any]:
        """Tell author and moderators, but for `by`, what became of a held message, which does not wait any more.

        Answers what they are told.
        """
        self._waiting.gone(room_id, message_id)
        data = {"messageId": message_id} | ({"reason": reason} if reason else {})
        skip = by.id if by is not None else author
        self._ctx.rooms.broadcast(room_id, event, data, moderators=True, skip=skip)
        self._ctx.rooms.send(room_id, author, event, data)
        return data

    async def decide(self, by: Session, reasons: frozenset[str], *, release: bool) -> None:
        """Release or drop everything in the room that is held for one of `reasons`, and count it in the same transactions.

        Also what is on its way there. Authors are told of each of theirs, moderators once, by what still waits.
        """
        room_id = by.room_id
        await self._waiting.settled(room_id)
        act = self._ctx.messages.release if release else self._ctx.messages.drop
        count = COUNT_DECIDED["released" if release else "dropped"]
        for held in await self._ctx.messages.held(room_id, 2 * MOST_IN_ROOM):
            if held.reason not in reasons:
                continue
            if not await is_done(act(room_id, held.message.id, lambda tx: tx.execute(count, {"room": room_id}))):
                continue
            self._waiting.gone(room_id, held.message.id)
            data = {"messageId": held.message.id} | ({} if release else {"reason": DROPPED})
            event = "message_released" if release else "message_dropped"
            self._ctx.rooms.send(room_id, held.message.session_id, event, data)
        left = await self._ctx.messages.held(room_id, MOST_IN_ROOM)
        self._ctx.rooms.broadcast(room_id, "held_messages", shown(left), moderators=True)

    # --- when authors take it back

    def deleted(self, room_id: str, message_id: str, by: str) -> None:
        """A message was deleted by "author" or "moderator"; all who see it waiting are told."""
        waited = self._waiting.gone(room_id, message_id)
        if waited is not None:
            reason = TAKEN_BACK if by == "author" else DROPPED
            self.told(room_id, message_id, waited.session_id, "message_dropped", reason=reason)

    async def left(self, room_id: str, session_id: str) -> None:
        """Whoever left with "forget me" has taken along what waited: moderators who see it are told."""
        known = self._waiting.last_known(room_id, session_id)
        there = await self._ctx.messages.get(room_id, list(known)) if known else {}
        for message_id in known.keys() - there.keys():
            self.told(room_id, message_id, session_id, "message_dropped", reason=TAKEN_BACK)


async def count_decided(tx: Transaction, room_id: str, message_id: str, act: str) -> None:
    """Count for the report of a panic, if that has held the message: before it is "dropped" or "released"."""
    row = await tx.fetch_one(SELECT_REASON, {"room": room_id, "message": message_id})
    if row is not None and row["held_reason"] in PANIC_REASONS:
        await tx.execute(COUNT_DECIDED[act], {"room": room_id})


async def is_done(act: Awaitable[None]) -> bool:
    """Do it, and answer whether it could be done; not if somebody was faster, or the room has ended."""
    try:
        await act
    except ChatError as error:
        if error.code not in ("conflict", "message_not_found", "room_ended"):
            raise
        return False
    return True


def held_wire(held: HeldMessage) -> dict[str, Any]:
    """A held message as its author and moderators see it."""
    message = held.message
    return {
        "message": {
            "id": message.id,
            "roomId": message.room_id,
            "authorUsername": message.username,
            "anonymousId": message.anonymous_id,
            "authorSessionId": message.session_id,
            "content": message.content,
            "replyToId": message.reply_to_id,
            "createdAt": iso(message.created_at),
        },
        "releaseAt": iso(held.until) if held.until is not None else None,
        "reason": held.reason,
    }


def shown(held: Sequence[HeldMessage]) -> dict[str, Any]:
    """As many held messages as one answer can take, oldest first."""
    wires: list[dict[str, Any]] = []
    room = SHOWN_BYTES
    for one in held[:SHOWN]:
        wire = held_wire(one)
        room -= len(orjson.dumps(wire))
        if room < 0 and wires:
            break
        wires.append(wire)
    return {"messages": wires, "hasMore": len(wires) < len(held)}
