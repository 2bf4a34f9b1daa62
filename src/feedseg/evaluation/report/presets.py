"""What a preset gains over every other variant of a benchmark, and in how much of its time."""

from __future__ import annotations

from collections.abc import Iterator

from feedseg.evaluation.experiment import Bench, variant_title, with_feedback
from feedseg.evaluation.metrics.results import Result
from feedseg.evaluation.report.tables import Table, points
from feedseg.presets import Preset


def preset_tables(bench: Bench, result: Result) -> list[Table]:
    """A table for every preset; gains with paired intervals over the images."""
    tables: dict[str, list[tuple[str, str, str]]] = {}
    for preset, name, gain, times in _against(bench, result):
        tables.setdefault(preset, []).append((variant_title(name), gain, times))
    headings = ("", "gain over it, 95 % interval", "times its time")
    return [Table(f"The preset {name} against the others", headings, rows) for name, rows in tables.items()]


def preset_gains(bench: Bench, result: Result) -> list[tuple[str, str]]:
    """What a preset gains over the others that feed something back, in words."""
    return [
        (f"{preset} less {name}", f"{gain} in {times} times its time")
        for preset, name, gain, times in _against(bench, result)
        if with_feedback([name])
    ]


def _against(bench: Bench, result: Result) -> Iterator[tuple[str, str, str, str]]:
    """Preset, other variant, gain, and how many times as long it takes, the images' encoding included."""
    variants = bench.experiment.variants
    took = {name: result.seconds.get("encode", 0) + result.seconds.get(name, 0) for name in variants}
    for preset in (name for name, one in variants.items() if isinstance(one, Preset)):
        for name in variants:
            if name != preset and took[name]:
                yield preset, name, points(result.gain(preset, name)), f"{took[preset] / took[name]:.2f}"
