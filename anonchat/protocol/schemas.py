"""Wire schemas: what REST and the WebSocket take in, and how stored values look on the wire.

Fields are snake_case here and camelCase on the wire. Schema objects are built once: making one costs 15 microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow
from marshmallow import EXCLUDE, fields, validate

from anonchat.clock import iso, iso_or_none
from anonchat.models import Event, Invite, Message, Receipt, Room, Session
from anonchat.protocol.texts import HIDDEN

ID_LENGTH = 64
TOKEN_LENGTH = 128
HASH_LENGTH = 128
AVATAR_LENGTH = 64


# Control characters, line breaks and marks that turn the direction of what follows have no place in one line of text.


def _visible(value: str) -> None:
    if HIDDEN.search(value):
        raise marshmallow.ValidationError("No control characters, please.")


def camel(name: str) -> str:
    """``reply_to_id`` -> ``replyToId``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def problems(error: marshmallow.ValidationError) -> dict[str, Any]:
    """Field path -> what is wrong with it; in a list, the number of the item."""
    messages = error.messages
    return _with_text_keys(messages) if isinstance(messages, dict) else {"_": messages}


def _with_text_keys(messages: Mapping[Any, Any]) -> dict[str, Any]:
    """JSON knows no other keys, and marshmallow numbers the items of a list."""
    return {str(key): _with_text_keys(said) if isinstance(said, dict) else said for key, said in messages.items()}


class Schema(marshmallow.Schema):
    """The base of all wire schemas, plugins' too: camelCase on the wire, unknown fields refused."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.data_key = camel(field_obj.data_key or field_name)


class EventSchema(Schema):
    """The base of the schemas of events that the server sends: they describe, they do not refuse."""

    class Meta:
        unknown = EXCLUDE


class Whole(fields.Integer):
    """A JSON integer, which 5.0 is as well, and nothing that could be taken for one: no "5", no true."""

    def _validated(self, value: Any) -> int:
        if type(value) is float and value.is_integer():
            return int(value)
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return value


class Truth(fields.Boolean):
    """JSON true or false and nothing that could be taken for one."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def _id(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, ID_LENGTH), **options)


def _token(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, TOKEN_LENGTH), **options)


def _hash(**options: Any) -> fields.String:
    return fields.String(load_default=None, allow_none=True, validate=validate.Length(8, HASH_LENGTH), **options)


def _seq(**options: Any) -> Whole:
    return Whole(validate=validate.Range(0, 2**53), **options)


# --- REST: bodies and queries


class CreateRoom(Schema):
    """Body of ``POST /api/rooms``. Lengths and maxima that the operator sets are checked by the rooms service."""

    title = fields.String(required=True, validate=validate.Length(1))
    description = fields.String(load_default="")
    ephemeral = Truth(load_default=True)
    chat_duration_seconds = Whole(load_default=None, allow_none=True, validate=validate.Range(10))
    retention_seconds = Whole(load_default=None, allow_none=True, validate=validate.Range(10))
    max_participants = Whole(load_default=None, allow_none=True, validate=validate.Range(1))
    is_public = Truth(load_default=False)
    settings = fields.Dict(keys=fields.String(), load_default=dict)
    fingerprint_hash = _hash()
    device_id = _hash()


class ChangeRoom(Schema):
    """Body of ``PATCH /api/rooms/{roomId}``: what is not given stays. Lengths are checked by the rooms service."""

    title = fields.String()
    description = fields.String()


class CheckInvite(Schema):
    """Body of ``validate-invite``."""

    invite_token = _token(required=True)


class Join(Schema):
    """Body of ``join``: one of the two tokens, and a name."""

    invite_token = _token(load_default=None, allow_none=True)
    moderator_token = _token(load_default=None, allow_none=True)
    username = fields.String(required=True, validate=validate.Length(max=512))
    avatar = fields.String(load_default=None, allow_none=True, validate=[validate.Length(1, AVATAR_LENGTH), _visible])
    fingerprint_hash = _hash()
    device_id = _hash()

    @marshmallow.validates_schema
    def one_token(self, data: Mapping[str, Any], **_: Any) -> None:
        if (data.get("invite_token") is None) == (data.get("moderator_token") is None):
            raise marshmallow.ValidationError("Give inviteToken or moderatorToken, one of them.", "inviteToken")


class Leave(Schema):
    """Body of ``leave`` and data of the event."""

    forget = Truth(load_default=False)


class CreateInvite(Schema):
    """Body of ``POST …/invites``."""

    role = fields.String(load_default="participant", validate=validate.OneOf(["participant", "moderator"]))
    expires_in_seconds = Whole(load_default=None, allow_none=True, validate=validate.Range(10, 31_536_000))
    max_uses = Whole(load_default=None, allow_none=True, validate=validate.Range(1, 1_000_000))


class ListQuery(Schema):
    """Query of paged lists."""

    cursor = fields.String(load_default=None, validate=validate.Length(1, 256))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))


class ParticipantsQuery(ListQuery):
    """Query of the list of participants."""

    search = fields.String(load_default="", validate=validate.Length(max=64))


