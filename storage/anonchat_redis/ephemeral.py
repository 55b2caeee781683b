"""`Ephemeral` on Redis: values that expire, groups of members that do, and rate limits that all nodes share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from redis.exceptions import NoScriptError

from anonchat import ChatError, Clock, Finding, Rates
from anonchat_redis.address import Address
from anonchat_redis.examining import examine
from anonchat_redis.line import Line
from anonchat_redis.scripts import ENTER, HIT, MEMBERS, PUT_IF, REMOVE_IF, Script

CHECK_MILLISECONDS = 1_000
ENTRIES = 500  # members that one command enters or takes out


class RedisEphemeral:
    """While Redis is away a node counts limits by itself; everything else raises `storage_unavailable`, at once."""

    def __init__(self, url: str, clock: Clock) -> None:
        """The clock is for the limits of a node alone; else that of the server counts. Raises `StartError`."""
        address = Address.of(url)
        self._address = address
        self._prefix = address.prefix
        self._line = Line(address, "ephemeral")
        self._rates = Rates(clock)

    async def start(self) -> None:
        await self._line.start()

    async def close(self) -> None:
        await self._line.close()

    async def check(self) -> None:
        # A write by a script: what is full, a replica, or a user without the rights for scripts answers all else.
        await self.enter("examined", {"": b""}, CHECK_MILLISECONDS)

    # --- values

    async def get(self, key: str) -> bytes | None:
        value: bytes | None = await self._line.call(b"GET", self._prefix + key)
        return value

    async def put(
        self,
        key: str,
        value: bytes,
        milliseconds: int,
        *,
        only_if_absent: bool = False,
        only_if: bytes | None = None,
    ) -> bool:
        if only_if is not None:
            return bool(await self._run(PUT_IF, key, only_if, value, milliseconds))
        options = (b"NX",) if only_if_absent else ()
        return await self._line.call(b"SET", self._prefix + key, value, b"PX", milliseconds, *options) is not None

    async def remove(self, key: str, *, only_if: bytes | None = None) -> bool:
        if only_if is not None:
            return bool(await self._run(REMOVE_IF, key, only_if))
        return bool(await self._line.call(b"DEL", self._prefix + key))

    # --- rates

    async def hit(self, rate: str, key: str, cost: int = 1) -> int:
        interval, burst = self._rates.rate(rate)
        try:
            return int(await self._run(HIT, f"limit:{rate}:{key}", repr(interval), repr(burst), cost))
        except ChatError:
            return self._rates.hit(rate, key, cost)

    # --- groups

    async def enter(self, group: str, members: Mapping[str, bytes], milliseconds: int) -> None:
        entries = list(members.items())
        for start in range(0, len(entries), ENTRIES):
            some = [part for entry in entries[start : start + ENTRIES] for part in entry]
            await self._run(ENTER, group, milliseconds, *some)

    async def leave(self, group: str, members: Collection[str]) -> None:
        gone = list(members)
        for start in range(0, len(gone), ENTRIES):
            await self._line.call(b"HDEL", self._prefix + group, *gone[start : start + ENTRIES])

    async def members(self, group: str) -> Mapping[str, bytes]:
        found = await self._run(MEMBERS, group)
        return {member.decode(): value for member, value in zip(found[::2], found[1::2], strict=True)}

    async def findings(self) -> Sequence[Finding]:
        # Also a write, which is gone after a millisecond: what is full, or a replica, answers all else.
        hit = (b"EVAL", HIT.text, 1, self._prefix + "doctor", 1, 1, 1)
        return await examine(self._address, "ephemeral", [hit])

    async def _run(self, script: Script, key: str, *arguments: Any) -> Any:
        """Redis forgets scripts when it starts anew; then the text is sent once more."""
        try:
            return await self._line.call(b"EVALSHA", script.name, 1, self._prefix + key, *arguments)
        except NoScriptError:
            return await self._line.call(b"EVAL", script.text, 1, self._prefix + key, *arguments)
