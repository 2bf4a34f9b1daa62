"""The mistakes that are usually made with each data set: how they show, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from feedseg.evaluation.datasets.benchmarks import Benchmark
from feedseg.evaluation.datasets.findings import Finding, count
from feedseg.evaluation.datasets.layout import image_of, mask_of
from feedseg.evaluation.datasets.masks import MaskValues, wrong_values
from feedseg.evaluation.datasets.pair import Pair
from feedseg.evaluation.datasets.prepare import raw_masks
from feedseg.evaluation.datasets.prepare_context import ANNOTATIONS

ENOUGH = 200  # masks of a published data set, after which its last class is missed
# The benchmarks, the last value that the cause explains, and the cause of values that mean nothing.
CAUSES: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("cityscapes",), 33, "these are labelIds, not labelTrainIds"),
    (("cityscapes",), 33999, "these are instanceIds, not labelTrainIds"),
    (("coco-stuff",), 181, "these are the pixel maps as downloaded, not training ids"),
    (("coco-stuff",), 182, "these are category ids from 1, not training ids"),
    (("coco-object",), 90, "these are COCO's category ids, 1 to 90, not training ids"),
    (("coco-object",), 182, "these are masks of COCO-Stuff, of things and stuff"),
    (("context59", "context60"), 459, "these are not converted to 59 classes"),
    (("ade20k",), 254, "ADE20K's own masks hold 0 to 150: these were lowered by one already, and would be again"),
    (("ade20k",), 65535, "these are masks of ADE20K in full; the 150 classes are in ADEChallengeData2016.zip"),
    (("voc20", "voc21"), 254, "perhaps a program turned colours to grey: take the indexed files as downloaded"),
)


@dataclass(frozen=True)
class Seen:
    """What the masks hold, all together."""

    masks: int  # how many were read
    values: tuple[int, ...]  # that occur, ascending
    wrong: tuple[int, ...]  # those of them that mean nothing, ascending
    where: tuple[Path, ...]  # the masks that hold some of those
    mostly_open: int = 0  # masks in which more pixels hold 255 than any other value

    @classmethod
    def of(cls, benchmark: Benchmark, pairs: Sequence[Pair]) -> Seen:
        """From those that could be read."""
        meaning = MaskValues.of(benchmark)
        known = {*meaning.numbers, *meaning.ignored}
        values = sorted({value for pair in pairs for value in pair.values})
        wrong = tuple(value for value in values if value not in known)
        where = tuple(pair.mask for pair in pairs if not known.issuperset(pair.values))
        return cls(len(pairs), tuple(values), wrong, where, sum(pair.largest == 255 for pair in pairs))


def missing_files(benchmark: Benchmark, root: Path, ids: Sequence[str]) -> list[Finding]:
    """What is said of images and masks that are not there."""
    found = []
    if lost := [one for one in ids if not image_of(benchmark, root, one).is_file()]:
        text = f"{count(lost, 'image')} missing, as {benchmark.image(root, lost[0])}"
        found.append(Finding(text, how_to_get(benchmark, root)))
    if lost := [one for one in ids if not mask_of(benchmark, root, one).is_file()]:
        text = f"{count(lost, 'mask')} missing, as {benchmark.mask(root, lost[0])}"
        found.append(Finding(text, about_masks(benchmark, root)))
    return found


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


def about_values(benchmark: Benchmark, seen: Seen) -> list[Finding]:
    """What the values say that occur in the masks, all together."""
    if set(seen.values) == {0, 255} and not {0, 255} <= {*MaskValues.of(benchmark).numbers}:
        return [Finding("the masks hold 0 and 255 alone: black and white, where 255 is the object", _two(benchmark))]
    if seen.wrong:
        first, *others = seen.where
        more = f" ({len(seen.where)} masks do)" if others else ""
        text = f"{first} {wrong_values(seen.wrong, MaskValues.of(benchmark))}{more}"
        return [Finding(text, _cause(benchmark, seen))]
    return [*_lowered_twice(benchmark, seen), *_unlabelled_objects(benchmark, seen)]


def about_palettes(benchmark: Benchmark, pairs: Sequence[Pair]) -> list[Finding]:
    """What is said of masks whose colours say otherwise than their numbers, in a data set of fixed colours."""
    wrong = [pair for pair in pairs if pair.misplaced]
    if not wrong:
        return []
    value, other = wrong[0].misplaced[0]
    names = ["background", *(words[0] for words in benchmark.classes)]
    text = (
        f"{wrong[0].mask} has the colour of {names[other]}, {other}, for the value {value}, {names[value]} "
        f"({count(wrong, 'mask')} like it): a program that looks at colours has numbered them anew"
    )
    return [Finding(text, f"take the files as downloaded; {how_to_get(benchmark, Path())}")]


def _two(benchmark: Benchmark) -> str:
    """What to do with masks of 0 and 255."""
    if benchmark.file is None:
        return (
            f"take the masks of {benchmark.name} as published: numbers of {benchmark.labels} classes are lost in these"
        )
    instead = ", instead of ignore_index" if benchmark.ignore_index == 255 else ""
    instead = ", instead of zero_is_ignored" if benchmark.zero_is_ignored else instead
    if benchmark.labels == 2:
        return f"write values = [0, 255] in {benchmark.file}{instead}"
    return (
        f'write values = [0, 255] in {benchmark.file}{instead}, and two classes, or background = ["…"] and one; '
        f"there are {benchmark.labels}"
    )


def _lowered_twice(benchmark: Benchmark, seen: Seen) -> list[Finding]:
    """Numbers that somebody lowered by one already: the 0 of what does not count has become 255."""
    if benchmark.ignore_index != 255 or 255 not in seen.values:
        return []
    own = {"ade20k": "0 to 150", "context59": "0 to 59", "context60": "0 to 59"}.get(benchmark.name)
    last = MaskValues.of(benchmark).numbers[-1]
    lacks_last = last not in seen.values
    if benchmark.name == "ade20k" or (own and lacks_last):
        text = f"255 occurs, but masks of {benchmark.name} hold {own}: they were lowered by one already, and are again"
        return [Finding(text, f"take the masks as downloaded; {how_to_get(benchmark, Path())}")]
    mostly_open = 2 * seen.mostly_open > seen.masks  # as drawn, 255 is outlines and small objects that were left open
    if benchmark.palette and lacks_last and (mostly_open or seen.masks >= ENOUGH):
        why = f"255 is the most frequent value of {seen.mostly_open}" if mostly_open else f"{last} is in none"
        text = f"{why} of {seen.masks} masks: they were lowered by one, and 255 is what was the background"
        return [Finding(text, f"take the masks as downloaded; {how_to_get(benchmark, Path())}")]
    if benchmark.zero_is_ignored and lacks_last and 0 in seen.values and benchmark.file:
        text = f"255 occurs and {last}, the last class, does not: numbers that were lowered by one already are again"
        return [Finding(text, f"then leave zero_is_ignored out of {benchmark.file}", is_problem=False)]
    return []


def _unlabelled_objects(benchmark: Benchmark, seen: Seen) -> list[Finding]:
    if benchmark.name != "coco-object" or 255 not in seen.values:
        return []
    text = "255 occurs, but in COCO-Object unlabelled pixels are background, 0: results cannot be compared"
    return [Finding(text, "feedseg data prepare coco-object SOURCE OUT makes them as published")]


def _cause(benchmark: Benchmark, seen: Seen) -> str:
    """Where wrong values come from and what helps; nothing if that is not known."""
    meaning = MaskValues.of(benchmark)
    counted = [value for value in seen.values if value not in meaning.ignored]
    starts_at_one = not benchmark.zero_is_ignored and 0 not in seen.values and seen.wrong == (meaning.numbers[-1] + 1,)
    if starts_at_one:
        start = "the numbers start at 1 and should start at 0"
        return f"{start}: write zero_is_ignored = true in {benchmark.file}" if benchmark.file else start
    for names, last, cause in CAUSES:
        if benchmark.name in names and seen.wrong[-1] <= last:
            prepare = f"feedseg data prepare {benchmark.preparation} SOURCE OUT"
            return f"{cause}: {prepare}" if benchmark.preparation else cause
    if benchmark.file and len(counted) == benchmark.labels:
        numbers = ", ".join(map(str, counted))
        return f"as many values as classes: if they are in this order, write values = [{numbers}] in {benchmark.file}"
    if benchmark.file and not benchmark.background and seen.wrong == (benchmark.labels,):
        return f'if 0 is the background, write background = ["…"] in {benchmark.file}, or zero_is_ignored = true'
    return ""
