"""Pinned messages."""

from anonchat_pins.plugin import Pins

__all__ = ["Pins"]
