"""What the plugin takes in and sends."""

from __future__ import annotations

import marshmallow
from marshmallow import fields, validate

from anonchat import EventSchema, Schema

MOST_PINS = 200


class Settings(marshmallow.Schema):
    """``[plugins.pins]`` in the configuration."""

    pins_per_room = fields.Integer(strict=True, load_default=50, validate=validate.Range(1, MOST_PINS))


class MessageId(Schema):
    """Data of `pin_message` and `unpin_message`."""

    message_id = fields.String(required=True, validate=validate.Length(1, 64))


class Nothing(Schema):
    """Data of `get_pinned_messages`."""


class Pinned(EventSchema):
    """Data of `message_pinned` and `pin_ack`; without `messageId` it is ``ext.pins`` of a message."""

    message_id = fields.String()
    pinned_at = fields.String()
    pinned_by = fields.String()


class Unpinned(EventSchema):
    """Data of `message_unpinned` and `unpin_ack`."""

    message_id = fields.String()


class PinnedMessages(EventSchema):
    """Data of `pinned_messages`, and the answer of the REST route."""

    messages = fields.List(fields.Dict())
    has_more = fields.Boolean()
