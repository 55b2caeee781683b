"""Measures anonchat beside what people would pick instead, on this machine.

    python -m benchmarks.run [--quick] [--only fanout-32,...] [--with anonchat,socketio,...] [--rounds 5]

Every server runs in a process of its own on one core, the load on the others. In each round all competitors have their
turn, in an order that moves on from round to round, so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.catalogue import competitors, scenarios
from benchmarks.competitors.base import Competitor
from benchmarks.load.library import BUILD
from benchmarks.machine import Cores, description, pinned, processor_seconds, raise_file_limit
from benchmarks.results import Result, save, saved
from benchmarks.scenarios.base import Scale, Scenario

HERE = Path(__file__).parent
FULL, QUICK, SMOKE = Scale(5), Scale(3, time=0.3, database_bytes=2e8), Scale(1, 0.01, 0.05, 2e6)
QUIET_SHARE, QUIET_SECONDS, QUIET_PATIENCE = 0.02, 0.25, 15.0  # of a core, over how long, until when


def main() -> None:
    """Measure, tell, and write it down."""
    choice = _choice()
    scale = _scale(choice)
    chosen = _named(scenarios(scale), choice.only)
    players = {name: one for name, one in _named(competitors(), choice.competitors).items() if _is_ready(name, one)}
    output = choice.output or (HERE if scale == FULL and not (choice.only or choice.competitors) else BUILD)
    output.mkdir(parents=True, exist_ok=True)
    results = saved(output / "results.json")
    estimate = sum(one.seconds * scale.rounds * len(_playing(one, players)) for one in chosen.values())
    print(f"{description()}\nabout {estimate * 1.5 / 60:.0f} minutes", flush=True)
    for name, scenario in chosen.items():
        results[name] = measure(scenario, _playing(scenario, players), scale.rounds)
        print(report.table(results[name], players), flush=True)
        save(output / "results.json", results)
    report.write(output, results, players)
    if any(result.failures for result in results.values()):
        raise SystemExit("Not every competitor came through; see above.")


def measure(scenario: Scenario, players: Mapping[str, Competitor], rounds: int) -> Result:
    """Let the players take turns at one scenario. Who fails is left out from then on."""
    cores = Cores.of_this_machine()
    rounds_of: dict[str, list[Mapping[str, float]]] = {name: [] for name in players}
    failures: dict[str, str] = {}
    with ExitStack() as stack, pinned(cores.load):
        prepared = {}
        for name, player in players.items():
            try:
                prepared[name] = _started(stack, cores, scenario, player)
            except (RuntimeError, ValueError, OSError) as error:
                failures[name] = str(error)
        for number in range(rounds):
            order = list(players)[number % len(players) :] + list(players)[: number % len(players)]
            for name in (name for name in order if name not in failures):
                _settle([player.pid for player in players.values() if player.is_running])
                print(
                    f"\r\033[K{scenario.name}: round {number + 1} of {rounds}, {name}",
                    end="",
                    flush=True,
                    file=sys.stderr,
                )
                try:
                    rounds_of[name].append(scenario.turn(players[name], prepared[name]))
                except (ValueError, OSError) as error:
                    failures[name] = str(error)
    print(file=sys.stderr)
    whole = {name: found for name, found in rounds_of.items() if name not in failures}
    described = (scenario.name, scenario.title, scenario.note, scenario.reference, scenario.measures, scenario.aims)
    return Result(*described, time.strftime("%Y-%m-%d %H:%M"), whole, failures)


def _started(stack: ExitStack, cores: Cores, scenario: Scenario, player: Competitor) -> Any:
    """Start a server on its core and prepare it for a scenario."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
    stack.callback(player.stop)
    player.start(folder, cores.server)
    return scenario.enter(player)


def _settle(pids: Sequence[int]) -> None:
    """Wait until no server works any more on what came before."""
    deadline = time.monotonic() + QUIET_PATIENCE
    while time.monotonic() < deadline:
        used = sum(map(processor_seconds, pids))
        time.sleep(QUIET_SECONDS)
        if sum(map(processor_seconds, pids)) - used <= QUIET_SHARE * QUIET_SECONDS:
            return


def _playing(scenario: Scenario, players: Mapping[str, Competitor]) -> Mapping[str, Competitor]:
    return {name: player for name, player in players.items() if name in scenario.competitors}


def _is_ready(name: str, competitor: Competitor) -> bool:
    """Prepare a competitor; say so if it cannot run here."""
    if reason := competitor.missing():
        print(f"{competitor.title} is left out: {reason}", flush=True)
        return False
    competitor.prepare()
    return True


def _named(every: Mapping[str, Any], names: str) -> dict[str, Any]:
    """Those that are named, separated by commas; all if none is."""
    wanted = [name for name in names.split(",") if name] or list(every)
    unknown = [name for name in wanted if name not in every]
    if unknown:
        raise SystemExit(f"There is no {', '.join(unknown)}; there are {', '.join(every)}.")
    return {name: every[name] for name in every if name in wanted}


def _choice() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGUMENTS=...", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few minutes: fewer and shorter rounds")
    parser.add_argument("--smoke", action="store_true", help="only whether everything works; figures mean nothing")
    parser.add_argument("--only", default="", help=f"scenarios, separated by commas: {', '.join(scenarios(FULL))}")
    parser.add_argument("--with", default="", dest="competitors", help=f"competitors: {', '.join(competitors())}")
    parser.add_argument("--rounds", type=int, help=f"instead of {FULL.rounds}")
    parser.add_argument("--database", type=float, help="bytes that the database grows to, instead of 5e9")
    parser.add_argument("--output", type=Path, help="folder for RESULTS.md; narrowed runs write to build/benchmarks")
    return parser.parse_args()


def _scale(choice: argparse.Namespace) -> Scale:
    scale = SMOKE if choice.smoke else QUICK if choice.quick else FULL
    return Scale(choice.rounds or scale.rounds, scale.size, scale.time, choice.database or scale.database_bytes)


if __name__ == "__main__":
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what was started is stopped, too
    main()
