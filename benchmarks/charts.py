"""Lines over logarithmic axes, as an SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 360, 250  # of a panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 44, 44
_TITLE = 30
_COLUMNS = 2
_INK, _GRID = "#20242c", "#d5d9df"


@dataclass(frozen=True)
class Line:
    """A line with its spread: positive numbers x, lowest, middle and highest y, x rising."""

    name: str
    colour: str
    points: Sequence[tuple[float, float, float, float]]


@dataclass(frozen=True)
class Panel:
    """Lines over one axis."""

    axis: str
    lines: Sequence[Line]


def chart(title: str, panels: Sequence[Panel]) -> str:
    """The panels in two columns. The second line of a panel is dashed, so that no line is known by colour alone."""
    rows = math.ceil(len(panels) / _COLUMNS)
    width, height = _COLUMNS * _WIDTH, _TITLE + rows * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="11" fill="{_INK}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="6" y="20" font-size="14" font-weight="600">{escape(title)}</text>',
    ]
    for index, panel in enumerate(panels):
        left, top = index % _COLUMNS * _WIDTH, _TITLE + index // _COLUMNS * _HEIGHT
        parts += [f'<g transform="translate({left} {top})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel) -> list[str]:
    points = [point for line in panel.lines for point in line.points]
    across = sorted({point[0] for point in points})
    lowest, highest = min(point[1] for point in points), max(point[3] for point in points)
    ticks = _ticks(lowest, highest)

    def x(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * _part(value, across[0], across[-1])

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * _part(value, ticks[0], ticks[-1])

    parts = []
    for tick in ticks:
        parts.append(f'<path d="M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for value in across:
        place = f"{x(value):.1f}"
        parts.append(f'<path d="M{place} {_HEIGHT - _BOTTOM}v4" stroke="{_INK}"/>')
        parts.append(f'<text x="{place}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(panel.axis)}</text>')
    for number, line in enumerate(panel.lines):
        dashes = ' stroke-dasharray="6 4"' if number else ""
        path = "L".join(f"{x(point[0]):.1f} {y(point[2]):.1f}" for point in line.points)
        key = _TOP - 26 + 14 * number
        parts.append(f'<path d="M{_LEFT} {key}h24" stroke="{line.colour}" stroke-width="2"{dashes}/>')
        parts.append(f'<text x="{_LEFT + 30}" y="{key + 4}">{escape(line.name)}</text>')
        parts.append(f'<path d="M{path}" fill="none" stroke="{line.colour}" stroke-width="2"{dashes}/>')
        for place, low, value, high in line.points:
            bar = f"M{x(place):.1f} {y(low):.1f}V{y(high):.1f}"
            parts.append(f'<path d="{bar}" stroke="{line.colour}" stroke-width="2"/>')
            parts.append(f'<circle cx="{x(place):.1f}" cy="{y(value):.1f}" r="3.5" fill="{line.colour}"/>')
    return parts


def _part(value: float, low: float, high: float) -> float:
    """Where a value lies between two others on a logarithmic axis, 0 to 1."""
    return math.log(value / low) / math.log(high / low) if high > low else 0.5


def _ticks(low: float, high: float) -> list[float]:
    """Numbers that begin with 1, 2 or 5, from at most `low` to at least `high`."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    all_ticks = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in (1, 2, 5)]
    start = max(index for index, tick in enumerate(all_ticks) if tick <= low)
    stop = min(index for index, tick in enumerate(all_ticks) if tick >= high)
    return all_ticks[start : stop + 1]
