"""A plot of estimates with their intervals, as an SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from feedseg.evaluation.metrics.bootstrap import Interval
from feedseg.evaluation.report.tables import points, signed

# Of Okabe and Ito's palette for colour-blind people, and a grey; they differ in lightness too.
BLUE, GREEN, ORANGE, GREY = "#0072B2", "#009E73", "#E69F00", "#6b7078"
_ROW, _TOP, _BOTTOM = 26, 30, 34
_LABELS, _PLOT, _NUMBERS = 250, 330, 140  # widths


@dataclass(frozen=True)
class Mark:
    """A row: a name, a difference of shares, and its colour. Without a value it is a heading."""

    name: str
    value: Interval | None
    colour: str = BLUE


def interval_plot(title: str, axis: str, marks: Sequence[Mark]) -> str:
    """The marks below each other along one axis, in percentage points, with a line at zero."""
    drawn = [mark.value for mark in marks if mark.value is not None and not math.isnan(mark.value.value)]
    ends = [end for value in drawn for end in (value.low, value.value, value.high) if not math.isnan(end)]
    low, high = min([0.0, *ends]) * 100, max([0.0, *ends]) * 100
    step = _step(high - low)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)

    def x(value: float) -> float:
        return _LABELS + _PLOT * (100 * value / step - first) / (last - first)

    height, width = _TOP + _ROW * len(marks) + _BOTTOM, _LABELS + _PLOT + _NUMBERS
    bottom = _TOP + _ROW * len(marks)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13" fill="#20242c">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="6" y="18" font-weight="600">{escape(title)}</text>',
    ]
    for tick in range(first, last + 1):
        place = x(tick * step / 100)
        stroke = "#20242c" if tick == 0 else "#d5d9df"
        parts.append(f'<path d="M{place:.1f} {_TOP}V{bottom}" stroke="{stroke}"/>')
        text = signed(tick * step / 100) if step >= 0.1 else f"{tick * step:+.2f}"
        parts.append(f'<text x="{place:.1f}" y="{bottom + 15}" text-anchor="middle" font-size="11">{text}</text>')
    parts.append(
        f'<text x="{_LABELS + _PLOT / 2}" y="{bottom + 29}" text-anchor="middle" font-size="11">{escape(axis)}</text>'
    )
    for row, mark in enumerate(marks):
        y = _TOP + _ROW * (row + 0.5)
        weight = ' font-weight="600"' if mark.value is None else ""
        parts.append(f'<text x="6" y="{y + 4:.1f}"{weight}>{escape(_cut(mark.name))}</text>')
        if mark.value is None or math.isnan(mark.value.value):
            continue
        value = mark.value
        if not math.isnan(value.low):
            bar = f"M{x(value.low):.1f} {y}H{x(value.high):.1f}"
            parts.append(f'<path d="{bar}" stroke="{mark.colour}" stroke-width="3"/>')
        parts.append(
            f'<circle cx="{x(value.value):.1f}" cy="{y}" r="5" fill="{mark.colour}"/>'
            f'<text x="{width - 4}" y="{y + 4:.1f}" text-anchor="end" font-size="12">{points(value)}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _step(span: float) -> float:
    """A round distance of the ticks, in points, for some five of them."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 5.0001)


def _cut(name: str, most: int = 36) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
