"""Prometheus: the same counts, rounded in the same way, so that they can be handed on; those of the core are exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anonchat import Metric
from anonchat_analytics.counts import COUNTED, PEAK, rounded

PRESENT = "participants"
ROUNDED = "Rounded down to a multiple of [plugins.analytics] blur."


def metrics() -> Sequence[Metric]:
    """Counters of all that is counted; gauges of who is there. None has a label."""
    return (
        *(Metric(name, "counter", f"{text} {ROUNDED}") for name, text in COUNTED.items()),
        Metric(PRESENT, "gauge", f"People who are there now, on this node. {ROUNDED}"),
        Metric(PEAK, "gauge", f"The most people at once in the running hour, on this node. {ROUNDED}"),
    )


class Exposure:
    """A counter moves when `blur` more were counted; a gauge stands at the multiple at or below its number."""

    def __init__(self, metrics: Mapping[str, Any], blur: int) -> None:
        self._metrics = metrics
        self._blur = blur
        self._untold = dict.fromkeys(COUNTED, 0)

    def count(self, metric: str, count: int) -> None:
        """So many more."""
        untold = self._untold[metric] + count
        if more := rounded(untold, self._blur):
            self._metrics[metric].inc(more)
        self._untold[metric] = untold - more

    def attend(self, present: int, peak: int) -> None:
        """So many are there."""
        self._metrics[PRESENT].set(rounded(present, self._blur))
        self._metrics[PEAK].set(rounded(peak, self._blur))
