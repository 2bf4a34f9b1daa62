"""The eight benchmarks that papers report on, measured together, and their average."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import SUITE, load_benchmark
from feedseg.evaluation.datasets.layout import root_below
from feedseg.evaluation.datasets.samples import find_samples


@dataclass(frozen=True)
class Average:
    """The mean of the mIoUs of several benchmarks, as papers give it."""

    variants: Mapping[str, float]  # 0 to 1
    present: tuple[str, ...]  # the suite's benchmarks that it is over
    missing: tuple[str, ...]  # those that it lacks

    @property
    def text(self) -> str:
        """What it is over."""
        over = f"mean of the mIoU of {len(self.present)} of {len(SUITE)} benchmarks"
        return f"{over}; missing: {', '.join(self.missing)}" if self.missing else over


def average(miou: Mapping[str, Mapping[str, float]]) -> Average | None:
    """The average over what there is of the suite; None for less than two benchmarks.

    Args:
        miou: by benchmark and variant, 0 to 1.
    """
    present = tuple(name for name in SUITE if name in miou)
    if len(present) < 2:
        return None
    variants = [name for name in miou[present[0]] if all(name in miou[one] for one in present)]
    means = {name: sum(miou[one][name] for one in present) / len(present) for name in variants}
    return Average(means, present, tuple(name for name in SUITE if name not in present))


def available(names: Iterable[str], data: Path | None, limit: int | None) -> tuple[tuple[str, ...], list[str]]:
    """The benchmarks whose data are there, and for each of the others a line that says why not."""
    present, absent = [], []
    for name in names:
        try:
            benchmark = load_benchmark(name, data)
            find_samples(benchmark, root_below(benchmark, data), limit)
        except FeedsegError as error:
            absent.append(f"{name} is left out: {error}")
        else:
            present.append(name)
    return tuple(present), absent
