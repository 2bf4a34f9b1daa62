"""Picture and vocabulary to segmentation: the one place where the stages meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass, replace
from math import lcm
from pathlib import Path
from typing import overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from feedseg.decode.labels import label_pixels
from feedseg.errors import FeedsegError
from feedseg.io.images import Picture, PictureLike, fitted_size, read_picture, resized
from feedseg.segmentation import Segmentation
from feedseg.settings import FEEDBACKS, HOST_SETTINGS, WHOLE_PICTURE, Settings, Sides
from feedseg.vision.devices import choose_device, choose_dtype
from feedseg.vision.encode import Reader, Reading
from feedseg.vision.feedback.base import Rereading
from feedseg.vision.feedback.registry import described_feedback, named_feedback
from feedseg.vision.hosts.attention import HOSTS
from feedseg.vision.model import Model, open_model
from feedseg.vision.proxies.base import Features, Proxy, SelfProxy, open_proxy
from feedseg.vision.text.base import Progress, TextTower
from feedseg.vision.towers.base import ClipTower
from feedseg.vision.windows import Mosaic, Tile, Window, padded_to_multiple, place_windows
from feedseg.vocabulary import Vocabulary
from feedseg.weights.catalog import (
    CARDS,
    DEFAULT_MODEL,
    DEFAULT_PROXY,
    repository_of,
)


class Segmenter:
    """A text-aligned model, a host, and the feedback: call it with pictures and a vocabulary."""

    def __init__(
        self,
        model: Model,
        reader: Reader,
        feedback: Rereading | None,
        settings: Settings,
        batch_size: int,
    ) -> None:
        self.model = model
        self.reader = reader
        self.feedback = feedback
        self.settings = settings
        self.batch_size = batch_size
        proxy_patch = reader.proxy.patch_size if reader.proxy else 1
        self.multiple = lcm(reader.tower.patch_size, proxy_patch)  # windows are padded to it, in pixels
        self._text: tuple[Vocabulary, Tensor] | None = None

    @classmethod
    def load(
        cls,
        model: str | Path | Model = DEFAULT_MODEL,
        *,
        host: str = "proxyclip",
        proxy: str | Path | Features | Proxy | None = None,
        feedback: str | bool | Rereading = "paper",
        settings: Settings | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        class_token: bool | None = None,
        residual: bool | None = None,
        batch_size: int | None = None,
    ) -> Segmenter:
        """Load the weights and move them to the device.

        Args:
            model: a name of the catalog, a hub id, either with `@revision` if you like, a local folder, or an opened
                model, which is then moved to this device and type.
            host: "clip", "maskclip", "sclip", "clearclip", "naclip" or "proxyclip".
            proxy: for proxyclip: a name of the catalog, a hub id, a local folder, "self" for the tower's own final
                patch tokens, or a function from RGB windows in [0, 1], (B, 3, height, width), to features (B, C, h, w).
                None: "dino-b8" beside a CLIP, "self" beside another tower and beside "mini".
            feedback: "paper", with its constants for this tower and proxy; "calibrated", which takes its scales from
                the picture; "none"; or a feedback with constants of your own. True is "paper", False "none".
            settings: sizes and windows; None for the host's own protocol, or what suits a tower that is not like CLIP.
            device: "cpu", "cuda", "mps", …; None for the best there is.
            dtype: "fp32", "fp16" or "bf16"; None for fp16 on CUDA and fp32 elsewhere.
            class_token: False leaves the class token out of the host's attention; None: as published for a CLIP, out
                for another tower.
            residual: whether the last block's residual and feed-forward are kept; None: as published.
            batch_size: windows that go through the tower together on an accelerator; None for 16. A CPU takes one at a
                time: it gains nothing by more, and products over a batch are rounded differently.
        """
        if host not in HOSTS:
            raise FeedsegError(f"there is no host {host!r}; there are {', '.join(HOSTS)}")
        chosen = HOSTS[host]
        if proxy is not None and not chosen.uses_proxy:
            raise FeedsegError(f"the host {host} uses no proxy; proxyclip does")
        if batch_size is not None and batch_size < 1:
            raise FeedsegError(f"the batch size is at least 1, not {batch_size}")
        if isinstance(feedback, bool):
            feedback = "paper" if feedback else "none"
        if isinstance(feedback, str) and feedback not in FEEDBACKS:
            raise FeedsegError(f"there is no feedback {feedback!r}; there are {', '.join(FEEDBACKS)}")
        if not isinstance(feedback, str) and (not is_dataclass(feedback) or not hasattr(type(feedback), "reread")):
            raise FeedsegError(f"feedback is {', '.join(FEEDBACKS)}, or a dataclass with `reread`, not {feedback!r}")
        place = choose_device(device)
        number = choose_dtype(dtype, place)
        source = model if isinstance(model, Model) else repository_of(model, "tower")
        encoder = None if proxy is None else open_proxy(proxy)  # first, so that a wrong name costs no download
        opened = source if isinstance(source, Model) else open_model(source)
        is_clip = isinstance(opened.tower, ClipTower)
        card = CARDS.get(str(model))
        if card and card.is_bundled:  # where the package is installed says nothing to others
            opened = replace(opened, source=card.name)
        if chosen.uses_proxy:
            usual = DEFAULT_PROXY if is_clip else SelfProxy.name
            encoder = encoder or open_proxy((card and card.proxy) or usual)
            encoder.to(place, number)
        opened.tower.to(place, number)
        if isinstance(opened.text, TextTower):
            opened.text.to(place, number)
        if class_token is None and not is_clip:
            class_token = False
        return cls(
            model=opened,
            reader=Reader(opened.tower, chosen, encoder, class_token, residual),
            feedback=named_feedback(feedback, opened.tower, encoder) if isinstance(feedback, str) else feedback,
            settings=settings or (card and card.settings) or (HOST_SETTINGS[host] if is_clip else WHOLE_PICTURE),
            batch_size=1 if place.type == "cpu" else batch_size or 16,
        )

    @overload
    def __call__(self, pictures: PictureLike, vocabulary: Vocabulary) -> Segmentation: ...
    @overload
    def __call__(self, pictures: Iterable[PictureLike], vocabulary: Vocabulary) -> Iterator[Segmentation]: ...
    def __call__(
        self, pictures: PictureLike | Iterable[PictureLike], vocabulary: Vocabulary
    ) -> Segmentation | Iterator[Segmentation]:
        """Segment one picture, or several lazily and in order.

        Args:
            pictures: a path, a PIL image or an array (height, width, 3), uint8; or an iterable of these.
            vocabulary: what to look for.
        """
        if not isinstance(vocabulary, Vocabulary):
            raise FeedsegError(f"what to look for is a Vocabulary, not {type(vocabulary).__name__}")
        if isinstance(pictures, (str, Path, Image.Image, np.ndarray, Picture)):
            (result,) = self._segment_group([read_picture(pictures)], vocabulary)
            return result
        if not isinstance(pictures, Iterable):
            raise FeedsegError(f"a picture is a path, a PIL image or an array, not {type(pictures).__name__}")
        return self._segment_all(pictures, vocabulary)

    def open(self, picture: PictureLike) -> OpenedPicture:
        """Run the vision tower, the proxy and the host on a picture; the words come later, as often as one likes."""
        one = read_picture(picture)
        return OpenedPicture(self, one, self.open_pixels([self._resized(one)]))

    def embed(self, vocabulary: Vocabulary, progress: Progress | None = None) -> Tensor:
        """Unit embeddings of the vocabulary's queries, (C, E), fp32; the last ones are kept."""
        if self._text is None or self._text[0] != vocabulary:
            embeddings = self.model.text.embed(vocabulary.queries, vocabulary.templates, progress)
            self._text = (vocabulary, embeddings.to(self.reader.tower.device))
        return self._text[1]

    def _segment_all(self, pictures: Iterable[PictureLike], vocabulary: Vocabulary) -> Iterator[Segmentation]:
        group: list[Picture] = []
        windows = 0
        for picture in pictures:
            group.append(read_picture(picture))
            windows += len(self._windows(self._size(group[-1])))
            if windows >= self.batch_size:
                yield from self._segment_group(group, vocabulary)
                group, windows = [], 0
        if group:
            yield from self._segment_group(group, vocabulary)

    def _segment_group(self, group: Sequence[Picture], vocabulary: Vocabulary) -> Iterator[Segmentation]:
        opened = self._open_windows([self._resized(picture) for picture in group])
        for picture, mosaic in zip(group, self._mosaics(opened, vocabulary), strict=True):
            yield self._segmentation(picture, mosaic, vocabulary)

    def _size(self, picture: Picture) -> tuple[int, int]:
        """Height and width that a picture is resized to."""
        multiple = self.multiple if self.settings.window is None else 1
        return fitted_size(picture.size, self.settings.short_side, self.settings.max_long_side, multiple)

    def _resized(self, picture: Picture) -> Tensor:
        return resized(picture, self._size(picture)).to(self.reader.tower.device)

    def _windows(self, size: tuple[int, int]) -> list[Window]:
        if self.settings.window is None:
            return [Window(0, 0, *size)]
        return place_windows(size, self.settings.window_sides, self.settings.stride_sides)

    def open_pixels(self, pictures: Sequence[Tensor]) -> list[OpenedWindows]:
        """Open all windows of pictures that have their working size, RGB in [0, 1], (3, height, width) each.

        Windows of one shape go through the tower in batches.
        """
        return list(self._open_windows(pictures))

    def _open_windows(self, pictures: Sequence[Tensor]) -> Iterator[OpenedWindows]:
        """One batch after the other, so that whoever needs no more of it than its logits holds one at a time."""
        by_sides: dict[Sides, list[tuple[int, Window]]] = {}  # with their padding
        whole = self.settings.window is None
        counts = []
        for index, pixels in enumerate(pictures):
            windows = self._windows((pixels.shape[-2], pixels.shape[-1]))
            counts.append(len(windows))
            for window in windows:
                height, width = (-(-side // self.multiple) * self.multiple for side in (window.height, window.width))
                by_sides.setdefault((height, width), []).append((index, window))
        for sides, members in by_sides.items():
            for start in range(0, len(members), self.batch_size):
                places, batch = [], []
                for index, window in members[start : start + self.batch_size]:
                    pixels = pictures[index]
                    padded, inside = padded_to_multiple(pixels[:, window.rows, window.columns], self.multiple)
                    size = (pixels.shape[-2], pixels.shape[-1])
                    places.append(_Place(index, size, None if whole else window, inside, counts[index]))
                    batch.append(padded)
                yield OpenedWindows(self.reader.open(torch.stack(batch)), tuple(places), sides)

    def stitched_logits(self, opened: Iterable[OpenedWindows], vocabulary: Vocabulary) -> list[Tensor]:
        """Cosines of the queries, (C, height, width), of every picture that was opened, at its working size.

        Without windows they stay on the host's grid, (C, h, w), so that they are resized once and not twice.
        """
        return [mosaic.rows(0, mosaic.shape[1]) for mosaic in self._mosaics(opened, vocabulary)]

    @torch.inference_mode()
    def _mosaics(self, opened: Iterable[OpenedWindows], vocabulary: Vocabulary) -> list[Mosaic]:
        """The same, of which rows are computed when they are asked for."""
        text = self.embed(vocabulary)
        sizes: dict[int, Sides] = {}
        tiles: dict[int, list[Tile]] = {}
        # What is kept of a picture is one piece of memory: windows of their own would leave holes between them, where
        # the tower has worked.
        kept: dict[int, Tensor] = {}
        for windows in opened:
            logits = windows.reading.logits(text, self.feedback)
            for place, of_window in zip(windows.places, logits, strict=True):
                if place.window is None:
                    size = sides = windows.reading.grid
                    window = inside = Window(0, 0, *size)
                else:
                    size, sides, window, inside = place.size, windows.sides, place.window, place.inside
                if place.picture not in kept:
                    sizes[place.picture], tiles[place.picture] = size, []
                    kept[place.picture] = of_window.new_empty(place.windows, *of_window.shape)
                of_picture = tiles[place.picture]
                tile = kept[place.picture][len(of_picture)].copy_(of_window)
                of_picture.append(Tile(tile, sides, inside, window))
            del windows, logits  # before the next batch is opened
        return [Mosaic(sizes[index], tiles[index]) for index in sorted(tiles)]

    def _labels(
        self, picture: Picture, mosaic: Mosaic, vocabulary: Vocabulary, smallest_area: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return label_pixels(
            mosaic,
            picture.size,
            vocabulary.query_to_class,
            len(vocabulary.names),
            self.settings.logit_scale,
            vocabulary.threshold,
            smallest_area,
        )

    def _segmentation(self, picture: Picture, mosaic: Mosaic, vocabulary: Vocabulary) -> Segmentation:
        labels, confidence = self._labels(picture, mosaic, vocabulary)
        return Segmentation(
            labels=labels,
            confidence=confidence,
            names=vocabulary.names,
            picture=picture.pixels,
            source=picture.source,
            background=vocabulary.has_background,
            threshold=vocabulary.threshold,
            synonyms=vocabulary.words,
            models=self.provenance(),
            settings=self.describe(),
        )

    def provenance(self) -> dict[str, dict[str, str]]:
        """The models behind the numbers and their revisions, by role."""
        models = {"model": {"name": self.model.source, "revision": self.model.revision}}
        if self.reader.proxy is not None:
            models["proxy"] = {"name": self.reader.proxy.name, "revision": self.reader.proxy.revision}
        return models

    def describe(self) -> dict[str, object]:
        """Every setting that the numbers depend on, as JSON has it."""
        feedback, settings, reader = self.feedback, self.settings, self.reader
        return {
            "host": reader.host.name,
            "feedback": described_feedback(feedback),
            "class_token": reader.sees_class_token,
            "residual": reader.keeps_residual,
            **vars(settings),
            "stride": None if settings.window is None else settings.stride,
            "device": str(reader.tower.device),
            "dtype": str(reader.tower.dtype).removeprefix("torch."),
        }


class OpenedPicture:
    """A picture that has been through the vision tower and can be asked for any words."""

    def __init__(self, segmenter: Segmenter, picture: Picture, opened: list[OpenedWindows]) -> None:
        self._segmenter = segmenter
        self._opened = opened
        self.picture = picture

    def logits(self, vocabulary: Vocabulary) -> Tensor:
        """Cosines of the queries before the softmax, (C, h, w), at the size that the windows were cut from.

        Without windows on the host's grid.
        """
        return self._segmenter.stitched_logits(self._opened, vocabulary)[0]

    def labels(self, vocabulary: Vocabulary, smallest_area: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The label of every pixel and its probability, as `label_pixels` gives them; `logits` are never held whole."""
        (mosaic,) = self._segmenter._mosaics(self._opened, vocabulary)
        return self._segmenter._labels(self.picture, mosaic, vocabulary, smallest_area)

    def segment(self, vocabulary: Vocabulary) -> Segmentation:
        """Name every pixel with these words."""
        (mosaic,) = self._segmenter._mosaics(self._opened, vocabulary)
        return self._segmenter._segmentation(self.picture, mosaic, vocabulary)


@dataclass(frozen=True)
class _Place:
    """Where a window belongs, whatever the settings have become since."""

    picture: int  # its index
    size: Sides  # that it was resized to
    window: Window | None  # in it; None where the picture was looked at as a whole
    inside: Window  # the window in its padding
    windows: int  # of the picture


@dataclass(frozen=True)
class OpenedWindows:
    """A batch of opened windows, perhaps of several pictures, of one height and width with their padding (`sides`)."""

    reading: Reading
    places: tuple[_Place, ...]
    sides: tuple[int, int]
