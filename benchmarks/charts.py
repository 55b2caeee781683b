"""Pictures of results as SVG: bars for the first measure of a scenario, lines for what grows.

They have no scripts and no fonts of their own, and are readable on a light and on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from benchmarks.results import Result, Spread

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 760, 170, 110, 44, 22, 8
HEIGHT, BOTTOM = 320, 64  # of lines
OWN = "anonchat"
COLOURS = ("#0b6e4f", "#3fa77c", "#c1440e", "#8a5a9e", "#2c6fb0", "#9a7b0a", "#777777", "#b03a6f")
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:15px}.grid{stroke:#ccc}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.grid{stroke:#555}}"
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
    return _picture(f"{result.title}: {measure.title}{unit}", TOP + len(found) * (BAR + GAP), parts)


def _bar(name: str, title: str, spread: Spread, y: int, scale: float, text: str) -> Sequence[str]:
    colour = COLOURS[0] if name == OWN else COLOURS[1] if name.startswith(OWN) else "#8794a0"
    middle, end = y + BAR / 2, LEFT + spread.most * scale
    return (
        f'<text x="{LEFT - 8}" y="{middle + 4:g}" text-anchor="end">{escape(title)}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{spread.median * scale:.1f}" height="{BAR}" fill="{colour}"/>',
        f'<path d="M{LEFT + spread.least * scale:.1f} {middle:g}H{end:.1f}" stroke="#222" stroke-opacity=".6"/>',
        f'<text x="{end + 6:.1f}" y="{middle + 4:g}">{text}</text>',
    )


def lines(result: Result, titles: Mapping[str, str]) -> str:
    """What grows, on two logarithmic axes: each measure is a point, and its name is the size."""
    sizes = [float(measure.name) for measure in result.measures]
    values = [
        spread.median
        for name in result.rounds
        for measure in result.measures
        if (spread := result.figure(name, measure.name))
    ]
    top, low = math.log10(max(*values, 1e-3) * 1.5), math.log10(max(min(values), 1e-3) / 1.5)
    xs = [LEFT / 2 + (WIDTH - LEFT / 2 - RIGHT - 60) * place / max(1, len(sizes) - 1) for place in range(len(sizes))]
    floor = HEIGHT - BOTTOM
    parts = [f'<path d="M{x:.1f} {TOP}V{floor}" class="grid"/>' for x in xs]
    parts += [
        f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle">{escape(measure.title)}</text>'
        for x, measure in zip(xs, result.measures, strict=True)
    ]
    for number, name in enumerate(result.rounds):
        colour = COLOURS[number % len(COLOURS)]
        found = [result.figure(name, measure.name) for measure in result.measures]
        heights = [
            floor - (floor - TOP) * (math.log10(max(one.median, 1e-3)) - low) / (top - low) for one in found if one
        ]
        parts += _line(titles.get(name, name), colour, xs, heights, [one.median for one in found if one])
    return _picture(f"{result.title}, {result.measures[0].unit} of processor time", HEIGHT, parts)


def _line(
    title: str, colour: str, xs: Sequence[float], heights: Sequence[float], values: Sequence[float]
) -> Sequence[str]:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, heights, strict=True))
    texts = [
        f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle" style="font-size:11px">{value:,.3g}</text>'
        for x, y, value in zip(xs, heights, values, strict=True)
    ]
    name = f'<text x="{xs[-1] + 22:.1f}" y="{heights[-1] + 4:.1f}" style="fill:{colour}">{escape(title)}</text>'
    return (f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>', *texts, name)


def _picture(title: str, height: int, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text x="8" y="24" class="title">{escape(title)}</text>',
    )
    return "\n".join((*head, *parts, "</svg>", ""))
