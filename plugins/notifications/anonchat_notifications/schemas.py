"""What the plugin takes in and sends."""

from __future__ import annotations

from typing import Any

import limits
import marshmallow
from marshmallow import fields, validate

from anonchat import EventSchema, Schema, Truth, Whole

MENTION, REPLY, ROOM, VOTES = "mention", "reply", "room", "votes"
POLL_OPENED, POLL_CLOSED, MODERATION = "poll_opened", "poll_closed", "moderation"
TYPES = (MENTION, REPLY, ROOM, POLL_OPENED, POLL_CLOSED, VOTES, MODERATION)

PAGE, MOST_PAGE = 50, 100
MOST_IGNORED = 100


def _rate(value: str) -> None:
    try:
        if value != "off":
            limits.parse(value)
    except ValueError as error:
        raise marshmallow.ValidationError('A rate is written as "3/10 minutes"; "off" lifts it.') from error


class Settings(marshmallow.Schema):
    """``[plugins.notifications]`` in the configuration."""

    kept_per_person = fields.Integer(strict=True, load_default=200, validate=validate.Range(10, 1_000))
    kept_per_room = fields.Integer(strict=True, load_default=50, validate=validate.Range(5, 200))
    room_mentions = fields.String(load_default="3/10 minutes", validate=_rate)


def _id(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, 64), **options)


# --- what clients ask


class Nothing(Schema):
    """An event without data."""


class PageRequest(Schema):
    """Data of `get_notifications`: the newest, or those before an id."""

    unread_only = Truth(load_default=True)
    before = _id(load_default=None, allow_none=True)
    limit = Whole(load_default=PAGE, validate=validate.Range(1, MOST_PAGE))


class PageQuery(Schema):
    """The same as the query of a route."""

    unread_only = fields.Boolean(load_default=True)
    before = _id(load_default=None)
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, MOST_PAGE))


class NotificationId(Schema):
    """Data of `mark_notification_read`."""

    notification_id = _id(required=True)


class ChangePreferences(Schema):
    """Data of `set_notification_preferences`. What is left out stays as it is."""

    types = fields.Dict(
        keys=fields.String(validate=validate.OneOf(TYPES)), values=Truth(), load_default=None, allow_none=True
    )
    ignored = fields.List(_id(), load_default=None, allow_none=True, validate=validate.Length(max=MOST_IGNORED))


# --- what clients are told


class MessageSummary(EventSchema):
    """The message that a notification is about, as it is now."""

    id = fields.String()
    seq = fields.Integer()
    author_username = fields.String()
    anonymous_id = fields.String()
    author_session_id = fields.String()
    content_type = fields.String()
    excerpt = fields.String()


class Notification(EventSchema):
    """Data of `notification`."""

    id = fields.String()
    type = fields.String(validate=validate.OneOf(TYPES))
    created_at = fields.String()
    read = fields.Boolean()
    message = fields.Nested(MessageSummary())
    voters = fields.Integer()
    act = fields.String()
    until = fields.String(allow_none=True)


class NotificationPage(EventSchema):
    """Data of `notifications`, and what routes answer."""

    notifications = fields.List(fields.Nested(Notification()))
    unread = fields.Integer()
    has_more = fields.Boolean()


class Unread(EventSchema):
    """How many are unread."""

    unread = fields.Integer()


class Preferences(EventSchema):
    """Data of `notification_preferences`."""

    types = fields.Dict(keys=fields.String(), values=fields.Boolean())
    ignored = fields.List(fields.String())
