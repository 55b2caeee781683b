"""The open sockets of sessions on all nodes: told, changed and closed, wherever they are.

Other nodes hear of it at once by a signal. One that got lost is found by `verify`, which asks the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from anonchat.delivery.hub import Hub
from anonchat.delivery.journal import Journal
from anonchat.delivery.relay import Relay
from anonchat.errors import ChatError
from anonchat.models import Session
from anonchat.people.presence import Presence
from anonchat.protocol.codec import error_data
from anonchat.store import events as event_statements
from anonchat.store import sessions as statements

VERIFIED = 2_000  # sessions that one look asks for; with more, it takes as many seconds to see them all

EXPIRED_DATA = error_data(ChatError("session_expired"))


class OpenSockets:
    """Acts on the sockets of a session, on this node and on all others."""

    def __init__(self, hub: Hub, presence: Presence, relay: Relay, journal: Journal) -> None:
        self._hub = hub
        self._presence = presence
        self._relay = relay
        self._journal = journal
        self._next = 0
        relay.on_signal("session_over", self._heard_over)
        relay.on_signal("session_changed", self._heard_changed)

    # --- acting

    def dismiss(
        self, session: Session, code: int, reason: str, event: str | None = None, data: Mapping[str, Any] | None = None
    ) -> None:
        """The session is over: its sockets are told `event`, if there is one, and closed."""
        told = {"sessionId": session.id, "code": code, "reason": reason, "event": event, "data": data or {}}
        self._relay.signal(session.room_id, "session_over", told)
        self._farewell(session.id, code, reason, event, data)

    def close(self, session_id: str, code: int, reason: str = "") -> None:
        """Close all sockets of a session on this node."""
        for member in self._hub.of_session(session_id):
            member.close(code, reason)

    def change(self, session: Session) -> None:
        """The session has another role or rank: its open sockets act under it at once, and everybody is told."""
        told = {"sessionId": session.id, "role": session.role, "rank": session.rank}
        self._relay.signal(session.room_id, "session_changed", told)
        for member in self._hub.of_session(session.id):
            member.update(session)
        self._presence.changed(session)

    def _farewell(
        self, session_id: str, code: int, reason: str, event: str | None, data: Mapping[str, Any] | None
    ) -> None:
        if event is not None:
            self._hub.send(session_id, event, data or {})
        self.close(session_id, code, reason)

    # --- hearing

    def _heard_over(self, room_id: str, data: Mapping[str, Any]) -> None:
        self._farewell(data["sessionId"], data["code"], data["reason"], data["event"], data["data"])
        self._presence.left(room_id, data["sessionId"])

    def _heard_changed(self, room_id: str, data: Mapping[str, Any]) -> None:
        self._take_role(data["sessionId"], data)

    def _take_role(self, session_id: str, role: Mapping[str, Any] | Any) -> None:
        members = self._hub.of_session(session_id)
        for member in members:
            member.update(replace(member.session, role=role["role"], rank=role["rank"]))
        if members:
            self._presence.changed(members[0].session)

    # --- looking

    async def verify(self) -> None:
        """Compare the sessions with a socket on this node with the database, some at each call, all in turn."""
        sessions = self._hub.sessions()
        start = self._next if self._next < len(sessions) else 0
        some = list(islice(sessions, start, start + VERIFIED))
        self._next = start + VERIFIED
        if not some:
            return
        before = {member: member.session for session_id in some for member in self._hub.of_session(session_id)}
        rows = await self._journal.fetch_all(statements.SELECT_ROLES, {"sessions": some})
        found = {row["id"]: row for row in rows}
        for session_id, row in found.items():
            members = self._hub.of_session(session_id)
            if any(before.get(member) is not member.session for member in members):
                continue  # the answer may be older than what has changed meanwhile; the next look sees
            if any((member.session.role, member.session.rank) != (row["role"], row["rank"]) for member in members):
                self._take_role(session_id, row)
        await self._end([session_id for session_id in some if session_id not in found])

    async def _end(self, missing: list[str]) -> None:
        """Close what is over; but not where the whole room is, whose members are told that."""
        rooms = {member.session.room_id for session_id in missing for member in self._hub.of_session(session_id)}
        if not rooms:
            return
        rows = await self._journal.fetch_all(event_statements.SELECT_SEQS, {"rooms": list(rooms)})
        living = {row["id"] for row in rows}
        for session_id in missing:
            for room_id in {member.session.room_id for member in self._hub.of_session(session_id)} & living:
                self._farewell(session_id, 4401, "session_expired", "error", EXPIRED_DATA)
                self._presence.left(room_id, session_id)
