"""Invites: several links into a room, each with a role, an end and a number of uses of its own."""

from __future__ import annotations

from collections.abc import Sequence

from anonchat.clock import Clock
from anonchat.delivery.journal import Journal, Transaction
from anonchat.errors import ChatError
from anonchat.ids import new_invite_token, token_hash
from anonchat.models import RANK_MODERATOR, RANK_OWNER, RANK_PARTICIPANT, Invite, Role, Room, Session
from anonchat.plugins.dispatch import Dispatcher
from anonchat.rooms.rooms import Rooms
from anonchat.storage.roles import Row, Statements
from anonchat.store import rooms as statements

INVITES = 100  # that a room may have, revoked ones included


class Invites:
    """The rules about invites. Each use is counted where somebody joins, see `Seats`."""

    def __init__(self, journal: Journal, dispatcher: Dispatcher, clock: Clock, rooms: Rooms) -> None:
        self._rooms = rooms
        self._journal = journal
        self._dispatcher = dispatcher
        self._clock = clock

    async def open(self, room_id: str, token: str, *, used_up: bool = False) -> tuple[Room, Invite]:
        """The room, and the invite to it that `token` opens now; for whoever may have used it before, also one that is `used_up`.

        Raises `room_not_found`, `room_ended`, `invalid_invite`.
        """
        wanted = {"room": room_id, "token": token_hash(token), "now": self._clock.now()}

        async def work(tx: Statements) -> tuple[Room, Row | None]:
            return await self._rooms.find(room_id, tx), await tx.fetch_one(statements.SELECT_VALID_INVITE, wanted)

        room, row = await self._journal.read(work)
        invite = statements.invite_of(row) if row is not None else None
        if invite is None or (not used_up and invite.max_uses is not None and invite.uses >= invite.max_uses):
            self._dispatcher.observe("authentication_failed", where="rest", code="invalid_invite")
            raise ChatError("invalid_invite")
        return room, invite

    async def create(self, by: Session, role: Role, seconds: int | None, max_uses: int | None) -> tuple[Invite, str]:
        """Make one more invite to the room of `by`; returns it and its token, which is shown once.

        Raises `rank_too_low` for one that makes an equal of `by`, and `conflict` at the hundredth.
        """
        room_id, now = by.room_id, self._clock.now()
        token = new_invite_token()
        rank = RANK_MODERATOR if role == "moderator" else RANK_PARTICIPANT
        row = statements.invite_row(room_id, token, role, rank, now)
        row |= {"expires_at": now + seconds * 1_000 if seconds else None, "max_uses": max_uses}

        async def work(tx: Transaction) -> Invite:
            await tx.fetch_one(statements.LOCK_ROOM, {"room": room_id})
            if rank >= await tx.present_rank(by):
                raise ChatError("rank_too_low", "Only holders of the moderator link invite moderators.")
            count = await tx.fetch_one(statements.COUNT_INVITES, {"room": room_id})
            if count is not None and count[0] >= INVITES:
                raise ChatError("conflict", f"A room can have {INVITES} invites.")
            await tx.execute(statements.INSERT_INVITE, row)
            made = await tx.fetch_one(statements.SELECT_INVITE, {"room": room_id, "invite": row["id"]})
            assert made is not None
            return statements.invite_of(made)

        return await self._journal.transaction(work, room_id), token

    async def rotate_owner(self, room_id: str) -> str:
        """Refuse the room's moderator token from now on, and return a new one, which is shown once."""
        token = new_invite_token()
        row = statements.invite_row(room_id, token, "moderator", RANK_OWNER, self._clock.now())

        async def work(tx: Transaction) -> None:
            if await tx.fetch_one(statements.LOCK_ROOM, {"room": room_id}) is None:
                raise ChatError("room_ended")
            await tx.execute(statements.DELETE_INVITES, {"room": room_id, "with_rank": RANK_OWNER})
            await tx.execute(statements.INSERT_INVITE, row)

        await self._journal.transaction(work, room_id)
        return token

    async def all(self, room_id: str) -> Sequence[Invite]:
        """All invites of a room, oldest first."""
        rows = await self._journal.fetch_all(statements.SELECT_INVITES, {"room": room_id})
        return [statements.invite_of(row) for row in rows]

    async def revoke(self, by: Session, invite_id: str) -> None:
        """Refuse an invite to the room of `by` from now on. Raises `not_found`, or `rank_too_low`."""
        change = {"room": by.room_id, "invite": invite_id, "now": self._clock.now()}

        async def work(tx: Transaction) -> None:
            await tx.fetch_one(statements.LOCK_ROOM, {"room": by.room_id})
            rank = await tx.present_rank(by)
            row = await tx.fetch_one(statements.SELECT_INVITE, {"room": by.room_id, "invite": invite_id})
            if row is not None and row["rank"] >= rank and rank < RANK_OWNER:
                raise ChatError("rank_too_low", "Somebody of your own or a higher rank made that link.")
            if await tx.execute(statements.REVOKE_INVITE, change) == 0:
                raise ChatError("not_found", "There is no such invite, or it was revoked already.")

        await self._journal.transaction(work, by.room_id)
