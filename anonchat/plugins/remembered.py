"""What plugins tell everybody who comes: read once, and remembered for as long as nothing durable happens in the room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

ROOMS = 1_000  # of which something is remembered

Kept = TypeVar("Kept")


class Remembered(Generic[Kept]):
    """Something of each room that changes with durable events only, such as what is pinned.

    When a thousand people come back at once, one of them reads it for all. For the hooks `extend_state` and
    `extend_messages`, which are called when this node has delivered all that the client is told; what somebody asks for
    who has just changed it is read anew.
    """

    def __init__(self, read: Callable[[str], Awaitable[Kept]], position: Callable[[str], int | None]) -> None:
        """`read(room id)` reads what there is now; `position` is ``ctx.rooms.position``. Keep it small: there are many rooms."""
        self._read = read
        self._position = position
        self._known: OrderedDict[str, tuple[int, asyncio.Future[Kept]]] = OrderedDict()

    async def of(self, room_id: str) -> Kept:
        """What there is in the room. Costs a look-up, or a `read` where something has happened since the last began.

        Who asks while it is read waits for the same read. Raises what it raises.
        """
        position = self._position(room_id)
        if position is None:
            return await self._read(room_id)
        known = self._known.get(room_id)
        if known is None or known[0] != position:
            # Of the position from before the read: it may see more, which then comes to everybody as an event, too.
            known = self._known[room_id] = position, asyncio.ensure_future(self._read(room_id))
            self._known.move_to_end(room_id)
            if len(self._known) > ROOMS:
                self._known.popitem(last=False)
        try:
            return await asyncio.shield(known[1])
        except BaseException:
            if known[1].done() and self._known.get(room_id) is known:  # it has failed
                del self._known[room_id]
            raise
