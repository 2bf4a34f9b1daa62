"""A plot of estimates with their intervals, as an SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from feedseg.evaluation.metrics.bootstrap import Interval
from feedseg.evaluation.report.tables import signed
from feedseg.evaluation.report.templates import render

# Of Okabe and Ito's palette for colour-blind people, and a grey; they differ in lightness too.
BLUE, GREEN, ORANGE, GREY = "#0072B2", "#009E73", "#E69F00", "#6b7078"
_ROW, _TOP, _BOTTOM = 38, 32, 36  # heights, pixels; a row has a line of text and its bar below it
_MARGIN, _PLOT = 16, 388  # widths; narrow enough for a telephone at the text's own size


@dataclass(frozen=True)
class Mark:
    """A row: a name, a difference of fractions, and its colour. Without a value it is a heading."""

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
        return _MARGIN + _PLOT * (100 * value / step - first) / (last - first)

    ticks = []
    for tick in range(first, last + 1):
        text = signed(tick * step / 100) if step >= 0.1 else f"{tick * step:+.2f}"
        ticks.append({"x": x(tick * step / 100), "zero": tick == 0, "text": text})
    rows = []
    for number, mark in enumerate(marks):
        value = None if mark.value is None or math.isnan(mark.value.value) else mark.value
        bar = None if value is None or math.isnan(value.low) else (x(value.low), x(value.high))
        position = None if value is None else x(value.value)
        rows.append(
            {"y": _TOP + _ROW * (number + 0.72), "name": _cut(mark.name), "mark": mark, "bar": bar, "x": position}
        )
    bottom = _TOP + _ROW * len(marks)
    return render(
        "plot.svg",
        title=title,
        axis=axis,
        width=_PLOT + 2 * _MARGIN,
        height=bottom + _BOTTOM,
        top=_TOP,
        bottom=bottom,
        middle=_MARGIN + _PLOT / 2,
        ticks=ticks,
        rows=rows,
    )


def _step(span: float) -> float:
    """A round distance of the ticks, in points, for some five of them."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / 5.0001)


def _cut(name: str, most: int = 36) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
