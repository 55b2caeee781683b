"""One scenario, several rounds: in each of them every competitor has its turn."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.competitors.base import Competitor
from benchmarks.machine import Cores, busy_share, description, pinned, processor_seconds
from benchmarks.results import Result
from benchmarks.scenarios.base import Scale, Scenario

QUIET_SHARE, QUIET_SECONDS, QUIET_PATIENCE = 0.02, 0.25, 15.0  # of a core, over how long, until when
LOOK_SECONDS = 2.0  # for which the machine is watched before the first turn
FAILURES = (RuntimeError, ValueError, OSError)
Found = dict[str, list[Mapping[str, float]]]


def measure(scenario: Scenario, players: Mapping[str, Competitor], scale: Scale) -> Result:
    """Let the players take turns. Who fails is left out from then on, and of the figures."""
    cores = Cores.of_this_machine()
    found: Found = {name: [] for name in players}
    failures: dict[str, str] = {}
    prepared: dict[str, Any] = {}
    with ExitStack() as stack, pinned(cores.load):
        for name, player in players.items():
            try:
                prepared[name] = _started(stack, cores, scenario, player)
            except FAILURES as error:
                failures[name] = str(error)
        _settle([player.pid for player in players.values() if player.is_running], scale)
        others = busy_share(scale.seconds(LOOK_SECONDS))
        for number, name in _turns(list(players), scale.rounds):
            if name in failures:
                continue
            _settle([player.pid for player in players.values() if player.is_running], scale)
            _tell(f"{scenario.name}: round {number + 1} of {scale.rounds}, {name}")
            try:
                found[name].append(scenario.turn(players[name], prepared[name]))
            except FAILURES as error:
                failures[name] = str(error)
    _tell("")
    whole = {name: figures for name, figures in found.items() if name not in failures}
    described = (scenario.name, scenario.title, scenario.note, scenario.reference, scenario.measures, scenario.aims)
    return Result(*described, scenario.is_growth, _conditions(players, scale.rounds, others), whole, failures)


def _conditions(players: Mapping[str, Competitor], rounds: int, others: float) -> str:
    """Where, when, with what, and how much of the machine somebody else used when nobody had begun."""
    versions = [f"{player.title}: {player.version()}" for player in players.values()]
    busy = f"{others:.0%} of all cores in use by others before it began"
    return "; ".join([time.strftime("%Y-%m-%d %H:%M"), f"{rounds} rounds", description(), busy, *versions])


def _started(stack: ExitStack, cores: Cores, scenario: Scenario, player: Competitor) -> Any:
    """Start a server on its core and prepare it for a scenario."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
    stack.callback(player.stop)
    player.start(folder, cores.server)
    return scenario.enter(player)


def _turns(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Round and name; who begins moves on from round to round, so that nobody always comes after the same one."""
    for number in range(rounds):
        first = number % len(names) if names else 0
        for name in (*names[first:], *names[:first]):
            yield number, name


def _settle(pids: Sequence[int], scale: Scale) -> None:
    """Wait until no server works any more on what came before."""
    deadline = time.monotonic() + scale.seconds(QUIET_PATIENCE)
    while time.monotonic() < deadline:
        used = sum(map(processor_seconds, pids))
        time.sleep(scale.seconds(QUIET_SECONDS))
        if sum(map(processor_seconds, pids)) - used <= QUIET_SHARE * scale.seconds(QUIET_SECONDS):
            return


def _tell(text: str) -> None:
    """Show what is going on, on one line; only people who look on want that."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", flush=True, file=sys.stderr)
    elif text:
        print(text, flush=True, file=sys.stderr)
