"""What the server sends, as schemas: for the documents that clients are written from, and held by the tests.

A field that is not required is left out where there is nothing to say; one with `allow_none` is always there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from anonchat.protocol.schemas import EventSchema

Declared = Mapping[str, EventSchema]


def _text(**options: Any) -> fields.String:
    return fields.String(required=True, **options)


def _maybe(**options: Any) -> fields.String:
    return fields.String(required=True, allow_none=True, **options)


def _number(**options: Any) -> fields.Integer:
    return fields.Integer(required=True, strict=True, **options)


def _truth() -> fields.Boolean:
    return fields.Boolean(required=True)


def _role() -> fields.String:
    return _text(validate=validate.OneOf(["participant", "moderator"]))


def _dict() -> fields.Dict:
    return fields.Dict(keys=fields.String(), required=True)


class User(EventSchema):
    """A participant as the others see them."""

    session_id = _text()
    username = _text()
    anonymous_id = _text()
    role = _role()
    avatar = _maybe()


class RoomDetails(EventSchema):
    """A room's metadata."""

    room_id = _text()
    title = _text()
    description = _text()
    ephemeral = _truth()
    created_at = _text()
    is_open = _truth()
    is_public = _truth()
    actual_participants = _number()
    max_participants = _number()
    closed_at = _maybe()
    expires_at = _maybe()
    retention_seconds = _number(allow_none=True)
    purge_grace_seconds = _number()
    settings = _dict()
    plugins = fields.List(fields.String(), required=True)


class ChatMessage(EventSchema):
    """A message. A deleted one has `deletedAt` and an empty text."""

    id = _text()
    room_id = _text()
    seq = _number()
    changed_seq = _number()
    author_username = _text()
    anonymous_id = _text()
    author_session_id = _text()
    author_role = _role()
    author_avatar = fields.String()
    content = _dict()
    reply_to_id = fields.String()
    mentions = fields.List(fields.String(), required=True)
    created_at = _text()
    edited_at = fields.String()
    deleted_at = fields.String()
    ext = fields.Dict(keys=fields.String())


class Missed(EventSchema):
    """One event of a `replay`, with the present state of its object; `gone` stands for what was purged."""

    event = _text()
    data = _dict()
    seq = _number()


# --- coming in


class Hello(EventSchema):
    protocol = _number()
    server_time = _text()
    heartbeat_seconds = fields.Float(required=True)
    limits = _dict()
    plugins = fields.List(fields.String(), required=True)


class Identified(EventSchema):
    session_id = _text()
    room_id = _text()
    username = _text()
    anonymous_id = _text()
    role = _role()
    room = fields.Nested(RoomDetails, required=True)
    epoch = _text()
    seq = _number()
    ext = _dict()


class PresenceState(EventSchema):
    users = fields.List(fields.Nested(User), required=True)
    total = _number()
    version = _number()


class PresenceChange(EventSchema):
    event = _text(validate=validate.OneOf(["join", "leave", "change", "count"]))
    user = fields.Nested(User)
    total = _number()
    version = _number()


class HistoryChunk(EventSchema):
    messages = fields.List(fields.Nested(ChatMessage), required=True)
    has_more = _truth()
    epoch = _text()
    seq = _number()
    recovered = fields.Boolean()


class ReplayedEvents(EventSchema):
    events = fields.List(fields.Nested(Missed), required=True)
    from_ = _number(data_key="from")
    to = _number()
    epoch = _text()
    recovered = _truth()


# --- answers


class MessageAck(EventSchema):
    client_msg_id = _text()
    server_message_id = _text()
    seq = _number()
    created_at = _text()


class MessageHeld(EventSchema):
    client_msg_id = _text()
    message_id = _text()
    release_at = _maybe()
    reason = _text()


class EditAck(EventSchema):
    message_id = _text()
    seq = _number()


class DeleteAck(EventSchema):
    message_id = _text()


class HeartbeatAck(EventSchema):
    server_time = _text()
    seq = _number()
    presence_version = _number()


class Left(EventSchema):
    pass


class CodedError(EventSchema):
    code = _text()
    message = _text()
    event = fields.String()
    client_msg_id = fields.String()
    retry_after_ms = fields.Integer(strict=True)
    errors = fields.Dict(keys=fields.String())


# --- what happens in the room


class MessageEdited(EventSchema):
    message = fields.Nested(ChatMessage, required=True)


class MessageDeleted(EventSchema):
    message_id = _text()
    by = _text(validate=validate.OneOf(["author", "moderator"]))
    deleted_at = _text()


class MessagesRemoved(EventSchema):
    message_ids = fields.List(fields.String())
    through_seq = fields.Integer(strict=True)
    reason = _text()


class TypingTold(EventSchema):
    session_id = _text()
    username = _text()
    anonymous_id = _text()
    typing = _truth()


class RoomUpdated(EventSchema):
    room = _dict()


class RoomClosed(EventSchema):
    closed_at = _text()
    by = fields.String()


class RoomWarning(EventSchema):
    remaining_seconds = _number()


class RoomEnded(EventSchema):
    reason = _text()
    deleted = fields.Dict(keys=fields.String(), values=fields.Integer(strict=True), required=True)


class Resync(EventSchema):
    reason = _text()


class Gone(EventSchema):
    """Stands, with its seq, for an event whose object was purged before it could be told."""


class GoingAway(EventSchema):
    reconnect_after_ms = _number()


DURABLE: Declared = {
    "message": ChatMessage(),
    "message_edited": MessageEdited(),
    "message_deleted": MessageDeleted(),
    "messages_removed": MessagesRemoved(),
    "room_updated": RoomUpdated(),
    "room_closed": RoomClosed(),
    "gone": Gone(),
}
PASSING: Declared = {
    "hello": Hello(),
    "identified": Identified(),
    "presence_state": PresenceState(),
    "presence": PresenceChange(),
    "history_chunk": HistoryChunk(),
    "replay": ReplayedEvents(),
    "message_ack": MessageAck(),
    "message_held": MessageHeld(),
    "edit_ack": EditAck(),
    "delete_ack": DeleteAck(),
    "typing": TypingTold(),
    "heartbeat_ack": HeartbeatAck(),
    "room_ttl_warning": RoomWarning(),
    "room_ended": RoomEnded(),
    "resync": Resync(),
    "going_away": GoingAway(),
    "error": CodedError(),
    "left": Left(),
}
