"""Who is there: participants with at least one socket, counted once however many they have.

Somebody whose last socket is gone leaves after a grace, so that a reload is not a departure. Above a size the room
hears numbers instead of names. Each node knows who is on the others, and tells its own members by itself; so versions
are those of a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from anonchat.clock import Clock
from anonchat.delivery.relay import Relay
from anonchat.models import Audience, Session
from anonchat.people.attendance import Attendance, Participant
from anonchat.protocol.schemas import user_wire

Changed = Callable[[str, int, int], None]
CROWD = 200  # members above which joins and leaves are told as a number


class Others(Protocol):
    """Who tells the other nodes."""

    def here(self, session: Session) -> None: ...

    def away(self, session: Session, *, is_over: bool = False) -> None: ...


class Presence:
    """The people of each room. `tick` is to be called twice a second: it tells crowds and ends graces."""

    def __init__(self, relay: Relay, clock: Clock, grace_seconds: float, changed: Changed | None = None) -> None:
        """`changed(room_id, present, here)` is called whenever somebody has come or gone, in the room or on this node."""
        self._relay = relay
        self._clock = clock
        self._grace = round(grace_seconds * 1_000)
        self._rooms: dict[str, Attendance] = {}
        self._leaving: dict[str, str] = {}
        self._changed = changed or (lambda _room_id, _present, _here: None)
        self._others: Others | None = None

    def tell(self, others: Others) -> None:
        """From now on other nodes are told what changes on this one."""
        self._others = others

    # --- on this node

    def connected(self, session: Session) -> bool:
        """One more socket of `session`; answers whether it is the first since it was away."""
        room = self._rooms.setdefault(session.room_id, Attendance())
        participant = room.people.get(session.id)
        if self._others is not None and (participant is None or not participant.sockets):
            self._others.here(session)
        if participant is not None:
            participant.look(session)
            participant.sockets += 1
            self._stay(participant)
            self._move(room, session, here=True)
            return False
        room.people[session.id] = participant = Participant(session, 1)
        room.own.add(session.id)
        self._tell(room, "join", participant)
        return True

    def disconnected(self, session: Session) -> bool:
        """One socket less; answers whether it was the last. The participant leaves when the grace is over."""
        room = self._rooms.get(session.room_id, Attendance())
        participant = room.people.get(session.id)
        if participant is None:
            return False
        participant.sockets -= 1
        if participant.sockets > 0:
            return False
        if participant.elsewhere:
            self._move(room, session, here=False)
        if self._others is not None:
            self._others.away(session)
        return self._go(participant)

    def _move(self, room: Attendance, session: Session, *, here: bool) -> None:
        """Somebody who is in the room anyway is on this node now, or on others alone."""
        if here != (session.id in room.own):
            room.own ^= {session.id}
            self._count(session.room_id, room)

    def _count(self, room_id: str, room: Attendance) -> None:
        self._changed(room_id, len(room.people), len(room.own))

    def _stay(self, participant: Participant) -> None:
        participant.leaves_at = None
        self._leaving.pop(participant.session.id, None)

    def _go(self, participant: Participant) -> bool:
        """Let the grace begin if no socket is left; answers whether none is."""
        if participant.sockets > 0 or participant.elsewhere:
            return False
        participant.leaves_at = self._clock.now() + self._grace
        self._leaving[participant.session.id] = participant.session.room_id
        return True

    def left(self, room_id: str, session_id: str) -> None:
        """The session is over: its participant leaves at once, whatever sockets are still open."""
        participant = self._remove(room_id, session_id)
        if self._others is not None and participant is not None and participant.sockets:
            self._others.away(participant.session, is_over=True)

    def changed(self, session: Session) -> None:
        """The session has a new role, name or avatar: everybody is told, also whom it is about."""
        room = self._rooms.get(session.room_id, Attendance())
        participant = room.people.get(session.id)
        if participant is not None and participant.wire != user_wire(session):
            participant.look(session)
            room.version += 1
            self._relay.tell_here(session.room_id, "presence", room.told("change", participant.wire))
            if self._others is not None and participant.sockets:
                self._others.here(session)

    # --- on others

    def arrived(self, node: str, session: Session) -> None:
        """The session has a socket on another node, or looks different from before."""
        room = self._rooms.setdefault(session.room_id, Attendance())
        participant = room.people.get(session.id)
        if participant is None:
            room.people[session.id] = participant = Participant(session, elsewhere={node})
            self._tell(room, "join", participant)
            return
        participant.elsewhere.add(node)
        self._stay(participant)
        if not participant.sockets:
            self._move(room, session, here=False)
            self.changed(session)

    def departed(self, node: str, room_id: str, session_id: str) -> None:
        """The session has no socket on that node any more. The grace is kept by every node for itself."""
        participant = self._rooms.get(room_id, Attendance()).people.get(session_id)
        if participant is not None and node in participant.elsewhere:
            participant.elsewhere.discard(node)
            self._go(participant)

    def vanished(self, node: str) -> None:
        """The node is dead, and whoever had a socket only there is gone."""
        for room_id in list(self._rooms):
            for known, session_id in self.of(room_id).elsewhere():
                if known == node:
                    participant = self._rooms[room_id].people[session_id]
                    participant.elsewhere.discard(node)
                    if not participant.sockets and not participant.elsewhere:
                        self._remove(room_id, session_id)

    def forget_elsewhere(self, room_id: str) -> None:
        """Nothing is heard of the room from now on: keep only who was on this node a moment ago."""
        room = self._rooms.get(room_id, Attendance())
        known = len(room.people)
        for session_id, participant in list(room.people.items()):
            participant.elsewhere.clear()
            if not participant.sockets and participant.leaves_at is None:
                del room.people[session_id]
        if not room.people:
            self._rooms.pop(room_id, None)
        if len(room.people) < known:
            self._count(room_id, room)

    # --- asking

    def of(self, room_id: str) -> Attendance:
        """Who is in a room; to be looked at only."""
        return self._rooms.get(room_id, Attendance())

    def count(self) -> int:
        """People in all rooms that are active on this node."""
        return sum(len(room.people) for room in self._rooms.values())

    def tick(self) -> None:
        """End the graces that are over, and tell crowds their number."""
        now = self._clock.now()
        for session_id, room_id in list(self._leaving.items()):
            leaves_at = self._rooms[room_id].people[session_id].leaves_at
            # The second condition catches a clock that was set back.
            if leaves_at is not None and (leaves_at <= now or leaves_at > now + self._grace):
                self._remove(room_id, session_id)
        for room_id, room in self._rooms.items():
            if room.uncounted:
                room.uncounted = False
                self._relay.tell_here(room_id, "presence", room.number())

    def end(self, room_id: str) -> None:
        """The room is over, and nobody is in it any more."""
        people = self._rooms.pop(room_id, Attendance()).people
        for session_id, participant in people.items():
            self._leaving.pop(session_id, None)
            if self._others is not None and participant.sockets:
                self._others.away(participant.session)
        if people:
            self._changed(room_id, 0, 0)

    def _remove(self, room_id: str, session_id: str) -> Participant | None:
        room = self._rooms.get(room_id)
        participant = room.people.pop(session_id, None) if room else None
        self._leaving.pop(session_id, None)
        if room is None or participant is None:
            return None
        room.own.discard(session_id)
        self._tell(room, "leave", participant)
        if not room.people:
            del self._rooms[room_id]
        return participant

    def _tell(self, room: Attendance, what: str, participant: Participant) -> None:
        session = participant.session
        room.version += 1
        self._count(session.room_id, room)
        if len(room.people) > CROWD:
            room.uncounted = True
            return
        told = room.told(what, participant.wire)
        self._relay.tell_here(session.room_id, "presence", told, Audience(skip=session.id))
