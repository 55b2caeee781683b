"""Who is in one room, and how its members are told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from anonchat.models import Session
from anonchat.protocol.schemas import user_wire

STATE = 200  # members that a presence_state names, moderators first


@dataclass(slots=True)
class Participant:
    """Somebody with a socket, or within the grace after the last one."""

    session: Session
    sockets: int = 0
    """On this node."""

    elsewhere: set[str] = field(default_factory=set)
    """The other nodes with a socket of it."""

    leaves_at: int | None = None
    wire: dict[str, Any] = field(init=False)
    """As others are told of it."""

    def __post_init__(self) -> None:
        self.look(self.session)

    def look(self, session: Session) -> None:
        """It has this name, role and avatar from now on."""
        self.session = session
        self.wire = user_wire(session)


@dataclass(slots=True)
class Attendance:
    """One room's people, by session id, in the order of their coming."""

    people: dict[str, Participant] = field(default_factory=dict)
    version: int = 0
    """Grows with every join and leave, so that a client can find a hole."""

    own: set[str] = field(default_factory=set)
    """Session ids of those who are on this node, or within the grace after they were. Who is on two nodes is on both."""

    uncounted: bool = False
    """Whether a crowd has changed since its number was last told."""

    def sessions(self) -> Sequence[Session]:
        """Who is there (or within the grace)."""
        return [there.session for there in self.people.values()]

    def here(self) -> Sequence[Session]:
        """Who has a socket on this node."""
        return [there.session for there in self.people.values() if there.sockets]

    def elsewhere(self) -> Sequence[tuple[str, str]]:
        """(node, session id) of all sockets on other nodes."""
        return [(node, session_id) for session_id, there in self.people.items() for node in there.elsewhere]

    def state(self) -> dict[str, Any]:
        """Data of `presence_state`: at most `STATE` people, moderators first, then by when they came."""
        named: Iterable[Participant] = self.people.values()
        if len(self.people) > STATE:
            moderators = (there for there in named if there.session.rank)
            first = sorted(moderators, key=lambda there: -there.session.rank)[:STATE]
            others = (there for there in named if not there.session.rank)
            named = [*first, *islice(others, STATE - len(first))]
        return {"users": [there.wire for there in named], "total": len(self.people), "version": self.version}

    def told(self, what: str, user: Mapping[str, Any]) -> Mapping[str, Any]:
        """Data of `presence`: that somebody came, left or changed."""
        return {"event": what, "user": user, "total": len(self.people), "version": self.version}

    def number(self) -> Mapping[str, Any]:
        """Data of `presence` in a crowd."""
        return {"event": "count", "total": len(self.people), "version": self.version}
