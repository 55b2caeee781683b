"""What was found: figures of every round, kept as JSON, and what is said of them: medians, and ratios with their spread."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.scenarios.base import Aim, Measure


class Spread(NamedTuple):
    """A median over the rounds, with the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def quantile(values: Sequence[float], share: float) -> float:
    """The value at or below which that share of all is."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario. `conditions` says where, when and with which versions.

    `rounds` has competitor -> figures of each round; who failed is in `failures` with the reason.
    """

    name: str
    title: str
    note: str
    reference: str
    measures: Sequence[Measure]
    aims: Sequence[Aim]
    is_growth: bool
    conditions: str
    rounds: Mapping[str, Sequence[Mapping[str, float]]]
    failures: Mapping[str, str]

    def figure(self, competitor: str, measure: str) -> Spread | None:
        """A figure; None if there is none."""
        values = [figures[measure] for figures in self.rounds.get(competitor, ())]
        return Spread.of(values) if values else None

    def ratio(self, competitor: str, measure: str, reference: str = "") -> Spread | None:
        """The same as a multiple of the reference's in the same round."""
        pairs = zip(self.rounds.get(competitor, ()), self.rounds.get(reference or self.reference, ()), strict=False)
        values = [own[measure] / other[measure] for own, other in pairs if other[measure]]
        return Spread.of(values) if values else None


def save(path: Path, results: Mapping[str, Result]) -> None:
    """Write all results."""
    path.write_text(json.dumps({name: asdict(result) for name, result in results.items()}, indent=1) + "\n")


def saved(path: Path) -> dict[str, Result]:
    """What `save` has written there; nothing if there is no file, or one of an earlier layout."""
    try:
        return {name: _result(data) for name, data in json.loads(path.read_text()).items()}
    except (FileNotFoundError, TypeError, KeyError):
        return {}


def _result(data: dict[str, object]) -> Result:
    measures = [Measure(**one) for one in data.pop("measures")]  # type: ignore[attr-defined]
    aims = [Aim(**one) for one in data.pop("aims")]  # type: ignore[attr-defined]
    return Result(measures=measures, aims=aims, **data)  # type: ignore[arg-type]
