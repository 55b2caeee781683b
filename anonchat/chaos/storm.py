"""Faults at random moments, one after another, and how long each was felt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anonchat.chaos.crowd import Crowd, NotHealed
from anonchat.chaos.faults import Fault


@dataclass(frozen=True, slots=True)
class Happening:
    """A fault that was survived. Times are seconds of the event loop's clock; it ended when everybody went on."""

    name: str
    began: float
    ended: float


class Storm:
    """Breaks the server of a crowd with `faults`. `tell` hears of each when it is over."""

    def __init__(self, crowd: Crowd, faults: Sequence[Fault], tell: Callable[[Happening, Crowd], None]) -> None:
        self.happenings: list[Happening] = []
        self._crowd = crowd
        self._faults = faults
        self._tell = tell

    async def rage(self, seconds: float, every: float) -> None:
        """For so long, with a fault `every` so many seconds on average. Raises `NotHealed` with a sentence.

        Each fault comes once before one comes again.
        """
        loop, chance = asyncio.get_running_loop(), self._crowd.chance
        end = loop.time() + seconds
        coming: list[Fault] = []
        while True:
            pause = chance.uniform(0.5, 1.5) * every
            if loop.time() + pause >= end:
                await asyncio.sleep(max(end - loop.time(), 0))
                return
            await asyncio.sleep(pause)
            coming = coming or chance.sample(self._faults, len(self._faults))
            await self._strike(coming.pop())

    async def _strike(self, fault: Fault) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await fault(self._crowd)
            await self._crowd.progress()
        except (NotHealed, RuntimeError) as error:
            raise NotHealed(f"The server did not go on after the fault '{fault.__name__}'. {error}") from error
        happening = Happening(fault.__name__, began, loop.time())
        self.happenings.append(happening)
        self._tell(happening, self._crowd)
