"""Pictures of results as SVG: bars for the first measure of a scenario, lines for what grows.

They have no scripts and no fonts of their own, and are readable on a light and on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from benchmarks.results import Result, Spread

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 760, 170, 110, 64, 22, 8
HEIGHT, BOTTOM = 320, 40  # of lines
LABEL = 16  # from one name to the next
OWN = "anonchat"
COLOURS = ("#0b6e4f", "#3fa77c", "#c1440e", "#8a5a9e", "#2c6fb0", "#9a7b0a", "#777777", "#b03a6f")
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:15px}.grid{stroke:#ccc}.spread{stroke:#222}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.grid{stroke:#555}.spread{stroke:#eee}}"
)


def bars(result: Result, titles: Mapping[str, str]) -> str:
    """The first measure: a bar for each competitor with the median, and a line from the least to the most."""
    measure = result.measures[0]
    found = [(name, spread) for name in result.rounds if (spread := result.figure(name, measure.name))]
    scale = (WIDTH - LEFT - RIGHT) / max(*(spread.most for _, spread in found), 1e-9)
    parts: list[str] = []
    for number, (name, spread) in enumerate(found):
        y = TOP + number * (BAR + GAP)
        parts += _bar(name, titles.get(name, name), spread, y, scale, f"{spread.median:,.{measure.digits}f}")
    unit = "" if measure.unit == "/s" else f", {measure.unit}"
    return _picture(result.title, f"{measure.title}{unit}", TOP + len(found) * (BAR + GAP), parts)


def _bar(name: str, title: str, spread: Spread, y: int, scale: float, text: str) -> Sequence[str]:
    colour = COLOURS[0] if name == OWN else COLOURS[1] if name.startswith(OWN) else "#8794a0"
    middle, end = y + BAR / 2, LEFT + spread.most * scale
    return (
        f'<text x="{LEFT - 8}" y="{middle + 4:g}" text-anchor="end">{escape(title)}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{spread.median * scale:.1f}" height="{BAR}" fill="{colour}"/>',
        f'<path d="M{LEFT + spread.least * scale:.1f} {middle:g}H{end:.1f}" class="spread"/>',
        f'<text x="{end + 6:.1f}" y="{middle + 4:g}">{text}</text>',
    )


def lines(result: Result, titles: Mapping[str, str]) -> str:
    """What grows, on a logarithmic axis: each measure is a point. Figures are written at anonchat as shipped."""
    found = {name: [spread.median for spread in _points(result, name)] for name in result.rounds}
    every = [max(value, 1e-3) for values in found.values() for value in values]
    top, low = math.log10(max(every) * 1.5), math.log10(min(every) / 1.5)
    floor, width = HEIGHT - BOTTOM, WIDTH - 2 * LABEL - LEFT - RIGHT
    xs = [40 + (width + RIGHT) * place / max(1, len(result.measures) - 1) for place in range(len(result.measures))]
    parts = [f'<path d="M{x:.1f} {TOP}V{floor}" class="grid"/>' for x in xs]
    parts += [
        f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle">{escape(measure.title)}</text>'
        for x, measure in zip(xs, result.measures, strict=True)
    ]
    heights = {
        name: [floor - (floor - TOP) * (math.log10(max(value, 1e-3)) - low) / (top - low) for value in values]
        for name, values in found.items()
    }
    labels = _apart({name: ys[-1] for name, ys in heights.items()})
    for colour, (name, ys) in zip(COLOURS, heights.items(), strict=False):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        label = f'x="{xs[-1] + LABEL:.1f}" y="{labels[name] + 4:.1f}" style="fill:{colour}"'
        parts.append(f"<text {label}>{escape(titles.get(name, name))}</text>")
    parts += [
        f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{value:,.3g}</text>'
        for x, y, value in zip(xs, heights.get(OWN, ()), found.get(OWN, ()), strict=False)
    ]
    return _picture(result.title, f"{result.measures[0].unit} of processor time", HEIGHT, parts)


def _points(result: Result, name: str) -> Sequence[Spread]:
    return [spread for measure in result.measures if (spread := result.figure(name, measure.name))]


def _apart(heights: Mapping[str, float]) -> Mapping[str, float]:
    """Where names stand that would otherwise cover each other: from the top, each a line below the one before."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        lowest = placed[name] = max(height, lowest + LABEL)
    return placed


def _picture(title: str, figures: str, height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}: {escape(figures)}</title><style>{STYLE}</style>",
        f'<text x="8" y="24" class="title">{escape(title)}</text><text x="8" y="46">{escape(figures)}</text>',
    )
    return "\n".join((*head, *parts, "</svg>", ""))
