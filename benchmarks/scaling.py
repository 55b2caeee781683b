"""Where the figures of `storage.py` and `nodes.py` are written down: SCALING.md, and the rounds as JSON beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.charts import OWN
from benchmarks.machine import busy_share, description
from benchmarks.results import Result, save, saved
from benchmarks.scenarios.base import Aim, Measure

FOLDER = Path(__file__).parent
BUSY_SECONDS = 2.0
TITLES = {OWN: "Postgres and Redis", "postgresql": "Postgres alone", "sqlite": "SQLite"}
HEAD = """# Results of scaling

Made by `make bench BENCHMARKS=storage` and `make bench BENCHMARKS=nodes`; what is measured stands at the head of
`benchmarks/storage.py` and `benchmarks/nodes.py`. A figure is the median over the rounds. In parentheses stands how many times
that is the figure named in the head of the column, measured in the same round: the median, and from the least to the most.
"""

Rounds = Mapping[str, Sequence[Mapping[str, float]]]


def busy_before() -> str:
    """How much of the machine others use; to be asked before anything begins."""
    return f"{busy_share(BUSY_SECONDS):.0%} of all cores in use by others before it began"


def publish(
    name: str, title: str, reference: str, measures: Sequence[Measure], aims: Sequence[Aim], rounds: Rounds, busy: str,
    folder: Path = FOLDER,
) -> None:  # fmt: skip
    """Print the table of one benchmark and write it down; those of others stay."""
    count = max(len(figures) for figures in rounds.values())
    conditions = "; ".join([time.strftime("%Y-%m-%d %H:%M"), f"{count} round{'s' * (count > 1)}", description(), busy])
    result = Result(name, title, "", reference, measures, aims, False, conditions, rounds, {})
    results = saved(folder / "scaling.json") | {name: result}
    save(folder / "scaling.json", results)
    tables = [report.table(one, TITLES) for one in results.values()]
    (folder / "SCALING.md").write_text("\n".join([HEAD, *tables]))
    print(f"\n\n{report.table(result, TITLES)}\nWritten to {folder / 'SCALING.md'}")
