"""What is over is deleted, with the marks of the people in it."""

from __future__ import annotations

from sqlalchemy.sql import ClauseElement

from anonchat import Session, Transaction
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts

LOT = 500  # rows that one transaction deletes
LOTS = 100  # in one run


async def delete_expired(acts: Acts) -> None:
    """The job: delete bans and mutes that are over, and entries of logs that are too old."""
    now = acts.now
    before = now - acts.ctx.config["log_seconds"] * 1_000
    await _delete(acts, statements.DELETE_EXPIRED_BANS, now)
    await _delete(acts, statements.DELETE_EXPIRED_MUTES, now)
    await _delete(acts, statements.DELETE_OLD_ENTRIES, before)


async def _delete(acts: Acts, statement: ClauseElement, before: int) -> None:
    due = {"now": before, "limit": LOT}
    for _ in range(LOTS):
        if await acts.ctx.db.transaction(lambda tx: tx.execute(statement, due)) < LOT:
            return


async def forget(tx: Transaction, session: Session) -> None:
    """Somebody leaves and wants to be forgotten: their reports go, and the log has no name for them any more.

    What keeps them out or quiet stays until it is over: it holds marks, and leaving must not lift it.
    """
    whose = {"room": session.room_id, "session": session.id}
    for statement in (statements.FORGET_REPORTS, statements.FORGET_TARGET, statements.FORGET_ACTOR):
        await tx.execute(statement, whose)
