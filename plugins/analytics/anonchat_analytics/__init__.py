"""Counts without people."""

from anonchat_analytics.plugin import Analytics

__all__ = ["Analytics"]
