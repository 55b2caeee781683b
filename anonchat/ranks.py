"""Ranks as they are in the transaction of an act: who was demoted meanwhile, on whichever node, does not act any more."""

from __future__ import annotations

from anonchat.delivery.journal import Transaction
from anonchat.errors import ChatError
from anonchat.models import RANK_MODERATOR, RANK_PARTICIPANT, Message, Session
from anonchat.store import sessions as statements


async def present_rank(tx: Transaction, session: Session) -> int:
    """The rank of who acts. Raises `session_expired` for somebody who has left."""
    row = await tx.fetch_one(statements.SELECT_SESSION, {"session": session.id})
    if row is None:
        raise ChatError("session_expired")
    return int(row["rank"])


async def author_rank(tx: Transaction, message: Message) -> int:
    """The rank of who wrote a message; of somebody who has left, as it was then."""
    row = await tx.fetch_one(statements.SELECT_SESSION, {"session": message.session_id})
    if row is not None:
        return int(row["rank"])
    return RANK_MODERATOR if message.role == "moderator" else RANK_PARTICIPANT
