"""Measures anonchat beside what people would pick instead, on this machine.

    python -m benchmarks.run [--quick] [--only fanout-32,...] [--with anonchat,socketio,...] [--rounds 5]

Every server runs in a process of its own on one core, the load on the others. In each round all competitors have their
turn, in an order that moves on from round to round, so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from benchmarks import report
from benchmarks.catalogue import competitors, scenarios
from benchmarks.competitors.base import Competitor
from benchmarks.load.library import BUILD, compiler
from benchmarks.machine import description, raise_file_limit
from benchmarks.results import save, saved
from benchmarks.rounds import measure
from benchmarks.scenarios.base import Scale, Scenario

HERE = Path(__file__).parent
FULL, QUICK, SMOKE = Scale(5), Scale(2, time=0.2, database_bytes=2e8), Scale(1, 0.01, 0.01, 2e6)
OVERHEAD = 5.0  # seconds that connecting and settling take in a turn, roughly

Named = TypeVar("Named")


def main() -> None:
    """Measure, tell, and write it down. Exits with 1 if a competitor did not come through."""
    choice = _choice()
    scale = _scale(choice)
    players = {name: one for name, one in _named(competitors(), choice.competitors).items() if _is_ready(one)}
    chosen = {name: one for name, one in _named(scenarios(scale), choice.only).items() if _playing(one, players)}
    is_whole = scale == FULL and not choice.only and not choice.competitors
    output = choice.output or (HERE if is_whole else BUILD)
    output.mkdir(parents=True, exist_ok=True)
    turns = [one.seconds + OVERHEAD * scale.size for one in chosen.values() for _ in _playing(one, players)]
    print(f"{description()}\nThis takes about {scale.rounds * sum(turns) / 60:.0f} minutes.", flush=True)
    titles = {name: one.title for name, one in competitors().items()}
    results = saved(output / "results.json")
    for name, scenario in chosen.items():
        results[name] = measure(scenario, _playing(scenario, players), scale)
        print(report.table(results[name], titles), flush=True)
        save(output / "results.json", results)
        report.write(output, results, competitors())
    print(f"Written to {output / 'RESULTS.md'}")
    if any(results[name].failures for name in chosen):
        raise SystemExit("Not every competitor came through; see above.")


def _playing(scenario: Scenario, players: Mapping[str, Competitor]) -> Mapping[str, Competitor]:
    return {name: player for name, player in players.items() if name in scenario.competitors}


def _is_ready(competitor: Competitor) -> bool:
    """Prepare a competitor; say so if it cannot run here."""
    if reason := competitor.missing():
        print(f"{competitor.title} is left out: {reason}", flush=True)
        return False
    competitor.prepare()
    return True


def _named(every: Mapping[str, Named], names: str) -> dict[str, Named]:
    """Those that are named, separated by commas; all if none is."""
    wanted = [name for name in names.split(",") if name] or list(every)
    unknown = [name for name in wanted if name not in every]
    if unknown:
        raise SystemExit(f"There is no {', '.join(unknown)}; there are {', '.join(every)}.")
    return {name: every[name] for name in every if name in wanted}


def _choice() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGUMENTS=...", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, and a small database")
    parser.add_argument("--smoke", action="store_true", help="only whether everything works; figures mean nothing")
    parser.add_argument("--only", default="", help=f"scenarios, separated by commas: {', '.join(scenarios(FULL))}")
    parser.add_argument("--with", default="", dest="competitors", help=f"competitors: {', '.join(competitors())}")
    parser.add_argument("--rounds", type=int, help=f"instead of {FULL.rounds}")
    parser.add_argument("--database", type=float, help="bytes that the database grows to, instead of 5e9")
    parser.add_argument("--output", type=Path, help="folder for RESULTS.md; narrowed runs write to build/benchmarks")
    return parser.parse_args()


def _scale(choice: argparse.Namespace) -> Scale:
    scale = SMOKE if choice.smoke else QUICK if choice.quick else FULL
    return replace(
        scale,
        rounds=choice.rounds or scale.rounds,
        database_bytes=choice.database or scale.database_bytes,
    )


if __name__ == "__main__":
    if sys.platform != "linux" or compiler() is None:
        raise SystemExit("The benchmark needs Linux and a C compiler; on Debian or Ubuntu: apt install gcc libc6-dev")
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what was started is stopped, too
    main()
