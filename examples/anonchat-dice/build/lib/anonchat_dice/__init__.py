"""Dice for anonchat: ``/roll 2d6`` in a room."""

from anonchat_dice.plugin import Dice

__all__ = ["Dice"]
