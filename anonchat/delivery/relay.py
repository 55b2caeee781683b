"""Carries events to the members of rooms on this node, each once and in order, whatever the bus loses.

Every durable event has the room's seq. What arrives early waits for what is missing, see `gaps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import structlog

from anonchat.delivery.active import ActiveRoom, ActiveRooms, channel_of, room_in
from anonchat.delivery.gaps import Gaps
from anonchat.delivery.hub import Hub
from anonchat.delivery.journal import Journal
from anonchat.models import EVERYBODY, Audience, Event
from anonchat.observability.metrics import Metrics
from anonchat.storage.roles import Bus

log = structlog.get_logger("anonchat.relay")

PATIENT = 1_000  # early events of a room above which the database is asked at once

Listener = Callable[[Event], None]
Signalled = Callable[[str, Mapping[str, Any]], None]


class Relay:
    """From the journal and the bus to the hub."""

    def __init__(self, journal: Journal, bus: Bus, hub: Hub, rooms: ActiveRooms, metrics: Metrics) -> None:
        self._bus = bus
        self._hub = hub
        self._rooms = rooms
        self.gaps = Gaps(journal, hub, rooms, metrics, self._deliver_ready, self._tell)
        self._listeners: list[Listener] = []
        self._signalled: dict[str, Signalled] = {}

    def listen(self, listener: Listener) -> None:
        """Have `listener` called, in order, with every event that this node delivers."""
        self._listeners.append(listener)

    def on_signal(self, name: str, signalled: Signalled) -> None:
        """Have `signalled(room_id, data)` called for what other nodes `signal` under that name."""
        self._signalled[name] = signalled

    # --- what comes in

    def committed(self, published: Sequence[Event]) -> None:
        """Events of one commit of this node."""
        for event in published:
            try:
                self._publish(event)
            except Exception:
                log.exception("an event could not be published; the others of its commit are", event_name=event.name)

    def _publish(self, event: Event) -> None:
        if event.audience is not None:
            self.broadcast(event.room_id, event.name, event.data, event.audience)
            return
        if self._bus.shared:
            packed = orjson.dumps((event.name, event.data, event.seq, event.message_id, None))
            self._bus.publish(channel_of(event.room_id), packed)
        self._arrived(event)

    def received(self, channel: str, payload: bytes) -> None:
        """An event or a signal of another node."""
        name, data, *event = orjson.loads(payload)
        if not event:
            if name in self._signalled:  # a newer node may know more of them
                self._signalled[name](room_in(channel), data)
            return
        seq, message_id, audience = event
        if audience is not None:
            room_id = room_in(channel)
            self._hub.tell(room_id, name, data, Audience(*audience), self.position(room_id))
        else:
            self._arrived(Event(room_in(channel), name, data, seq, message_id))

    def broadcast(self, room_id: str, name: str, data: Mapping[str, Any], audience: Audience = EVERYBODY) -> None:
        """Send what is not durable (typing) to a room. May get lost."""
        self.tell_here(room_id, name, data, audience)
        if self._bus.shared:
            packed = (name, data, None, None, (audience.skip, audience.only, audience.moderators, audience.arriving))
            self._bus.publish(channel_of(room_id), orjson.dumps(packed))

    def tell_here(self, room_id: str, name: str, data: Mapping[str, Any], audience: Audience = EVERYBODY) -> None:
        """Like `broadcast`, to the members on this node."""
        self._hub.tell(room_id, name, data, audience, self.position(room_id))

    def signal(self, room_id: str, name: str, data: Mapping[str, Any]) -> None:
        """Tell the other nodes with members in the room something that no client hears. May get lost."""
        if self._bus.shared:
            self._bus.publish(channel_of(room_id), orjson.dumps((name, data)))

    def active_rooms(self) -> list[str]:
        """The rooms with a connection on this node."""
        return self._rooms.ids()

    def is_heard(self, room_id: str) -> bool:
        """Whether a room is active on this node, or about to be."""
        return self._rooms.is_heard(room_id)

    def _arrived(self, event: Event) -> None:
        if event.seq is None:
            self._tell(event)
        elif (room := self._rooms.keep(event)) is not None:
            self._deliver_ready(room)

    # --- order

    def _deliver_ready(self, room: ActiveRoom) -> None:
        before, position = room.recent.size, room.recent.position
        for event, packed in room.ready():
            self._tell(event, packed)
        if room.recent.position > position:
            self._rooms.grown(room, room.recent.size - before)
        if not room.early:
            room.cancel_timer()
        elif len(room.early) > PATIENT:
            self.gaps.fill(room)
        else:
            self.gaps.wait(room)

    def _tell(self, event: Event, packed: bytes | None = None) -> None:
        self._hub.deliver(event.room_id, event.name, event.data, seq=event.seq, packed=packed)
        for listener in self._listeners:
            listener(event)

    def position(self, room_id: str) -> int:
        """The last seq that this node has delivered in an active room; 0 in another."""
        return self._rooms.position(room_id)
