"""What is finished of a video, part by part, so that a run that was ended goes on behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.engine.unfinished import claim, release
from feedseg.files import write_atomically
from feedseg.io.video.labels import LabelsVideo
from feedseg.json_files import read_json_file
from feedseg.segmentation import Segmentation

LENGTH = 25  # frames of a part: what is lost at most


@dataclass
class Part:
    """Frames that are being written."""

    labels: LabelsVideo
    frames: list[dict[str, Any]] = field(default_factory=list)

    def add(self, number: int, time: Fraction, result: Segmentation) -> None:
        """The next frame."""
        self.labels.add(result.labels, time)
        about = {"frame": number, "time": float(time), "mean_confidence": result.mean_confidence}
        self.frames.append(about | {"pixels": [*result.pixels.values()]})


class Parts:
    """The finished parts of one video; they lie in a folder of their own until the whole is written."""

    def __init__(self, folder: Path, name: str, of: Mapping[str, Any]) -> None:
        """The parts that are there already, where they are of the same.

        Args:
            folder: of the results.
            name: what tells the video from others.
            of: all that the parts depend on, as JSON; others' are removed.
        """
        self.folder = claim(folder, "videos", name, of)
        self.number = 0
        self.next_frame, self.done, self.last = 0, 0, -1
        while (path := self._record(self.number)).is_file():
            try:
                self._count(read_json_file(path))
            except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError):
                break  # damaged: from here on it is made anew

    @property
    def labels(self) -> list[Path]:
        """The files with the labels, in order."""
        return [self._labels(number) for number in range(self.number)]

    @property
    def sound(self) -> Path:
        """Where the sound may be put until the whole is written."""
        return self.folder / "sound.mp4"

    def frames(self) -> Iterator[dict[str, Any]]:
        """What there is to say of every frame, in order."""
        for number in range(self.number):
            yield from read_json_file(self._record(number))["frames"]

    def average(self) -> np.ndarray | None:
        """The averages behind the last part, where they were kept."""
        path = self._average(self.number - 1)
        return np.load(path) if path.is_file() else None

    def write(self, results: Iterator[tuple[int, Fraction, Segmentation]], average: Any = None) -> int:
        """Write the next part and return its number of frames, 0 where there are no more.

        Args:
            results: frames' numbers, times and results; at most `LENGTH` are taken.
            average: a function that gives the averages behind the last of them, or None.
        """
        first = next(results, None)
        if first is None:
            return 0
        with write_atomically(self._labels(self.number)) as temporary, LabelsVideo(temporary, self.last) as labels:
            part = Part(labels)
            part.add(*first)
            while len(part.frames) < LENGTH and (one := next(results, None)) is not None:
                part.add(*one)
        if average is not None:
            with write_atomically(self._average(self.number)) as temporary:
                np.save(temporary, average())
        content = {"frames": part.frames, "last": labels.last}
        with write_atomically(self._record(self.number)) as temporary:  # last: where it is, the others are
            temporary.write_text(json.dumps(content), encoding="utf-8")
        self._average(self.number - 1).unlink(missing_ok=True)
        self._count(content)
        return len(part.frames)

    def remove(self) -> None:
        """Remove all of it, and the folder above once it is empty."""
        release(self.folder)

    def _count(self, content: Mapping[str, Any]) -> None:
        frames, last = content["frames"], int(content["last"])
        for one in frames:
            if np.array(one["pixels"], np.int64).ndim != 1 or not isinstance(one["mean_confidence"], float):
                raise TypeError("a frame without areas or confidence")
        self.next_frame = int(frames[-1]["frame"]) + 1
        self.number, self.done, self.last = self.number + 1, self.done + len(frames), last

    def _labels(self, number: int) -> Path:
        return self.folder / f"{number:06}.mkv"

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"

    def _average(self, number: int) -> Path:
        return self.folder / f"{number:06}.npy"
