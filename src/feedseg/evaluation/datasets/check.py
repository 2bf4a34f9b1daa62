"""Examining a data set on the disk: for `feedseg data check`, and before everything that is measured."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from feedseg.engine.local import load_ahead
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark
from feedseg.evaluation.datasets.check_mistakes import Seen, about_palettes, about_values, how_to_get, missing_files
from feedseg.evaluation.datasets.findings import Finding, count, refuse
from feedseg.evaluation.datasets.layout import image_of, list_ids, mask_of, matching_ids, nearby_root, other_files
from feedseg.evaluation.datasets.masks import MaskValues
from feedseg.evaluation.datasets.pair import NO_MASK, Pair, look
from feedseg.io.reading import HERE, FileReader

SAMPLE = 100  # of all masks, at equal distances, that are read beside those of a small measurement
MANY_EMPTY = 0.5  # a larger part of masks without any class is a problem
Advance = Callable[[int, int], None]  # how many files are done, of how many


@dataclass
class Report:
    """What was found."""

    benchmark: Benchmark
    root: Path
    images: int = 0
    masks_read: int = 0
    values: tuple[int, ...] = ()  # that occur in the masks that were read, ascending
    findings: list[Finding] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether there are no problems; notes are none."""
        return not any(finding.is_problem for finding in self.findings)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing and no problem."""
        return tuple(finding.text for finding in self.findings if not finding.is_problem)


def check(
    benchmark: Benchmark,
    root: Path,
    thorough: bool = False,
    advance: Advance | None = None,
    reader: FileReader = HERE,
) -> Report:
    """Examine the files of a benchmark: which are there, whether they fit, what values the masks hold.

    Args:
        benchmark: which one; none that is drawn.
        root: the folder that its paths stand below.
        thorough: decode every image as well, and say which classes are in no mask.
        advance: called after every file.
        reader: reads the files.

    Raises:
        FeedsegError: there is no such folder.
    """
    if not root.is_dir():
        raise FeedsegError(f"{root} is not a folder; {benchmark.name} needs the one that holds its data")
    report = Report(benchmark, root)
    if better := nearby_root(benchmark, root):
        report.findings.append(Finding(f"{root} is not the root of {benchmark.name}", f"give {better} instead"))
        return report
    try:
        ids = list_ids(benchmark, root)
    except FeedsegError as error:
        report.findings.append(Finding(str(error), how_to_get(benchmark, root)))
        return report
    report.findings += [*_counts(benchmark, root, ids), *missing_files(benchmark, root, ids)]
    return _examined(report, ids, ids, thorough, advance, reader)


def examine(
    benchmark: Benchmark,
    root: Path,
    limit: int | None = None,
    advance: Advance | None = None,
    reader: FileReader = HERE,
) -> Report:
    """What a measurement has to know of its masks: those that are measured, and some of all others, are read.

    Args:
        benchmark: which one; none that is drawn.
        root: the folder that its paths stand below, whose files are all there.
        limit: how many images are measured; None for all.
        advance: called after every file.
        reader: reads the files.

    Raises:
        FeedsegError: what `check` calls a problem of more than single files, in the same words.
    """
    ids = list_ids(benchmark, root)
    report = Report(benchmark, root, findings=_counts(benchmark, root, ids))
    chosen = ids if limit is None else list(dict.fromkeys((*ids[:limit], *_spread(ids, SAMPLE))))
    _examined(report, ids, chosen, False, advance, reader)
    refuse(report.findings, f"`feedseg data check {benchmark.file or benchmark.name} {root}` says all")
    return report


def _examined(
    report: Report,
    ids: Sequence[str],
    chosen: Sequence[str],
    thorough: bool,
    advance: Advance | None,
    reader: FileReader,
) -> Report:
    """The report with what the masks say."""
    benchmark, root = report.benchmark, report.root
    report.images = len(ids)
    pairs: list[Pair] = []
    there = [
        one for one in chosen if image_of(benchmark, root, one).is_file() and mask_of(benchmark, root, one).is_file()
    ]
    for pair in _looked(benchmark, root, there, thorough, reader):
        pairs.append(pair)
        if advance:
            advance(len(pairs), len(there))
    readable = [pair for pair in pairs if pair.values]
    seen = Counter(value for pair in readable for value in pair.values)
    report.masks_read, report.values = len(readable), tuple(sorted(seen))
    report.findings += [
        *_faults(pairs),
        *about_values(benchmark, Seen.of(benchmark, readable)),
        *about_palettes(benchmark, readable),
        *_empty(benchmark, readable),
    ]
    if turned := [pair for pair in pairs if pair.is_turned]:
        text = f"{count(turned, 'image')} with an EXIF orientation, read as stored, as that of {turned[0].mask}"
        report.findings.append(Finding(text, is_problem=False))
    if thorough and readable and report.passed:
        report.findings += _never(benchmark, report.values)
    return report


def _looked(benchmark: Benchmark, root: Path, ids: Sequence[str], decode: bool, reader: FileReader) -> Iterator[Pair]:
    """What is seen of every image and mask, in order, several at a time."""

    def one_of(one: str) -> Pair:
        return look(image_of(benchmark, root, one), mask_of(benchmark, root, one), benchmark.palette, decode, reader)

    with closing(load_ahead(one_of, ids, min(8, os.cpu_count() or 1), reader.interrupt)) as pairs:
        for _, pair in pairs:
            yield pair()


def _counts(benchmark: Benchmark, root: Path, ids: Sequence[str]) -> list[Finding]:
    """What is said of other numbers of files than are wanted, and of files that are not used."""
    found = []
    if benchmark.count is not None and len(ids) != benchmark.count:
        text = f"{len(ids)} images instead of {benchmark.count}: results cannot be compared with published ones"
        advice = how_to_get(benchmark, root) if len(ids) < benchmark.count else ""
        found.append(Finding(text, advice, is_problem=False))
    if benchmark.split is None:
        spare = sorted(set(matching_ids(benchmark.masks, root)) - set(ids))
        if spare:
            text = f"{count(spare, 'mask')} without an image, as {mask_of(benchmark, root, spare[0])}"
            found.append(Finding(text, is_problem=False))
        if others := other_files(benchmark, root):
            kinds = Counter(path.suffix or path.name for path in others)
            shown = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
            text = f"{count(others, 'file')} beside the images left out ({shown}), as {others[0]}"
            found.append(Finding(text, f"images are what {benchmark.images} fits, in this case", is_problem=False))
    return found


def _faults(pairs: Sequence[Pair]) -> list[Finding]:
    """The faults of files, those that have one in common together."""
    groups: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.fault:
            groups.setdefault(pair.group, []).append(pair.fault)
    return [
        Finding(
            texts[0] + (f" (and {len(texts) - 1} more like it)" if len(texts) > 1 else ""),
            of_single_files=group != NO_MASK,
        )
        for group, texts in groups.items()
    ]


def _empty(benchmark: Benchmark, pairs: Sequence[Pair]) -> list[Finding]:
    """What is said of masks in which no pixel has a class, or all are background."""
    meaning = MaskValues.of(benchmark)
    objects = {*meaning.numbers[bool(benchmark.background) :]}
    known = {*meaning.numbers, *meaning.ignored}
    empty = [pair for pair in pairs if objects.isdisjoint(pair.values) and known.issuperset(pair.values)]
    if not empty:
        return []
    text = f"{count(empty, 'mask')} of {len(pairs)} without any class, as {empty[0].mask}"
    return [Finding(text, is_problem=len(empty) > MANY_EMPTY * len(pairs))]


def _never(benchmark: Benchmark, values: Sequence[int]) -> list[Finding]:
    """What is said of classes that no mask has."""
    names = [words[0] for words in (*([benchmark.background] if benchmark.background else []), *benchmark.classes)]
    numbers = MaskValues.of(benchmark).numbers
    never = [name for name, number in zip(names, numbers, strict=True) if number not in values]
    shown = ", ".join(never[:8]) + (", …" if len(never) > 8 else "")
    return [Finding(f"{len(never)} classes in no mask: {shown}", is_problem=False)] if never else []


def _spread(ids: Sequence[str], most: int) -> list[str]:
    """At most so many of them, at equal distances."""
    if len(ids) <= most:
        return list(ids)
    return [ids[index * len(ids) // most] for index in range(most)]
