"""What is over is deleted, with the marks of the people in it; and what people are told about that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.sql import ClauseElement

from anonchat import Session, Transaction
from anonchat_moderation import statements
from anonchat_moderation.acts import Acts

DAY, HOUR = 86_400, 3_600
LOT = 500  # rows that one transaction deletes
LOTS = 100  # in one run


async def delete_expired(acts: Acts) -> None:
    """The job: delete bans and mutes that were over a day ago, and entries of logs that are too old.

    What is over does not hold, deleted or not; but what a clock that was ahead for a moment has deleted is lost.
    """
    now = acts.now
    before = now - acts.ctx.config["log_seconds"] * 1_000
    over = now - DAY * 1_000
    await _delete(acts, statements.DELETE_EXPIRED_BANS, over)
    await _delete(acts, statements.DELETE_EXPIRED_MUTES, over)
    await _delete(acts, statements.DELETE_OLD_ENTRIES, before)


async def _delete(acts: Acts, statement: ClauseElement, before: int) -> None:
    due = {"now": before, "limit": LOT}
    for _ in range(LOTS):
        if await acts.ctx.db.transaction(lambda tx: tx.execute(statement, due)) < LOT:
            return


async def forget(tx: Transaction, session: Session) -> None:
    """Somebody leaves and wants to be forgotten: the log has no name for them any more.

    What keeps them out or quiet stays until it is over, and a day longer: it holds marks, and leaving must not lift it.
    """
    whose = {"room": session.room_id, "session": session.id}
    for statement in (statements.FORGET_TARGET, statements.FORGET_ACTOR):
        await tx.execute(statement, whose)


def privacy(config: Mapping[str, Any]) -> Mapping[str, str]:
    """Sentences for the page ``/privacy``."""
    network = " and network (cut so short that thousands of addresses share it)" if config["ban_networks"] else ""
    longest = span(config["max_ban_seconds"])
    names = "Everybody in the room may read what was done, without names." if config["public_log"] else ""
    return {
        "bans": f"Of somebody who is kicked or banned, name, reason and hashes of device, browser{network} are kept until "
        f"a day after that is over, which lasts for {longest} at most; they mean nothing in another room.",
        "mutes": f"Of somebody who is muted, reason and hashes of device, browser{network} are kept until a day after that is "
        f"over, which lasts for {span(config['max_mute_seconds'])} at most; they mean nothing in another room.",
        "reports": "A report is kept with the message that it is about and a hash of the device that it came from; moderators do "
        "not see who made it.",
        "repeats": "Of the last messages, hashes are kept in memory for a while, so that floods are found; never in the database.",
        "log": f"What moderators did is kept for {span(config['log_seconds'])} at most, with names. {names}".strip(),
    }


def span(seconds: int) -> str:
    """A time in words, as long as a setting may be."""
    for unit, name in ((DAY, "days"), (HOUR, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{round(seconds / unit)} {name}"
    return f"{seconds} seconds"