class PageSchema(Schema):
    """Where a page of history lies: before a seq, after one, or (neither) at the end."""

    @marshmallow.validates_schema
    def one_bound(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("before") is not None and data.get("after") is not None:
            raise marshmallow.ValidationError("Give before or after, not both.", "before")


class HistoryQuery(PageSchema):
    """Query of a room's history. Without a limit: `[rooms] history_page`."""

    before = fields.Integer(load_default=None, validate=validate.Range(0, 2**53))
    after = fields.Integer(load_default=None, validate=validate.Range(0, 2**53))
    limit = fields.Integer(load_default=None, validate=validate.Range(1, 200))


class ExportQuery(Schema):
    """Query of an export: the part of the transcript before a seq."""

    before = fields.Integer(load_default=None, validate=validate.Range(0, 2**53))


# --- WebSocket: client to server


class Nothing(Schema):
    """An event without data."""


class Identify(Schema):
    """`identify`."""

    token = _token(required=True)
    since = _seq(load_default=None, allow_none=True)
    epoch = _id(load_default=None, allow_none=True)


class SendMessage(Schema):
    """`send_message`."""

    text = fields.String(required=True)
    client_msg_id = _id(required=True)
    reply_to_id = _id(load_default=None, allow_none=True)


class EditMessage(Schema):
    """`edit_message`."""

    message_id = _id(required=True)
    text = fields.String(required=True)


class MessageId(Schema):
    """`delete_message`."""

    message_id = _id(required=True)


class Typing(Schema):
    """`typing`."""

    typing = Truth(required=True)


class GetHistory(PageSchema):
    """`get_history`."""

    before = _seq(load_default=None, allow_none=True)
    after = _seq(load_default=None, allow_none=True)
    limit = Whole(load_default=None, allow_none=True, validate=validate.Range(1, 200))


# --- Server to client: how stored values look


def message_wire(message: Message) -> dict[str, Any]:
    """A message on the wire, without `ext`."""
    wire: dict[str, Any] = {
        "id": message.id,
        "roomId": message.room_id,
        "seq": message.seq,
        "changedSeq": message.changed_seq,
        "authorUsername": message.username,
        "anonymousId": message.anonymous_id,
        "authorSessionId": message.session_id,
        "authorRole": message.role,
        "content": message.content,
        "mentions": message.mentions,
        "createdAt": iso(message.created_at),
    }
    if message.avatar is not None:
        wire["authorAvatar"] = message.avatar
    if message.deleted_at is not None:
        wire["content"] = {"type": "text", "text": ""}
        wire["deletedAt"] = iso(message.deleted_at)
        return wire
    if message.reply_to_id is not None:
        wire["replyToId"] = message.reply_to_id
    if message.edited_at is not None:
        wire["editedAt"] = iso(message.edited_at)
    return wire


def message_event(message: Message) -> Event:
    """The durable event that tells everybody about a new message."""
    return Event(message.room_id, "message", message_wire(message), message.seq, message.id)


def user_wire(session: Session) -> dict[str, Any]:
    """A participant as the others see them."""
    return {
        "sessionId": session.id,
        "username": session.username,
        "anonymousId": session.anonymous_id,
        "role": session.role,
        "avatar": session.avatar,
    }


def room_wire(room: Room, seated: int, plugins: tuple[str, ...], purge_grace_seconds: int) -> dict[str, Any]:
    """A room's metadata. Nothing secret is in it."""
    return {
        "roomId": room.id,
        "title": room.title,
        "description": room.description,
        "ephemeral": room.ephemeral,
        "createdAt": iso(room.created_at),
        "isOpen": room.is_open,
        "isPublic": room.is_public,
        "actualParticipants": seated,
        "maxParticipants": room.max_participants,
        "closedAt": iso_or_none(room.closed_at),
        "expiresAt": iso_or_none(room.expires_at),
        "retentionSeconds": room.retention_seconds,
        "purgeGraceSeconds": purge_grace_seconds,
        "settings": room.settings,
        "plugins": list(plugins),
    }


def invite_wire(invite: Invite) -> dict[str, Any]:
    """An invite as moderators see it; its token is not among it."""
    return {
        "inviteId": invite.id,
        "role": invite.role,
        "createdAt": iso(invite.created_at),
        "expiresAt": iso_or_none(invite.expires_at),
        "maxUses": invite.max_uses,
        "uses": invite.uses,
        "revokedAt": iso_or_none(invite.revoked_at),
    }


def ack_wire(receipt: Receipt) -> dict[str, Any]:
    """The answer to a send."""
    return {
        "clientMsgId": receipt.client_msg_id,
        "serverMessageId": receipt.message_id,
        "seq": receipt.seq,
        "createdAt": iso(receipt.created_at),
    }


def held_wire(receipt: Receipt) -> dict[str, Any]:
    """The answer to a send that waits for its release."""
    return {
        "clientMsgId": receipt.client_msg_id,
        "messageId": receipt.message_id,
        "releaseAt": iso_or_none(receipt.held_until),
        "reason": receipt.held_reason or "",
    }
