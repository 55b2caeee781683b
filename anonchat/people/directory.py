"""Who is there on the other nodes: told by signals as it happens, kept in groups that expire, compared now and then.

Group ``presence:<room>`` has a member ``<node>:<session>`` for each participant with a socket on a node, and group
``nodes`` the nodes that live. A node tells that it lives once a second, or in an eighth of a lease where that is less; it is
believed for a quarter, and its people are gone a quarter after it was last seen. Four seconds are the least of a lease, so
that a quarter is long enough for a beat, and no lease is ever exceeded. Rooms are compared once in an eighth.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog

from anonchat.clock import Clock
from anonchat.delivery.relay import Relay
from anonchat.errors import ChatError
from anonchat.models import Session
from anonchat.people.presence import Presence
from anonchat.storage.roles import Ephemeral

log = structlog.get_logger("anonchat.presence")

NODES = "nodes"
ENTRY_MILLISECONDS = 86_400_000  # of one participant on one node; it is entered again when it is over
LOOKS = 3  # at which an entry has to be missing: a flush loses all of them, and each node has to enter its own again
ROOMS = 200  # that are looked at together
MOST_BEAT_SECONDS = 1.0  # so that a node which Redis was away from for a while is seen again before it is given up


class Directory:
    """Keeps `Presence` of this node and that of the others the same, for the rooms that are active here."""

    def __init__(
        self, relay: Relay, ephemeral: Ephemeral, clock: Clock, presence: Presence, lease_seconds: float
    ) -> None:
        self._relay = relay
        self._ephemeral = ephemeral
        self._clock = clock
        self._presence = presence
        self._believed = round(lease_seconds / 4 * 1_000)
        self.beat_seconds = min(MOST_BEAT_SECONDS, lease_seconds / 8)
        self._between_looks = round(lease_seconds / 8 * 1_000)
        self._next_look = 0
        self.name = secrets.token_hex(8)
        self._seen: dict[str, int] = {}
        self._missing: dict[str, dict[str, int]] = {}  # room -> member -> looks
        self._changes: dict[str, dict[str, bytes | None]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._was_alone = False
        relay.on_signal("presence_here", self._heard_here)
        relay.on_signal("presence_away", self._heard_away)

    # --- what this node tells

    def here(self, session: Session) -> None:
        """The session has a socket on this node, or looks different from before."""
        packed = orjson.dumps(_described(session))
        self._relay.signal(session.room_id, "presence_here", {"node": self.name, "session": _described(session)})
        self._change(session.room_id, session.id, packed)

    def away(self, session: Session, *, is_over: bool = False) -> None:
        """The session has no socket on this node any more; without a grace if it `is_over`."""
        told = {"node": self.name, "sessionId": session.id, "isOver": is_over}
        self._relay.signal(session.room_id, "presence_away", told)
        self._change(session.room_id, session.id, None)

    def _change(self, room_id: str, session_id: str, value: bytes | None) -> None:
        self._changes.setdefault(room_id, {})[f"{self.name}:{session_id}"] = value
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """Everything that has changed until now, room by room; what cannot be written now is found by `beat`."""
        try:
            while self._changes:
                changes, self._changes = self._changes, {}
                await asyncio.gather(*(self._write_room(room, entries) for room, entries in changes.items()))
        except ChatError:
            self._was_alone = True
        finally:
            self._writing = None

    async def _write_room(self, room_id: str, entries: Mapping[str, bytes | None]) -> None:
        entered = {member: value for member, value in entries.items() if value is not None}
        if entered:
            await self._ephemeral.enter(_group(room_id), entered, ENTRY_MILLISECONDS)
        if len(entered) < len(entries):
            await self._ephemeral.leave(_group(room_id), [member for member in entries if member not in entered])

    # --- what the others tell

    def _heard_here(self, room_id: str, data: Mapping[str, Any]) -> None:
        self._seen.setdefault(data["node"], self._clock.now())
        self._arrived(data["node"], Session(**data["session"]))

    def _arrived(self, node: str, session: Session) -> None:
        """Somebody is there, unless the room is not heard here any more: nobody would hear them go, and take them out."""
        if self._relay.is_heard(session.room_id):
            self._presence.arrived(node, session)

    def _heard_away(self, room_id: str, data: Mapping[str, Any]) -> None:
        if data.get("isOver"):  # it may have been taken for one who has just come, if that was heard after the end
            self._presence.left(room_id, data["sessionId"])
        else:
            self._presence.departed(data["node"], room_id, data["sessionId"])

    # --- what is stored

    async def opened(self, room_id: str) -> None:
        """The room becomes active on this node, and is subscribed to: read who is there."""
        try:
            nodes, members = await asyncio.gather(
                self._ephemeral.members(NODES), self._ephemeral.members(_group(room_id))
            )
        except ChatError:
            return  # the next beat tells
        for node in nodes:
            self._seen.setdefault(node, self._clock.now())
        for member, value in members.items():
            node = _node_of(member)
            if node in nodes and node != self.name:
                self._arrived(node, Session(**orjson.loads(value)))

    def closed(self, room_id: str) -> None:
        """Nobody on this node is in the room any more: what happens there is not heard from now on."""
        self._presence.forget_elsewhere(room_id)
        self._missing.pop(room_id, None)

    async def beat(self) -> None:
        """Tell that this node lives, find nodes that do not, and compare the active rooms with what is stored."""
        try:
            await self._ephemeral.enter(NODES, {self.name: b""}, self._believed)
            nodes = await self._ephemeral.members(NODES)
        except ChatError:
            self._was_alone = True
            return
        now = self._clock.now()
        if self._was_alone:  # whoever was not seen meanwhile may have lived
            self._seen = dict.fromkeys(self._seen, now)
            self._was_alone, self._next_look = False, now
        self._seen |= dict.fromkeys(nodes, now)
        dead = [node for node, seen in self._seen.items() if now > seen + self._believed and node != self.name]
        for node in dead:
            log.warning("a node is gone; its people are announced gone", node=node)
            self._presence.vanished(node)
            del self._seen[node]
        if now >= self._next_look or self._next_look > now + self._between_looks:  # a clock may be set back
            self._next_look = now + self._between_looks
            rooms = self._relay.active_rooms()
            for start in range(0, len(rooms), ROOMS):
                await self._compare(rooms[start : start + ROOMS])

    async def _compare(self, rooms: Sequence[str]) -> None:
        before = {room_id: self._elsewhere(room_id) for room_id in rooms}
        try:
            found = await asyncio.gather(*(self._ephemeral.members(_group(room_id)) for room_id in rooms))
        except ChatError:
            self._was_alone = True
            return
        for room_id, members in zip(rooms, found, strict=True):
            self._compare_own(room_id, members)
            # Who was here when it was asked, and is not any more, has gone while the answer was on its way.
            gone = before[room_id] - self._elsewhere(room_id)
            self._compare_others(room_id, {member: value for member, value in members.items() if member not in gone})

    def _elsewhere(self, room_id: str) -> set[str]:
        return {f"{node}:{session_id}" for node, session_id in self._presence.of(room_id).elsewhere()}

    def _compare_own(self, room_id: str, members: Mapping[str, bytes]) -> None:
        own = {f"{self.name}:{session.id}": session for session in self._presence.of(room_id).here()}
        for member, session in own.items():
            if member not in members:
                self._change(room_id, session.id, orjson.dumps(_described(session)))
        for member in members:
            if _node_of(member) == self.name and member not in own:
                self._change(room_id, member.partition(":")[2], None)

    def _compare_others(self, room_id: str, members: Mapping[str, bytes]) -> None:
        known = self._elsewhere(room_id)
        for member in members.keys() - known:
            node = _node_of(member)
            if node == self.name:
                continue
            if node in self._seen:
                self._arrived(node, Session(**orjson.loads(members[member])))
            else:  # left behind by a node that is gone
                self._changes.setdefault(room_id, {})[member] = None
        missed = self._missing.pop(room_id, {})
        missing = {member: missed.get(member, 0) + 1 for member in known - members.keys()}
        for member, looks in missing.items():
            if looks >= LOOKS:
                node, _, session_id = member.partition(":")
                self._presence.departed(node, room_id, session_id)
        if still := {member: looks for member, looks in missing.items() if looks < LOOKS}:
            self._missing[room_id] = still

    async def close(self) -> None:
        """This node goes, and says so: nobody has to wait for its lease."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        try:
            await self._ephemeral.leave(NODES, [self.name])
        except ChatError:
            return


def _group(room_id: str) -> str:
    return f"presence:{room_id}"


def _node_of(member: str) -> str:
    return member.partition(":")[0]


def _described(session: Session) -> dict[str, Any]:
    """What other nodes have to know; marks of device and fingerprint stay in the database."""
    names = ("id", "room_id", "username", "anonymous_id", "role", "rank", "avatar", "created_at")
    told = {name: getattr(session, name) for name in names}
    return {**told, "name_key": None, "seat_until": session.seat_until, "expires_at": session.expires_at}
