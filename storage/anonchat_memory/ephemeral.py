"""`Ephemeral` in memory: values that expire, groups, and rate limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from anonchat import Clock, Finding, Rates

SWEEP_MILLISECONDS = 60_000


class MemoryEphemeral:
    """Everything is forgotten when the process ends. What has expired is dropped at least once a minute."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._rates = Rates(clock)
        self._values: dict[str, tuple[int, bytes]] = {}
        self._groups: dict[str, dict[str, tuple[int, bytes]]] = {}
        self._next_sweep = 0

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def check(self) -> None:
        """Memory is always there."""

    async def findings(self) -> Sequence[Finding]:
        """Nothing can be wrong."""
        return ()

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
        return self._rates.hit(rate, key, cost)

    async def enter(self, group: str, members: Mapping[str, bytes], milliseconds: int) -> None:
        until = self._sweep() + milliseconds
        self._groups.setdefault(group, {}).update({member: (until, value) for member, value in members.items()})

    async def leave(self, group: str, members: Collection[str]) -> None:
        here = self._groups.get(group, {})
        for member in members:
            here.pop(member, None)
        if not here:
            self._groups.pop(group, None)

    async def members(self, group: str) -> Mapping[str, bytes]:
        now = self._clock.now()
        return {member: value for member, (until, value) in self._groups.get(group, {}).items() if until > now}

    def _sweep(self) -> int:
        now = self._clock.now()
        if now >= self._next_sweep or self._next_sweep > now + SWEEP_MILLISECONDS:
            self._next_sweep = now + SWEEP_MILLISECONDS
            self._values = {key: held for key, held in self._values.items() if held[0] > now}
            groups = {name: _lasting(members, now) for name, members in self._groups.items()}
            self._groups = {name: members for name, members in groups.items() if members}
        return now


def _lasting(members: Mapping[str, tuple[int, bytes]], now: int) -> dict[str, tuple[int, bytes]]:
    return {member: held for member, held in members.items() if held[0] > now}
