"""What a roll is. Nothing here knows of anonchat."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

MOST_DICE = 20
SIDES = (2, 1000)

_COMMAND = re.compile(r"/roll(?:\s+(?P<what>.*))?", re.DOTALL)
_DICE = re.compile(r"(?P<count>\d{0,4})d(?P<sides>\d{0,4})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Roll:
    """Dice that have been thrown."""

    sides: int
    results: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.results)

    def __str__(self) -> str:
        """``🎲 2d6: 3 + 4 = 7``"""
        thrown = " + ".join(str(result) for result in self.results)
        total = f" = {self.total}" if len(self.results) > 1 else ""
        return f"🎲 {len(self.results)}d{self.sides}: {thrown}{total}"


def parse(text: str, sides: int) -> tuple[int, int] | None:
    """(count, sides) that a chat command asks for; None if the text is no ``/roll``.

    What the command leaves out is one die, of `sides`. Raises ValueError if it asks for what cannot be rolled.
    """
    command = _COMMAND.fullmatch(text.strip())
    if command is None:
        return None
    dice = _DICE.fullmatch(command["what"] or "d")
    if dice is None:
        raise ValueError(command["what"])
    asked = int(dice["count"] or 1), int(dice["sides"] or sides)
    if not (1 <= asked[0] <= MOST_DICE and SIDES[0] <= asked[1] <= SIDES[1]):
        raise ValueError(command["what"])
    return asked


def throw(count: int, sides: int) -> Roll:
    """Throw dice that nobody can predict."""
    return Roll(sides, tuple(1 + secrets.randbelow(sides) for _ in range(count)))
