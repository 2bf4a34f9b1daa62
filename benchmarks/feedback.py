"""Parts of `bench.py`: the feedback by itself, against the direct formula.

`direct`: one window of 1764 patches (a 42 × 42 proxy grid), 171 words, width 768, once with one attention for all heads
(ProxyCLIP) and once with one per head (all other hosts); seconds and the memory that each adds at its peak, each in a
process of its own. `matrices`: that memory, counted in matrices of N × N numbers. `pruning`: finding the threshold of
every row, against a stable sort with indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg import CalibratedFeedback, FSAFeedback
from feedseg.evaluation.report.tables import Table
from feedseg.vision.feedback.affinity import divergences, kept, similarities
from parts import Figures, Part, Ratio, Setup, megabytes, seconds_text
from timing import Memory, alone, free_at_once, in_turn, own_process, seconds, spread

PATCHES, WORDS, WIDTH, JOINT, HEADS = 1764, 171, 768, 512, 12
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def inputs(patches: int, words: int, heads: int = 0, device: str = "cpu") -> Inputs:
    """An attention, (1, N, N) or with heads (1, H, N, N), values, a projection and text embeddings, seeded."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, heads, patches, patches) if heads else (1, patches, patches)
    attention = (torch.randn(shape, generator=generator).mul_(2)).softmax(dim=-1)
    values = torch.randn(1, patches, WIDTH, generator=generator)
    projection = torch.randn(WIDTH, JOINT, generator=generator) / WIDTH**0.5
    text = normalize(torch.randn(words, JOINT, generator=generator), dim=-1)
    return attention.to(device), values.to(device), projection.to(device), text.to(device)


def direct(attention: Tensor, values: Tensor, projection: Tensor, text: Tensor) -> Tensor:
    """Every formula as the paper writes it, N × N × C and N³: (N, E), unit length."""
    weights = attention if attention.dim() == 3 else attention[0]  # (H or 1, N, N)
    heads, patches, _ = weights.shape
    value = values[0].unflatten(-1, (heads, -1)).transpose(0, 1)

    def embedded(attention: Tensor) -> Tensor:
        return normalize((attention @ value).transpose(0, 1).flatten(1) @ projection, dim=-1)

    first, uniform = embedded(weights), embedded(torch.full_like(weights, 1 / patches))
    predictions = (20 * first @ text.T - 35 * uniform @ text.T).softmax(dim=-1)
    ratios = predictions.log()[:, None] - predictions.log()[None]  # N × N × C
    similarity = 1 / (1 + (predictions[:, None] * ratios).sum(dim=-1).clamp(min=0))
    del ratios
    ordered, indices = similarity.sort(dim=-1, descending=True)
    dropped = ordered.softmax(dim=-1).cumsum(dim=-1) > 0.45
    dropped[:, 0] = False
    similarity = torch.empty_like(similarity).scatter_(-1, indices, ordered.masked_fill(dropped, -torch.inf))
    fed_back = torch.where(similarity.isinf(), similarity, similarity * (3 * similarity).exp()).softmax(dim=-1)
    fed_back = fed_back.expand(heads, -1, -1)
    return embedded((torch.bmm(fed_back, weights) + torch.bmm(weights, fed_back) + fed_back) / 3)  # N³ a head


def ours(attention: Tensor, values: Tensor, projection: Tensor, text: Tensor) -> Tensor:
    """The same by the plug-in."""
    return FSAFeedback()(attention, values, lambda attended: attended @ projection, text)[0]


def calibrated(attention: Tensor, values: Tensor, projection: Tensor, text: Tensor) -> Tensor:
    """The calibrated feedback, whose results are others."""
    return CalibratedFeedback()(attention, values, lambda attended: attended @ projection, text)[0]


ATTENTIONS = {"shared": 0, "per head": HEADS}  # heads
METHODS = {"direct": direct, "feedseg": ours}
FEEDBACKS = {"paper": ours, "calibrated": calibrated}


kept_inputs = cache(inputs)


@torch.inference_mode()
def result_alone(setup: Setup, name: str, patches: int, words: int, heads: int) -> Tensor:
    """What a method makes of the inputs, (N, E); its first call here, which is not timed."""
    return METHODS[name](*kept_inputs(patches, words, heads, setup.device)).cpu()


@torch.inference_mode()
def seconds_alone(setup: Setup, name: str, patches: int, words: int, heads: int) -> float:
    """Of a call with the same inputs."""
    given = kept_inputs(patches, words, heads, setup.device)
    return seconds(lambda: METHODS[name](*given), setup.device)


def compared(setup: Setup, patches: int, words: int, heads: int) -> Figures:
    """Both methods, each in a process of its own, timed in turn; then the memory, in others."""
    found: Figures = {}
    with own_process(setup) as first, own_process(setup) as second:
        processes = dict(zip(METHODS, (first, second), strict=True))
        results = [call(result_alone, name, patches, words, heads) for name, call in processes.items()]
        times: dict[str, list[float]] = {name: [] for name in METHODS}
        for _ in range(setup.repeats):
            for name, call in processes.items():
                times[name].append(call(seconds_alone, name, patches, words, heads))
    for name in METHODS:
        held = alone(setup, bytes_alone, name, patches, words, heads)
        found[name] = {"seconds": spread(times[name]), "bytes": held}
    return found | {"difference": (results[0] - results[1]).abs().max().item()}


