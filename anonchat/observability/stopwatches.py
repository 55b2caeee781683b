"""How long plugins' hooks take, counted in a fraction of a microsecond: each message passes several.

`prometheus_client.Histogram` takes ten times as long to count, since it locks for threads that are not here: each
stopwatch is used by one thread, that of the event loop or that of the database.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Stopwatch:
    """A histogram of seconds."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds


class Stopwatches(Collector):
    """One stopwatch for each pair of labels, told to Prometheus as one histogram."""

    def __init__(self, name: str, text: str, labels: tuple[str, str], bounds: Sequence[float]) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._bounds = bounds
        self._watches: dict[tuple[str, str], Stopwatch] = {}

    def of(self, first: str, second: str) -> Stopwatch:
        """The stopwatch of two values of the labels."""
        return self._watches.setdefault((first, second), Stopwatch(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Called by the registry."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, watch in self._watches.items():
            counted, buckets = 0, []
            for name, count in zip(names, watch.counts, strict=True):
                counted += count
                buckets.append((name, counted))
            family.add_metric(labels, buckets, watch.total)
        yield family
