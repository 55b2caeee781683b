"""Messages in rooms: some large, some small, as fast as they go or at a steady rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.competitors.base import Competitor
from benchmarks.load.flood import DEPTH, Flood
from benchmarks.load.sockets import Ticket
from benchmarks.machine import processor_seconds
from benchmarks.scenarios.base import SOCKETIO, Aim, Measure, Scale, Scenario

EVERYBODY = ("anonchat", "anonchat-core", "socketio", "ws", "python-socketio", "tornado", "floor")
WARM_UP = 0.5  # seconds of the same traffic before what counts

DELIVERIES = Measure("deliveries", "deliveries/s", "/s")
MESSAGES = Measure("messages", "acknowledged messages/s", "/s")
P50 = Measure("p50", "p50 of delivery", "ms", 2)
P99 = Measure("p99", "p99 of delivery", "ms", 2)
CPU_DELIVERY = Measure("cpu_delivery", "processor time a delivery", "µs", 2)
CPU_MESSAGE = Measure("cpu_message", "processor time a message", "µs", 1)
BUSY = Measure("busy", "load busy", "%", 0, is_ratio=False)


@dataclass(frozen=True, kw_only=True)
class Traffic(Scenario):
    """`rooms` of so many `members`; in each so many messages are in flight, or all of them together have a `rate`."""

    rooms: int
    members: int
    in_flight: int
    rate: float = 0.0
    competitors: Sequence[str] = EVERYBODY

    def enter(self, competitor: Competitor) -> Sequence[Sequence[Ticket]]:
        """Make the rooms."""
        return competitor.rooms(self.rooms, self.members)

    def turn(self, competitor: Competitor, prepared: Sequence[Sequence[Ticket]]) -> Mapping[str, float]:
        """Open all sockets anew, warm up, measure."""
        authors = min(self.in_flight, self.members)
        depth = DEPTH if self.rate else 1
        with Flood(competitor.port, competitor.dialect, prepared, self.in_flight, authors, depth) as flood:
            flood.run(min(WARM_UP, self.seconds), self.rate).check()
            used = processor_seconds(competitor.pid)
            run = flood.run(self.seconds, self.rate)
            used = 1e6 * (processor_seconds(competitor.pid) - used)
        run.check()
        figures = {
            "deliveries": run.delivered / run.seconds,
            "messages": run.acked / run.seconds,
            "p50": 1e3 * run.p50,
            "p99": 1e3 * run.p99,
            "cpu_delivery": used / max(1, run.delivered),
            "cpu_message": used / max(1, run.acked),
            "busy": 100 * run.busy,
        }
        return {measure.name: figures[measure.name] for measure in self.measures}


def large_rooms(scale: Scale) -> Sequence[Traffic]:
    """One room in which everybody hears everything."""
    members, seconds = scale.count(500), scale.seconds(3)
    measures = (DELIVERIES, P50, P99, CPU_DELIVERY, BUSY)
    many = Traffic(
        name="fanout-32",
        title=f"One room, {members} members, 32 messages in flight",
        note="Each of 32 members has one message in flight.",
        measures=measures,
        aims=(Aim("deliveries", 12, True, SOCKETIO),),
        seconds=seconds,
        rooms=1,
        members=members,
        in_flight=32,
    )
    one = replace(
        many,
        name="fanout-1",
        title=f"One room, {members} members, 1 message in flight",
        note="",
        aims=(Aim("deliveries", 1.25, True, SOCKETIO), Aim("p50", 0.7, False, SOCKETIO)),
        in_flight=1,
    )
    return many, one


def small_rooms(scale: Scale) -> Sequence[Traffic]:
    """Many rooms of two."""
    rooms = scale.count(200)
    return tuple(
        Traffic(
            name=f"rooms-{in_flight}",
            title=f"{rooms} rooms of 2, {in_flight} in flight each",
            note="anonchat has stored a message before it acknowledges it; the others store nothing.",
            measures=(MESSAGES, P50, P99, CPU_MESSAGE, BUSY),
            aims=(Aim("messages", aim, True, SOCKETIO),),
            seconds=scale.seconds(3),
            rooms=rooms,
            members=2,
            in_flight=in_flight,
        )
        for in_flight, aim in ((8, 1.0), (1, 0.6))
    )


def steady(scale: Scale) -> Traffic:
    """A large room at a rate that every server can bear."""
    members = scale.count(2_000)
    return Traffic(
        name="steady",
        title=f"One room, {members} members, 10 messages a second",
        note="Messages are due at fixed moments, and latency counts from these.",
        measures=(P99, P50, CPU_DELIVERY, BUSY),
        aims=(Aim("p99", 0.5, False, SOCKETIO),),
        seconds=scale.seconds(60),
        rooms=1,
        members=members,
        in_flight=10,
        rate=10,
    )


def settings(scale: Scale) -> Traffic:
    """Whether other settings of the strongest competitor would turn a verdict."""
    return replace(
        large_rooms(scale)[0],
        name="settings",
        title=f"One room, {scale.count(500)} members, 32 in flight: Socket.IO with other settings",
        aims=(),
        competitors=(SOCKETIO, "socketio-no-add-ons", "socketio-defaults"),
    )
