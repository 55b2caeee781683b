"""What is remembered of sends, so that a repetition gets the same answer and never sends twice.

The newest receipts are in memory, for a quarter of an hour. The others are read where a send would be refused; a send
that would be stored is looked up in the transaction that would store it.
"""

from __future__ import annotations

from collections import OrderedDict

from anonchat.clock import Clock
from anonchat.delivery.journal import Journal
from anonchat.models import Draft, Receipt
from anonchat.store import messages as statements

RECENT = 20_000  # kept in memory, so that repetitions after a lost connection cost no query
RECENT_MILLISECONDS = 900_000  # and no longer than this: who has left and what has ended leaves nothing there either

Key = tuple[str, str]
"""Session id and the client's own id of a message: what makes a send the same."""


def key_of(draft: Draft) -> Key:
    """By what a send is known."""
    return draft.session.id, draft.client_msg_id


class Receipts:
    """Receipts by their key."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._recent: OrderedDict[Key, Receipt] = OrderedDict()

    def remember(self, key: Key, receipt: Receipt) -> None:
        """Keep a receipt in memory, and let the oldest go."""
        self._recent[key] = receipt
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    async def forget_old(self) -> None:
        """Let go what was sent a while ago: a job. The database still has it, for as long as the session lives."""
        now = self._clock.now()
        while self._recent:
            key, oldest = next(iter(self._recent.items()))
            if now - RECENT_MILLISECONDS < oldest.created_at <= now:
                return
            del self._recent[key]

    def remembered(self, key: Key) -> Receipt | None:
        """The receipt of a send that was answered not long ago."""
        return self._recent.get(key)

    async def find(self, key: Key) -> Receipt | None:
        """The receipt of a send that is stored, from memory or the database. Raises what reading raises."""
        if (known := self._recent.get(key)) is not None:
            return known
        row = await self._journal.fetch_one(statements.SELECT_RECEIPTS, {"keys": [key]})
        return statements.receipt_of(row) if row else None
