"""What clients may ask of moderation, and how its answers and events look."""

from __future__ import annotations

import re
from typing import Any

import marshmallow
from marshmallow import fields, validate

from anonchat import EventSchema, Schema, Truth, Whole

REASON_LENGTH = 200
PAGE = 50
MOST = 100

# Controls, line separators and marks that change the direction of what stands around them.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Reason(fields.String):
    """One line of text, without white space around it; nothing is None."""

    def _deserialize(self, value: Any, *arguments: Any, **named: Any) -> Any:
        text = super()._deserialize(value, *arguments, **named).strip()
        if _HIDDEN.search(text):
            raise marshmallow.ValidationError("One line, without control characters.")
        if len(text) > REASON_LENGTH:
            raise marshmallow.ValidationError(f"At most {REASON_LENGTH} characters.")
        if not text and self.required:
            raise marshmallow.ValidationError("Give a reason.")
        return text or None


def _id() -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, 64))


def _reason() -> Reason:
    return Reason(load_default=None, allow_none=True)


def _seconds() -> Whole:
    """The maximum is the operator's, and checked where it is known."""
    return Whole(load_default=None, allow_none=True, validate=validate.Range(1, 2**40))


# --- what clients ask


class Nothing(Schema):
    """No fields."""


class Someone(Schema):
    """`unmute`, `promote`, `demote`, `purge_messages`."""

    target_session_id = _id()


class Kick(Someone):
    """`kick`. Without `coolOffSeconds`: as the operator has set it."""

    reason = _reason()
    cool_off_seconds = _seconds()


class Ban(Someone):
    """`ban`. Without `durationSeconds`: as the operator has set it."""

    reason = _reason()
    duration_seconds = _seconds()
    purge_messages = Truth(load_default=False)


class Mute(Someone):
    """`mute`. Without `durationSeconds`: as the operator has set it."""

    reason = _reason()
    duration_seconds = _seconds()


class Unban(Schema):
    """`unban`."""

    ban_id = _id()


class Report(Schema):
    """`report_message`."""

    message_id = _id()
    reason = Reason(required=True)


class Resolve(Schema):
    """`resolve_report`."""

    report_id = _id()


class Page(Schema):
    """`get_bans`, `get_reports`, `get_moderation_log`: the rows before one that is known, newest first."""

    before = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 64))
    limit = Whole(load_default=PAGE, validate=validate.Range(1, MOST))


class PageQuery(Schema):
    """The same as the query of a route."""

    before = fields.String(load_default=None, validate=validate.Length(1, 64))
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, MOST))


# --- what they are told


def _text(*, none: bool = False) -> fields.String:
    return fields.String(required=True, allow_none=none)


def _number() -> fields.Integer:
    return fields.Integer(strict=True, required=True)


class Kicked(EventSchema):
    """Of `kicked`, the last event on a socket."""

    reason = fields.String()
    cool_off_seconds = _number()
    banned = fields.Boolean(required=True)


class Removed(EventSchema):
    """Of `presence_removed`: `reason` is "kicked" or "banned"."""

    session_id = _text()
    reason = _text()


class Muted(EventSchema):
    """Of `muted`."""

    until = _text()
    reason = _text(none=True)


class PersonDone(EventSchema):
    session_id = _text()


class KickDone(PersonDone):
    ban_id = _text()
    cool_off_seconds = _number()
    until = _text()


class BanDone(PersonDone):
    ban_id = _text()
    until = _text()
    removed = _number()


class BanLifted(EventSchema):
    ban_id = _text()


class MuteDone(PersonDone):
    until = _text()


class RoleDone(PersonDone):
    role = _text()


class TokenDone(EventSchema):
    """The token is shown this once."""

    moderator_token = _text()


class PurgeDone(PersonDone):
    removed = _number()


class OpenDone(EventSchema):
    is_open = fields.Boolean(required=True)


class EndDone(EventSchema):
    ended = fields.Boolean(required=True)


class BanDetails(EventSchema):
    """`kind` is "kick" or "ban"; `matches` says by what the person is known, "device", "fingerprint" or "network"."""

    ban_id = _text()
    kind = _text()
    session_id = _text()
    username = _text()
    anonymous_id = _text()
    reason = _text(none=True)
    matches = fields.List(fields.String(), required=True)
    created_at = _text()
    until = _text()


class BanList(EventSchema):
    bans = fields.List(fields.Nested(BanDetails), required=True)
    has_more = fields.Boolean(required=True)


class User(EventSchema):
    """Somebody as they were called then; `username` is None once they were forgotten."""

    session_id = _text()
    username = _text(none=True)


class ReportDone(EventSchema):
    message_id = _text()


class ReportDetails(EventSchema):
    report_id = _text()
    message_id = _text()
    reason = _text()
    created_at = _text()
    author = fields.Nested(User, required=True, allow_none=True)
    text = _text()


class MessageReported(ReportDetails):
    """`open` is how many reports wait now."""

    open = _number()


class ReportList(EventSchema):
    reports = fields.List(fields.Nested(ReportDetails), required=True)
    has_more = fields.Boolean(required=True)
    open = _number()


class ReportCount(EventSchema):
    open = _number()


class ReportResolved(ReportCount):
    message_id = _text()


class ResolveDone(ReportResolved):
    """`resolved` is how many reports of the message that were."""

    resolved = _number()


class LogEntry(EventSchema):
    """Of `moderation_log`: `by` is "moderator" or "rule"; whom it concerned is not told."""

    entry_id = _text()
    act = _text()
    count = _number()
    by = _text()
    at = _text()


class FullEntry(LogEntry):
    """The last four fields are for moderators alone."""

    by_user = fields.Nested(User, allow_none=True)
    target = fields.Nested(User, allow_none=True)
    reason = fields.String(allow_none=True)
    until = fields.String(allow_none=True)


class LogPage(EventSchema):
    entries = fields.List(fields.Nested(FullEntry), required=True)
    has_more = fields.Boolean(required=True)
