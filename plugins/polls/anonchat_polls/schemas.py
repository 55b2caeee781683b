"""Settings, and what goes over the wire: requests that refuse what does not fit, and answers that describe."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import category

import marshmallow
from marshmallow import fields, validate

from anonchat import EventSchema, Schema, Truth, Whole
from anonchat_polls.secrecy import KINDS, LEAST_SECRET, OPEN

MOST_OPTIONS = 20
ID_LENGTH = 64
DAY = 86_400
# In one line: controls, line separators, and the marks that change the direction of what stands around them.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Settings(marshmallow.Schema):
    """``[plugins.polls]`` in the configuration."""

    create = fields.String(load_default="moderators", validate=validate.OneOf(["moderators", "everyone"]))
    most_options = fields.Integer(strict=True, load_default=MOST_OPTIONS, validate=validate.Range(2, MOST_OPTIONS))
    question_length = fields.Integer(strict=True, load_default=300, validate=validate.Range(10, 2_000))
    option_length = fields.Integer(strict=True, load_default=100, validate=validate.Range(10, 500))
    most_open = fields.Integer(strict=True, load_default=20, validate=validate.Range(1, 50))
    longest_seconds = fields.Integer(strict=True, load_default=7 * DAY, validate=validate.Range(60, 90 * DAY))
    secret_minimum = fields.Integer(
        strict=True, load_default=LEAST_SECRET, validate=validate.Range(LEAST_SECRET, 1_000)
    )


def _one_line(value: str) -> None:
    """Text that can be seen, in one line."""
    if _HIDDEN.search(value):
        raise marshmallow.ValidationError("No line breaks or control characters, please.")
    if not any(category(sign)[0] in "LNPS" for sign in value):
        raise marshmallow.ValidationError("There is nothing to be seen in this.")


def _different(values: list[str]) -> None:
    if len({value.strip().casefold() for value in values}) < len(values):
        raise marshmallow.ValidationError("Two options are the same.")


def _id(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, ID_LENGTH), **options)


# --- client to server


class CreatePoll(Schema):
    """Data of `create_poll`. Lengths that the operator sets are checked by the plugin."""

    question = fields.String(required=True, validate=_one_line)
    options = fields.List(
        fields.String(validate=_one_line), required=True, validate=[validate.Length(2, MOST_OPTIONS), _different]
    )
    allow_multiple_answers = Truth(load_default=False)
    secrecy = fields.String(load_default=OPEN, validate=validate.OneOf(KINDS))
    closes_in_seconds = Whole(load_default=None, allow_none=True, validate=validate.Range(10))
    client_msg_id = _id(load_default=None, allow_none=True)


class PollId(Schema):
    """Data of `close_poll` and `get_poll_results`."""

    poll_id = _id(required=True)


class OneOrMore(PollId):
    """A poll, and options of it: `optionId` or `optionIds`."""

    option_id = _id(load_default=None)
    option_ids = fields.List(_id(), load_default=list, validate=validate.Length(max=MOST_OPTIONS))

    @marshmallow.post_load
    def together(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """One list, however they were given."""
        one = data.pop("option_id")
        return data if one is None else data | {"option_ids": [one, *data["option_ids"]]}


class Vote(OneOrMore):
    """Data of `vote`."""

    change = Truth(load_default=False)

    @marshmallow.validates_schema
    def something(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("option_id") is None and not data.get("option_ids"):
            raise marshmallow.ValidationError("Give optionId, or optionIds.", "optionId")


class ListQuery(Schema):
    """Query of the list of polls: newest first, the cursor is that of the answer before."""

    cursor = _id(load_default=None)
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class ExportQuery(Schema):
    """Query of an export."""

    format = fields.String(load_default="json", validate=validate.OneOf(["csv", "json"]))


# --- server to client


def _text(**options: Any) -> fields.String:
    return fields.String(required=True, **options)


def _maybe() -> fields.String:
    return _text(allow_none=True)


def _totals(**options: Any) -> fields.Dict:
    return fields.Dict(keys=fields.String(), values=fields.Integer(strict=True), **options)


def _number(**options: Any) -> fields.Integer:
    return fields.Integer(strict=True, **options)


class PollCreated(EventSchema):
    """Answer to `create_poll`."""

    poll_id = _text()
    message_id = _text()
    seq = _number(required=True)
    client_msg_id = _text()


class PollHeld(EventSchema):
    """Answer to `create_poll` where the message waits for its release; the poll begins with it."""

    message_id = _text()
    client_msg_id = _text()
    release_at = _maybe()
    reason = _text()


class Recorded(EventSchema):
    """`vote_recorded` and `vote_removed`: what one has voted for now."""

    poll_id = _text()
    option_ids = fields.List(fields.String(), required=True)


class Pending(EventSchema):
    """`vote_pending`: counted, and final; the result is told at the close."""

    poll_id = _text()


class Lost(EventSchema):
    """`votes_lost`: polls in which what was voted so far may be lost; `get_poll_results` says whether one's own vote is."""

    poll_ids = fields.List(fields.String(), required=True)


class Update(EventSchema):
    """`poll_update`: what everybody may know of votes that were cast."""

    poll_id = _text()
    message_id = _text()
    voters = _number(required=True)
    totals = _totals()


class VoteShown(EventSchema):
    """Who voted what, in an open poll."""

    session_id = _text()
    username = _text()
    option_ids = fields.List(fields.String(), required=True)


class Closed(EventSchema):
    """`poll_closed`: the result."""

    poll_id = _text()
    message_id = _text()
    secrecy = _text(validate=validate.OneOf(KINDS))
    closes_at = _maybe()
    closed_at = _maybe()
    voters = _number(required=True, allow_none=True)
    totals = _totals(required=True, allow_none=True)
    discarded = fields.Boolean(required=True)


class Results(Closed):
    """`poll_results`: the present state, as one may see it. `optionIds` and `voted` stand in what was asked for."""

    votes = fields.List(fields.Nested(VoteShown))
    option_ids = fields.List(fields.String())
    voted = fields.Boolean()


class OpenPolls(EventSchema):
    """`open_polls`: the state of all open polls of the room, with one's own votes."""

    polls = fields.List(fields.Nested(Results), required=True)


class OptionShown(EventSchema):
    """An option of a poll."""

    id = _text()
    text = _text()


class PollShown(Results):
    """A poll in the list and in an export: its state, and what it asks."""

    question = _text()
    options = fields.List(fields.Nested(OptionShown), required=True)
    allow_multiple_answers = fields.Boolean(required=True)
    secrecy_text = _text()
    created_at = _text()


class PollList(EventSchema):
    """Answer of the list of polls."""

    polls = fields.List(fields.Nested(PollShown), required=True)
    next_cursor = _maybe()
