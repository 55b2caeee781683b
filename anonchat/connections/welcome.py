"""What a client is told when it identifies: who it is, who is there, what was said; no gap to what follows live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from anonchat.connections.backlog import Backlog, Told
from anonchat.delivery.active import ActiveRoom, ActiveRooms
from anonchat.delivery.hub import Hub, Member
from anonchat.delivery.journal import Journal
from anonchat.errors import ChatError
from anonchat.limits import Limits, Network
from anonchat.models import Room, Session
from anonchat.people.presence import Presence
from anonchat.people.seats import Seats
from anonchat.people.sessions import Sessions
from anonchat.plugins.dispatch import Dispatcher, is_json
from anonchat.rooms.rooms import Rooms
from anonchat.storage.roles import Statements

log = structlog.get_logger("anonchat.plugins")

RETRY_MILLISECONDS = 10_000  # a connection that broke is noticed after a ping and a pong, not sooner
# Who identify at a time; the others wait in line. When thousands come back at once, each of them, once it has its turn, is
# through in a fraction of the second that a plugin's guard may take; all at once, all would be late. They share reads and so
# go on in one turn of the event loop, for which all who are inside wait.
TOGETHER = 32
ATTEMPTS = 3  # to find a moment in which the state that was read is still in reach


class Welcome:
    """Identifies a session on a connection and brings it to the present."""

    def __init__(
        self,
        epoch: str,
        journal: Journal,
        dispatcher: Dispatcher,
        rooms: Rooms,
        seats: Seats,
        sessions: Sessions,
        presence: Presence,
        active: ActiveRooms,
        backlog: Backlog,
        hub: Hub,
        limits: Limits,
        check_event: Callable[[str, str], None],
        *,
        most_bytes: int,
        most_sockets: int,
    ) -> None:
        self._epoch = epoch
        self._journal = journal
        self._dispatcher = dispatcher
        self._rooms = rooms
        self._seats = seats
        self._sessions = sessions
        self._presence = presence
        self._active = active
        self._backlog = backlog
        self._hub = hub
        self._limits = limits
        self._check_event = check_event
        self._most_bytes = most_bytes
        self._most_sockets = most_sockets
        self.turns = asyncio.Semaphore(TOGETHER)
        """Whoever identifies holds one until it is told everything."""

    async def session_of(self, token: str, network: Network) -> tuple[Session, Room]:
        """Who a token is, after the guards, with name and place secured. Raises what stands in the way."""

        async def work(tx: Statements) -> tuple[Session, Room]:
            session = await self._sessions.find(token, tx)
            return session, await self._rooms.find(session.room_id, tx)

        try:
            session, room = await self._journal.read(work)
        except ChatError as error:
            self._dispatcher.observe("authentication_failed", where="socket", code=error.code)
            if error.code == "invalid_token":  # a guess is a request, whichever way it comes
                await self._limits.hit("requests_per_network", network.today)
            raise
        await self._dispatcher.guard("check_connect", room=room, session=session, network=network.within(room.secret))
        return await self._seats.seat(session), room

    async def bring_up(
        self, member: Member, room: Room, since: int | None, epoch: str | None, frame_id: str | int | None
    ) -> ActiveRoom:
        """Send a member everything up to now, and what comes from now on. Returns the room that it has to close.

        One that has closed meanwhile is welcomed no more; what it has sent is still handled, so it is found by its session.
        Raises `rate_limited` if the session has `sockets_per_session` connections on this node already.
        """
        if len(self._hub.of_session(member.session.id)) >= self._most_sockets:
            raise ChatError(
                "rate_limited",
                f"One participant may have {self._most_sockets} connections ([limits] sockets_per_session).",
                retry_after_ms=RETRY_MILLISECONDS,
            )
        self._hub.enter(member)  # from now on whoever ends or changes the session reaches this member
        try:
            active = await self._active.open(room.id)
            try:
                if member.closed:
                    await self._renew(member)
                else:
                    await self._bring_up(member, room, active, since if epoch == self._epoch else None, frame_id)
            except BaseException:
                await self._active.close(active)
                raise
        except BaseException:
            self._hub.remove(member)
            raise
        return active

    async def _bring_up(
        self, member: Member, room: Room, active: ActiveRoom, since: int | None, frame_id: str | int | None
    ) -> None:
        welcome = await self._dispatcher.enrich("extend_welcome", room=room, session=member.session)
        for _ in range(ATTEMPTS):
            told = await self._backlog.told(active, since, member.wire)
            await self._renew(member)
            added = await self._added(member, room, self._most_bytes - len(told.frame))
            # From here to the end nothing waits, so nothing can happen in between.
            since_then = active.recent.since(told.position)
            if since_then is not None:
                break
        else:
            raise ChatError("overloaded", retry_after_ms=1_000)
        if member.closed:
            return
        identified = self._identified(member.session, told, welcome)
        member.enqueue(member.wire.encode("identified", identified, id=frame_id))
        first = self._presence.connected(member.session)
        member.enqueue(member.wire.encode("presence_state", self._presence.of(room.id).state()))
        member.enqueue(told.frame)
        for frame in added:
            member.enqueue(frame)
        encode = member.wire.encode
        missed = [(item["seq"], encode(item["event"], item["data"], seq=item["seq"])) for item in since_then.events]
        self._hub.add(member, missed)
        if first:
            self._dispatcher.observe("connection_opened", session=member.session)

    async def _added(self, member: Member, room: Room, left: int) -> Sequence[bytes]:
        """What plugins send to a member before anything live, in `left` bytes; what may not be sent, or does not fit, is
        left out: a queue that is full before the welcome ends would keep everybody out.
        """
        answers = await self._dispatcher.enrich("extend_state", room=room, session=member.session, fits=_is_state)
        frames = []
        for plugin, told in answers.items():
            for event, data in told.items():
                try:
                    self._check_event(plugin, event)
                except LookupError as error:
                    log.error("a plugin's state is not sent", plugin=plugin, failure=str(error))
                    continue
                frame = member.wire.encode(event, data)
                if len(frame) > left:
                    log.error("a plugin's state is too large to be sent", plugin=plugin, bytes=len(frame))
                    continue
                left -= len(frame)
                frames.append(frame)
        return frames

    async def _renew(self, member: Member) -> None:
        """Let a member be who it is by now. Raises `session_expired` if its session has ended."""
        before, present = member.session, await self._present(member)
        if member.session is before:  # else it was changed after that was read
            member.update(present)

    async def _present(self, member: Member) -> Session:
        session = await self._journal.read(lambda tx: self._sessions.get(member.session.id, tx))
        if session is None:
            raise ChatError("session_expired")
        return session

    def closed(self, member: Member) -> None:
        """Nobody is there to be told anything any more, but what they have sent may still wait to be handled."""
        if self._hub.leave(member) and self._presence.disconnected(member.session):
            self._seats.absent(member.session)

    async def gone(self, member: Member, active: ActiveRoom) -> None:
        """All that a closed connection has sent is handled, so that nobody needs to find it any more."""
        self._hub.remove(member)
        await self._active.close(active)

    def _identified(self, session: Session, told: Told, welcome: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "sessionId": session.id,
            "roomId": session.room_id,
            "username": session.username,
            "anonymousId": session.anonymous_id,
            "role": session.role,
            "room": told.room,
            "epoch": self._epoch,
            "seq": told.position,
            "ext": welcome,
        }


def _is_state(answer: Mapping[object, object]) -> bool:
    """Whether a plugin's answer is event -> data."""
    return all(isinstance(data, Mapping) for data in answer.values()) and is_json(answer)
