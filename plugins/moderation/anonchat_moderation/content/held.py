"""Held messages: who sees them waiting, who lets them through, who drops them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from anonchat import ChatError, Held, HeldMessage, Message, PluginContext, Session, Transaction, iso
from anonchat_moderation.acts import Acts
from anonchat_moderation.content.tables import COUNT
from anonchat_moderation.content.tally import Tally
from anonchat_moderation.content.waiting import MOST_IN_ROOM, Waiting
from anonchat_moderation.log import Log

SHOWN = 200  # held messages in one answer
SHOWN_BYTES = 200_000
DROPPED = "A moderator has dropped this message."
EXPELLED = "Its author has been removed from the room."
ENDED = frozenset({"left", "expired"})  # sessions whose held messages go on waiting


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
        self._waiting.arrived(message.room_id, message.id, message.session_id)
        self._tally.add(message.room_id, "held")
        wire = held_wire(HeldMessage(message, held.until, held.reason))
        self._ctx.rooms.broadcast(message.room_id, "held_message", wire, moderators=True, skip=message.session_id)
        self._ctx.rooms.send(message.room_id, message.session_id, "held_message", wire)

    async def shown_to(self, session: Session) -> dict[str, Any]:
        """`held_messages`: all of the room to moderators, to others their own; oldest first, bounded."""
        if not session.is_moderator and not await self._waiting.has_any(session.room_id, session.id):
            return shown(())  # of a raid, nobody reads all that waits
        held = await self._ctx.messages.held(session.room_id, MOST_IN_ROOM)
        return shown(held if session.is_moderator else [one for one in held if one.message.session_id == session.id])

    async def list(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """`get_held_messages`."""
        return await self.shown_to(by)

    # --- deciding

    async def release(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Show a held message to everybody. Raises `message_not_found`, `conflict`."""
        message = await self._find(by.room_id, data["message_id"])
        await self._ctx.messages.release(by.room_id, message.id)
        await self._ctx.db.transaction(lambda tx: self._record(tx, by, "released"))
        return self.told(message, "message_released", by)

    async def drop(self, by: Session, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Delete a held message. Raises `message_not_found`, `conflict`."""
        message = await self._find(by.room_id, data["message_id"])
        await self._ctx.messages.drop(by.room_id, message.id)

        async def work(tx: Transaction) -> None:
            await self._record(tx, by, "dropped")
            await self._acts.tell(tx, by.room_id, "dropped", message.session_id, DROPPED)

        await self._ctx.db.transaction(work)
        return self.told(message, "message_dropped", by, DROPPED)

    async def _record(self, tx: Transaction, by: Session, act: str) -> None:
        counts = {"more_refused": 0, "more_dropped": int(act == "dropped"), "more_released": int(act == "released")}
        await tx.execute(COUNT, {"room": by.room_id, **counts})
        await self._log.write(tx, by.room_id, act, by=by)

    async def _find(self, room_id: str, message_id: str) -> Message:
        message = (await self._ctx.messages.get(room_id, [message_id])).get(message_id)
        if message is None:
            raise ChatError("message_not_found")
        if message.seq is not None:
            raise ChatError("conflict", "This message is not held any more.")
        return message

    def told(
        self, message: Message, event: str, by: Session | None = None, reason: str | None = None
    ) -> Mapping[str, Any]:
        """Tell author and moderators, but for `by`, what became of a held message. Answers what they are told."""
        self._waiting.gone(message.room_id, message.id)
        data = {"messageId": message.id} | ({"reason": reason} if reason else {})
        skip = by.id if by is not None else message.session_id
        self._ctx.rooms.broadcast(message.room_id, event, data, moderators=True, skip=skip)
        self._ctx.rooms.send(message.room_id, message.session_id, event, data)
        return data

    # --- many at once

    async def decide(self, by: Session, reasons: frozenset[str], *, release: bool) -> int:
        """Release or drop everything in the room that is held for one of `reasons`; answers how many it was.

        Authors are told of each of theirs, moderators once, by what still waits.
        """
        room_id, done = by.room_id, 0
        act = self._ctx.messages.release if release else self._ctx.messages.drop
        for held in await self._ctx.messages.held(room_id, 2 * MOST_IN_ROOM):
            if held.reason not in reasons:
                continue
            try:
                await act(room_id, held.message.id)
            except ChatError as error:
                if error.code not in ("conflict", "message_not_found"):
                    raise
                continue  # somebody was faster
            done += 1
            self._waiting.gone(room_id, held.message.id)
            data = {"messageId": held.message.id} | ({} if release else {"reason": DROPPED})
            event = "message_released" if release else "message_dropped"
            self._ctx.rooms.send(room_id, held.message.session_id, event, data)
        left = await self._ctx.messages.held(room_id, MOST_IN_ROOM)
        self._ctx.rooms.broadcast(room_id, "held_messages", shown(left), moderators=True)
        return done

    async def left(self, session: Session, reason: str) -> None:
        """Somebody is gone. Of those who were sent away nothing is waited for."""
        if reason in ENDED:
            return
        held = await self._ctx.messages.held(session.room_id, MOST_IN_ROOM)
        for message in [one.message for one in held if one.message.session_id == session.id]:
            try:
                await self._ctx.messages.drop(session.room_id, message.id)
            except ChatError as error:
                self._ctx.log.info("a held message was not dropped", code=error.code)
                continue
            self._tally.add(session.room_id, "dropped")
            self.told(message, "message_dropped", reason=EXPELLED)


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
