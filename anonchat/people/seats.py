"""Seats: who owns which name and place in a room, from joining to the end of the hold.

Decided in the database, by a unique key and a counter, in one transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anonchat.clock import Clock
from anonchat.config.settings import SessionSettings
from anonchat.delivery.hub import Hub
from anonchat.delivery.journal import Journal, Transaction
from anonchat.errors import ChatError
from anonchat.ids import new_id, new_token, token_hash
from anonchat.models import RANK_PARTICIPANT, Role, Room, Session
from anonchat.people.names import InvalidName, clean_name, folded, name_key
from anonchat.people.open_sockets import OpenSockets
from anonchat.plugins.dispatch import Dispatcher
from anonchat.store import rooms as room_statements
from anonchat.store import sessions as statements

CHUNK = 200  # sessions that one transaction touches at most
SOON = 10_000  # milliseconds in which a tick has come, also on a busy node
LEAST_HOLD = 2_000  # milliseconds; holds are extended at most once a second


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody who wants to join. `network`, `device_hash` and `fingerprint_hash` are keyed with the room's secret."""

    username: str
    role: Role
    network: str
    avatar: str | None = None
    device_hash: str | None = None
    fingerprint_hash: str | None = None


class Seats:
    """The rules about names and places."""

    def __init__(
        self,
        journal: Journal,
        dispatcher: Dispatcher,
        clock: Clock,
        settings: SessionSettings,
        hub: Hub,
        open_sockets: OpenSockets,
    ) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._clock = clock
        self._settings = settings
        self._hub = hub
        self._open_sockets = open_sockets
        self._touched = clock.now()
        self._due: set[str] = set()  # sessions whose hold is to be extended at the next tick

    # --- coming in

    async def join(self, room: Room, applicant: Applicant, invite_token: str) -> tuple[Session, str]:
        """A new session of the room, and its token.

        The same device under the same name gets its own session back, with one more token; that is no use of the invite,
        unless it raises the session. Raises `username_invalid`, `username_taken`, `room_full`, `room_closed`,
        `invalid_invite`, and whatever a plugin's `check_join` says.
        """
        try:
            username = clean_name(applicant.username)
        except InvalidName as error:
            raise ChatError("username_invalid", str(error), errors={"username": [str(error)]}) from error
        await self._dispatcher.guard("check_join", room=room, applicant=applicant)
        await self.keep_up()
        token = new_token()

        async def work(tx: Transaction) -> tuple[Session, bool, bool]:
            now = self._clock.now()
            locked = await tx.fetch_one(room_statements.LOCK_ROOM, {"room": room.id})  # rooms before all else
            if locked is None or locked["ended_at"] is not None:
                raise ChatError("room_ended")
            invite = {"room": room.id, "token": token_hash(invite_token), "now": now}
            role, rank = await _what_it_opens(tx, invite)
            row = self._row(room, applicant, username, role, rank, now)
            session, raised = await _own_session(tx, row)
            is_new = session is None
            if (is_new or raised) and await tx.execute(room_statements.USE_INVITE, invite) == 0:
                raise ChatError("invalid_invite")
            if session is None:
                if not locked["is_open"] and rank == RANK_PARTICIPANT:
                    raise ChatError("room_closed")
                session = await self._take_seat(tx, room, row, now)
            token_row = {"token_hash": token_hash(token), "session_id": session.id, "created_at": now}
            await tx.execute(statements.INSERT_TOKEN, token_row)
            await tx.execute(statements.PRUNE_TOKENS, {"session": session.id, "token": token_hash(token)})
            return session, is_new, raised

        try:
            session, is_new, raised = await self._journal.transaction(work, room.id)
        except ChatError as error:
            if error.code == "invalid_invite":
                self._dispatcher.observe("authentication_failed", where="rest", code=error.code)
            raise
        if is_new:
            self._dispatcher.observe("session_joined", session=session)
        else:
            self._open_sockets.change(session)  # open sockets act under its present role at once
        if raised:
            self._dispatcher.observe("role_changed", session=session)
        return session, token

    async def _take_seat(self, tx: Transaction, room: Room, row: dict[str, Any], now: int) -> Session:
        await _claim_place(tx, room.id, now)
        while await tx.fetch_one(
            statements.SELECT_ANONYMOUS_ID, {"room": room.id, "anonymous_id": row["anonymous_id"]}
        ):
            row["anonymous_id"] = secrets.token_hex(3)
        if await tx.fetch_one(statements.INSERT_SESSION, row) is None:
            raise ChatError("username_taken")
        return await _fetch(tx, row["id"])

    def _row(self, room: Room, applicant: Applicant, username: str, role: Role, rank: int, now: int) -> dict[str, Any]:
        return {
            "id": new_id(),
            "room_id": room.id,
            "username": username,
            "folded": folded(username),
            "name_key": name_key(username),
            "anonymous_id": secrets.token_hex(3),
            "role": role,
            "rank": rank,
            "avatar": applicant.avatar,
            "device_hash": applicant.device_hash,
            "fingerprint_hash": applicant.fingerprint_hash,
            "connected": 0,
            "created_at": now,
            "seat_until": now + round(self._settings.connect_seconds * 1_000),
            "expires_at": now + round(self._settings.ttl_seconds * 1_000),
        }

    # --- coming back

    async def seat(self, session: Session) -> Session:
        """Make sure that the session owns its name and place, and extend its hold.

        Waits for a write only where they might be lost before the next tick, which extends holds that are more than a
        third used. Raises `name_lost` or `room_full`.
        """
        now = self._clock.now()
        hold = self._hold
        if session.name_key is not None and min(session.seat_until, session.expires_at) > now + SOON:
            if session.expires_at <= now + self._ttl * 2 // 3 or session.seat_until <= now + hold * 2 // 3:
                self._due.add(session.id)
            return session

        async def work(tx: Transaction) -> Session:
            await tx.fetch_one(room_statements.LOCK_ROOM, {"room": session.room_id})
            row = await tx.fetch_one(statements.SELECT_SESSION, {"session": session.id})
            if row is None:
                raise ChatError("invalid_token")
            key = row["name_key"] or await self._retake(tx, session, now)
            held = {"session": session.id, "held_key": key, "until": now + hold, "expires": now + self._ttl}
            await tx.execute(statements.UPDATE_SEATED, held)
            return await _fetch(tx, session.id)

        await self.keep_up()
        return await self._journal.transaction(work, session.room_id)

    async def _retake(self, tx: Transaction, session: Session, now: int) -> str:
        key = name_key(session.username)
        await _release_lapsed(tx, session.room_id, now)
        if await tx.fetch_one(statements.SELECT_NAME_HOLDER, {"room": session.room_id, "wanted_key": key}):
            raise ChatError("name_lost")
        await _claim_place(tx, session.room_id, now)
        return key

    @property
    def _hold(self) -> int:
        return round(self._settings.name_hold_seconds * 1_000)

    @property
    def _ttl(self) -> int:
        return round(self._settings.ttl_seconds * 1_000)

    def absent(self, session: Session) -> None:
        """The last socket of the session is gone: its hold begins to run."""
        self._due.add(session.id)

    async def touch(self, *, everybody: bool = False) -> None:
        """Let holds begin for those who have come or gone and, with `everybody`, extend those of all connected sessions."""
        due, self._due = self._due, set()
        try:
            await self._extend([*due, *(self._hub.sessions() if everybody else ())])
        except ChatError:
            self._due |= due  # the storage is away; they keep their turn
            raise
        if everybody:
            self._touched = self._clock.now()

    async def keep_up(self) -> None:
        """After a leap of the clock (a machine that slept) nobody takes the seat of somebody who is connected."""
        if self._clock.now() > self._touched + max(self._hold * 2 // 3, LEAST_HOLD):
            await self.touch(everybody=True)

    async def _extend(self, sessions: Sequence[str]) -> None:
        now = self._clock.now()
        times = {"until": now + self._hold, "expires": now + self._ttl}
        for start in range(0, len(sessions), CHUNK):
            some = {"sessions": sessions[start : start + CHUNK], **times}
            await self._journal.transaction(lambda tx, some=some: tx.execute(statements.TOUCH_SESSIONS, some))  # type: ignore[misc]


async def _what_it_opens(tx: Transaction, invite: Mapping[str, Any]) -> tuple[Role, int]:
    row = await tx.fetch_one(room_statements.SELECT_VALID_INVITE, invite)
    if row is None:
        raise ChatError("invalid_invite")
    return row["role"], row["rank"]


async def _fetch(tx: Transaction, session_id: str) -> Session:
    row = await tx.fetch_one(statements.SELECT_SESSION, {"session": session_id})
    assert row is not None
    return statements.session_of(row)


async def _own_session(tx: Transaction, row: dict[str, Any]) -> tuple[Session | None, bool]:
    """The session that the same device holds under the same name, alive again, and whether a better invite raised it."""
    if row["device_hash"] is None:
        return None, False
    wanted = {"room": row["room_id"], "device": row["device_hash"], "name_key": row["name_key"]}
    found = await tx.fetch_one(statements.SELECT_BY_DEVICE, wanted)
    if found is None:
        return None, False
    until = max(found["seat_until"], row["seat_until"])
    hold = {"session": found["id"], "until": until, "expires": row["expires_at"]}
    await tx.execute(statements.UPDATE_HOLD, hold)
    raised = row["rank"] > found["rank"]
    if raised:
        role = {"session": found["id"], "new_role": row["role"], "new_rank": row["rank"]}
        await tx.execute(statements.UPDATE_ROLE, role)
    return await _fetch(tx, found["id"]), raised


async def _release_lapsed(tx: Transaction, room_id: str, now: int) -> None:
    """Free the names and places whose hold is over."""
    released = await tx.execute(statements.RELEASE_LAPSED, {"room": room_id, "now": now})
    if released:
        await tx.execute(statements.FREE_SEATS, {"room": room_id, "count": released})


async def _claim_place(tx: Transaction, room_id: str, now: int) -> None:
    """Count one more place, or raise `room_full`."""
    await _release_lapsed(tx, room_id, now)
    if await tx.execute(statements.TAKE_SEATS, {"room": room_id, "change": 1}) == 0:
        raise ChatError("room_full")