@torch.inference_mode()
def bytes_alone(setup: Setup, name: str, patches: int, words: int, heads: int, with_holes: bool = False) -> int:
    """Bytes added at the peak."""
    if not with_holes:
        free_at_once()
    method = (METHODS | FEEDBACKS)[name]
    method(*inputs(4 * HEADS, 8, heads, setup.device))  # loads what the first call loads
    given = inputs(patches, words, heads, setup.device)
    memory = Memory(setup.device)
    method(*given)
    return memory.added


def measure_direct(setup: Setup) -> Figures:
    patches, words = setup.size(PATCHES, 100), setup.size(WORDS, 8)
    attentions = setup.size(ATTENTIONS, {"per head": HEADS})
    found = {name: compared(setup, patches, words, heads) for name, heads in attentions.items()}
    return {"patches": patches, "words": words, "attentions": found}


def direct_tables(found: Figures) -> Sequence[Table]:
    rows = []
    for attention, of in found["attentions"].items():
        rows += [(attention, name, seconds_text(of[name]["seconds"]), megabytes(of[name]["bytes"])) for name in METHODS]
        faster, leaner = gains(of)
        rows.append((attention, "ratio", f"{faster:.1f}", f"{leaner:.1f}"))
    farthest = max(of["difference"] for of in found["attentions"].values())
    note = (
        f"One window of {found['patches']} patches, {found['words']} words, width {WIDTH}; per head: {HEADS} heads. "
        f"The embeddings, of length 1, differ by at most {farthest:.0e}."
    )
    return [Table("Against the direct formula", ("attention", "method", "seconds", "memory added"), rows, note)]


def gains(found: Figures) -> tuple[float, float]:
    """How many times faster and leaner than the direct formula."""
    slow, fast = found["direct"], found["feedseg"]
    return slow["seconds"]["median"] / fast["seconds"]["median"], slow["bytes"] / fast["bytes"]


def direct_ratios(found: Figures) -> Sequence[Ratio]:
    ratios = []
    for attention, of in found["attentions"].items():
        faster, leaner = gains(of)
        ratios.append(Ratio(f"faster than the direct formula, attention {attention}", faster, "times", at_least=25))
        ratios.append(Ratio(f"leaner than the direct formula, attention {attention}", leaner, "times", at_least=40))
    return ratios


def measure_matrices(setup: Setup) -> Figures:
    """Shared attention; also with the holes that freed blocks leave in the heap."""
    peaks = []
    for patches in setup.size((1764, 4096), (256,)):
        for words in setup.size((20, 171, 847), (8,)):
            for name in FEEDBACKS:
                held, with_holes = (
                    alone(setup, bytes_alone, name, patches, words, 0, holes) for holes in (False, True)
                )
                peak = {"patches": patches, "words": words, "bytes": held, "with holes": with_holes}
                peaks.append({"feedback": name, **peak})
    return {"peaks": peaks}


def in_matrices(peak: Figures) -> float:
    """Bytes in matrices of N × N numbers of fp32."""
    return peak["bytes"] / (4 * peak["patches"] ** 2)


def matrices_tables(found: Figures) -> Sequence[Table]:
    rows = [
        (
            peak["feedback"],
            f"{peak['patches']}",
            f"{peak['words']}",
            megabytes(peak["bytes"]),
            f"{in_matrices(peak):.2f}",
            megabytes(peak["with holes"]),
        )
        for peak in found["peaks"]
    ]
    headings = ("feedback", "patches", "words", "memory added", "N × N matrices", "with the holes in the heap")
    return [Table("Memory in matrices", headings, rows)]


def matrices_ratios(found: Figures) -> Sequence[Ratio]:
    return [
        Ratio(
            f"most memory, {name} feedback, in N × N matrices",
            max(in_matrices(peak) for peak in found["peaks"] if peak["feedback"] == name),
            "",
            at_most=4,
        )
        for name in FEEDBACKS
    ]


@torch.inference_mode()
def measure_pruning(setup: Setup) -> Figures:
    patches, rows = setup.size(PATCHES, 100), setup.size(590, 30)
    generator = torch.Generator().manual_seed(0)
    predictions = torch.randn(1, patches, WORDS, generator=generator).log_softmax(dim=-1).to(setup.device)
    block = slice(0, rows)
    similarity = similarities(divergences(predictions, block))
    works = {
        "similarities": lambda: similarities(divergences(predictions, block)),
        "threshold": lambda: kept(similarity, 0.45),
        "a stable sort with indices": lambda: similarity.sort(dim=-1, descending=True, stable=True),
    }
    return {"patches": patches, "rows": rows, "seconds": in_turn(works, setup.repeats, setup.device)}


def pruning_tables(found: Figures) -> Sequence[Table]:
    rows = [(name, seconds_text(times)) for name, times in found["seconds"].items()]
    return [Table(f"Pruning {found['rows']} rows of {found['patches']}", ("step", "seconds"), rows)]


DIRECT = Part("direct", measure_direct, direct_tables, direct_ratios)
MATRICES = Part("matrices", measure_matrices, matrices_tables, matrices_ratios)
PRUNING = Part("pruning", measure_pruning, pruning_tables)
