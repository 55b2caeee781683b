"""What plugins tell everybody who comes: read once, and remembered for as long as nothing durable happens in the room."""

from __future__ import annotations

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
        self._known: OrderedDict[str, tuple[int, Kept]] = OrderedDict()

    async def of(self, room_id: str) -> Kept:
        """What there is in the room. Costs a look-up, or a `read` where something has happened since the last."""
        position = self._position(room_id)
        known = self._known.get(room_id)
        if known is not None and known[0] == position:
            return known[1]
        value = await self._read(room_id)
        # Of the position from before the read: it may have seen more, which then comes to everybody as an event, too.
        if position is not None:
            self._known[room_id] = position, value
            self._known.move_to_end(room_id)
            if len(self._known) > ROOMS:
                self._known.popitem(last=False)
        return value
