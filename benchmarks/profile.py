"""Where the time of a message goes: processor time by thread, and the functions that use it.

    python -m benchmarks.profile [scenario] [competitor] [seconds]

The scenario is one with messages (rooms-8 if none is named), the competitor anonchat or anonchat-core. Functions are
sampled by py-spy, if it is installed; sampling takes the time of a message up by a few percent.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.catalogue import competitors, scenarios
from benchmarks.load.flood import Flood
from benchmarks.machine import Cores, pinned, raise_file_limit, thread_seconds
from benchmarks.run import FULL
from benchmarks.scenarios.traffic import Traffic

WARM_UP = 1.0  # seconds
RATE = 300  # samples a second
SHOWN = 40  # functions
IDLE = ("_connection_worker_thread", "Condition.wait", "_worker ", "Runner.run")  # where a thread waits for work


def main() -> None:
    """Measure and print."""
    name, player, seconds = (*sys.argv[1:], *("rooms-8", "anonchat-core", "10")[len(sys.argv) - 1 :])[:3]
    scenario, competitor = scenarios(FULL)[name], competitors()[player]
    if not isinstance(scenario, Traffic):
        raise SystemExit(f"{name} sends no messages; take {_with_messages()}.")
    cores = Cores.of_this_machine()
    with ExitStack() as stack, pinned(cores.load):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="profile-")))
        competitor.prepare()
        stack.callback(competitor.stop)
        competitor.start(folder, cores.server)
        with Flood(
            competitor.port,
            competitor.dialect,
            scenario.enter(competitor),
            scenario.in_flight,
            min(scenario.in_flight, scenario.members),
        ) as flood:
            flood.run(WARM_UP, scenario.rate).check()
            before = thread_seconds(competitor.pid)
            run = flood.run(float(seconds), scenario.rate)
            run.check()
            _print_threads(before, thread_seconds(competitor.pid), run.acked)
            if sampler := shutil.which("py-spy"):
                _print_functions(_sampled(sampler, competitor.pid, flood, scenario, float(seconds), folder / "samples"))
            else:
                print("For the functions: pip install py-spy")


def _with_messages() -> str:
    return ", ".join(name for name, scenario in scenarios(FULL).items() if isinstance(scenario, Traffic))


def _print_threads(
    before: Mapping[int, tuple[float, float]], after: Mapping[int, tuple[float, float]], messages: int
) -> None:
    print(f"{messages:,} messages\nthread    user, us  system, us  (a message)")
    for thread, (user, system) in after.items():
        used = [1e6 * (now - then) / messages for now, then in zip((user, system), before[thread], strict=True)]
        if sum(used) >= 0.1:
            print(f"{thread:<8} {used[0]:9.1f} {used[1]:11.1f}")


def _sampled(sampler: str, pid: int, flood: Flood, scenario: Traffic, seconds: float, file: Path) -> list[str]:
    """Stacks as py-spy writes them: frames from the outermost to the innermost, and how often they were seen."""
    command = (sampler, "record", "--nonblocking", "--rate", str(RATE), "--duration", str(round(seconds) or 1))
    sampling = subprocess.Popen(
        (*command, "--format", "raw", "--output", str(file), "--pid", str(pid)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    flood.run(seconds + 1, scenario.rate).check()
    sampling.wait(timeout=60)
    return file.read_text(encoding="utf-8").splitlines()


def _print_functions(stacks: list[str]) -> None:
    """Shares of the samples in which some thread had something to do."""
    total, within, itself = 0, Counter[str](), Counter[str]()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] for frame in stack.split(";")]
        if frames[-1].startswith(IDLE):
            continue
        total += int(count)
        itself[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    print("\nwithin, %  itself, %  function")
    for frame, seen in within.most_common(SHOWN):
        print(f"{100 * seen / total:9.1f} {100 * itself[frame] / total:10.1f}  {frame}")


if __name__ == "__main__":
    raise_file_limit()
    main()
