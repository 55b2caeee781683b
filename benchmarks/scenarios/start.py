"""Starting again on a database that exists."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.competitors.keeper import Keeper, Rest
from benchmarks.scenarios.base import Aim, Measure, Scenario


@dataclass(frozen=True, kw_only=True)
class Start(Scenario):
    """From the start of the process to its first answer."""

    def enter(self, competitor: Keeper) -> None:
        """Nothing: the first start has made the database."""

    def turn(self, competitor: Keeper, prepared: None) -> Mapping[str, float]:
        """Start it again."""
        competitor.stop()
        begun = time.perf_counter()
        competitor.restart()
        rest = Rest(competitor.port)
        rest.call("GET", "/health")
        rest.close()
        return {"seconds": time.perf_counter() - begun}


def start() -> Start:
    """Of anonchat; the others have no database to look after."""
    return Start(
        name="start",
        title="Start to first answer",
        measures=(Measure("seconds", "seconds", "s", 2),),
        aims=(Aim("seconds", 1, False),),
        competitors=("anonchat", "anonchat-core"),
        reference="anonchat-core",
        seconds=1,
    )
