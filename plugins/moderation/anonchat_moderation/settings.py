"""``[plugins.moderation]`` in the configuration. Durations are whole seconds."""

from __future__ import annotations

import marshmallow
from marshmallow import fields, validate

from anonchat_moderation.content.schemas import ContentSettings

DAY = 86_400


def seconds(default: int, most: int) -> fields.Integer:
    """A duration from one second on."""
    return fields.Integer(strict=True, load_default=default, validate=validate.Range(1, most))


class Settings(ContentSettings):
    """Defaults hold where a moderator says nothing; a moderator may ask for anything up to the maximum."""

    cool_off_seconds = seconds(300, DAY)
    max_cool_off_seconds = seconds(DAY, 7 * DAY)
    ban_seconds = seconds(7 * DAY, 366 * DAY)
    max_ban_seconds = seconds(90 * DAY, 366 * DAY)
    ban_networks = fields.Boolean(truthy={True}, falsy={False}, load_default=True)
    mute_seconds = seconds(600, 366 * DAY)
    max_mute_seconds = seconds(7 * DAY, 366 * DAY)
    public_log = fields.Boolean(truthy={True}, falsy={False}, load_default=True)
    log_entries = fields.Integer(strict=True, load_default=500, validate=validate.Range(10, 10_000))
    log_seconds = seconds(30 * DAY, 366 * DAY)

    @marshmallow.validates_schema
    def defaults_within_maxima(self, data: dict[str, object], **_: object) -> None:
        """A default above its maximum would be refused at each use."""
        for name in ("cool_off_seconds", "ban_seconds", "mute_seconds"):
            if data[name] > data[f"max_{name}"]:  # type: ignore[operator]
                raise marshmallow.ValidationError(f"At most max_{name}, {data[f'max_{name}']}.", name)
