"""Parts of `bench.py`: one window of 336 × 336 pixels through tower, proxy, host and feedback, random weights.

`added`: what the feedback adds to the time of the rest, with DINO ViT-B/8 (1764 patches) and SAM ViT-B (4096). `rate`:
how many operations a second tower and proxy make, against the machine's own matrix products, both in the same minute.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Ratio, Setup, seconds_text
from random_models import PROXIES, random_segmenter, vocabulary
from timing import Work, in_turn

SIDE = 336
WORDS = (20, 171)
MOST_ADDED = {"DINO ViT-B/8": 10, "SAM ViT-B": 25}  # percent
GEMM_SIDES = (2048, 4096)


def window_segmenter(setup: Setup, proxy: str = "DINO ViT-B/8") -> Segmenter:
    """ViT-B/16 with proxyclip and a proxy, for images that are one window."""
    settings = Settings(short_side=setup.size(SIDE, 64), window=None)
    return random_segmenter(proxy=proxy, settings=settings, device=setup.device, tiny=setup.quick)


def added_by_feedback(setup: Setup, proxy: str) -> Figures:
    """Seconds of a window, and of the feedback with each number of words."""
    segmenter, side = window_segmenter(setup, proxy), setup.size(SIDE, 64)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    vocabularies = {f"{count} words": vocabulary([f"word {index}" for index in range(count)]) for count in WORDS}
    encoded = segmenter.encode(image)

    def encode() -> None:
        nonlocal encoded
        encoded = segmenter.encode(image)
        encoded.logits(vocabularies["20 words"], feedback="none")

    def feed_back(words: Vocabulary, feedback: str) -> Work:
        return lambda: encoded.logits(words, feedback=feedback)

    works: dict[str, Work] = {"window": encode}
    for name, words in vocabularies.items():
        works[name] = feed_back(words, "paper")
        works[f"{name}, calibrated"] = feed_back(words, "calibrated")
    times = in_turn(works, setup.repeats, setup.device)
    height, width = encoded.logits(vocabularies["20 words"], feedback="none").shape[1:]
    return {"patches": height * width, "window": times.pop("window"), "feedback": times}


def measure_added(setup: Setup) -> Figures:
    return {proxy: added_by_feedback(setup, proxy) for proxy in PROXIES}


def added_percent(found: Figures, words: str) -> float:
    """What the feedback adds, in percent of the window."""
    return 100 * found["feedback"][words]["median"] / found["window"]["median"]


def added_tables(found: Figures) -> Sequence[Table]:
    rows = [
        (
            proxy,
            f"{of['patches']}",
            seconds_text(of["window"]),
            words,
            seconds_text(times),
            f"{added_percent(of, words):.1f} %",
        )
        for proxy, of in found.items()
        for words, times in of["feedback"].items()
    ]
    headings = ("proxy", "patches", "window, s", "asked for", "feedback, s", "adds")
    return [Table("What the feedback adds to a window", headings, rows)]


def added_ratios(found: Figures) -> Sequence[Ratio]:
    return [
        Ratio(
            f"feedback adds to a window with {proxy}, {words}",
            added_percent(of, words),
            "%",
            at_most=MOST_ADDED[proxy],
        )
        for proxy, of in found.items()
        for words in of["feedback"]
    ]


def operations(work: Work) -> int:
    """Floating point operations of a call: those of its matrix products, convolutions and attention."""
    with FlopCounterMode(display=False, custom_mapping={FLASH_ON_CPU: flash_operations}) as counter:
        work()
    return counter.get_total_flops()


# torch counts attention on CUDA only; this is its own formula for what it runs on a CPU
FLASH_ON_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def flash_operations(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object) -> int:
    """Of the shapes (B, H, M, d)."""
    return sdpa_flop_count(query, key, value)


@torch.inference_mode()
def measure_rate(setup: Setup) -> Figures:
    segmenter, side = window_segmenter(setup), setup.size(SIDE, 64)
    tower, proxy = segmenter.model.tower, segmenter.encoder.proxy
    assert proxy is not None
    pixels = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(setup.device)
    output = tower.encode(pixels)
    works: dict[str, Work] = {"tower": lambda: tower.encode(pixels), "proxy": lambda: proxy(pixels, output)}
    counts = {name: operations(work) for name, work in works.items()}
    for side in setup.size(GEMM_SIDES, (64,)):
        left, right = torch.randn(2, side, side, device=setup.device)
        out = torch.empty_like(left)
        name = f"product of {side} × {side}"
        works[name] = lambda left=left, right=right, out=out: torch.mm(left, right, out=out)
        counts[name] = 2 * side**3
    times = in_turn(works, setup.repeats, setup.device)
    return {name: {"operations": counts[name], "seconds": times[name]} for name in works}


def rate(found: Figures) -> float:
    """Operations a second."""
    return found["operations"] / found["seconds"]["median"]


def machine_rate(found: Figures) -> float:
    """That of the fastest matrix product."""
    return max(rate(of) for name, of in found.items() if name not in ("tower", "proxy"))


def models_rate(found: Figures) -> float:
    """That of tower and proxy one after the other."""
    both = [found["tower"], found["proxy"]]
    return sum(of["operations"] for of in both) / sum(of["seconds"]["median"] for of in both)


def rate_tables(found: Figures) -> Sequence[Table]:
    limit = machine_rate(found)

    def row(name: str, operations: float, seconds: str, value: float) -> tuple[str, ...]:
        return name, f"{operations / 1e9:.1f}", seconds, f"{value / 1e9:.0f}", f"{100 * value / limit:.0f} %"

    rows = [row(name, of["operations"], seconds_text(of["seconds"]), rate(of)) for name, of in found.items()]
    both = [found["tower"], found["proxy"]]
    whole, taken = sum(of["operations"] for of in both), sum(of["seconds"]["median"] for of in both)
    rows.insert(2, row("tower and proxy", whole, f"{taken:.3f}", models_rate(found)))
    headings = ("work, fp32", "10⁹ operations", "seconds", "10⁹ a second", "of the limit")
    return [Table("The machine's rate, and the models'", headings, rows)]


def rate_ratios(found: Figures) -> Sequence[Ratio]:
    percent = 100 * models_rate(found) / machine_rate(found)
    return [Ratio("rate of tower and proxy, of the fastest matrix product's", percent, "%", at_least=70)]


ADDED = Part("added", measure_added, added_tables, added_ratios)
RATE = Part("rate", measure_rate, rate_tables, rate_ratios)
