"""What a segmentation found, and what a person or another program can do with it."""

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import version
from io import BytesIO
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io import overlay as drawing
from feedseg.io.files import write_atomically


class SavedFiles(NamedTuple):
    """Where `Segmentation.save` has put what."""

    labels: Path  # PNG, one class index per pixel
    overlay: Path  # PNG to look at
    json: Path  # everything else


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One class for every pixel of one picture.

    Raises ValueError if the arrays do not fit each other or the names.
    """

    # (height, width) class indices; kept as uint8 for up to 256 classes, else as uint16
    labels: np.ndarray = field(repr=False)
    # (height, width) float32, the probability of each pixel's best class, 0 to 1
    confidence: np.ndarray = field(repr=False)
    names: tuple[str, ...]  # of the classes; a class's index is its label
    # (height, width, 3) uint8 RGB, what was segmented
    picture: np.ndarray = field(repr=False)
    source: str | None = None  # the file the picture came from, if it came from one
    background: bool = False  # whether class 0 is what is none of the others
    threshold: float = 0.0  # the confidence below which a pixel became background
    synonyms: tuple[tuple[str, ...], ...] = ()  # every class's words; none if they are the names alone
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # role -> {"name": ..., "revision": ...}
    settings: Mapping[str, Any] = field(default_factory=dict)  # how it was made, as JSON has it

    def __post_init__(self) -> None:
        labels, names = self.labels, self.names
        if labels.ndim != 2 or not labels.size or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels must be (height, width) integers, not {labels.shape} {labels.dtype}")
        if self.confidence.shape != labels.shape or not np.issubdtype(self.confidence.dtype, np.floating):
            raise ValueError(
                f"confidence must be {labels.shape} floats like the labels, "
                f"not {self.confidence.shape} {self.confidence.dtype}"
            )
        if self.picture.shape != (*labels.shape, 3) or self.picture.dtype != np.uint8:
            raise ValueError(
                f"picture must be {(*labels.shape, 3)} uint8 like the labels, "
                f"not {self.picture.shape} {self.picture.dtype}"
            )
        if len(set(names)) != len(names) or not 0 < len(names) <= 1 << 16:
            raise ValueError(
                f"names must be 1 to 65536, all different, not {len(names)}, {len(set(names))} of them different"
            )
        if labels.min() < 0 or labels.max() >= len(names):
            raise ValueError(f"labels must be 0 to {len(names) - 1}, not {labels.min()} to {labels.max()}")
        if self.synonyms and len(self.synonyms) != len(names):
            raise ValueError(f"synonyms must be one tuple for each of {len(names)} classes, not {len(self.synonyms)}")
        smallest = np.uint8 if len(names) <= 256 else np.uint16
        object.__setattr__(self, "labels", labels.astype(smallest, copy=False))
        object.__setattr__(self, "confidence", self.confidence.astype(np.float32, copy=False))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as Pillow has it."""
        height, width = self.labels.shape
        return width, height

    @cached_property
    def pixels(self) -> dict[str, int]:
        """How many pixels every class has, in the order of the classes, those with none included."""
        return dict(zip(self.names, drawing.class_areas(self.labels, len(self.names)).tolist(), strict=True))

    @property
    def shares(self) -> dict[str, float]:
        """Which fraction of the picture every class has, 0 to 1, in the order of the classes."""
        return {name: pixels / self.labels.size for name, pixels in self.pixels.items()}

    @cached_property
    def mean_confidence(self) -> float:
        """The mean of `confidence` over the picture."""
        return float(self.confidence.mean())

    def mask(self, name: str) -> np.ndarray:
        """The pixels of one class, (height, width) bool. Raises FeedsegError if there is no such class."""
        if name not in self.names:
            near = get_close_matches(name, self.names)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.names[:10])}"
            raise FeedsegError(f"no class {name!r}: {hint}")
        return self.labels == self.names.index(name)

    def overlay(self) -> Image.Image:
        """The picture under its classes' colours, with names and a legend: see `feedseg.io.overlay.overlay`."""
        return drawing.overlay(self.picture, self.labels, self.names, self.background)

    def to_dict(self) -> dict[str, Any]:
        """All but the arrays, as JSON has it."""
        width, height = self.size
        shares = self.shares
        words = self.synonyms or [(name,) for name in self.names]
        colours = drawing.palette(len(self.names), self.background).tolist()
        return {
            "picture": self.source,
            "size": {"width": width, "height": height},
            "names": list(self.names),
            "classes": [
                {
                    "index": index,
                    "name": name,
                    "words": list(words[index]),
                    "pixels": pixels,
                    "share": shares[name],
                    "colour": "#{:02x}{:02x}{:02x}".format(*colours[index]),
                }
                for index, (name, pixels) in enumerate(self.pixels.items())
            ],
            "mean_confidence": self.mean_confidence,
            "threshold": self.threshold,
            "background": self.background,
            "models": {role: dict(model) for role, model in self.models.items()},
            "settings": dict(self.settings),
            "version": version("feedseg"),
        }

    def _free_stem(self, folder: Path) -> str:
        """The first of "name", "name-2", … under which the folder has nothing, or results of the same source."""
        name = (Path(self.source).stem if self.source else "") or "picture"
        for stem in chain((name,), (f"{name}-{number}" for number in count(2))):
            files = _files(folder, stem)
            if not any(os.path.lexists(file) for file in files) or _is_result_of(files.json, self.source):
                return stem
        raise AssertionError("there is always a next number")

    def save(self, folder: str | os.PathLike[str], stem: str | None = None) -> SavedFiles:
        """Write `{stem}.labels.png`, `{stem}.overlay.png` and `{stem}.labels.json` into a folder, made if need be.

        Without a stem it is that of the source, or "picture"; where the folder has results of another picture under it,
        or of one without a source, "-2" and so on is appended, so that no picture's results are lost. Results of the
        same source are replaced, and so are those under a stem that is given, each file by a whole one, the JSON last:
        where it is new, the others are. If one cannot be written, none is replaced.

        The labels are an indexed PNG with the overlay's colours as palette, the index being the class; with more than
        256 classes, which a palette cannot have, a 16-bit grey one.

        Raises FeedsegError if a file cannot be written or would replace the source.
        """
        if stem is None:
            stem = self._free_stem(Path(folder))
        if not stem or Path(stem).name != stem:
            raise FeedsegError(f"{stem!r} cannot begin a file's name: leave out folders and slashes")
        files = _files(Path(folder), stem)
        for path in files:
            with suppress(OSError):  # one of the two is not there, so they are not the same
                if self.source and path.samefile(self.source):
                    raise FeedsegError(f"{path} is the picture itself: save to another folder or under another stem")
        index = Image.fromarray(self.labels)
        if self.labels.dtype == np.uint8:
            index.putpalette(drawing.palette(len(self.names), self.background).tobytes())
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        # File names that are not UTF-8 hold lone surrogates, which JSON can have escaped only.
        contents = (_png(index), _png(self.overlay()), text.encode(errors="backslashreplace"))
        with ExitStack() as stack:  # all are written before the first takes its place, in the opposite order
            for path, content in reversed(list(zip(files, contents, strict=True))):
                stack.enter_context(write_atomically(path)).write_bytes(content)
        return files


def _files(folder: Path, stem: str) -> SavedFiles:
    return SavedFiles(*(folder / f"{stem}.{end}" for end in ("labels.png", "overlay.png", "labels.json")))


def _is_result_of(file: Path, source: str | None) -> bool:
    """Whether a JSON file of an earlier `save` speaks of this source; one that cannot be read speaks of none."""
    try:
        return source is not None and json.loads(file.read_text(encoding="utf-8"))["picture"] == source
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
