"""Times two checkouts of feedseg in turn: is the new one as fast and as lean as the old one?

    python benchmarks/against.py OLD NEW [--repeats 15] [--processes 2] [--threads 1] [--cases …] [--json FILE]

OLD and NEW are the folders that hold the package (`src` of a checkout). Both run in processes of their own with the
same model, image and words, one call of the one, then one of the other, so that whatever else the machine does slows
both alike. Cases: `window`, an image of 336 × 336 pixels that is one window for a random CLIP ViT-B/16 with a random
DINO ViT-B/8 proxy, 20 words; `mini`, a drawn scene by the bundled toy model, 8 words; `large`, a photograph enlarged
to 24 megapixels by the bundled model for photographs, 171 words; with the paper's feedback and with the calibrated
one. Works: the whole way ("image"), the towers alone ("encode"), and other words for an encoded image ("words").
Prints medians, their ratio, and the ratio's spread (the quartiles of the ratios of neighbouring calls); then the most
memory that processes hold, and how many pixels get the same label.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

import feedseg
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.scenes import draw_scene
from random_models import save_clip, save_proxy

PHOTOGRAPH = Path(str(feedseg.__file__)).parent / "models/photographs/chelsea.jpg"
WORKER = Path(__file__).with_name("against_worker.py")
WORKS = ("image", "encode", "words")
CASES = ("window", "mini", "large")
FEEDBACKS = ("paper", "calibrated")


def make_case(name: str, folder: Path, tiny: bool = False) -> Path:
    """A folder with the image, and with the model where it is a random one."""
    folder.mkdir()
    if name == "window":
        save_clip(folder / "clip", tiny=tiny)
        save_proxy(folder / "proxy", tiny=tiny)
        image = np.random.default_rng(0).integers(0, 256, (336, 336, 3), np.uint8)
    elif name == "large":
        (folder / "words.txt").write_text("\n".join(line[0] for line in load_benchmark("coco-stuff", None).classes))
        with Image.open(PHOTOGRAPH) as photograph:
            image = np.asarray(photograph.resize((600, 400) if tiny else (6000, 4000), Image.Resampling.BICUBIC))
    else:
        image = draw_scene(0, 192).image
    np.save(folder / "image.npy", image)
    return folder


class Worker:
    """One checkout's process for one case, which answers as `against_worker.py` says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, line: str = "") -> Any:
        """The answer to a line; to none, the process's first."""
        assert self._process.stdin
        assert self._process.stdout
        if line:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"a process ended with {self._process.wait()}; its message is above")
        return json.loads(answer)


@contextmanager
def worker(source: Path, case: Path, feedback: str, threads: int) -> Iterator[Worker]:
    """A worker that has loaded its model and answered one call."""
    command = [sys.executable, str(WORKER), str(source), str(case), "--feedback", feedback, "--threads", str(threads)]
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": str(threads)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            one = Worker(process)
            one.ask()
            yield one
        finally:
            process.kill()


def compared(sources: Sequence[Path], case: Path, feedback: str, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both by work, call by call; bytes at the peak by process; the fraction of equal labels."""
    seconds: dict[str, list[tuple[float, float]]] = {work: [] for work in WORKS}
    labels = []
    with ExitStack() as stack:
        both = [stack.enter_context(worker(source, case, feedback, options.threads)) for source in sources]
        for number, one in enumerate(both):
            one.ask(f"labels {case / f'labels-{number}.npy'}")
            labels.append(np.load(case / f"labels-{number}.npy"))
        for work in WORKS:
            for repeat in range(options.repeats):
                order = (0, 1) if repeat % 2 else (1, 0)
                taken = {index: both[index].ask(f"time {work}") for index in order}
                seconds[work].append((taken[0], taken[1]))
        peaks: list[list[int]] = [[one.ask("memory")] for one in both]
    for _ in range(options.processes):
        for index, source in enumerate(sources):
            with worker(source, case, feedback, options.threads) as one:
                for _ in range(3):
                    one.ask("time image")
                peaks[index].append(one.ask("memory"))
    return {"seconds": seconds, "bytes": peaks, "equal": float((labels[0] == labels[1]).mean())}


def ratio_text(pairs: Sequence[tuple[float, float]]) -> str:
    """New over old: the ratio of the medians, and the quartiles of the ratios of neighbouring calls."""
    old, new = (median(column) for column in zip(*pairs, strict=True))
    low, high = np.quantile([after / before for before, after in pairs], (0.25, 0.75))
    return f"{new / old:.3f} ({low:.3f}–{high:.3f})"


def milliseconds(times: Sequence[float]) -> str:
    """Median, smallest and largest."""
    return f"{1000 * median(times):.1f} ({1000 * min(times):.1f}–{1000 * max(times):.1f})"


def megabytes(peaks: Sequence[int]) -> str:
    """Median, smallest and largest."""
    return f"{median(peaks) / 1e6:.0f} ({min(peaks) / 1e6:.0f}–{max(peaks) / 1e6:.0f})"


def show(console: Console, found: dict[str, dict[str, Any]]) -> None:
    """The tables of time, and of memory and labels."""
    table = Table("case", "work", "old, ms", "new, ms", "new / old (quartiles)", title="Time")
    for name, of in found.items():
        for work, pairs in of["seconds"].items():
            old, new = zip(*pairs, strict=True)
            table.add_row(name, work, milliseconds(old), milliseconds(new), ratio_text(pairs))
    console.print(table)
    table = Table("case", "old, MB", "new, MB", "new / old", "equal labels", title="Peak memory of processes")
    for name, of in found.items():
        old, new = of["bytes"]
        table.add_row(
            name, megabytes(old), megabytes(new), f"{median(new) / median(old):.3f}", f"{100 * of['equal']:.4f} %"
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="folder that holds the package, src of a checkout")
    parser.add_argument("new", type=Path)
    parser.add_argument("--repeats", type=int, default=15, help="calls of every work")
    parser.add_argument("--processes", type=int, default=2, help="further processes whose memory is measured")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--feedback", nargs="+", choices=FEEDBACKS, default=FEEDBACKS)
    parser.add_argument("--tiny", action="store_true", help="a tiny random model, to see that the program runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    sources = (options.old.resolve(), options.new.resolve())
    for source in sources:
        if not (source / "feedseg/__init__.py").is_file():
            parser.error(f"{source} holds no package feedseg")
    console, found = Console(width=120), {}
    with TemporaryDirectory() as folder:
        for name in options.cases:
            case = make_case(name, Path(folder) / name, options.tiny)
            for feedback in options.feedback:
                console.print(f"{name}, {feedback} …")
                found[f"{name}, {feedback}"] = compared(sources, case, feedback, options)
    show(console, found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
