"""Mentions, replies and what else concerns one, live and kept."""

from anonchat_notifications.plugin import Notifications

__all__ = ["Notifications"]
