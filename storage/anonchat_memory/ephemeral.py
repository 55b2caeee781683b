"""`Ephemeral` in memory: values that expire, and rate limits."""

from __future__ import annotations

from itertools import islice

from limits import parse

from anonchat import Clock

SWEEP_MILLISECONDS = 60_000
MOST_LIMITED = 200_000  # keys of limits that are held at once, about 50 MB: many networks at once can fill no memory


class MemoryEphemeral:
    """Everything is forgotten when the process ends. What has expired is dropped at least once a minute."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, tuple[int, bytes]] = {}
        self._arrivals: dict[tuple[str, str], float] = {}
        self._rates: dict[str, tuple[float, float]] = {}
        self._next_sweep = 0

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def get(self, key: str) -> bytes | None:
        expires, value = self._values.get(key, (0, b""))
        return value if expires > self._clock.now() else None

    async def put(
        self,
        key: str,
        value: bytes,
        milliseconds: int,
        *,
        only_if_absent: bool = False,
        only_if: bytes | None = None,
    ) -> bool:
        now = self._sweep()
        if only_if_absent and await self.get(key) is not None:
            return False
        if only_if is not None and await self.get(key) != only_if:
            return False
        self._values[key] = (now + milliseconds, value)
        return True

    async def remove(self, key: str, *, only_if: bytes | None = None) -> bool:
        value = await self.get(key)
        if value is None or (only_if is not None and value != only_if):
            return False
        del self._values[key]
        return True

    async def hit(self, rate: str, key: str, cost: int = 1) -> int:
        """The generic cell rate algorithm (ITU-T I.371): one number a key, exact, O(1).

        A rate of "10/10 seconds" lets a burst of 10 pass and then one a second.
        """
        now = self._sweep()
        interval, burst = self._rate(rate)
        slot = (rate, key)
        # A clock that was set back must not lock anybody out for longer than one burst.
        arrival = min(max(self._arrivals.get(slot, 0.0), now), now + burst)
        wait = arrival + interval * cost - burst - now
        if wait > 0:
            return max(1, round(wait))
        self._arrivals[slot] = arrival + interval * cost
        if len(self._arrivals) > MOST_LIMITED:
            # Whoever came first was limited for longest; half at once, so that it is rare and cheap on the whole.
            self._arrivals = dict(islice(self._arrivals.items(), MOST_LIMITED // 2, None))
        return 0

    def _rate(self, rate: str) -> tuple[float, float]:
        """(milliseconds between two, milliseconds of a whole burst) of a rate; rates come from the configuration."""
        known = self._rates.get(rate)
        if known is None:
            item = parse(rate)
            period = item.get_expiry() * 1_000
            known = self._rates[rate] = (period / item.amount, float(period))
        return known

    def _sweep(self) -> int:
        now = self._clock.now()
        if now >= self._next_sweep or self._next_sweep > now + SWEEP_MILLISECONDS:
            self._next_sweep = now + SWEEP_MILLISECONDS
            self._values = {key: held for key, held in self._values.items() if held[0] > now}
            self._arrivals = {slot: arrival for slot, arrival in self._arrivals.items() if arrival > now}
        return now
