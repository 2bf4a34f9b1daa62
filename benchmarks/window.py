"""Parts of `bench.py`: one window of 336 × 336 pixels through tower, proxy, host and feedback, random weights.

`share`: what the feedback adds to the time of the rest, with DINO ViT-B/8 (1764 patches) and SAM ViT-B (4096). `rate`:
how many operations a second tower and proxy make, against the machine's own matrix products, both in the same minute.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from feedseg import CalibratedFeedback, FeedbackAttention
from feedseg.evaluation.report.tables import Table
from feedseg.vision.feedback.base import Feedback
from parts import Figures, Part, Ratio, Setup, seconds_text
from random_models import PROXIES, TOWERS, random_reader
from timing import Work, in_turn

SIDE = 336
WORDS = (20, 171)
MOST_SHARE = {"DINO ViT-B/8": 10, "SAM ViT-B": 25}  # percent
GEMM_SIDES = (2048, 4096)


def window(setup: Setup) -> Tensor:
    """(1, 3, side, side), RGB in [0, 1]."""
    side = setup.size(SIDE, 64)
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(setup.device)


@torch.inference_mode()
def share_of(setup: Setup, proxy: str) -> Figures:
    """Seconds of a window, and of the feedback with each number of words."""
    reader, pixels = random_reader(proxy, setup.quick, setup.device), window(setup)
    joint = TOWERS["ViT-B/16"]["projection_dim"]
    texts = {
        f"{words} words": normalize(torch.randn(words, joint, generator=torch.Generator().manual_seed(1)), dim=-1)
        for words in WORDS
    }
    texts = {name: text.to(setup.device) for name, text in texts.items()}
    opened = reader.open(pixels)

    def open_window() -> None:
        nonlocal opened
        opened = reader.open(pixels)
        opened.logits(texts["20 words"], None)

    def feed_back(text: Tensor, feedback: Feedback) -> Work:
        return lambda: opened.logits(text, feedback)

    works: dict[str, Work] = {"window": open_window}
    for name, text in texts.items():
        works[name] = feed_back(text, FeedbackAttention())
        works[f"{name}, calibrated"] = feed_back(text, CalibratedFeedback())
    times = in_turn(works, setup.repeats, setup.device)
    return {"patches": opened.grid[0] * opened.grid[1], "window": times.pop("window"), "feedback": times}


def measure_share(setup: Setup) -> Figures:
    return {proxy: share_of(setup, proxy) for proxy in PROXIES}


def added_percent(found: Figures, words: str) -> float:
    """What the feedback adds, in percent of the window."""
    return 100 * found["feedback"][words]["median"] / found["window"]["median"]


def share_tables(found: Figures) -> Sequence[Table]:
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


def share_ratios(found: Figures) -> Sequence[Ratio]:
    return [
        Ratio(
            f"feedback adds to a window with {proxy}, {words}",
            added_percent(of, words),
            "%",
            at_most=MOST_SHARE[proxy],
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
    reader, pixels = random_reader(tiny=setup.quick, device=setup.device), window(setup)
    tower, proxy = reader.tower, reader.proxy
    assert proxy is not None
    block = tower.open(pixels)
    works: dict[str, Work] = {"tower": lambda: tower.open(pixels), "proxy": lambda: proxy(pixels, tower, block)}
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
    share = 100 * models_rate(found) / machine_rate(found)
    return [Ratio("rate of tower and proxy, of the fastest matrix product's", share, "%", at_least=70)]


SHARE = Part("share", measure_share, share_tables, share_ratios)
RATE = Part("rate", measure_rate, rate_tables, rate_ratios)
