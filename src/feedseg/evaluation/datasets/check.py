"""Examining a data set on the disk before any model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL.ExifTags import Base as Exif

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark
from feedseg.evaluation.datasets.check_mistakes import Finding, about_masks, about_values, how_to_get
from feedseg.evaluation.datasets.layout import list_ids, matching_ids, nearby_root
from feedseg.evaluation.datasets.masks import MaskValues, check_mode, different_sizes, opened, read_mask

SAMPLE = 100  # masks whose values are read unless all are to be
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


def check(benchmark: Benchmark, root: Path, thorough: bool = False, advance: Advance | None = None) -> Report:
    """Examine the files of a benchmark: which are there, whether they fit, what values the masks hold.

    Args:
        benchmark: which one; none that is drawn.
        root: the folder that its paths stand below.
        thorough: decode every image and mask; otherwise only their headers, and the values of some masks.
        advance: called after every file.

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
    report.images = len(ids)
    report.findings += _counts(benchmark, root, ids)
    there = _existing(report, ids)
    examination = _Examination(report, thorough)
    chosen = there if thorough else _spread(there, SAMPLE)
    total = len(there) + len(chosen)
    readable: set[str] = set()
    for done, one in enumerate(there, start=1):
        if examination.headers(one):
            readable.add(one)
        if advance:
            advance(done, total)
    for done, one in enumerate(chosen, start=len(there) + 1):
        if one in readable:
            examination.content(one)
        if advance:
            advance(done, total)
    examination.conclude()
    return report


def _counts(benchmark: Benchmark, root: Path, ids: Sequence[str]) -> list[Finding]:
    found = []
    if benchmark.count is not None and len(ids) != benchmark.count:
        text = f"{len(ids)} images instead of {benchmark.count}: results cannot be compared with published ones"
        found.append(Finding(text, how_to_get(benchmark, root) if len(ids) < benchmark.count else ""))
    if benchmark.split is None:
        spare = sorted(set(matching_ids(benchmark.masks, root)) - set(ids))
        if spare:
            text = f"{_count(spare, 'mask')} without an image, as {benchmark.mask(root, spare[0])}"
            found.append(Finding(text, is_problem=False))
    return found


def _existing(report: Report, ids: Sequence[str]) -> list[str]:
    """The ids whose image and mask are there; what is not is reported."""
    benchmark, root = report.benchmark, report.root
    no_image = [one for one in ids if not benchmark.image(root, one).is_file()]
    no_mask = [one for one in ids if not benchmark.mask(root, one).is_file()]
    if no_image:
        text = f"{_count(no_image, 'image')} missing, as {benchmark.image(root, no_image[0])}"
        report.findings.append(Finding(text, how_to_get(benchmark, root)))
    if no_mask:
        text = f"{_count(no_mask, 'mask')} missing, as {benchmark.mask(root, no_mask[0])}"
        report.findings.append(Finding(text, about_masks(benchmark, root)))
    lost = {*no_image, *no_mask}
    return [one for one in ids if one not in lost]


def _spread(ids: Sequence[str], most: int) -> list[str]:
    """At most so many of them, at equal distances."""
    if len(ids) <= most:
        return list(ids)
    return [ids[index * len(ids) // most] for index in range(most)]


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


class _Examination:
    """The images one by one, and what they come to."""

    def __init__(self, report: Report, thorough: bool) -> None:
        self.report = report
        self.thorough = thorough
        self.meaning = MaskValues.of(report.benchmark)
        self.faults: dict[str, list[str]] = {}  # by what they have in common: what is wrong with every file
        self.turned: list[str] = []
        self.empty: list[str] = []
        self.seen = np.zeros(0, np.int64)  # in how many masks every value occurs
        self.wrong: list[Path] = []
        self.wrong_values: set[int] = set()

    def headers(self, one: str) -> bool:
        """Compare format and size of image and mask; whether the mask's values can be read."""
        image_path, mask_path = self._paths(one)
        try:
            with opened(image_path) as image:
                size = image.size
                if image.getexif().get(Exif.Orientation, 1) != 1:
                    self.turned.append(one)
            with opened(mask_path) as mask:
                other, mode = mask.size, mask.mode
        except FeedsegError as error:
            self._fault("unreadable", str(error))
            return False
        try:
            check_mode(mask_path, mode)
        except FeedsegError as error:
            self._fault("colours", str(error))
            return False
        if size != other:
            self._fault("sizes", different_sizes(image_path, mask_path, size[::-1], other[::-1]))
        return True

    def content(self, one: str) -> None:
        """Count the mask's values; if thorough decode the image as well."""
        image_path, mask_path = self._paths(one)
        try:
            if self.thorough:
                with opened(image_path) as image:
                    image.load()
            values = read_mask(mask_path)
        except FeedsegError as error:
            self._fault("unreadable", str(error))
            return
        self.report.masks_read += 1
        counts = np.bincount(values.ravel())
        occurs = np.flatnonzero(counts)
        self.seen = np.pad(self.seen, (0, max(0, len(counts) - len(self.seen))))
        self.seen[occurs] += 1
        if unknown := self.meaning.unknown(values):
            self.wrong.append(mask_path)
            self.wrong_values.update(unknown)
            return
        background = bool(self.report.benchmark.background)
        if not ((occurs >= self.meaning.first + background) & (occurs <= self.meaning.last)).any():
            self.empty.append(str(mask_path))

    def conclude(self) -> None:
        """Put the findings into the report."""
        report, benchmark = self.report, self.report.benchmark
        report.values = tuple(np.flatnonzero(self.seen).tolist())
        for texts in self.faults.values():
            more = f" (and {len(texts) - 1} more like it)" if len(texts) > 1 else ""
            report.findings.append(Finding(texts[0] + more))
        report.findings += about_values(benchmark, report.values, sorted(self.wrong_values), self.wrong)
        if self.empty:
            text = f"{_count(self.empty, 'mask')} of {report.masks_read} without any class, as {self.empty[0]}"
            report.findings.append(Finding(text, is_problem=len(self.empty) > MANY_EMPTY * report.masks_read))
        if self.turned:
            text = f"{_count(self.turned, 'image')} with an EXIF orientation, read as stored, as {self.turned[0]}"
            report.findings.append(Finding(text, is_problem=False))
        if self.thorough and report.masks_read and not self.wrong:
            names = [
                words[0] for words in (*([benchmark.background] if benchmark.background else []), *benchmark.classes)
            ]
            never = [name for label, name in enumerate(names) if label + self.meaning.first not in report.values]
            if never:
                shown = ", ".join(never[:8]) + (", …" if len(never) > 8 else "")
                report.findings.append(Finding(f"{len(never)} classes in no mask: {shown}", is_problem=False))

    def _paths(self, one: str) -> tuple[Path, Path]:
        return self.report.benchmark.image(self.report.root, one), self.report.benchmark.mask(self.report.root, one)

    def _fault(self, group: str, text: str) -> None:
        self.faults.setdefault(group, []).append(text)
