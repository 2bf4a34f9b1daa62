"""What the feedback costs: against the direct formula, and against the window that it is part of.

    python benchmarks/feedback.py [--repeats 5] [--threads N]

First, one window of N = 1764 patches (a 42 × 42 proxy grid), C = 171 words, width 768: the direct formula with its
N × N × C tensor and its N³ products, and `FeedbackAttention`, on the same inputs with the same result; seconds and the
memory that each adds at its peak, each in its own process. Then what the feedback adds to one window of CLIP ViT-B/16
with DINO ViT-B/8, random weights, 336 × 336 pixels, for 20 and 171 words. Last, the sort of the pruning against the
whole of it. Medians, smallest and largest; every ratio is of one run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import normalize

from feedseg import FeedbackAttention
from feedseg.vision.correspondence import divergences, kept, similarities

PATCHES, WORDS, WIDTH, JOINT = 1764, 171, 768, 512


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A shared attention, values, a projection and text embeddings, seeded."""
    generator = torch.Generator().manual_seed(0)
    attention = (torch.randn(1, PATCHES, PATCHES, generator=generator) * 2).softmax(dim=-1)
    values = torch.randn(1, PATCHES, WIDTH, generator=generator)
    projection = torch.randn(WIDTH, JOINT, generator=generator) / WIDTH**0.5
    return attention, values, projection, normalize(torch.randn(WORDS, JOINT, generator=generator), dim=-1)


def direct(attention: Tensor, values: Tensor, projection: Tensor, text: Tensor) -> Tensor:
    """Every formula as the paper writes it: (N, E), unit length."""
    weights, value = attention[0], values[0]
    first = normalize(weights @ value @ projection, dim=-1)
    uniform = normalize(torch.full_like(weights, 1 / PATCHES) @ value @ projection, dim=-1)
    predictions = (20 * first @ text.T - 35 * uniform @ text.T).softmax(dim=-1)
    ratios = predictions.log()[:, None] - predictions.log()[None]  # N × N × C
    similarity = 1 / (1 + (predictions[:, None] * ratios).sum(dim=-1).clamp(min=0))
    ordered, places = similarity.sort(dim=-1, descending=True)
    dropped = ordered.softmax(dim=-1).cumsum(dim=-1) > 0.45
    dropped[:, 0] = False
    similarity = torch.empty_like(similarity).scatter_(-1, places, ordered.masked_fill(dropped, -torch.inf))
    fed_back = torch.where(similarity.isinf(), similarity, similarity * (3 * similarity).exp()).softmax(dim=-1)
    ensemble = (fed_back @ weights + weights @ fed_back + fed_back) / 3  # N³
    return normalize(ensemble @ value @ projection, dim=-1)


def ours(attention: Tensor, values: Tensor, projection: Tensor, text: Tensor) -> Tensor:
    """The same by the plug-in."""
    return FeedbackAttention()(attention, values, lambda attended: attended @ projection, text)[0]


METHODS: dict[str, Callable[..., Tensor]] = {"direct": direct, "feedseg": ours}


def memory_peak() -> int:
    """The most bytes that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@torch.inference_mode()
def measured(name: str, repeats: int, threads: int, channel: multiprocessing.SimpleQueue) -> None:
    """Seconds of every repeat, bytes added at the peak, and the result, in a process of its own."""
    torch.set_num_threads(threads)
    given = inputs()
    before = memory_peak()
    seconds = []
    result = METHODS[name](*given)
    for _ in range(repeats):
        start = time.perf_counter()
        result = METHODS[name](*given)
        seconds.append(time.perf_counter() - start)
    channel.put((seconds, memory_peak() - before, result.numpy()))


def compare(repeats: int, threads: int) -> Table:
    """The direct formula and the plug-in."""
    found = {}
    context = multiprocessing.get_context("spawn")
    for name in METHODS:
        channel = context.SimpleQueue()
        process = context.Process(target=measured, args=(name, repeats, threads, channel))
        process.start()
        found[name] = channel.get()
        process.join()
    far = float(np.abs(found["direct"][2] - found["feedseg"][2]).max())
    table = Table(
        "one window", "seconds", "added memory", title=f"N {PATCHES}, C {WORDS}; largest difference {far:.0e}"
    )
    for name, (seconds, memory, _) in found.items():
        table.add_row(name, spread(seconds), f"{memory / 1e6:.0f} MB")
    faster = median(found["direct"][0]) / median(found["feedseg"][0])
    table.add_row("ratio", f"{faster:.1f}", f"{found['direct'][1] / found['feedseg'][1]:.1f}")
    return table


@torch.inference_mode()
def share_of_window(repeats: int) -> Table:
    """What the feedback adds to the time of a window: tower, proxy and host."""
    from opened_picture import random_segmenter

    table = Table("words", "window, s", "feedback, s", "adds", title="B/16 and DINO B/8, 336 × 336, one window")
    picture = np.random.default_rng(0).integers(0, 256, (336, 336, 3), np.uint8)
    segmenter, feedback = random_segmenter(True), FeedbackAttention()
    for words in (20, WORDS):
        text = normalize(torch.randn(words, 512, generator=torch.Generator().manual_seed(1)), dim=-1)
        window, added = [], []
        for repeat in range(repeats + 1):
            start = time.perf_counter()
            opened = segmenter.open(picture)._opened[0].reading
            opened.logits(text, None)
            middle = time.perf_counter()
            opened.logits(text, feedback)
            if repeat:
                window.append(middle - start)
                added.append(time.perf_counter() - middle)
        adds = f"{100 * median(added) / median(window):.1f} %"
        table.add_row(str(words), spread(window), spread(added), adds)
    return table


@torch.inference_mode()
def pruning(repeats: int) -> Table:
    """A block of rows: where the time of F goes, and what a sort with places would take."""
    generator = torch.Generator().manual_seed(0)
    predictions = torch.randn(1, PATCHES, WORDS, generator=generator).log_softmax(dim=-1)
    rows = slice(0, 590)
    similarity = similarities(divergences(predictions, rows))
    works: dict[str, Callable[[], object]] = {
        "similarities": lambda: similarities(divergences(predictions, rows)),
        "what stays": lambda: kept(similarity, 0.45),
        "a stable sort with places": lambda: similarity.sort(dim=-1, descending=True, stable=True),
    }
    table = Table("590 rows of 1764", "seconds")
    for name, work in works.items():
        work()
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        table.add_row(name, spread(seconds))
    return table


def spread(seconds: list[float]) -> str:
    """Median, smallest and largest."""
    return f"{median(seconds):.3f} ({min(seconds):.3f}–{max(seconds):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    console = Console()
    console.print(f"{options.threads} threads, medians of {options.repeats} (smallest–largest)")
    console.print(compare(options.repeats, options.threads))
    console.print(share_of_window(options.repeats))
    console.print(pruning(options.repeats))


if __name__ == "__main__":
    main()
