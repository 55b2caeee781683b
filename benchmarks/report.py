"""Tables in Markdown and charts: for people who look on, and for RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.charts import OWN, bars, lines
from benchmarks.competitors.base import Competitor
from benchmarks.results import Result, Spread
from benchmarks.scenarios.base import Aim, Measure

CHARTS = "charts"
HEAD = """# Results

Made by `make bench`; [how to read this](../docs/performance.md). A figure is the median over the rounds. In parentheses
stands how many times that is the figure of the competitor named in the head of the column, measured in the same round:
the median, and from the least to the most.
"""

Titles = Mapping[str, str]


def write(folder: Path, results: Mapping[str, Result], players: Mapping[str, Competitor]) -> None:
    """RESULTS.md and charts of everything that was ever measured into this folder."""
    titles = {name: player.title for name, player in players.items()}
    (folder / CHARTS).mkdir(exist_ok=True)
    parts = [HEAD]
    for name, result in results.items():
        parts.append(table(result, titles))
        if result.rounds:
            draw = lines if result.is_growth else bars
            (folder / CHARTS / f"{name}.svg").write_text(draw(result, titles))
            parts.append(f"![{result.title}]({CHARTS}/{name}.svg)\n")
    seen = {name for result in results.values() for name in result.rounds}
    parts.append("## Settings\n")
    parts += [f"- **{player.title}**: {player.settings}." for name, player in players.items() if name in seen]
    (folder / "RESULTS.md").write_text("\n".join(parts) + "\n")


def table(result: Result, titles: Titles) -> str:
    """One scenario: a line for each competitor, the aims, and under which conditions it was measured."""
    head = ["", *(_head(measure, result, titles) for measure in result.measures)]
    rows = [head, ["---", *["---:"] * len(result.measures)]]
    rows += [
        [titles.get(name, name), *(_cell(result, name, measure) for measure in result.measures)]
        for name in result.rounds
    ]
    lines_of = [f"## {result.title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""]
    lines_of += [f"{titles.get(name, name)} failed: {reason}\n" for name, reason in result.failures.items()]
    lines_of += [f"- {text}" for aim in result.aims if (text := _aim(result, aim, titles))]
    return "\n".join([*lines_of, f"- {result.note}" if result.note else "", f"- {result.conditions}", ""])


def _head(measure: Measure, result: Result, titles: Titles) -> str:
    compared = f" (x {titles.get(result.reference, result.reference)})" if measure.is_ratio else ""
    unit = "" if measure.unit == "/s" else f", {measure.unit}"
    return f"{measure.title}{unit}{compared}"


def _cell(result: Result, name: str, measure: Measure) -> str:
    figure = result.figure(name, measure.name)
    if figure is None:
        return ""
    text = f"{figure.median:,.{measure.digits}f}"
    ratio = result.ratio(name, measure.name) if measure.is_ratio and name != result.reference else None
    return f"{text} ({_spread(ratio)})" if ratio else text


def _spread(spread: Spread) -> str:
    """Three significant digits each."""
    return f"{_short(spread.median)}, {_short(spread.least)} to {_short(spread.most)}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _aim(result: Result, aim: Aim, titles: Titles) -> str:
    """Whether anonchat as shipped has reached an aim."""
    found = result.ratio(OWN, aim.measure, aim.of) if aim.of else result.figure(OWN, aim.measure)
    if found is None:
        return ""
    measure = next(one for one in result.measures if one.name == aim.measure)
    is_met = found.median >= aim.value if aim.is_least else found.median <= aim.value
    wanted = f"{'at least' if aim.is_least else 'at most'} {aim.value:,g}"
    of = f" x {titles.get(aim.of, aim.of)}" if aim.of else f" {measure.unit}" if measure.unit != "/s" else ""
    return f"Aim, {measure.title}: {wanted}{of}; found {_spread(found)}: **{'met' if is_met else 'missed'}**."
