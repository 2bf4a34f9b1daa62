"""The most frequent label of a region becomes the label of all its pixels, as in CorrCLIP (Zhang et al., ICCV 2025)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from feedseg.decode.labels import label_image
from feedseg.decode.refiners.base import Refiner
from feedseg.decode.sam_regions import SamRegions
from feedseg.decode.scores import RefinedScores, Scores
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage
from feedseg.vision.regions import Regions, checked_regions


def superpixels(pixels: np.ndarray) -> np.ndarray:
    """Regions of one colour, (height, width), from 0 on (Felzenszwalb and Huttenlocher, IJCV 2004)."""
    try:
        from skimage.segmentation import felzenszwalb
    except ImportError as error:
        raise FeedsegError("the region vote needs scikit-image: pip install 'feedseg[regions]'") from error
    return felzenszwalb(pixels, scale=100, sigma=0.8, min_size=50)


@dataclass(frozen=True)
class RegionVote(Refiner):
    """In every region the label that most of its pixels have takes all; of equally many, the first class.

    Where a pixel's best class is another, the probabilities of the two are exchanged, so that every pixel keeps its
    confidence. `regions` makes the regions, from superpixels to `SamRegions` and the masks of a model of your own;
    pixels with a negative number belong to none and stay as they are.
    """

    regions: Regions = superpixels

    def configured(self, text: str) -> RegionVote:
        """The same with the masks of a SAM or SAM 2: a name of the catalog, a hub repository or a folder."""
        return replace(self, regions=SamRegions.load(text))

    def __call__(self, scores: Scores, image: RgbImage) -> Scores:
        labels, confidence = label_image(scores)
        make = self.regions
        found = make.of(image.pixels, scores.device) if isinstance(make, SamRegions) else make(image.pixels)
        regions = checked_regions(found, labels.shape)
        return _Voted(scores, labels, voted(labels, regions, scores.shape[0]), confidence)


def voted(labels: np.ndarray, regions: np.ndarray, classes: int) -> np.ndarray:
    """The most frequent label of every pixel's region, (height, width), of the labels' type.

    Args:
        labels: (height, width).
        regions: (height, width), any whole numbers; negative ones are no region.
        classes: how many labels there are.
    """
    inside = regions >= 0
    _, index = np.unique(regions[inside], return_inverse=True)
    pairs, votes = np.unique(index.ravel().astype(np.int64) * classes + labels[inside], return_counts=True)
    region, label = np.divmod(pairs, classes)
    order = np.lexsort((label, -votes, region))  # the winner of a region comes first
    first = np.flatnonzero(np.diff(region[order], prepend=-1))
    found = labels.copy()
    found[inside] = label[order][first][index.ravel()]
    return found


class _Voted(RefinedScores):
    """Scores in which every pixel's best class is the one that its region voted for."""

    def __init__(self, scores: Scores, before: np.ndarray, after: np.ndarray, confidence: np.ndarray) -> None:
        super().__init__(scores)
        self._before, self._after, self._confidence = before, after, confidence

    def rows(self, rows: slice) -> Tensor:
        found = self._scores.rows(rows)
        before, after = (self._index(labels[rows]) for labels in (self._before, self._after))
        best, other = found.gather(0, before), found.gather(0, after)
        return found.scatter_(0, before, other).scatter_(0, after, best)

    def best(self, rows: slice) -> tuple[Tensor, Tensor]:
        return self._index(self._after[rows])[0], torch.tensor(self._confidence[rows], device=self.device)

    def _index(self, labels: np.ndarray) -> Tensor:
        return torch.tensor(labels.astype(np.int64), device=self.device)[None]


REFINER = RegionVote()
