"""What a scenario is, and how large it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SOCKETIO = "socketio"
EXPRESS = "express"
KEEPERS = ("anonchat", "anonchat-core", EXPRESS)
"""Who stores what is sent."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large and how long everything is, as shares of a full run."""

    rounds: int
    size: float = 1.0
    time: float = 1.0
    database_bytes: float = 5e9

    def count(self, full: int) -> int:
        """So many of what a full run has `full` of; at least two."""
        return max(2, round(full * self.size))

    def seconds(self, full: float) -> float:
        """So long for what takes `full` in a full run."""
        return full * self.time


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a scenario. `digits` are those after the point."""

    name: str
    title: str
    unit: str
    digits: int = 0
    is_ratio: bool = True
    """Whether it is told as a multiple of the reference, too."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What anonchat as shipped should reach: at least or at most `value`, as a multiple of `of` where one is named."""

    measure: str
    value: float
    is_least: bool
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Scenario(ABC):
    """Something that is done to one competitor after the other, several times. The first measure is the chart's.

    Others are compared with the competitor `reference`. A turn takes about `seconds` and what it takes to connect.
    Of what grows all measures are shown, as a line.
    """

    name: str
    title: str
    measures: Sequence[Measure]
    competitors: Sequence[str]
    seconds: float
    aims: Sequence[Aim] = ()
    note: str = ""
    reference: str = SOCKETIO
    is_growth: bool = False

    @abstractmethod
    def enter(self, competitor: Any) -> Any:
        """Prepare a server that has just been started; what this returns is given to each turn."""

    @abstractmethod
    def turn(self, competitor: Any, prepared: Any) -> Mapping[str, float]:
        """Measure once. Raises ValueError if what came was not what had to come, and OSError if the server broke off."""
