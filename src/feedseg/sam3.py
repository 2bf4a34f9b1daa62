"""SAM 3 (Meta, 2025) as a segmenter: a presence, instances and a semantic map for every word, instead of a host.

A word's score at a pixel, with transformers' outputs behind a sigmoid each (their logits do not contain the presence):

    score = presence · max(max_i mask_i · score_i, semantic)

which is SegEarth-OV3's rule, over the instances i whose presence · score_i is above a confidence. A pixel gets the
class with the largest score; below the vocabulary's threshold it is background. There is no softmax and no feedback:
words are asked one by one, and know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from feedseg.arguments import Words
from feedseg.decode.labels import label_image
from feedseg.decode.logits import StitchedLogits
from feedseg.decode.scores import Scores
from feedseg.errors import FeedsegError, first_line
from feedseg.io.images import ImageLike, RgbImage, read_image, resized
from feedseg.segmentation import Segmentation
from feedseg.vision.devices import choose_device
from feedseg.vision.ops import normalised
from feedseg.vision.text.clip import load_tokenizer
from feedseg.vocabulary import Vocabulary
from feedseg.vocabulary.words import cleaned
from feedseg.weights.checkpoint import Checkpoint, find_checkpoint, load_weights, read_config
from feedseg.weights.modules import Channels, build_module, normalisation_of, quiet_transformers

HALF: Channels = (0.5, 0.5, 0.5)  # mean and deviation alike
VIDEO = "detector_config"  # in the published configuration, which is that of the video model
DETECTOR = "detector_model."  # before the names of its weights there


@dataclass(frozen=True)
class Thresholds:
    """What SegEarth-OV3 publishes for a benchmark."""

    confidence: float  # an instance below it is left out
    background: float = 0.0  # of the vocabulary: a pixel below it is background


THRESHOLDS: dict[str, Thresholds] = {  # by the benchmarks' names in the protocols
    "voc21": Thresholds(0.5, 0.4),
    "voc20": Thresholds(0.2),
    "context60": Thresholds(0.3, 0.1),
    "context59": Thresholds(0.3),
    "coco_object": Thresholds(0.5, 0.4),
    "coco_stuff": Thresholds(0.2),
    "cityscapes": Thresholds(0.3),
    "ade20k": Thresholds(0.3),
}


@dataclass(frozen=True, eq=False)
class Sam3Segmenter:
    """A SAM 3 that is called with images and words as a `Segmenter` is. Immutable."""

    module: Any  # transformers' `Sam3Model`
    tokenizer: Any
    source: str
    revision: str
    mean: Channels = HALF
    std: Channels = HALF
    confidence: float = 0.3  # of the instances that count

    def __post_init__(self) -> None:
        if not 0 <= self.confidence < 1:
            raise FeedsegError(f"the confidence is a probability from 0 to below 1, not {self.confidence:g}")

    @classmethod
    def load(
        cls,
        source: str | Path = "facebook/sam3",
        *,
        confidence: float = 0.3,
        device: str | torch.device | None = None,
    ) -> Sam3Segmenter:
        """A hub repository or a local folder in transformers' layout, of the image or of the video model.

        Raises:
            FeedsegError: it cannot be found, is another model, or its files are not usable.
        """
        checkpoint = find_checkpoint(source, tokenizer=True)
        module, tokenizer = _module(checkpoint), load_tokenizer(checkpoint)
        mean, std = normalisation_of(checkpoint, HALF, HALF)
        module.to(choose_device(device))
        return cls(module, tokenizer, checkpoint.source, checkpoint.revision, mean, std, confidence)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.module.parameters()).device

    @overload
    def __call__(self, images: ImageLike, words: Words) -> Segmentation: ...
    @overload
    def __call__(self, images: Iterable[ImageLike], words: Words) -> Iterator[Segmentation]: ...
    def __call__(self, images: ImageLike | Iterable[ImageLike], words: Words) -> Segmentation | Iterator[Segmentation]:
        """Segment one image, or several lazily and in order. Arguments as in `Segmenter.__call__`."""
        vocabulary = Vocabulary.of(words).resolved(lambda asked: {word: cleaned(word) for word in asked})
        if isinstance(images, (str, Path, Image.Image, np.ndarray, RgbImage)):
            return self._segmented(read_image(images), vocabulary)
        return (self._segmented(read_image(image), vocabulary) for image in images)

    @torch.inference_mode()
    def score_maps(self, image: RgbImage, words: Iterable[str]) -> Tensor:
        """Scores of words in [0, 1] at the resolution of the model's masks, (C, h, w), fp32."""
        side = self.module.config.vision_config.image_size
        pixels = normalised(resized(image, (side, side))[None].to(self.device), self.mean, self.std)
        features = self.module.get_vision_features(pixels)
        return torch.cat([self._score_map(features, word) for word in words])

    def _score_map(self, features: Any, word: str) -> Tensor:
        """Of one word, (1, h, w)."""
        length = self.module.config.text_config.max_position_embeddings
        tokens = self.tokenizer([word], padding="max_length", max_length=length, return_tensors="pt")
        if tokens["input_ids"].shape[1] > length:
            raise FeedsegError(f"SAM 3 takes {length} tokens, and {word[:60]!r}… has more: shorten it")
        found = self.module(
            vision_embeds=features,
            input_ids=tokens["input_ids"].to(self.device),
            attention_mask=tokens["attention_mask"].to(self.device),
        )
        return combined(found.presence_logits, found.pred_logits, found.pred_masks, found.semantic_seg, self.confidence)

    def _segmented(self, image: RgbImage, vocabulary: Vocabulary) -> Segmentation:
        maps = StitchedLogits.of_grid(self.score_maps(image, vocabulary.queries), image.size)
        scores = ConceptScores(maps, vocabulary.query_to_class, len(vocabulary.names))
        labels, confidence = label_image(scores, vocabulary.threshold)
        return Segmentation(
            labels=labels,
            confidence=confidence,
            scores=None,
            names=vocabulary.names,
            image=image.pixels,
            source=image.source,
            background=vocabulary.has_background,
            threshold=vocabulary.threshold,
            synonyms=vocabulary.words,
            models={"model": {"name": self.source, "revision": self.revision}},
            settings={"segmenter": "sam3", "confidence": self.confidence},
        )


