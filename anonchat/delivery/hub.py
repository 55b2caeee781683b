"""This node's connections by room: an event is encoded once for each wire format and handed to its channel.

It knows a connection only by `Member`, so that another transport can be added
without touching rooms or messages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from anonchat.models import Audience, Session


class Wire(Protocol):
    """How events look on one kind of connection. One object a kind: members are grouped by it."""

    def encode(
        self,
        event: str,
        data: Mapping[str, Any],
        *,
        seq: int | None = None,
        id: str | int | None = None,
        packed: bytes | None = None,
    ) -> bytes:
        """The bytes of one event. `packed` is the data as JSON, where that is at hand."""

    def channel(self) -> Channel:
        """A new channel, for the members of one room."""


class Member(Protocol):
    """What the hub needs of an identified connection."""

    wire: Wire

    @property
    def session(self) -> Session: ...

    @property
    def closed(self) -> bool:
        """True from the moment at which its end begins."""

    def enqueue(self, frame: bytes, droppable: bool = False) -> None:
        """Queue for the end of this turn of the event loop. Never blocks, never raises."""

    def close(self, code: int, reason: str = "") -> None: ...

    async def finish(self) -> None:
        """Read nothing more, and handle what has been read. Unbounded: the caller gives it a time."""

    def update(self, session: Session) -> None:
        """The session has changed (role, name)."""


ARRIVAL_BYTES = 1_048_576  # that are kept for one connection while it is told the state: as much as may wait on one


class Channel(set[Member]):
    """The members of one room that share a wire. A transport that knows how to serve many at once has one of its own."""

    def send(self, frame: bytes, droppable: bool = False, skip: Collection[Member] = ()) -> None:
        """Queue a frame on each but those in `skip`. Cost: O(members)."""
        for member in self:
            if member not in skip:
                member.enqueue(frame, droppable)


class _Arrival:
    """What is kept for a member until it is told: (seq that was delivered before, frame)."""

    __slots__ = ("_bytes", "frames")

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self._bytes = 0

    def keep(self, position: int, frame: bytes) -> bool:
        """Answers whether there was room for it."""
        self._bytes += len(frame)
        if self._bytes > ARRIVAL_BYTES:
            return False
        self.frames.append((position, frame))
        return True


class Hub:
    """Members of each room, by wire format and by session.

    What is sent to a room goes to those between `add` and `leave`. Whoever acts on a session or on a room finds those
    between `enter` and `remove`: also who has closed, while what they sent before is still to be handled.
    """

    def __init__(self) -> None:
        self._rooms: dict[str, dict[Wire, Channel]] = {}
        self._sessions: dict[str, set[Member]] = {}
        self._entered: dict[str, set[Member]] = {}  # by room
        self._arriving: dict[str, dict[Member, _Arrival]] = {}

    def enter(self, member: Member) -> None:
        """From now on `member` is found by its session and room, so that it can be told, changed and closed."""
        self._sessions.setdefault(member.session.id, set()).add(member)
        self._entered.setdefault(member.session.room_id, set()).add(member)
        self._arriving.setdefault(member.session.room_id, {})[member] = _Arrival()

    def add(self, member: Member, missed: Iterable[tuple[int, bytes]] = ()) -> None:
        """From now on `member`, which has entered, gets what is sent to its room.

        First it gets what was kept for it, and what it `missed`: (seq, frame). All in the order in which it happened.
        """
        channels = self._rooms.setdefault(member.session.room_id, {})
        if member.wire not in channels:
            channels[member.wire] = member.wire.channel()
        channels[member.wire].add(member)
        kept = ((position, 1, frame) for position, frame in self._arrived(member))
        durable = ((seq, 0, frame) for seq, frame in missed)
        for _, _, frame in sorted((*durable, *kept), key=lambda turn: turn[:2]):
            member.enqueue(frame)

    def leave(self, member: Member) -> bool:
        """The opposite of `add`: nothing is sent or kept for `member` any more. Answers whether it got what was sent."""
        self._arrived(member)
        room_id = member.session.room_id
        channels = self._rooms.get(room_id, {})
        channel = channels.get(member.wire)
        if channel is None or member not in channel:
            return False
        channel.discard(member)
        if not channel:
            del channels[member.wire]
        if not channels:
            del self._rooms[room_id]
        return True

    def remove(self, member: Member) -> None:
        """The opposite of `enter` and `add`; may be called twice."""
        self.leave(member)
        _take_out(self._sessions, member.session.id, member)
        _take_out(self._entered, member.session.room_id, member)

    def deliver(
        self,
        room_id: str,
        event: str,
        data: Mapping[str, Any],
        *,
        seq: int | None = None,
        packed: bytes | None = None,
    ) -> None:
        """Queue an event on every connection of a room. `packed` is the data as JSON, if it is at hand. Cost: O(members)."""
        for wire, channel in self._rooms.get(room_id, {}).items():
            channel.send(wire.encode(event, data, seq=seq, packed=packed))

    def tell(self, room_id: str, event: str, data: Mapping[str, Any], audience: Audience, position: int = 0) -> None:
        """Queue an event that is not kept on the connections of some of the room's members.

        `position` is the seq that was delivered last, so that who is arriving gets all in order.
        What everybody gets is dropped first when a queue fills; what is meant for few is not.
        """
        droppable = audience.only is None and not audience.moderators
        if droppable:
            skipped = self.of_session(audience.skip) if audience.skip is not None else ()
            for wire, channel in self._rooms.get(room_id, {}).items():
                channel.send(wire.encode(event, data), droppable, skipped)
        else:
            for wire, members in self._audience(room_id, audience):
                frame = wire.encode(event, data)
                for member in members:
                    member.enqueue(frame)
        if audience.arriving:
            self._keep(room_id, event, data, audience, position)

    def _keep(self, room_id: str, event: str, data: Mapping[str, Any], audience: Audience, position: int) -> None:
        """For those who are arriving. For whom too much is kept, the connection ends: it comes again, and loses nothing."""
        frames: dict[Wire, bytes] = {}
        for member, arrival in list(self._arriving.get(room_id, {}).items()):
            if audience.includes(member.session):
                if member.wire not in frames:
                    frames[member.wire] = member.wire.encode(event, data)
                if not arrival.keep(position, frames[member.wire]):
                    member.close(4413, "too slow")

    def _arrived(self, member: Member) -> list[tuple[int, bytes]]:
        """What was kept for a member that is arriving no more."""
        here = self._arriving.get(member.session.room_id, {})
        arrival = here.pop(member, None)
        if not here:
            self._arriving.pop(member.session.room_id, None)
        return arrival.frames if arrival is not None else []

    def _audience(self, room_id: str, audience: Audience) -> Iterable[tuple[Wire, Iterable[Member]]]:
        """Members of a room, by wire format. Of an audience of few only these are looked at."""
        room = self._rooms.get(room_id, {})
        if audience.only is None:
            return [
                (wire, [member for member in members if audience.includes(member.session)])
                for wire, members in room.items()
            ]
        few = {member for session_id in audience.only for member in self._sessions.get(session_id, ())}
        return [(wire, few & members) for wire, members in room.items() if not few.isdisjoint(members)]

    def send(self, session_id: str, event: str, data: Mapping[str, Any]) -> bool:
        """Queue an event on every connection of one session; answers whether it has any on this node."""
        members = self._sessions.get(session_id, ())
        for member in members:
            member.enqueue(member.wire.encode(event, data))
        return bool(members)

    def of_session(self, session_id: str) -> tuple[Member, ...]:
        """The connections of a session on this node, also those of which only what they sent is left."""
        return tuple(self._sessions.get(session_id, ()))

    def of_room(self, room_id: str) -> tuple[Member, ...]:
        """The connections of a room on this node, also those of which only what they sent is left."""
        return tuple(self._entered.get(room_id, ()))

    def rooms(self) -> tuple[str, ...]:
        """The rooms with a connection on this node."""
        return tuple(self._rooms)

    def __iter__(self) -> Iterator[Member]:
        return (member for channels in self._rooms.values() for channel in channels.values() for member in channel)

    def sessions(self) -> tuple[str, ...]:
        """The sessions with a connection on this node."""
        return tuple(self._sessions)


def _take_out(members: dict[str, set[Member]], key: str, member: Member) -> None:
    """Take a member out of those of one key, and the key with its last."""
    left = members.get(key, set())
    left.discard(member)
    if not left:
        members.pop(key, None)
