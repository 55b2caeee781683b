"""Latencies as the C sources count them: buckets that are 1/64 wide of what they hold (see measures.h)."""

from __future__ import annotations

from collections.abc import Sequence

FINENESS = 6
BUCKETS = (64 - FINENESS) << FINENESS


def percentile(buckets: Sequence[int], share: float) -> float:
    """The latency in seconds below which that share of all is; of none it is 0. Off by 1.6 % at most."""
    left = share * sum(buckets)
    for index, count in enumerate(buckets):
        left -= count
        if count and left <= 0:
            return _middle(index) / 1e9
    return 0.0


def _middle(index: int) -> float:
    """Nanoseconds in the middle of a bucket."""
    shift = max(0, (index >> FINENESS) - 1)
    return (index - (shift << FINENESS) + 0.5) * (1 << shift)
