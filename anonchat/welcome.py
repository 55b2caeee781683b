"""What a client is told when it identifies: who it is, who is there, what was said; no gap to what follows live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson
import structlog

from anonchat.active import ActiveRoom, ActiveRooms
from anonchat.dispatch import Dispatcher, is_json
from anonchat.errors import ChatError
from anonchat.history import Page, Replay, read_page, wire_of
from anonchat.hub import Hub, Member, Wire
from anonchat.journal import Journal
from anonchat.limits import Network
from anonchat.models import Room, Session
from anonchat.presence import Presence
from anonchat.relay import Relay
from anonchat.rooms import Rooms
from anonchat.seats import Seats
from anonchat.sessions import Sessions
from anonchat.storage import Statements

log = structlog.get_logger("anonchat.plugins")

RETRY_MILLISECONDS = 10_000  # a connection that broke is noticed after a ping and a pong, not sooner
# Who identify at a time; the others wait in line. When thousands come back at once, each of them, once it has its turn, is
# through in a fraction of the second that a plugin's guard may take; all at once, all would be late.
TOGETHER = 128
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
        relay: Relay,
        hub: Hub,
        check_event: Callable[[str, str], None],
        *,
        page: int,
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
        self._relay = relay
        self._hub = hub
        self._check_event = check_event
        self._page = page
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
            raise
        await self._dispatcher.guard("check_connect", room=room, session=session, network=network.within(room.secret))
        return await self._seats.seat(session), room

    async def bring_up(
        self, member: Member, room: Room, since: int | None, epoch: str | None, frame_id: str | int | None
    ) -> ActiveRoom:
        """Send a member everything up to now, and what comes from now on. Returns the room that it has to close.

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
            state = await self._state(active, since)
            position = state.through if isinstance(state, Replay) else state.seq
            # Read after this node got there, so that whatever plugins remember by position is not older.
            await self._relay.gaps.reach(active, position)
            told = await self._encoded(member.wire, state)
            if told is None:
                since = None  # too large to be told one by one
                continue
            # Read after the position was: what changes later comes as an event, what changed before is in it.
            described = await self._described(member)
            added = await self._added(member, room)
            # From here to the end nothing waits, so nothing can happen in between.
            since_then = active.recent.since(position)
            if since_then is not None:
                break
        else:
            raise ChatError("overloaded", retry_after_ms=1_000)
        if member.closed:
            raise ChatError("session_expired")
        identified = self._identified(member.session, described, position, welcome)
        member.enqueue(member.wire.encode("identified", identified, id=frame_id))
        first = self._presence.connected(member.session)
        member.enqueue(member.wire.encode("presence_state", self._presence.of(room.id).state()))
        member.enqueue(told)
        for frame in added:
            member.enqueue(frame)
        encode = member.wire.encode
        missed = [(item["seq"], encode(item["event"], item["data"], seq=item["seq"])) for item in since_then.events]
        self._hub.add(member, missed)
        if first:
            self._dispatcher.observe("connection_opened", session=member.session)

    async def _added(self, member: Member, room: Room) -> Sequence[bytes]:
        """What plugins send to a member before anything live; what may not be sent, or is too large, is left out."""
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
                if len(frame) > self._most_bytes:
                    log.error("a plugin's state is too large to be sent", plugin=plugin, bytes=len(frame))
                    continue
                frames.append(frame)
        return frames

    async def _described(self, member: Member) -> Mapping[str, Any]:
        """The room's metadata, for a session that is still there."""

        async def work(tx: Statements) -> tuple[Session, Mapping[str, Any]]:
            session = await self._sessions.get(member.session.id, tx)
            if session is None:
                raise ChatError("session_expired")
            return session, await self._rooms.describe(await self._rooms.find(session.room_id, tx), tx)

        session, described = await self._journal.read(work)
        member.update(session)
        return described

    async def _state(self, active: ActiveRoom, since: int | None) -> Page | Replay:
        replay = await self._active.since(active, since) if since is not None else None
        return replay or await self._active.newest(active)

    async def _encoded(self, wire: Wire, state: Page | Replay) -> bytes | None:
        """One frame of at most `most_bytes`: a page loses its oldest messages, a replay that is larger is None."""
        while True:
            frame = wire.encode(*await self._extended(state))
            if len(frame) <= self._most_bytes:
                return frame
            if isinstance(state, Replay) or len(state.messages) <= 1:
                return None if isinstance(state, Replay) else frame
            state = Page(state.messages[len(state.messages) // 2 :], True, state.seq)

    async def _extended(self, state: Page | Replay) -> tuple[str, dict[str, Any]]:
        """The event that tells `state`, with what plugins have to say about its messages."""
        if isinstance(state, Page):
            messages = await self._with_ext(state.messages)
            chunk = {"messages": messages, "hasMore": state.has_more, "seq": state.seq, "recovered": False}
            return "history_chunk", chunk | {"epoch": self._epoch}
        events = state.events
        if self._dispatcher.has("extend_messages"):
            events = await self._replay_with_ext(events)
        bounds = {"from": state.since, "to": state.through}
        return "replay", {"events": events, "epoch": self._epoch, "recovered": True, **bounds}

    async def _replay_with_ext(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        wires = [wire for event in events if (wire := wire_of(event["event"], event["data"])) is not None]
        extended = {wire["id"]: wire for wire in await self._with_ext(wires)}
        return [_with_message(event, extended) for event in events]

    async def _with_ext(self, wires: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Messages with `ext`, where a plugin has something to say; each is asked once for all of them."""
        if not wires or not self._dispatcher.has("extend_messages"):
            return list(wires)
        shown = [MappingProxyType(wire) for wire in wires]  # which stand in memory for all who come
        answers = await self._dispatcher.enrich("extend_messages", messages=shown)
        added = [
            {plugin: answer[wire["id"]] for plugin, answer in answers.items() if wire["id"] in answer} for wire in wires
        ]
        return [{**wire, "ext": ext} if ext else wire for wire, ext in zip(wires, added, strict=True)]

    async def page(self, room_id: str, limit: int | None, before: int | None, after: int | None) -> dict[str, Any]:
        """A page of history as `history_chunk` and REST tell it. While the storage is away the newest is that in memory."""
        wanted = limit or self._page
        try:
            page = await self._journal.read(lambda tx: read_page(tx, room_id, wanted, before=before, after=after))
        except ChatError as error:
            known = self._remembered(room_id, wanted) if before is None and after is None else None
            if known is None or error.code != "storage_unavailable":
                raise
            page = known
        if (active := self._active.get(room_id)) is not None:
            await self._relay.gaps.reach(
                active, page.seq
            )  # so that what plugins remember is not older than the messages
        page = self._cut(page, newest=after is not None)
        messages = await self._with_ext(page.messages)
        return {"messages": messages, "hasMore": page.has_more, "epoch": self._epoch, "seq": page.seq}

    def _remembered(self, room_id: str, limit: int) -> Page | None:
        room = self._active.get(room_id)
        page = room.recent.newest() if room is not None else None
        if page is None:
            return None
        messages = page.messages[-limit:]
        return Page(messages, page.has_more or len(messages) < len(page.messages), page.seq)

    def _cut(self, page: Page, *, newest: bool) -> Page:
        """At most `most_bytes` of messages, without the oldest, or the newest where the page goes forwards."""
        messages = page.messages
        while len(messages) > 1 and len(orjson.dumps(messages)) > self._most_bytes:
            half = len(messages) // 2
            messages = messages[:half] if newest else messages[half:]
        return Page(messages, page.has_more or len(messages) < len(page.messages), page.seq)

    async def gone(self, member: Member, active: ActiveRoom) -> None:
        """An identified connection is closed."""
        self._hub.remove(member)
        if self._presence.disconnected(member.session):
            self._seats.absent(member.session)
        await self._active.close(active)

    def _identified(
        self, session: Session, room: Mapping[str, Any], position: int, welcome: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "sessionId": session.id,
            "roomId": session.room_id,
            "username": session.username,
            "anonymousId": session.anonymous_id,
            "role": session.role,
            "room": room,
            "epoch": self._epoch,
            "seq": position,
            "ext": welcome,
        }


def _is_state(answer: Mapping[object, object]) -> bool:
    """Whether a plugin's answer is event -> data."""
    return all(isinstance(data, Mapping) for data in answer.values()) and is_json(answer)


def _with_message(event: Mapping[str, Any], extended: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    wire = wire_of(event["event"], event["data"])
    if wire is None:
        return event
    found = extended[wire["id"]]
    return {**event, "data": found if event["event"] == "message" else {"message": found}}
