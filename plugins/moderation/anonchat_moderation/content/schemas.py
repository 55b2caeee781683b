"""What the moderation of content takes in and tells: settings, events, REST."""

from __future__ import annotations

import re
from typing import Any

import marshmallow
from marshmallow import fields, validate

from anonchat import EventSchema, Schema, Truth, Whole
from anonchat_moderation.content.folding import plain, words_of
from anonchat_moderation.content.memory import MOST_PER_MINUTE, MOST_SESSIONS, MOST_TIMES
from anonchat_moderation.content.presets import PRESETS

WORD_LENGTH = 64
WORDS = 200  # of a room
SERVER_WORDS = 2_000
DOMAINS = 50
PREFIX_LETTERS = 3  # "a*" would hold nearly everything
MOST_SECONDS = 86_400
SLOW_SECONDS = 3_600

_SIGNS = re.compile(r"[@$!|+]")
_DOMAIN = re.compile(r"(?:[\w](?:[\w\-]{0,61}[\w])?\.){1,8}[\w\-]{2,63}")


def _word(value: str) -> None:
    if _SIGNS.search(value):
        # Signs are no letters: of "a$$" the word "a" would be left, and be found everywhere.
        raise marshmallow.ValidationError(
            "Write it with letters; spellings with $, @, ! and the like are found by them."
        )
    words = words_of(plain(value))
    if not words or ("*" in value.strip()[:-1]):
        raise marshmallow.ValidationError("Give a word, a phrase, or the beginning of a word followed by *.")
    if value.strip().endswith("*") and len(words[-1]) < PREFIX_LETTERS:
        raise marshmallow.ValidationError(f"Give at least {PREFIX_LETTERS} letters before the *.")


def _domain(value: str) -> None:
    if not _DOMAIN.fullmatch(value) or value != value.lower():
        raise marshmallow.ValidationError('Give a domain in lower case, such as "example.org".')


def words(most: int, **options: Any) -> fields.List[str]:
    """A list of words."""
    word = fields.String(validate=[validate.Length(1, WORD_LENGTH), _word])
    return fields.List(word, validate=validate.Length(max=most), **options)


def _domains(**options: Any) -> fields.List[str]:
    """A list of domains."""
    domain = fields.String(validate=[validate.Length(1, 253), _domain])
    return fields.List(domain, validate=validate.Length(max=DOMAINS), **options)


def _taken(most: int) -> fields.List[str]:
    """What is to go from a list: whatever it is, it may have been put there under other rules."""
    return fields.List(
        fields.String(validate=validate.Length(1, 253)), validate=validate.Length(max=most), load_only=True
    )


class ContentSettings(marshmallow.Schema):
    """The part of ``[plugins.moderation]`` about content."""

    preset = fields.String(load_default="relaxed", validate=validate.OneOf(sorted(PRESETS)))
    words = words(SERVER_WORDS, load_default=())
    newcomer_seconds = fields.Integer(strict=True, load_default=600, validate=validate.Range(0, MOST_SECONDS))
    panic_slow_mode_seconds = fields.Integer(strict=True, load_default=10, validate=validate.Range(0, SLOW_SECONDS))


# --- what moderators ask for


class RuleChange(Schema):
    """What every rule has. What is left out stays."""

    action = fields.String(validate=validate.OneOf(["allow", "hold", "refuse"]))


class WordsChange(RuleChange):
    """`words` are all of them; `add` and `remove` leave those that others have put there meanwhile."""

    add = words(WORDS, load_only=True)
    words = words(WORDS)
    remove = _taken(WORDS)


class LinksChange(RuleChange):
    """The same for domains."""

    allowed = _domains()
    add = _domains(load_only=True)
    remove = _taken(DOMAINS)


class RepeatsChange(RuleChange):
    times = Whole(validate=validate.Range(1, MOST_TIMES))
    seconds = Whole(validate=validate.Range(1, 3_600))
    sessions = Whole(validate=validate.Range(0, MOST_SESSIONS))
    nearly = Truth()


class ShoutingChange(RuleChange):
    percent = Whole(validate=validate.Range(10, 100))


class FloodingChange(RuleChange):
    per_minute = Whole(validate=validate.Range(1, MOST_PER_MINUTE))
    mute_seconds = Whole(validate=validate.Range(1, MOST_SECONDS))


class NewcomersChange(RuleChange):
    seconds = Whole(validate=validate.Range(0, MOST_SECONDS))
    messages = Whole(validate=validate.Range(1, 1_000))
    hold_seconds = Whole(validate=validate.Range(1, 3_600))


class RuleChanges(Schema):
    """Kind -> changes; null: as the preset has it."""

    flooding = fields.Nested(FloodingChange, allow_none=True)
    words = fields.Nested(WordsChange, allow_none=True)
    links = fields.Nested(LinksChange, allow_none=True)
    shouting = fields.Nested(ShoutingChange, allow_none=True)
    repeats = fields.Nested(RepeatsChange, allow_none=True)
    newcomers = fields.Nested(NewcomersChange, allow_none=True)


class SetModeration(Schema):
    """`set_moderation`. A preset puts all rules back, but for words and allowed domains; null: as the preset has it."""

    preset = fields.String(validate=validate.OneOf(sorted(PRESETS)))
    slow_mode_seconds = Whole(allow_none=True, validate=validate.Range(0, SLOW_SECONDS))
    rules = fields.Nested(RuleChanges)

    @marshmallow.validates_schema
    def something(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise marshmallow.ValidationError("Give preset, slowModeSeconds or rules.")


class NoData(Schema):
    """Nothing."""


class Calm(Schema):
    """`calm`: what becomes of the messages that the panic has held."""

    held = fields.String(load_default="drop", validate=validate.OneOf(["drop", "release"]))


class HeldId(Schema):
    """`release_message` and `drop_message`."""

    message_id = fields.String(required=True, validate=validate.Length(1, 64))


# --- what is told


class ModerationChanged(EventSchema):
    """What holds in the room: preset, seconds between two messages, panic, and kind -> action of the rules that are on."""

    preset = fields.String()
    slow_mode_seconds = fields.Integer()
    panic = fields.Boolean()
    rules = fields.Dict(keys=fields.String(), values=fields.String())


class Moderation(ModerationChanged):
    """The same; moderators get the settings of all rules, too."""

    settings = fields.Nested(RuleChanges)


class HeldMessageShown(EventSchema):
    """A message as it waits."""

    id = fields.String()
    room_id = fields.String()
    author_username = fields.String()
    anonymous_id = fields.String()
    author_session_id = fields.String()
    content = fields.Dict()
    reply_to_id = fields.String(allow_none=True)
    created_at = fields.DateTime()


class HeldShown(EventSchema):
    """A held message: released at a time, or (null) when a moderator says so."""

    message = fields.Nested(HeldMessageShown)
    release_at = fields.DateTime(allow_none=True)
    reason = fields.String()


class HeldList(EventSchema):
    """Held messages, oldest first."""

    messages = fields.List(fields.Nested(HeldShown))
    has_more = fields.Boolean()


class HeldReleased(EventSchema):
    """A held message is shown to everybody."""

    message_id = fields.String()


class HeldDropped(EventSchema):
    """A held message is deleted."""

    message_id = fields.String()
    reason = fields.String()


class PanicReport(EventSchema):
    """The panic is over: how many messages it held, how many were dropped (of these, or since too many waited), released."""

    held = fields.Integer()
    dropped = fields.Integer()
    released = fields.Integer()
