"""The database's epoch: positions of clients count only within one."""

from __future__ import annotations

import secrets

from anonchat.delivery.journal import Journal, Transaction
from anonchat.store.events import INSERT_META, SELECT_META, UPSERT_META


async def stored_epoch(journal: Journal) -> str:
    """The epoch, made at the first start."""

    async def work(tx: Transaction) -> str:
        await tx.execute(INSERT_META, {"key": "epoch", "value": _fresh()})  # unless another node was faster
        row = await tx.fetch_one(SELECT_META, {"name": "epoch"})
        assert row is not None
        return str(row["value"])

    return await journal.transaction(work)


async def renew_epoch(journal: Journal) -> str:
    """Have all clients that come back start over: what they have seen may not be what is stored."""
    return await journal.transaction(_renew)


async def _renew(tx: Transaction) -> str:
    fresh = _fresh()
    await tx.execute(UPSERT_META, {"key": "epoch", "value": fresh})
    return fresh


def _fresh() -> str:
    return secrets.token_hex(8)
