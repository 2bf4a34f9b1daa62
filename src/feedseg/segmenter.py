"""Image and words to segmentation: the one place where the stages meet.

image ─ resize ─ windows ─ encode ─┐
                                   ├─ logits of every window ─ stitch ─ scores ─ refiners ─ labels ─ Segmentation
words ─ text embeddings, feedback ─┘
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from feedseg.arguments import CallOptions, Plan, Request, Words, described
from feedseg.decode.logits import StitchedLogits
from feedseg.decode.patches import PatchesBuffer
from feedseg.decoding import decoded
from feedseg.errors import FeedsegError, warn_user
from feedseg.io.images import ImageLike, RgbImage, fitted_size, read_image, resized
from feedseg.segmentation import Segmentation
from feedseg.settings import Settings, Sides
from feedseg.vision.encode import EncodedWindow, WindowEncoder
from feedseg.vision.feedback.base import Feedback
from feedseg.vision.model import Model
from feedseg.vision.text.base import Progress, Unfamiliar
from feedseg.vision.text.cache import EmbeddingMemory
from feedseg.vision.windows import Placement, cut, padded_to_multiple
from feedseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from feedseg.explanation import Explanation


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A text-aligned model, a host, and a feedback: call it with images and words.

    Immutable. What varies from call to call is an argument (see `CallOptions`), and `dataclasses.replace` makes another
    segmenter that shares the weights. Any number of threads may use one at once, and it pickles.
    """

    model: Model
    encoder: WindowEncoder
    feedback: Feedback | None
    settings: Settings
    batch_size: int = 1  # windows that go through the tower together
    _memory: EmbeddingMemory = field(default_factory=EmbeddingMemory, repr=False)
    _process: int = field(default_factory=os.getpid, init=False, repr=False)

    @classmethod
    def load(cls, model: str | Path | Model | None = None, **options: Any) -> Segmenter:
        """Load weights and move them to a device: see `feedseg.loading.load_segmenter`, which has every option."""
        from feedseg.loading import load_segmenter

        return load_segmenter(model, **options)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.encoder.tower.device

    @overload
    def __call__(self, images: ImageLike, words: Words, **options: Unpack[CallOptions]) -> Segmentation: ...
    @overload
    def __call__(
        self, images: Iterable[ImageLike], words: Words, **options: Unpack[CallOptions]
    ) -> Iterator[Segmentation]: ...
    def __call__(
        self, images: ImageLike | Iterable[ImageLike], words: Words, **options: Unpack[CallOptions]
    ) -> Segmentation | Iterator[Segmentation]:
        """Segment one image, or several lazily and in order.

        Args:
            images: a path, a PIL image or an array (height, width, 3), uint8; or an iterable of these.
            words: a Vocabulary, a list of classes, or one line of text ("cat; kitten, sofa").
            options: `feedback`, `settings`, `refiners` instead of the segmenter's own, and `scores`.

        Raises:
            FeedsegError: an image or an argument that cannot be used, a word that the model does not know.
        """
        if not isinstance(images, (str, Path, Image.Image, np.ndarray, RgbImage)):
            return self.segment_many(images, words, **options)
        (result,) = self.segment_many([images], words, **options)
        return result

    def segment_many(
        self,
        items: Iterable[ImageLike | tuple[ImageLike, Words]],
        words: Words | None = None,
        **options: Unpack[CallOptions],
    ) -> Iterator[Segmentation]:
        """Segment images, each with words of its own where it comes as a pair, lazily and in order.

        Windows of different images and vocabularies share a batch where the device gains by it. See `__call__`.
        """
        if not isinstance(items, Iterable):
            raise FeedsegError(f"an image is a path, a PIL image or an array, not {type(items).__name__}")
        plan = self._plan(**options)
        common = None if words is None else self.resolved(words)
        groups = self._groups((Request.of(item, common, self.resolved) for item in items), plan.settings)
        return (result for group in groups for result in self._segment_group(group, plan))

    def encode(self, image: ImageLike, *, settings: Settings | None = None) -> EncodedImage:
        """Run tower, proxy and host on an image; the words come later, as often as one likes."""
        (encoded,) = self.encode_many([read_image(image)], settings=settings)
        return encoded

    def encode_many(self, images: Sequence[ImageLike], *, settings: Settings | None = None) -> list[EncodedImage]:
        """Encode images, whose windows share batches where the device gains by it."""
        chosen = self._plan(settings=settings).settings
        read = [read_image(image) for image in images]
        sizes = [self._working_size(image, chosen) for image in read]
        windows: list[list[tuple[Placement | None, EncodedWindow]]] = [[] for _ in read]
        pixels = [resized(image, size) for image, size in zip(read, sizes, strict=True)]
        for index, placement, window in self._encode(pixels, chosen):
            windows[index].append((placement, window))
        parts = zip(read, sizes, windows, strict=True)
        return [EncodedImage(self, image, chosen, size, tuple(found)) for image, size, found in parts]

    open = encode  # what it was called up to version 0.2

    def resolved(self, words: Words) -> Vocabulary:
        """The words as this model is asked for them: of an automatic background those that it knows.

        Raises:
            FeedsegError: they are no vocabulary, or nothing is left beside a single class.
        """
        return Vocabulary.of(words).resolved(self.model.text.recognised)

    def embed(self, words: Words, progress: Progress | None = None) -> Tensor:
        """Unit embeddings of the words' queries, (C, E), fp32; those of the last vocabularies are kept."""
        vocabulary, text = self.resolved(words), self.model.text

        def compute() -> Tensor:
            for word in (*text.substitutes(vocabulary.queries), *text.unfamiliar(vocabulary.queries)):
                warn_user(f"{self.model.source} has {word}")
            return text.embed(vocabulary.queries, vocabulary.templates, progress).to(self.device)

        return self._memory.get((vocabulary.queries, vocabulary.templates), compute)

    def unfamiliar(self, words: Words) -> list[Unfamiliar]:
        """The words that are far from all that the model has learnt, with near ones; none where that is not known."""
        return self.model.text.unfamiliar(self.resolved(words).queries)

    def provenance(self) -> dict[str, dict[str, str]]:
        """The models behind the numbers and their revisions, by role."""
        models = {"model": {"name": self.model.source, "revision": self.model.revision}}
        if (proxy := self.encoder.proxy) is not None:
            models["proxy"] = {"name": proxy.name, "revision": proxy.revision}
        return models

    def describe(self, **options: Unpack[CallOptions]) -> dict[str, object]:
        """Every setting that the numbers depend on, as JSON has it."""
        return described(self.encoder, self._plan(**options))

    def __reduce__(self) -> tuple[Any, ...]:
        return Segmenter, (self.model, self.encoder, self.feedback, self.settings, self.batch_size)

    def _plan(self, **options: Unpack[CallOptions]) -> Plan:
        return Plan(self.feedback, self.settings).changed(self.encoder, **options)

    def _working_size(self, image: RgbImage, settings: Settings) -> Sides:
        """Height and width that an image is resized to."""
        multiple = self.encoder.multiple if settings.window is None else 1
        return fitted_size(image.size, settings.short_side, settings.max_long_side, multiple)

    def _groups(self, requests: Iterable[Request], settings: Settings) -> Iterator[list[Request]]:
        """The requests in groups whose windows fill a batch."""
        group: list[Request] = []
        windows = 0
        for request in requests:
            group.append(request)
            windows += len(cut(self._working_size(request.image, settings), settings))
            if windows >= self.batch_size:
                yield group
                group, windows = [], 0
        if group:
            yield group

    def _segment_group(self, group: Sequence[Request], plan: Plan) -> Iterator[Segmentation]:
        sizes = [self._working_size(request.image, plan.settings) for request in group]
        text = [self.embed(request.vocabulary) for request in group]
        for size, queries in zip(sizes, text, strict=True):
            self.encoder.check_logits(size, plan.settings, len(queries))
        pixels = [resized(request.image, size) for request, size in zip(group, sizes, strict=True)]
        buffers = [
            self._buffer(one, size, len(cut(size, plan.settings)), plan)
            for one, size in zip(pixels, sizes, strict=True)
        ]
        for index, placement, window in self._encode(pixels, plan.settings):
            buffers[index].add_window(window, text[index], window.logits(text[index], plan.feedback), placement)
            del window  # before the next batch is encoded
        for request, buffer in zip(group, buffers, strict=True):
            yield self._result(request, buffer.refined().stitched(request.image.size), plan)

    def _buffer(self, pixels: Tensor | RgbImage, size: Sides, windows: int, plan: Plan) -> PatchesBuffer:
        """For an image that is cut into so many windows, given at its working size or to be resized if need be."""

        def attention(placement: Placement | None) -> Tensor:
            found = resized(pixels, size) if isinstance(pixels, RgbImage) else pixels
            return self.encoder.self_attention(found, placement)

        return PatchesBuffer(size, windows, plan.patch_refiners, plan.settings.logit_scale, attention)

    def _encode(
        self, images: Sequence[Tensor], settings: Settings
    ) -> Iterator[tuple[int, Placement | None, EncodedWindow]]:
        if os.getpid() != self._process and (self.device.type != "cpu" or torch.get_num_threads() > 1):
            raise FeedsegError(
                "this segmenter came here by a fork, after which torch's threads and devices do not work: start "
                "processes by spawn, or load it in each of them"
            )
        return self.encoder.encode_images(images, settings, self.batch_size)

    def _result(self, request: Request, logits: StitchedLogits, plan: Plan) -> Segmentation:
        return decoded(logits, request, plan, self.provenance(), described(self.encoder, plan))


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """An image that has been through tower, proxy and host, and can be asked for any words."""

    segmenter: Segmenter
    image: RgbImage
    settings: Settings
    size: Sides  # height and width that the windows were cut from
    windows: tuple[tuple[Placement | None, EncodedWindow], ...]

    def logits(self, words: Words, *, feedback: Any = None) -> Tensor:
        """Cosines of the queries, (C, h, w), fp32, at the size that the windows were cut from.

        Without windows on the host's grid, so that they are resized once and not twice.
        """
        plan = self.segmenter._plan(feedback=feedback)
        return self._stitched(self.segmenter.embed(words), plan).at_working_size()

    def segment(
        self, words: Words, *, feedback: Any = None, refiners: Iterable[Any] = (), scores: bool = False
    ) -> Segmentation:
        """A class for every pixel. Arguments as in `Segmenter.__call__`."""
        request = Request(self.image, self.segmenter.resolved(words))
        plan = self.segmenter._plan(feedback=feedback, settings=self.settings, refiners=refiners, scores=scores)
        logits = self._stitched(self.segmenter.embed(request.vocabulary), plan)
        return self.segmenter._result(request, logits, plan)

    def with_second_view(self, share: float) -> EncodedImage:
        """The same with a second view of every window, mirrored and its sides `share` as long: what
        `Settings(second_view=share)` encodes from the beginning."""
        settings = replace(self.settings, second_view=share)
        encoder = self.segmenter.encoder
        pixels = resized(self.image, self.size)
        windows: list[tuple[Placement | None, EncodedWindow]] = []
        for placement, window in self.windows:
            own = pixels if placement is None else pixels[:, placement.window.rows, placement.window.columns]
            padded, _ = padded_to_multiple(own, encoder.multiple)
            (seen_again,) = encoder.with_second_views([window], [padded], share)
            windows.append((placement, seen_again))
        return replace(self, settings=settings, windows=tuple(windows))

    def labels(self, words: Words, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """The class of every pixel and its probability, (height, width) each; arguments as in `segment`."""
        result = self.segment(words, **options)
        return result.labels, result.confidence

    def explain(self, words: Words, at: tuple[float, float] | None = None, *, feedback: Any = None) -> Explanation:
        """How the patch at a point (x, y), in pixels of the image, came to its class: see `feedseg.explanation`."""
        from feedseg.explanation import explained

        return explained(self, words, at, feedback)

    def _stitched(self, text: Tensor, plan: Plan) -> StitchedLogits:
        buffer = self.segmenter._buffer(self.image, self.size, len(self.windows), plan)
        for placement, window in self.windows:
            buffer.add_window(window, text, window.logits(text, plan.feedback), placement)
        return buffer.refined().stitched(self.image.size)
