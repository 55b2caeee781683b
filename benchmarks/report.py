"""Tables in Markdown: for people who look on, and for RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.competitors.base import Competitor
from benchmarks.machine import description
from benchmarks.results import Result, Spread
from benchmarks.scenarios.base import Aim, Measure

OWN = "anonchat"


def table(result: Result, players: Mapping[str, Competitor]) -> str:
    """One scenario: a line for each competitor, and the aims."""
    titles = {name: player.title for name, player in players.items()}
    head = ["", *(_head(measure, result, titles) for measure in result.measures)]
    lines = [f"### {result.title}", "", _row(head), _row(["---", *(["---:"] * len(result.measures))])]
    for name in result.rounds:
        lines.append(_row([titles.get(name, name), *(_cell(result, name, measure) for measure in result.measures)]))
    lines += [_row([titles.get(name, name), f"failed: {reason}"]) for name, reason in result.failures.items()]
    aims = [text for aim in result.aims if (text := _aim(result, aim, titles))]
    return "\n".join([*lines, "", *([result.note, ""] if result.note else []), *aims, ""])


def write(folder: Path, results: Mapping[str, Result], players: Mapping[str, Competitor]) -> None:
    """RESULTS.md of everything that was ever measured into this folder."""
    parts = ["# Results", "", f"Machine: {description()}.", ""]
    parts += [f"- **{player.title}** ({player.version()}): {player.settings}." for player in players.values()]
    parts += ["", *(table(result, players) for result in results.values())]
    (folder / "RESULTS.md").write_text("\n".join(parts))


def _head(measure: Measure, result: Result, titles: Mapping[str, str]) -> str:
    compared = f" (x {titles.get(result.reference, result.reference)})" if measure.is_ratio else ""
    unit = "" if measure.unit == "/s" else f", {measure.unit}"
    return f"{measure.title}{unit}{compared}"


def _cell(result: Result, name: str, measure: Measure) -> str:
    figure = result.figure(name, measure.name)
    if figure is None:
        return ""
    text = f"{figure.median:,.{measure.digits}f}"
    ratio = result.ratio(name, measure.name) if measure.is_ratio else None
    return f"{text} ({_spread(ratio)})" if ratio else text


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f}, {spread.least:.2f} to {spread.most:.2f}"


def _aim(result: Result, aim: Aim, titles: Mapping[str, str]) -> str:
    """Whether anonchat as shipped has reached an aim."""
    found = result.ratio(OWN, aim.measure, aim.of) if aim.of else result.figure(OWN, aim.measure)
    if found is None:
        return ""
    measure = next(one for one in result.measures if one.name == aim.measure)
    is_met = found.median >= aim.value if aim.is_least else found.median <= aim.value
    wanted = f"{'at least' if aim.is_least else 'at most'} {aim.value:g}"
    of = f" x {titles.get(aim.of, aim.of)}" if aim.of else f" {measure.unit}".rstrip()
    return f"Aim, {measure.title}: {wanted}{of}; found {_spread(found)}: {'met' if is_met else 'missed'}."


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
