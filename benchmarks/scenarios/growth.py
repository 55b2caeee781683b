"""What a delivery and a message cost when everything grows: each figure is processor time of the server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.competitors.base import Competitor
from benchmarks.competitors.own import Anonchat
from benchmarks.load.flood import DEPTH, Flood, Run
from benchmarks.load.sockets import Ticket
from benchmarks.machine import processor_seconds
from benchmarks.scenarios.base import Measure, Scale, Scenario

MEMBERS = (10, 50, 250, 1_000, 5_000)
ROOMS = (1, 10, 100, 500, 2_000)
SHARES = (0.0, 0.125, 0.25, 0.5, 1.0)  # of the largest database
IN_FLIGHT = 8
RATE = 1_000  # messages a second in all rooms together: the same, so that as many are stored in one transaction
ROW_BYTES = 600  # about what a message takes in the database, with its indexes
LOT = 100_000  # messages of a room that is only there to be stored


@dataclass(frozen=True, kw_only=True)
class Growth(Scenario):
    """Every measure is a point: its name is the size."""

    is_growth: bool = True


@dataclass(frozen=True, kw_only=True)
class Members(Growth):
    """One room, more and more members."""

    def enter(self, competitor: Competitor) -> Mapping[str, Sequence[Sequence[Ticket]]]:
        """A room of each size."""
        return {measure.name: competitor.rooms(1, int(measure.name)) for measure in self.measures}

    def turn(self, competitor: Competitor, prepared: Mapping[str, Sequence[Sequence[Ticket]]]) -> Mapping[str, float]:
        """One after the other."""
        figures = {}
        for name, rooms in prepared.items():
            run, used = _run(competitor, rooms, IN_FLIGHT, self.seconds / len(prepared), 0)
            figures[name] = 1e6 * used / max(1, run.delivered)
        return figures


@dataclass(frozen=True, kw_only=True)
class Rooms(Growth):
    """Rooms of two, more and more of them, and as many messages in all."""

    def enter(self, competitor: Competitor) -> Sequence[Sequence[Ticket]]:
        """As many as there will be at last."""
        return competitor.rooms(max(int(measure.name) for measure in self.measures), 2)

    def turn(self, competitor: Competitor, prepared: Sequence[Sequence[Ticket]]) -> Mapping[str, float]:
        """The first of them, more of them, all."""
        figures = {}
        for measure in self.measures:
            rooms = prepared[: int(measure.name)]
            run, used = _run(competitor, rooms, 2, self.seconds / len(self.measures), RATE)
            figures[measure.name] = 1e6 * used / max(1, run.acked)
        return figures


@dataclass(frozen=True, kw_only=True)
class Database(Growth):
    """A database that grows and grows: each turn begins with an empty one."""

    sizes: Mapping[str, float]
    rooms: int

    def enter(self, competitor: Anonchat) -> None:
        """Nothing: what is there when it has started is thrown away."""

    def turn(self, competitor: Anonchat, prepared: None) -> Mapping[str, float]:
        """Grow and measure in turns."""
        folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
        competitor.restart(folder)
        try:
            return {name: self._point(competitor, bytes_there) for name, bytes_there in self.sizes.items()}
        finally:
            competitor.stop()
            shutil.rmtree(folder)

    def _point(self, competitor: Anonchat, size: float) -> float:
        lot = min(LOT, max(100, round(size / ROW_BYTES / 4)))
        while competitor.database.stat().st_size < size:
            competitor.fill(competitor.make_rooms(1, 0)[0], lot)
        run, used = _run(competitor, competitor.rooms(self.rooms, 2), 2, self.seconds / len(self.sizes), RATE)
        return 1e6 * used / max(1, run.acked)


def _run(
    competitor: Competitor, rooms: Sequence[Sequence[Ticket]], in_flight: int, seconds: float, rate: float
) -> tuple[Run, float]:
    """What a flood has found, and the processor time that it took."""
    authors = min(in_flight, len(rooms[0]))
    with Flood(competitor.port, competitor.dialect, rooms, in_flight, authors, DEPTH if rate else 1) as flood:
        flood.run(min(0.5, seconds), rate).check()
        used = processor_seconds(competitor.pid)
        run = flood.run(seconds, rate)
        used = processor_seconds(competitor.pid) - used
    run.check()
    return run, used


def growth(scale: Scale) -> Sequence[Growth]:
    """By members, by rooms, and by what is stored."""
    members = sorted({scale.count(count) for count in MEMBERS})
    rooms = sorted({1, *(scale.count(count) for count in ROOMS[1:])})
    sizes = {f"{scale.database_bytes * share / 1e9:g}": scale.database_bytes * share for share in SHARES}
    seconds, talking = scale.seconds(15), scale.count(100)
    return (
        Members(
            name="growth-members",
            title=f"Growth: a delivery in a room of so many members, {IN_FLIGHT} messages in flight",
            measures=[_point(str(count), "members") for count in members],
            competitors=("anonchat", "anonchat-core", "socketio", "floor"),
            seconds=seconds,
        ),
        Rooms(
            name="growth-rooms",
            title=f"Growth: a message in one of so many rooms of 2, {RATE} a second in all",
            measures=[_point(str(count), "rooms") for count in rooms],
            competitors=("anonchat", "anonchat-core", "socketio"),
            seconds=seconds,
        ),
        Database(
            name="growth-database",
            title=f"Growth: a message beside a database of so many GB, {talking} rooms of 2, {RATE} a second in all",
            measures=[_point(name, "GB") for name in sizes],
            competitors=("anonchat",),
            seconds=seconds,
            sizes=sizes,
            rooms=talking,
        ),
    )


def _point(name: str, of: str) -> Measure:
    return Measure(name, f"{float(name):,g} {of.removesuffix('s') if name == '1' else of}", "µs", 2, is_ratio=False)
