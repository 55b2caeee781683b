"""Rates as numbers, and how often something may still happen, counted in the memory of one node."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from limits import parse

from anonchat.clock import Clock

SWEEP_MILLISECONDS = 60_000
MOST_LIMITED = 200_000  # keys of limits that are held at once, about 50 MB: many networks at once can fill no memory


class Rate(NamedTuple):
    """Milliseconds between two, and of a whole burst."""

    interval: float
    burst: float

    @classmethod
    def of(cls, text: str) -> Rate:
        """In the notation of the package ``limits``: "10/minute"."""
        item = parse(text)
        period = item.get_expiry() * 1_000
        return cls(period / item.amount, float(period))


class Rates:
    """The generic cell rate algorithm (ITU-T I.371): one number a key, exact, O(1).

    A rate of "10/10 seconds" lets a burst of 10 pass and then one a second. What is over is dropped once a minute.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrivals: dict[tuple[str, str], float] = {}
        self._rates: dict[str, Rate] = {}
        self._next_sweep = 0

    def hit(self, text: str, key: str, cost: int = 1) -> int:
        """Count `cost` against a rate; 0 if allowed, else milliseconds to wait."""
        now = self._sweep()
        rate = self.rate(text)
        slot = (text, key)
        # A clock that was set back must not lock anybody out for longer than one burst.
        arrival = min(max(self._arrivals.get(slot, 0.0), now), now + rate.burst)
        wait = arrival + rate.interval * cost - rate.burst - now
        if wait > 0:
            if slot in self._arrivals:
                self._arrivals[slot] = arrival
            return max(1, round(wait))
        self._arrivals[slot] = arrival + rate.interval * cost
        if len(self._arrivals) > MOST_LIMITED:
            # Whoever came first was limited for longest; half at once, so that it is rare and cheap on the whole.
            self._arrivals = dict(islice(self._arrivals.items(), MOST_LIMITED // 2, None))
        return 0

    def rate(self, text: str) -> Rate:
        """The numbers of a rate; rates come from the configuration, so there are few."""
        known = self._rates.get(text)
        if known is None:
            known = self._rates[text] = Rate.of(text)
        return known

    def __len__(self) -> int:
        return len(self._arrivals)

    def _sweep(self) -> int:
        now = self._clock.now()
        if now >= self._next_sweep or self._next_sweep > now + SWEEP_MILLISECONDS:
            self._next_sweep = now + SWEEP_MILLISECONDS
            self._arrivals = {slot: arrival for slot, arrival in self._arrivals.items() if arrival > now}
        return now
