"""What one image contributes to an evaluation, and reading it back from journals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from feedseg.engine.journal import JournalFolder, damaged

MOST = 2**31 - 1  # pixels of an image
STEM = "images"  # of the journals' names
Identity = tuple[str, tuple[int, ...]]  # an image's name, and how large its files are


class Identified(Protocol):
    """An image of a data set, or what was measured of it."""

    @property
    def name(self) -> str: ...

    @property
    def sizes(self) -> tuple[int, ...]: ...


def identity(one: Identified) -> Identity:
    """Which image it is: another one of the same name, as below another root, hardly has the same sizes too."""
    return one.name, one.sizes


def identity_json(one: Identified) -> dict[str, Any]:
    """`identity` as journals have it."""
    return {"name": one.name, "sizes": [*one.sizes]}


@dataclass(frozen=True, eq=False)
class Measured:
    """Integers that can be added up in any order; classes and labels are indices into the vocabulary's names."""

    name: str
    sizes: tuple[int, ...]  # of its files, bytes: the image and its mask; () where it was drawn
    pixels: Mapping[str, np.ndarray]  # variant -> (n, 3): target, prediction, number of pixels; zeros left out
    boundaries: Mapping[str, np.ndarray]  # variant -> (n, 5): class, the four rows of `boundary_counts`; zeros left out
    seconds: Mapping[str, float]  # "encode" and every variant
    memory: int | None  # the process's peak so far, bytes
    labels: Mapping[str, str] = field(default_factory=dict)  # variant -> `encode_map` of its labels

    def to_json(self) -> dict[str, Any]:
        """All but the identity."""
        arrays = {
            field: {variant: rows.tolist() for variant, rows in getattr(self, field).items()}
            for field in ("pixels", "boundaries")
        }
        seconds = {part: round(one, 6) for part, one in self.seconds.items()}
        return {**arrays, "seconds": seconds, "memory": self.memory, "labels": dict(self.labels)}

    @classmethod
    def from_json(cls, image: Identity, content: Mapping[str, Any]) -> Measured:
        """The inverse of `to_json`; KeyError, TypeError, ValueError … if the content is something else."""

        def arrays(field: str, columns: int) -> dict[str, np.ndarray]:
            return {name: np.array(rows, np.int64).reshape(-1, columns) for name, rows in content[field].items()}

        labels = content.get("labels", {})  # older journals have none
        seconds = {part: float(one) for part, one in content["seconds"].items()}
        memory = None if content["memory"] is None else int(content["memory"])
        if not all(isinstance(one, str) for one in labels.values()):
            raise TypeError("a map of labels is a text")
        return cls(*image, arrays("pixels", 3), arrays("boundaries", 5), seconds, memory, labels)

    def fits(self, variants: Iterable[str], classes: int) -> bool:
        """Whether every one of the variants was measured, and all numbers are such as so many classes have."""
        rows = [*self.pixels.values(), *self.boundaries.values()]
        indices = [*(one[:, :2] for one in self.pixels.values()), *(one[:, :1] for one in self.boundaries.values())]
        return (
            all(variant in self.pixels and variant in self.seconds for variant in variants)
            and all(one.min(initial=0) >= 0 and one.max(initial=0) <= MOST for one in rows)
            and all(one.max(initial=0) < classes for one in indices)
        )


@dataclass
class Measurements:
    """What the journals of a folder hold."""

    measured: dict[Identity, Measured] = field(default_factory=dict)
    failed: dict[Identity, str] = field(default_factory=dict)  # why


def read_measurements(journals: JournalFolder) -> Measurements:
    """Everything in the journals; of an image that several hold the first one counts, files by name.

    Raises:
        FeedsegError: a journal is damaged or cannot be read.
    """
    found = Measurements()
    for path, record in journals.records():
        try:
            image = _identity(record.item)
            if record.result is None:
                found.failed[image] = str(record.error)
            elif image not in found.measured:
                found.measured[image] = Measured.from_json(image, record.result)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise damaged(path) from error
    for image in found.measured:
        found.failed.pop(image, None)
    return found


def _identity(item: Any) -> Identity:
    name, sizes = item["name"], item["sizes"]
    if not isinstance(name, str) or not all(type(size) is int for size in sizes):
        raise TypeError("an image is identified by its name and the sizes of its files")
    return name, tuple(sizes)


def total(measured: Iterable[Measured], variant: str, classes: int) -> np.ndarray:
    """The confusion matrix of all images, (classes, classes), int64: rows are targets, columns predictions."""
    confusion = np.zeros((classes, classes), np.int64)
    for one in measured:
        target, pred, count = one.pixels[variant].T
        confusion[target, pred] += count  # every pair occurs once in an image
    return confusion


def sparse(confusion: np.ndarray) -> np.ndarray:
    """The entries of a confusion matrix that are not zero: (n, 3), target, prediction, count."""
    target, pred = np.nonzero(confusion)
    return np.stack((target, pred, confusion[target, pred]), axis=1)
