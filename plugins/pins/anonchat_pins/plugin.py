"""The plugin: one class, whose methods are hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import marshmallow
import orjson

from anonchat import (
    Answer,
    Call,
    ChatError,
    ClientEvent,
    Message,
    PluginContext,
    Reads,
    Remembered,
    Request,
    Room,
    Route,
    Row,
    ServerEvent,
    Session,
    Tables,
    Transaction,
    WebAssets,
    hookimpl,
    iso,
    message_wire,
)
from anonchat_pins.schemas import MOST_PINS, MessageId, Nothing, Pinned, PinnedMessages, Settings, Unpinned
from anonchat_pins.tables import (
    COUNT_PINS,
    DELETE_PIN,
    INSERT_PIN,
    SELECT_PIN,
    SELECT_PINS,
    SELECT_VISIBLE,
    metadata,
)

EVENT_BYTES = 262_144  # of JSON in one `pinned_messages`: a quarter of what a connection may have waiting by default


class Pins:
    """Moderators pin messages. Who comes gets them at once, who is there hears of each change."""

    # --- what the plugin declares

    @hookimpl
    def register_web_assets(self) -> WebAssets:
        """The bar of pinned messages in the web client."""
        return WebAssets(Path(__file__).parent / "static", "pins.mjs")

    @hookimpl
    def register_config_schema(self) -> type[marshmallow.Schema]:
        return Settings

    @hookimpl
    def register_tables(self) -> Tables:
        return Tables(metadata, Path(__file__).parent / "migrations")

    @hookimpl
    def register_client_events(self) -> Sequence[ClientEvent]:
        return [
            ClientEvent("pin_message", MessageId(), self.pin, "moderator", "60/minute", "Pin a message."),
            ClientEvent("unpin_message", MessageId(), self.unpin, "moderator", "60/minute", "Unpin a message."),
            ClientEvent("get_pinned_messages", Nothing(), self.get, limit="30/minute", summary="What is pinned."),
        ]

    @hookimpl
    def register_server_events(self) -> Sequence[ServerEvent]:
        return [
            ServerEvent("pin_ack", Pinned(), summary="The message is pinned; the answer to pin_message."),
            ServerEvent("unpin_ack", Unpinned(), summary="The message is unpinned; the answer to unpin_message."),
            ServerEvent("message_pinned", Pinned(), durable=True, summary="A message was pinned."),
            ServerEvent("message_unpinned", Unpinned(), durable=True, summary="A message was unpinned."),
            ServerEvent("pinned_messages", PinnedMessages(), summary="What is pinned, in the order of pinning."),
        ]

    @hookimpl
    def register_routes(self) -> Sequence[Route]:
        path, answer = "/api/rooms/{roomId}/pins", PinnedMessages()
        return [Route("GET", path, self.read, auth="participant", answer=answer, summary="Pinned messages")]

    # --- pinning

    @hookimpl
    async def setup(self, ctx: PluginContext) -> None:
        self.ctx = ctx
        self._known = Remembered(self._rows, ctx.rooms.position)

    async def pin(self, call: Call) -> None:
        """`pin_message`. A message that is pinned already stays pinned as it was."""
        message_id, by = call.data["message_id"], call.session
        at, most = self.ctx.clock.now(), self.ctx.config["pins_per_room"]
        told = await self.ctx.db.transaction(lambda tx: _pin(tx, message_id, at, by, most), call.room_id)
        call.answer("pin_ack", told)

    async def unpin(self, call: Call) -> None:
        """`unpin_message`, by any moderator."""
        message_id = call.data["message_id"]
        await self.ctx.db.transaction(lambda tx: _unpin(tx, message_id, call.session), call.room_id)
        call.answer("unpin_ack", {"messageId": message_id})

    # --- telling

    async def get(self, call: Call) -> None:
        """`get_pinned_messages`."""
        await self.ctx.db.read_in_order(
            lambda tx: self._pinned(tx, call.room_id),
            call.room_id,
            lambda pinned: call.answer("pinned_messages", _fitting(pinned)),
        )

    async def read(self, request: Request) -> Answer:
        """All of them, however long they are."""
        pinned = await self.ctx.db.read(lambda tx: self._pinned(tx, request.path["roomId"]))
        return Answer({"messages": pinned, "hasMore": False})

    @hookimpl
    async def extend_state(self, room: Room) -> Mapping[str, Mapping[str, Any]]:
        return {"pinned_messages": _fitting(await self._shown(self.ctx.db, room.id, await self._known.of(room.id)))}

    @hookimpl
    async def extend_messages(self, messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        """``ext.pins`` of those that are pinned."""
        room_id, wanted = messages[0]["roomId"], {message["id"] for message in messages}
        return {row["message_id"]: _ext(row) for row in await self._known.of(room_id) if row["message_id"] in wanted}

    @hookimpl
    async def extend_privacy(self) -> Mapping[str, str]:
        return {
            "pins": "Of a pinned message is kept since when it is pinned and the anonymous id of the moderator who did it, "
            "for as long as the message is there."
        }

    async def _pinned(self, tx: Reads, room_id: str) -> list[dict[str, Any]]:
        """The pinned messages in the order of pinning, as they are now. Two queries."""
        return await self._shown(tx, room_id, await tx.fetch_all(SELECT_PINS, _those_of(room_id)))

    async def _rows(self, room_id: str) -> Sequence[Row]:
        return await self.ctx.db.fetch_all(SELECT_PINS, _those_of(room_id))

    async def _shown(self, tx: Reads, room_id: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        if not rows:
            return []
        found = await self.ctx.messages.get(room_id, [row["message_id"] for row in rows], tx)
        # One that was deleted between the two queries is not pinned any more.
        there = [(row, message) for row in rows if (message := found.get(row["message_id"])) and _is_visible(message)]
        return [{**message_wire(message), "ext": {"pins": _ext(row)}} for row, message in there]


async def _pin(tx: Transaction, message_id: str, at: int, by: Session, most: int) -> Mapping[str, Any]:
    """Pin a message; answers what members are told.

    Raises `message_not_found`, `too_many_pins`, `room_ended`, and `not_moderator` for who was demoted meanwhile.
    """
    room_id = by.room_id
    await tx.lock_room(room_id)  # pins of a room are decided one after another, on however many nodes
    await tx.check_moderator(by)
    wanted = {"room": room_id, "message": message_id}
    if (row := await tx.fetch_one(SELECT_PIN, wanted)) is not None:
        return {"messageId": message_id, **_told(row["pinned_at"], row["pinned_by"])}
    if await tx.fetch_one(SELECT_VISIBLE, wanted) is None:
        raise ChatError("message_not_found")
    count = await tx.fetch_one(COUNT_PINS, {"room": room_id})
    if count is not None and count["pins"] >= most:
        raise ChatError("too_many_pins", f"At most {most} messages can be pinned; unpin one first.")
    data = {"messageId": message_id, **_told(at, by.anonymous_id)}
    event = await tx.append(room_id, "message_pinned", data, message_id=message_id)
    row = {"message_id": message_id, "room_id": room_id, "seq": event.seq}
    await tx.execute(INSERT_PIN, row | {"pinned_at": at, "pinned_by": by.anonymous_id})
    return data


async def _unpin(tx: Transaction, message_id: str, by: Session) -> None:
    room_id = by.room_id
    await tx.lock_room(room_id)
    await tx.check_moderator(by)
    if await tx.execute(DELETE_PIN, {"room": room_id, "message": message_id}) == 0:
        raise ChatError("pins.not_pinned", "This message is not pinned.", status=409)
    await tx.append(room_id, "message_unpinned", {"messageId": message_id}, message_id=message_id)


def _those_of(room_id: str) -> Mapping[str, Any]:
    return {"room": room_id, "limit": MOST_PINS}


def _told(at: int, by: str) -> dict[str, Any]:
    return {"pinnedAt": iso(at), "pinnedBy": by}


def _ext(row: Row) -> dict[str, Any]:
    return {"pinned": True, **_told(row["pinned_at"], row["pinned_by"])}


def _is_visible(message: Message) -> bool:
    return message.seq is not None and message.deleted_at is None


def _fitting(wires: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Data of `pinned_messages`: all, or the newest pins that fit into one event."""
    room = EVENT_BYTES
    for index in range(len(wires) - 1, -1, -1):
        room -= len(orjson.dumps(wires[index]))
        if room < 0:
            return {"messages": wires[index + 1 :], "hasMore": True}
    return {"messages": wires, "hasMore": False}
