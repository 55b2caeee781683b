"""Polls for anonchat: open, hidden and secret ones."""

from anonchat_polls.plugin import Polls

__all__ = ["Polls"]
