"""What was deleted with rooms is erased in the background: nobody who ends a room, or is told of it, waits for that."""

from __future__ import annotations

import asyncio

import structlog

from anonchat.errors import ChatError
from anonchat.storage.roles import Database

log = structlog.get_logger("anonchat.retention")


class Erasing:
    """Erases once for all who ask while it waits for its turn: on Postgres it may take minutes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Erase soon what has been deleted up to now."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._erase())

    async def _erase(self) -> None:
        while self._wanted:
            self._wanted = False
            try:
                await self._database.erase()
            except ChatError as error:
                log.warning("what was deleted is erased by the next run of retention", code=error.code)

    async def close(self) -> None:
        """Give up what is not done; the next run of retention does it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
