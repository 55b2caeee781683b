"""Sessions: found by their token, looked at, changed and ended."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from anonchat.clock import Clock
from anonchat.delivery.journal import Also, Journal, Transaction
from anonchat.errors import ChatError
from anonchat.ids import token_hash
from anonchat.messages.messages import remove_some
from anonchat.models import Role, Session
from anonchat.people.names import folded
from anonchat.people.open_sockets import EXPIRED_DATA, OpenSockets
from anonchat.people.presence import Presence
from anonchat.plugins.dispatch import Dispatcher
from anonchat.protocol.cursors import cursor_of, parse_cursor
from anonchat.storage.roles import Reads, Row
from anonchat.store import rooms as room_statements
from anonchat.store import sessions as statements

DEVICE = 100  # sessions of one device that are looked at
EXPIRED = 200  # sessions that one transaction ends at most
WATCHED = 2_000  # sessions that seem to be over and may yet be touched


class Sessions:
    """The rules about sessions."""

    def __init__(
        self, journal: Journal, dispatcher: Dispatcher, clock: Clock, open_sockets: OpenSockets, presence: Presence
    ) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._clock = clock
        self._open_sockets = open_sockets
        self._presence = presence
        self._watched: dict[tuple[str, int], float] = {}  # (id, its end) -> since when, in the time of the event loop

    # --- looking

    async def find(self, token: str, tx: Reads | None = None) -> Session:
        """The session of a token. Raises `invalid_token`, `session_expired`, or `room_ended` while a grace runs."""
        row = await (tx or self._journal).fetch_one(statements.SELECT_BY_TOKEN, {"token": token_hash(token)})
        if row is None:
            raise ChatError("invalid_token")
        session = statements.session_of(row)
        if session.expires_at < self._clock.now():
            raise ChatError("session_expired")
        if row["ended_at"] is not None:
            raise ChatError("room_ended")
        return session

    async def get(self, session_id: str, tx: Reads | None = None) -> Session | None:
        """A session by its id, or None."""
        row = await (tx or self._journal).fetch_one(statements.SELECT_SESSION, {"session": session_id})
        return statements.session_of(row) if row else None

    async def participants(
        self, room_id: str, search: str, cursor: str | None, limit: int
    ) -> tuple[Sequence[Session], int, str | None]:
        """People who have a place in the room, by when they came: a page, how many there are, the next cursor."""
        after, after_id = parse_cursor(cursor, (-1, ""))
        pattern = search.casefold().translate({ord(sign): f"/{sign}" for sign in "/%_"})
        wanted = {"room": room_id, "now": self._clock.now(), "search": pattern}
        page = {**wanted, "after": after, "after_id": after_id, "limit": limit + 1}
        rows = await self._journal.fetch_all(statements.SELECT_PARTICIPANTS, page)
        total = await self._journal.fetch_one(statements.COUNT_PARTICIPANTS, wanted)
        sessions = [statements.session_of(row) for row in rows[:limit]]
        following = cursor_of(sessions[-1].created_at, sessions[-1].id) if len(rows) > limit else None
        return sessions, total[0] if total else 0, following

    async def set_role(self, session: Session, role: Role, rank: int, also: Also | None = None) -> Session:
        """Promote or demote; open sockets act under the new role at once. `also(tx)` comes first, and may refuse."""
        change = {"session": session.id, "new_role": role, "new_rank": rank}

        async def work(tx: Transaction) -> Session:
            await tx.fetch_one(room_statements.LOCK_ROOM, {"room": session.room_id})
            if also is not None:
                await also(tx)
            await tx.execute(statements.UPDATE_ROLE, change)
            row = await tx.fetch_one(statements.SELECT_SESSION, {"session": session.id})
            if row is None:
                raise ChatError("not_found", "That participant has left.")
            return statements.session_of(row)

        changed = await self._journal.transaction(work, session.room_id)
        self._open_sockets.change(changed)
        self._dispatcher.observe("role_changed", session=changed)
        return changed

    # --- going

    async def leave(self, session: Session, *, forget: bool = False, reason: str = "left") -> None:
        """End a session: its name and place are free at once. With `forget` what it wrote is deleted for real.

        Its sockets are closed by the caller's code; see `dismiss`.
        """
        after: int | None = 0
        while after is not None:
            some = partial(self._end_some, session=session, forget=forget, after=after)
            ended, after = await self._journal.transaction(some, session.room_id)
        if ended:
            self._presence.left(session.room_id, session.id)
            self._dispatcher.observe("session_left", session=session, reason=reason)

    async def _end_some(
        self, tx: Transaction, session: Session, *, forget: bool, after: int
    ) -> tuple[bool, int | None]:
        """Delete some of what the session wrote after a position and, together with the last of it, the session.

        Answers whether this ended the session (it could have ended already), and after which position to go on while
        there is more. Together, because a message of another tab could come in between and stay.
        """
        await tx.fetch_one(room_statements.LOCK_ROOM, {"room": session.room_id})
        if forget:
            _, following = await remove_some(tx, session.room_id, session.id, "forgotten", after)
            if following is not None:
                return False, following
            await self._dispatcher.write("write_forgotten", tx, session=session)
        return await _delete(tx, session.id), None

    async def expel(self, session: Session, reason: str, event: str, data: Mapping[str, Any], code: int) -> None:
        """End somebody's session: its sockets are told `event` and closed with `code`."""
        await self.leave(session, reason=reason)
        self._open_sockets.dismiss(session, code, reason, event, data)

    def dismiss(self, session: Session, code: int, reason: str) -> None:
        """Close all sockets of a session that is over, on all nodes."""
        self._open_sockets.dismiss(session, code, reason)

    async def named(self, room_id: str, usernames: Collection[str]) -> Mapping[str, Session]:
        """Name (`folded`) -> the session that holds it. One query."""
        wanted = {"room": room_id, "names": [folded(name) for name in usernames if "\0" not in name]}
        rows = await self._journal.fetch_all(statements.SELECT_NAMED, wanted)
        return {row["folded"]: statements.session_of(row) for row in rows}

    async def of_device(self, room_id: str, device_hash: str) -> Sequence[Session]:
        """The sessions of a room that began on one device, at most a hundred."""
        wanted = {"room": room_id, "device": device_hash, "limit": DEVICE}
        rows = await self._journal.fetch_all(statements.SELECT_OF_DEVICE, wanted)
        return [statements.session_of(row) for row in rows]

    async def check_forget(self, room_id: str) -> None:
        """Raise `forbidden` where the room's setting `allowForget` is false: what was said there stays until its end."""
        row = await self._journal.fetch_one(room_statements.SELECT_ROOM, {"room": room_id})
        if row is not None and room_statements.room_of(row).settings.get("allowForget") is False:
            raise ChatError("forbidden", "This room does not let people take back what they wrote when they leave.")

    def disconnect(self, session_id: str, code: int, reason: str = "") -> None:
        """Close all sockets of a session on this node."""
        self._open_sockets.close(session_id, code, reason)

    async def expire(self, untouched_seconds: float = 0.0) -> int:
        """End the sessions that were idle for longer than ``[sessions] ttl_seconds``; returns how many.

        The clock of this node may be ahead of those of others, which touch whoever is connected to them: with
        `untouched_seconds` it ends only those that were found over, and were not touched, for so long.
        """
        now = self._clock.now()
        rows = await self._journal.fetch_all(statements.SELECT_EXPIRED, {"now": now, "limit": WATCHED})
        over = self._untouched(rows, untouched_seconds)[:EXPIRED]
        rooms, sessions = list({row["room_id"] for row in over}), [row["id"] for row in over]

        async def work(tx: Transaction) -> list[Session]:
            # Rooms before sessions, as everywhere, and in one order.
            await tx.fetch_all(room_statements.LOCK_ROOMS, {"rooms": rooms})
            rows = await tx.fetch_all(statements.LOCK_EXPIRED, {"sessions": sessions, "now": now})
            for row in rows:
                await _delete(tx, row["id"])
            return [statements.session_of(row) for row in rows]

        ended = await self._journal.transaction(work) if over else []
        for session in ended:
            self._open_sockets.dismiss(session, 4401, "session_expired", "error", EXPIRED_DATA)
            self._presence.left(session.room_id, session.id)
            self._dispatcher.observe("session_left", session=session, reason="expired")
        return len(ended)

    def _untouched(self, rows: Sequence[Row], seconds: float) -> Sequence[Row]:
        """Those of the sessions that seem to be over whose end has been the same for so long."""
        time, before = asyncio.get_running_loop().time(), self._watched
        ends = [(row["id"], row["expires_at"]) for row in rows]
        self._watched = {end: before.get(end, time) for end in ends}
        return [row for row, end in zip(rows, ends, strict=True) if self._watched[end] <= time - seconds]


async def _delete(tx: Transaction, session_id: str) -> bool:
    """End a session; answers whether it was there."""
    row = await tx.fetch_one(statements.SELECT_SESSION, {"session": session_id})
    if row is None:
        return False
    await tx.execute(statements.DELETE_SESSION, {"session": session_id})
    if row["name_key"] is not None:
        await tx.execute(statements.FREE_SEATS, {"room": row["room_id"], "count": 1})
    return True
