"""People who are there and silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.competitors.base import Competitor
from benchmarks.load.flood import Flood
from benchmarks.load.sockets import Ticket
from benchmarks.machine import processor_seconds, resident_kib
from benchmarks.scenarios.base import SOCKETIO, Aim, Measure, Scale, Scenario

IN_ROOM = 50


@dataclass(frozen=True, kw_only=True)
class Idle(Scenario):
    """Identified connections on which nobody says anything."""

    connections: int

    def enter(self, competitor: Competitor) -> tuple[int, Sequence[Sequence[Ticket]]]:
        """What the process holds when one room has been used, and tickets."""
        members = min(IN_ROOM, self.connections)
        with Flood(competitor.port, competitor.dialect, competitor.rooms(1, members), 1, 1) as flood:
            flood.run(min(1.0, self.seconds)).check()
        return resident_kib(competitor.pid), competitor.rooms(self.connections // members, members)

    def turn(self, competitor: Competitor, prepared: tuple[int, Sequence[Sequence[Ticket]]]) -> Mapping[str, float]:
        """Connect, wait, and look at the process."""
        before, rooms = prepared
        with Flood(competitor.port, competitor.dialect, rooms, 1, 1) as flood:
            flood.run(self.seconds / 10, -1).check()  # what comes of the connecting is over
            used = processor_seconds(competitor.pid)
            run = flood.run(self.seconds, -1)
            used = processor_seconds(competitor.pid) - used
            grown = resident_kib(competitor.pid) - before
        run.check()
        return {"kib": grown / sum(map(len, rooms)), "share": 100 * used / run.seconds}


def idle(scale: Scale) -> Idle:
    """Thousands of them."""
    connections = scale.count(8_000)
    return Idle(
        name="idle",
        title=f"{connections} idle identified connections",
        note="Memory is what the resident set has grown by. Each server sends pings as often as it does by itself.",
        measures=(Measure("kib", "memory of each", "KiB", 1), Measure("share", "processor", "%", 2)),
        aims=(Aim("kib", 1.0, False, SOCKETIO), Aim("share", 1.0, False)),
        competitors=("anonchat", "anonchat-core", SOCKETIO, "ws", "python-socketio", "tornado"),
        seconds=scale.seconds(30),
        connections=connections,
    )
