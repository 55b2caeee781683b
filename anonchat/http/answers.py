"""What the core's routes answer, as schemas: for OpenAPI, and held by the tests."""

from __future__ import annotations

from marshmallow import fields

from anonchat.protocol.schemas import EventSchema
from anonchat.protocol.shapes import ChatMessage, RoomDetails, User


class CreatedRoom(EventSchema):
    """The secrets are shown this once."""

    room_id = fields.String(required=True)
    invite_token = fields.String(required=True)
    moderator_token = fields.String(required=True)
    join_url = fields.String(required=True)
    moderator_url = fields.String(required=True)


class ListedRoom(RoomDetails):
    """A public room; its settings are only in its own metadata."""

    class Meta(RoomDetails.Meta):
        exclude = ("settings",)


class PublicRooms(EventSchema):
    rooms = fields.List(fields.Nested(ListedRoom), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class Done(EventSchema):
    ok = fields.Boolean(required=True)


class CheckedInvite(Done):
    role = fields.String(required=True)


class Joined(EventSchema):
    """`websocketUrl` holds no token."""

    session_token = fields.String(required=True)
    session_id = fields.String(required=True)
    anonymous_id = fields.String(required=True)
    username = fields.String(required=True)
    role = fields.String(required=True)
    websocket_url = fields.String(required=True)


class Participants(EventSchema):
    participants = fields.List(fields.Nested(User), required=True)
    total = fields.Integer(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class TimeRemaining(EventSchema):
    """None: the room has no end."""

    remaining_seconds = fields.Integer(required=True, allow_none=True)


class DeletionReport(EventSchema):
    """`deleted` counts by category; `pending` names plugins that keep something elsewhere and are asked again to delete it.

    `backupsUntil` is when the last backup that may hold something of the room is gone, or None if the operator has not said.
    """

    room_id = fields.String(required=True)
    ended_at = fields.String(required=True)
    reason = fields.String(required=True)
    deleted = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    pending = fields.List(fields.String(), required=True)
    backups_until = fields.String(required=True, allow_none=True)


class History(EventSchema):
    messages = fields.List(fields.Nested(ChatMessage), required=True)
    has_more = fields.Boolean(required=True)
    epoch = fields.String(required=True)
    seq = fields.Integer(required=True)


class InviteDetails(EventSchema):
    invite_id = fields.String(required=True)
    role = fields.String(required=True)
    created_at = fields.String(required=True)
    expires_at = fields.String(required=True, allow_none=True)
    max_uses = fields.Integer(required=True, allow_none=True)
    uses = fields.Integer(required=True)
    revoked_at = fields.String(required=True, allow_none=True)


class Invites(EventSchema):
    invites = fields.List(fields.Nested(InviteDetails), required=True)


class CreatedInvite(InviteDetails):
    """The token is shown this once."""

    invite_token = fields.String(required=True)
    join_url = fields.String(required=True)


class Export(EventSchema):
    """`complete` is false where the room has more messages than one export holds."""

    room = fields.Nested(RoomDetails, required=True)
    exported_at = fields.String(required=True)
    messages = fields.List(fields.Nested(ChatMessage), required=True)
    complete = fields.Boolean(required=True)
    plugins = fields.Dict(keys=fields.String(), required=True)


class LivingRoom(EventSchema):
    """A room in numbers; `title` is null unless the room is public."""

    title = fields.String(required=True, allow_none=True)
    is_public = fields.Boolean(required=True)
    is_open = fields.Boolean(required=True)
    actual_participants = fields.Integer(required=True)
    max_participants = fields.Integer(required=True)
    messages = fields.Integer(required=True)
    created_at = fields.String(required=True)
    expires_at = fields.String(required=True, allow_none=True)
    retention_seconds = fields.Integer(required=True, allow_none=True)


class LivingRooms(EventSchema):
    rooms = fields.List(fields.Nested(LivingRoom), required=True)
    total = fields.Integer(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class Storage(EventSchema):
    database_bytes = fields.Integer(required=True)


class Health(EventSchema):
    status = fields.String(required=True)


class Readiness(Health):
    """`status` is "ok", "degraded" (503, or 200 if only what lies between nodes is away) or, with 503, "draining".

    Each dependency is "ok" or an error code.
    """

    dependencies = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    plugins = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    connections = fields.Integer(required=True)
    retention_overdue = fields.Boolean(required=True)
