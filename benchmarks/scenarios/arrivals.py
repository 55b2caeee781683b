"""People who come for the first time, and people who all come back at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.competitors.keeper import Keeper, Rest, Room, coming_in, identify, joining, tickets
from benchmarks.load.flood import DEPTH, Flood
from benchmarks.load.visits import visit
from benchmarks.scenarios.base import EXPRESS, KEEPERS, Aim, Measure, Scale, Scenario

HISTORY, MISSED = 50, 20  # messages that a newcomer gets, and those that somebody comes back for
IN_ROOM = 100  # people of a room in the storm
SENT = 1_000  # messages a second that are sent while everybody is away
ROOM_NUMBERS = 10**10  # a message's number begins with that of its room (see load/measures.h)
P50, P99 = Measure("p50", "p50 of one", "ms", 1), Measure("p99", "p99 of one", "ms", 1)
BUSY = Measure("busy", "load busy", "%", 0, is_ratio=False)


@dataclass(frozen=True, kw_only=True)
class Joins(Scenario):
    """Clients that join by REST, connect, identify, get the history, and leave; each begins again at once."""

    clients: int

    def enter(self, competitor: Keeper) -> None:
        """Nothing: each turn has a room of its own, for a room has so many places only."""

    def turn(self, competitor: Keeper, prepared: None) -> Mapping[str, float]:
        """Fill a room with messages, and let the clients come."""
        room = competitor.make_rooms(1, 1)[0]
        competitor.fill(room, HISTORY)
        found = visit(competitor.port, joining(room), [0] * self.clients, HISTORY, self.seconds)
        return {
            "joins": found.visits / found.seconds,
            "p50": 1e3 * found.p50,
            "p99": 1e3 * found.p99,
            "busy": 100 * found.busy,
        }


@dataclass(frozen=True, kw_only=True)
class Storm(Scenario):
    """Everybody's connection breaks, messages are sent, and then all come back in the same moment."""

    clients: int

    def enter(self, competitor: Keeper) -> Sequence[Room]:
        """Rooms that everybody has joined."""
        members = min(IN_ROOM, self.clients)
        return competitor.make_rooms(self.clients // members, members)

    def turn(self, competitor: Keeper, prepared: Sequence[Room]) -> Mapping[str, float]:
        """Be there, go, miss messages, come back."""
        with Flood(competitor.port, competitor.dialect, [tickets(room) for room in prepared], 1, 1):
            positions = _positions(competitor, prepared)
        with Flood(competitor.port, competitor.dialect, [tickets(room)[:1] for room in prepared], 1, 1, DEPTH) as flood:
            flood.run(MISSED * len(prepared) / SENT, SENT).check()
        identifies = [
            identify(token, **position)
            for room, position in zip(prepared, positions, strict=True)
            for token in room.tokens
        ]
        first = [number * ROOM_NUMBERS for number, room in enumerate(prepared) for _ in room.tokens]
        found = visit(competitor.port, coming_in(identifies), first, MISSED)
        return {"seconds": found.seconds, "p50": 1e3 * found.p50, "p99": 1e3 * found.p99, "busy": 100 * found.busy}


def _positions(competitor: Keeper, rooms: Sequence[Room]) -> Sequence[Mapping[str, object]]:
    """Where each room is, as its members know it."""
    rest = Rest(competitor.port)
    states = [rest.call("GET", f"{room.path}/messages?limit=1", token=room.tokens[0]) for room in rooms]
    rest.close()
    return [{"since": state["seq"], "epoch": state["epoch"]} for state in states]


def joins(scale: Scale) -> Joins:
    """As many newcomers at a time as a link in a busy place brings."""
    clients = scale.count(50)
    return Joins(
        name="joins",
        title=f"Join, connect, identify, history of {HISTORY}: {clients} clients at a time",
        measures=(Measure("joins", "joins/s", "/s"), P50, P99, BUSY),
        aims=(Aim("joins", 1_000, True), Aim("joins", 5, True, EXPRESS)),
        competitors=KEEPERS,
        reference=EXPRESS,
        seconds=scale.seconds(3),
        clients=clients,
    )


def storm(scale: Scale) -> Storm:
    """A server that was away for a moment."""
    clients = scale.count(5_000)
    return Storm(
        name="storm",
        title=f"Reconnect storm: {clients} clients at once, each missed {MISSED} messages",
        note=f"Rooms of {min(IN_ROOM, clients)}. What counts is when the last client has all that it missed.",
        measures=(Measure("seconds", "until all are whole", "s", 2), P50, P99, BUSY),
        aims=(Aim("seconds", 5, False),),
        competitors=KEEPERS,
        reference=EXPRESS,
        seconds=15 * scale.size,
        clients=clients,
    )
