"""Keeping a crowd of strangers civil: kick, ban, mute, rules, reports, a log."""

from anonchat_moderation.plugin import Moderation

__all__ = ["Moderation"]
