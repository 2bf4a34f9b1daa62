"""Parts of `bench.py`: the figures of benchmarks that are programs of their own, each in its own process.

`memory`: what a picture of 4000 × 3000 pixels adds to the memory that the weights take (memory.py). `fast`: what
`--speed fast` saves and what it costs (speed_and_loss.py). Both count CPU time, in one thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Ratio, Setup

MOST_MEGABYTES = 1500  # 847 classes on 4000 × 3000 pixels, on top of the weights
CLASSES = (20, 847)


def figures_of(program: str, *options: str) -> Figures:
    """What a program beside this one writes with --json; what it prints goes to the screen."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        subprocess.run([sys.executable, Path(__file__).with_name(program), *options, "--json", file], check=True)
        return json.loads(file.read_text(encoding="utf-8"))


def measure_memory(setup: Setup) -> Figures:
    return {f"{classes}": figures_of("memory.py", "--classes", f"{classes}") for classes in CLASSES}


def memory_tables(found: Figures) -> Sequence[Table]:
    rows = [
        (classes, f"{of['before_mb']:,.0f} MB", f"{of['added_mb']:,.0f} MB", f"{of['cpu_seconds']:.1f}")
        for classes, of in found.items()
    ]
    headings = ("classes", "memory before", "added at the peak", "CPU seconds")
    return [Table("A large picture with many classes", headings, rows)]


def memory_ratios(found: Figures) -> Sequence[Ratio]:
    return [
        Ratio(f"memory added, 4000 × 3000 pixels, {classes} classes", of["added_mb"], "MB", at_most=MOST_MEGABYTES)
        for classes, of in found.items()
    ]


def measure_fast(setup: Setup) -> Figures:
    return figures_of("speed_and_loss.py")


def fast_tables(found: Figures) -> Sequence[Table]:
    rows = []
    for kind in (name.removesuffix("_pictures") for name in found if name.endswith("_pictures")):
        of = {name.removeprefix(f"{kind}_"): value for name, value in found.items() if name.startswith(f"{kind}_")}
        pictures, host = kind.split("_")
        gain = f"{of['difference']:+.1f} ({of['difference_low']:+.1f} to {of['difference_high']:+.1f})"
        rows.append(
            (
                f"{of['pictures']} {pictures}",
                host,
                f"{of['protocol_miou']:.1f}",
                f"{of['fast_miou']:.1f}",
                gain,
                f"{of['protocol_cpu_seconds']:.2f}",
                f"{of['fast_cpu_seconds']:.2f}",
                f"{of['cpu_ratio']:.1f}",
            )
        )
    headings = (
        "pictures",
        "host",
        "mIoU, protocol",
        "fast",
        "difference, 95 %",
        "CPU s, protocol",
        "fast",
        "times faster",
    )
    return [Table("Fast against the protocol", headings, rows)]


MEMORY = Part("memory", measure_memory, memory_tables, memory_ratios, can_be_quick=False)
FAST = Part("fast", measure_fast, fast_tables, can_be_quick=False)
