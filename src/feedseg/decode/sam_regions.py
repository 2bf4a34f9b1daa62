"""Regions of an image from the masks of a SAM or SAM 2 (Kirillov et al., ICCV 2023; Ravi et al., 2024), for a vote.

Masks are made as in SAM's automatic mask generation, with one point after the other of a grid as the prompt, of the
image as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad

from feedseg.decode.masks import best_apart, boxes, painted, stabilities
from feedseg.errors import FeedsegError, checked_count, checked_number
from feedseg.settings import Sides
from feedseg.vision.devices import choose_device
from feedseg.vision.ops import normalised

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# By the model's type: transformers' class, and whether an image keeps its shape and is padded to the model's square.
MODELS = {"sam": ("SamModel", True), "sam2": ("Sam2Model", False), "sam2_video": ("Sam2Model", False)}
POINTS_TOGETHER = 64
CHUNK_ELEMENTS = 1 << 25  # logits at the image's size that exist at a time


@dataclass(frozen=True)
class SamRegions:
    """Makes regions of an image's pixels by the masks of a SAM or SAM 2; a pixel that no mask has belongs to none.

    Of `points` × `points` prompts' masks, three each, those stay whose IoU the model itself puts above `least_iou`, and
    of which more than `least_stability` is left between thresholds of −`offset` and `offset`; where boxes overlap by
    more than `most_overlap`, only the surest. Where masks overlap the smaller one is the region.

    It holds no weights: they are opened once in a process, on the device of the scores.
    """

    source: str  # as a proxy is named: of the catalog, on the hub, or a folder
    revision: str  # of its weights
    points: int = 32
    least_iou: float = 0.88
    least_stability: float = 0.95
    offset: float = 1.0
    most_overlap: float = 0.7

    def __post_init__(self) -> None:
        checked_count(self.points, "the number of points on a side", most=256)
        for name in ("least_iou", "least_stability", "most_overlap"):
            if not 0 <= checked_number(getattr(self, name), name) <= 1:
                raise FeedsegError(f"{name} is from 0 to 1, not {getattr(self, name)}")
        if checked_number(self.offset, "the offset") < 0:
            raise FeedsegError(f"the offset is no negative number, not {self.offset}")

    @classmethod
    def load(cls, source: str | Path, **constants: Any) -> SamRegions:
        """Those of a model: a name of the catalog ("sam-b"), a hub repository or a local folder.

        Raises:
            FeedsegError: it cannot be found, is another model, or its files are not usable.
        """
        name = str(source)
        return cls(name, _revision(name), **constants)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Region numbers (height, width) of pixels (height, width, 3), on the best device there is."""
        return self.of(pixels, choose_device(None))

    @torch.inference_mode()
    def of(self, pixels: np.ndarray, device: torch.device) -> np.ndarray:
        """Region numbers from 0 on, the largest region's the first, (height, width), int32; −1 where there is none."""
        size = (pixels.shape[0], pixels.shape[1])
        model = opened(self.source, self.revision, str(device))
        kept = [self._kept(logits, scores, model, size) for logits, scores in model.prompted(pixels, self.points)]
        logits, scores, of_boxes, areas = (torch.cat(parts) for parts in zip(*kept, strict=True))
        stay = best_apart(of_boxes, scores, self.most_overlap)
        stay = stay[areas[stay].argsort(descending=True, stable=True)]
        # enlarged anew one at a time: all masks at an image's size are many times the image
        return painted(((model.enlarged(logits[index, None], size)[0] > 0).cpu().numpy() for index in stay), size)

    def _kept(self, logits: Tensor, scores: Tensor, model: Sam, size: Sides) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of the masks of some prompts those that stay: logits as they were, scores, boxes and areas."""
        sure = scores > self.least_iou
        logits, scores = logits[sure], scores[sure]
        stays, of_boxes, areas = [], [], []
        for part in logits.split(max(1, CHUNK_ELEMENTS // (size[0] * size[1]))):
            large = model.enlarged(part, size)
            stays.append(stabilities(large, self.offset) > self.least_stability)
            masks = large > 0
            of_boxes.append(boxes(masks))
            areas.append(masks.sum(dim=(1, 2)))
        stay = torch.cat(stays)
        return logits[stay], scores[stay], torch.cat(of_boxes)[stay], torch.cat(areas)[stay]


@dataclass(frozen=True, eq=False)
class Sam:
    """A SAM or SAM 2 with its preprocessing, on its device."""

    module: Any  # transformers' `SamModel` or `Sam2Model`
    keeps_shape: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def side(self) -> int:
        """Of the square that the model sees, in pixels."""
        return self.module.config.prompt_encoder_config.image_size

    def seen(self, size: Sides) -> Sides:
        """Height and width that an image of some size is resized to, within the square."""
        if not self.keeps_shape:
            return self.side, self.side
        scale = self.side / max(size)
        return int(size[0] * scale + 0.5) or 1, int(size[1] * scale + 0.5) or 1

    def prepared(self, pixels: np.ndarray) -> Tensor:
        """What the model sees of an image's pixels: (1, 3, side, side), fp32."""
        height, width = self.seen((pixels.shape[0], pixels.shape[1]))
        shown = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
        rgb = torch.from_numpy(np.array(shown)).permute(2, 0, 1).float().div_(255)[None]
        device = next(self.module.parameters()).device
        return pad(normalised(rgb.to(device), self.mean, self.std), (0, self.side - width, 0, self.side - height))

    def prompted(self, pixels: np.ndarray, points: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Logits (M, h, w) of the masks of a grid's points, some points at a time, and the IoU it expects, (M,).

        The points are at the same parts of the image for either model. (The generator of transformers 5 scales those of
        SAM 2 as if the image kept its shape, and leaves a part of it without points.)
        """
        features = self.module.get_image_embeddings(self.prepared(pixels))
        device = next(self.module.parameters()).device
        height, width = self.seen((pixels.shape[0], pixels.shape[1]))
        middles = (torch.arange(points, device=device) + 0.5) / points
        down, right = torch.meshgrid(middles, middles, indexing="ij")
        grid = torch.stack((right * width, down * height), dim=-1).view(1, -1, 1, 2)
        for some in grid.split(POINTS_TOGETHER, dim=1):
            found = self.module(
                image_embeddings=features,
                input_points=some,
                input_labels=torch.ones(some.shape[:3], dtype=torch.long, device=device),
                multimask_output=True,
            )
            yield found.pred_masks[0].flatten(0, 1).float(), found.iou_scores[0].flatten().float()

    def enlarged(self, logits: Tensor, size: Sides) -> Tensor:
        """Logits (M, h, w) of masks at an image's size, (M, height, width)."""
        found = logits[:, None]
        if self.keeps_shape:
            height, width = self.seen(size)
            found = interpolate(found, (self.side, self.side), mode="bilinear", align_corners=False)
            found = found[..., :height, :width]
        return interpolate(found, size, mode="bilinear", align_corners=False)[:, 0]


@lru_cache(maxsize=16)
def _revision(source: str) -> str:
    """Which weights a source has now, once it is known to be a SAM or SAM 2."""
    checkpoint, _ = _found(source)
    return checkpoint.revision


def _found(source: str) -> tuple[Any, str]:
    """The checkpoint of a source and its type, one of `MODELS`."""
    from feedseg.weights.catalog import repository_of
    from feedseg.weights.checkpoint import find_checkpoint, read_config

    checkpoint = find_checkpoint(repository_of(source, "proxy"))
    kind = read_config(checkpoint).get("model_type")
    if kind not in MODELS:
        raise FeedsegError(f"{source} is a {kind!r} model: the region vote takes a SAM or SAM 2, such as sam-b")
    return checkpoint, kind


@lru_cache(maxsize=2)
def opened(source: str, revision: str, device: str) -> Sam:
    """The model of a source, opened once in a process and device as long as no others are used."""
    from feedseg.weights.modules import load_module, normalisation_of

    checkpoint, kind = _found(source)
    if checkpoint.revision != revision:
        raise FeedsegError(f"{source} has other weights now than {revision}: start again")
    class_name, keeps_shape = MODELS[kind]
    module = load_module(checkpoint, class_name).to(device)
    return Sam(module, keeps_shape, *normalisation_of(checkpoint, IMAGENET_MEAN, IMAGENET_STD))