class ConceptScores(Scores):
    """The largest score of each class's words, at the image's size; no softmax, so that they do not sum to one."""

    def __init__(self, maps: StitchedLogits, query_to_class: tuple[int, ...], classes: int) -> None:
        self._maps = maps
        self._classes = query_to_class
        self.shape = (classes, *maps.shape[1:])
        self.device = maps.device

    def rows(self, rows: slice) -> Tensor:
        of_words = self._maps.rows(rows)
        scores = of_words.new_zeros(self.shape[0], *of_words.shape[1:])
        for index, of_word in zip(self._classes, of_words, strict=True):
            torch.maximum(scores[index], of_word, out=scores[index])
        return scores


def combined(presence: Tensor, instances: Tensor, masks: Tensor, semantic: Tensor, confidence: float) -> Tensor:
    """presence · max(max_i mask_i · score_i, semantic): (B, h, w), fp32, in [0, 1].

    Args:
        presence: logits, (B, 1).
        instances: logits of the instances, (B, Q).
        masks: logits, (B, Q, h, w).
        semantic: logits, (B, 1, h, w).
        confidence: instances whose presence · score is not above it are left out.
    """
    present, scores = presence.float().sigmoid(), instances.float().sigmoid()
    scores = torch.where(present * scores > confidence, scores, 0.0)
    best = (masks.float().sigmoid() * scores[..., None, None]).amax(dim=1)
    return present[..., None] * torch.maximum(best, semantic.float().sigmoid()[:, 0])


def _module(checkpoint: Checkpoint) -> Any:
    """transformers' `Sam3Model`; of the published video model its detector."""
    from transformers import Sam3Config

    settings = read_config(checkpoint)
    weights = load_weights(checkpoint)
    if isinstance(settings.get(VIDEO), dict):
        settings = settings[VIDEO]
        weights = {name.removeprefix(DETECTOR): one for name, one in weights.items() if name.startswith(DETECTOR)}
    if settings.get("model_type") != "sam3":
        raise FeedsegError(f"{checkpoint.source} is a {settings.get('model_type')!r} model, not a SAM 3")
    with quiet_transformers():
        try:
            config = Sam3Config(**settings)
        except Exception as error:  # each version of transformers has its own kinds for what is no configuration
            raise FeedsegError(f"{checkpoint.source}: its config.json is not usable: {first_line(error)}") from error
    return build_module("Sam3Model", config, weights, checkpoint.source)
