"""What all who use the page share: the models, the encoded photos, and one computation at a time."""

from __future__ import annotations

import time
import warnings
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np
from PIL import Image

from feedseg.apps.limits import Limits
from feedseg.apps.page.photo import Photo, digest_of
from feedseg.apps.page.wanted import Offered, Wanted
from feedseg.apps.service.kept import EncodedImages
from feedseg.apps.service.pool import Pool
from feedseg.explanation import Explanation
from feedseg.io.images import RgbImage
from feedseg.io.isolated import IsolatedDecoder
from feedseg.loading import at_speed
from feedseg.segmentation import Segmentation
from feedseg.segmenter import EncodedImage, Segmenter
from feedseg.vision.feedback import NO_FEEDBACK
from feedseg.vocabulary import Vocabulary

LONGEST = 1024  # pixels of the long side of what is shown; files have all pixels


@dataclass(frozen=True)
class Timing:
    """Seconds of an answer's parts."""

    opened: float  # the photo read and encoded; next to nothing where it was kept
    answered: float  # its words, with and without feedback
    was_kept: bool

    @property
    def total(self) -> float:
        """Of the whole answer."""
        return self.opened + self.answered


@dataclass(frozen=True, eq=False)
class Answer:
    """A photo's classes with feedback and without; without alone where no feedback was asked for."""

    after: Segmentation
    before: Segmentation | None
    timing: Timing
    notes: tuple[str, ...]


@dataclass(eq=False)
class Desk:
    """Models and encoded photos within bounds. Photos are kept by their content, so nobody sees another's by a name."""

    offered: Offered
    device: str | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._kept = EncodedImages(self.limits.cache_bytes)
        self._decoder = IsolatedDecoder()  # no one's photo can end the page; its processes end with this one
        # A photo encoded with a model that is given up would keep its weights alive.
        self._pool = Pool(self.device, self.limits.models, lambda _: self._kept.clear())
        self._one_at_a_time = Lock()

    def load(self, model: str) -> None:
        """Load a model before anyone asks for it. Raises FeedsegError."""
        with self._one_at_a_time:
            self._segmenter(Wanted("", model))

    def open(self, photo: Photo, wanted: Wanted) -> float:
        """Encode a photo before there are words, and say how many seconds it took. Raises FeedsegError."""
        wanted.check_names(self.offered)
        with self._one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            started = time.monotonic()
            self._encoded(photo, wanted)
            return time.monotonic() - started

    def answer(self, photo: Photo, wanted: Wanted) -> Answer:
        """The classes of a photo, of a large one as it is shown. Raises FeedsegError where anything cannot be used."""
        wanted.check_names(self.offered)
        with self._one_at_a_time, warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            words = wanted.vocabulary(self.limits)
            started = time.monotonic()
            encoded, was_kept = self._encoded(photo, wanted)
            opened = time.monotonic()
            if not wanted.refiners:  # which look at the pixels themselves
                encoded = shown(encoded)
            after = _segmented(encoded, words, wanted, wanted.feedback)
            before = None
            if wanted.feedback != NO_FEEDBACK:
                before = _segmented(encoded, words, wanted, NO_FEEDBACK)
            unfamiliar = tuple(map(str, encoded.segmenter.unfamiliar(words)))
            timing = Timing(opened - started, time.monotonic() - opened, was_kept)
        return Answer(after, before, timing, _notes(unfamiliar, warned))

    def result(self, photo: Photo, wanted: Wanted, *, scores: bool = False) -> Segmentation:
        """The classes of all pixels of a photo. Raises FeedsegError where anything cannot be used."""
        wanted.check_names(self.offered)
        with self._one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # they were said with the answer
            encoded, _ = self._encoded(photo, wanted)
            return _segmented(encoded, wanted.vocabulary(self.limits), wanted, wanted.feedback, scores=scores)

    def explain(self, photo: Photo, wanted: Wanted, at: tuple[float, float]) -> tuple[Explanation, tuple[float, float]]:
        """How the patch at a point came to its class, on the photo as it is shown, and the point in the photo's pixels.

        Args:
            photo: which was answered.
            wanted: what was asked of it.
            at: in parts of its width and height.

        Raises:
            FeedsegError: anything cannot be used, or there is no feedback.
        """
        wanted.check_names(self.offered)
        words = wanted.vocabulary(self.limits)
        with self._one_at_a_time, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            encoded, _ = self._encoded(photo, wanted)
            small = shown(encoded)
            found = small.explain(words, _point(at, small.image.size), feedback=wanted.feedback)
            return found, _point(at, encoded.image.size)

    def _segmenter(self, wanted: Wanted) -> Segmenter:
        return at_speed(self._pool.segmenter(wanted.model, wanted.host, wanted.own_proxy), wanted.speed)

    def _encoded(self, photo: Photo, wanted: Wanted) -> tuple[EncodedImage, bool]:
        """The photo as the model sees it, and whether it was kept."""
        content = photo.content(self.limits)
        # What a photo is called is said in its results, so it is part of what is kept.
        key: Hashable = digest_of(content), photo.name, wanted.model, wanted.host, wanted.proxy, wanted.speed
        if (kept := self._kept.get(key)) is not None:
            return kept, True
        image = photo.decoded(content, self.limits, self._decoder)
        encoded = self._segmenter(wanted).encode(image)
        self._kept.put(key, encoded)
        return encoded, False


def shown(encoded: EncodedImage) -> EncodedImage:
    """The same with no more pixels than the page shows: what the model saw stays, and answers come sooner."""
    height, width = encoded.image.size
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return encoded
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pixels = Image.fromarray(encoded.image.pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=2)
    return replace(encoded, image=RgbImage(np.asarray(pixels), encoded.image.source))


def _point(at: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
    """A place in parts of width and height, in pixels of an image of (height, width)."""
    (x, y), (height, width) = at, size
    return min(max(x, 0.0) * width, width - 1), min(max(y, 0.0) * height, height - 1)


def _notes(unfamiliar: tuple[str, ...], warned: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """What is said beside an answer, once: of unfamiliar words, of which a warning comes with the first answer only."""
    texts = [str(one.message) for one in warned if issubclass(one.category, UserWarning)]
    return tuple(dict.fromkeys((*unfamiliar, *(text for text in texts if not any(one in text for one in unfamiliar)))))


def _segmented(
    encoded: EncodedImage, words: Vocabulary, wanted: Wanted, feedback: str, *, scores: bool = False
) -> Segmentation:
    return encoded.segment(words, feedback=feedback, refiners=wanted.refiners, scores=scores)
