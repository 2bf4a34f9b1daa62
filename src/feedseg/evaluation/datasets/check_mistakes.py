"""The mistakes that are usually made with each data set: how they show, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feedseg.evaluation.datasets.benchmarks import Benchmark
from feedseg.evaluation.datasets.masks import MaskValues, wrong_values
from feedseg.evaluation.datasets.prepare import raw_masks
from feedseg.evaluation.datasets.prepare_context import ANNOTATIONS

# The benchmarks, the last value that the cause explains, and the cause of values that mean nothing.
CAUSES: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("cityscapes",), 33, "these are labelIds, not labelTrainIds"),
    (("coco-stuff",), 181, "these are the pixel maps as downloaded, not training ids"),
    (("coco-object",), 182, "these are masks of COCO-Stuff, of things and stuff"),
    (("context59", "context60"), 459, "these are not converted to 59 classes"),
    (("ade20k",), 254, "ADE20K's own masks hold 0 to 150: these were lowered by one already, and would be again"),
    (("ade20k",), 65535, "these are masks of ADE20K in full; the 150 classes are in ADEChallengeData2016.zip"),
    (("voc20", "voc21"), 254, "perhaps a program turned colours to grey: take the indexed files as downloaded"),
)


@dataclass(frozen=True)
class Finding:
    """What was noticed, and what to do about it."""

    text: str
    advice: str = ""
    is_problem: bool = True  # otherwise a note


def how_to_get(benchmark: Benchmark, root: Path) -> str:
    """Where the data come from, and the name that their folder should have."""
    if not benchmark.download:
        return ""
    here = f"; in it {benchmark.root_hint} is the folder to give" if "/" in benchmark.root_hint else ""
    return f"download {benchmark.download}{here}"


def about_masks(benchmark: Benchmark, root: Path) -> str:
    """What to do where masks are missing."""
    name = benchmark.preparation
    if name is None:
        return how_to_get(benchmark, root)
    if name == "context":
        if (root / ANNOTATIONS).is_file():
            return f"the annotations are not converted yet: feedseg data prepare context {root} {root}"
    elif raw_masks(name, root):
        return f"the masks are there as downloaded only: feedseg data prepare {name} {root} {root}"
    return f"feedseg data prepare {name} SOURCE {root} makes them; download {benchmark.download}"


def about_values(
    benchmark: Benchmark, values: Sequence[int], wrong: Sequence[int], where: Sequence[Path]
) -> list[Finding]:
    """What the values say that occur in the masks.

    Args:
        benchmark: whose masks they are.
        values: all that occur, ascending.
        wrong: those of them that mean nothing, ascending.
        where: the masks that hold some of those.
    """
    found = []
    if wrong:
        more = f" ({len(where)} masks do)" if len(where) > 1 else ""
        text = f"{where[0]} {wrong_values(wrong, MaskValues.of(benchmark))}{more}"
        found.append(Finding(text, _cause(benchmark, wrong)))
    if benchmark.name == "ade20k" and not wrong and 255 in values:
        found.append(
            Finding(
                "255 occurs, but ADE20K's own masks hold 0 to 150: they were lowered by one already, and are again",
                "take the masks as downloaded, annotations/validation of ADEChallengeData2016.zip",
            )
        )
    if benchmark.name == "coco-object" and not wrong and 255 in values:
        found.append(
            Finding(
                "255 occurs, but in COCO-Object unlabelled pixels are background, 0: results cannot be compared",
                "feedseg data prepare coco-object SOURCE OUT makes them as published",
            )
        )
    return found


def _cause(benchmark: Benchmark, wrong: Sequence[int]) -> str:
    """Where wrong values come from and what helps; nothing if that is not known."""
    for names, last, cause in CAUSES:
        if benchmark.name in names and wrong[-1] <= last:
            prepare = f"feedseg data prepare {benchmark.preparation} SOURCE OUT"
            return f"{cause}: {prepare}" if benchmark.preparation else cause
    return ""
