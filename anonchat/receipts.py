"""What is remembered of sends, so that a repetition gets the same answer and never sends twice.

The newest receipts are in memory. Of most sessions all are, so what is not among them is new, and nothing is read. Else the
database is asked: whoever asks while a read is on its way waits for the next one, so that a crowd costs one query and not
one for each.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from anonchat.clock import Clock
from anonchat.journal import Journal
from anonchat.models import Draft, Receipt, Session
from anonchat.store import messages as statements

RECENT = 20_000  # kept in memory, so that repetitions after a lost connection cost no query
TOGETHER = 500  # asked for in one query
DOUBTED = 20_000  # sessions that are noted as known in part

Key = tuple[str, str]
"""Session id and the client's own id of a message: what makes a send the same."""


def key_of(draft: Draft) -> Key:
    """By what a send is known."""
    return draft.session.id, draft.client_msg_id


class Receipts:
    """Receipts by their key."""

    def __init__(self, journal: Journal, clock: Clock, *, alone: bool) -> None:
        """`alone`: no other node answers sends, so sessions that began after this one are known from their beginning."""
        self._journal = journal
        self._clock = clock
        self._alone = alone
        self._known_since = clock.now()
        self._doubted: set[str] = set()
        self._recent: OrderedDict[Key, Receipt] = OrderedDict()
        self._wanted: dict[Key, asyncio.Future[Receipt | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    def remember(self, key: Key, receipt: Receipt) -> None:
        """Keep a receipt in memory, and let the oldest go."""
        self._recent[key] = receipt
        if len(self._recent) > RECENT:
            (session_id, _), _ = self._recent.popitem(last=False)
            self.doubt(session_id)

    def doubt(self, session_id: str) -> None:
        """Not all of the session's receipts are in memory (any more)."""
        self._doubted.add(session_id)
        if len(self._doubted) > DOUBTED:
            self._doubted.clear()
            self._known_since = self._clock.now()  # all that began before are doubted

    def remembered(self, key: Key) -> Receipt | None:
        """The receipt of a send that was answered not long ago."""
        return self._recent.get(key)

    async def find(self, draft: Draft) -> Receipt | None:
        """The receipt of a send that is stored, from memory or the database. Raises what reading raises."""
        key = key_of(draft)
        if (known := self._recent.get(key)) is not None or self._knows_all_of(draft.session):
            return known
        found = self._wanted.get(key)
        if found is None:
            found = self._wanted[key] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_all())
        return await asyncio.shield(found)

    def _knows_all_of(self, session: Session) -> bool:
        return self._alone and session.created_at > self._known_since and session.id not in self._doubted

    async def _read_all(self) -> None:
        try:
            while self._wanted:
                some = dict(list(self._wanted.items())[:TOGETHER])
                for key in some:
                    del self._wanted[key]
                await self._read(some)
        finally:
            self._reading = None

    async def _read(self, wanted: Mapping[Key, asyncio.Future[Receipt | None]]) -> None:
        try:
            rows = await self._journal.fetch_all(statements.SELECT_RECEIPTS, {"keys": list(wanted)})
        except Exception as error:
            for found in wanted.values():
                found.set_exception(error)
                found.exception()  # whoever asked may have gone
            return
        stored = {(row["session_id"], row["client_msg_id"]): statements.receipt_of(row) for row in rows}
        for key, found in wanted.items():
            found.set_result(stored.get(key))
