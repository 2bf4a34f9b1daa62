"""CorrCLIP: patches attend to a proxy's similar ones within a region; two further readings are added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError
from feedseg.vision.feedback.base import HostAttention
from feedseg.vision.hosts.base import Host, Readout
from feedseg.vision.hosts.depth import check_depth, layer
from feedseg.vision.hosts.region_tokens import region_embeddings
from feedseg.vision.ops import resized_tokens
from feedseg.vision.regions import Regions, alike_neighbours, checked_regions, merged, of_patches
from feedseg.vision.towers.base import Block, TowerOutput

SHARPNESS = 4.0
REACH = 0.2
ALIKE = 0.9  # not published: of neighbours in a region that the proxy makes
MIDDLE_WEIGHT, REGION_WEIGHT = 1.0, 0.5
FIRST, LAST = 6, 10  # blocks of twelve whose mean is the second reading's
DEEPER = {24: (11, 22), 32: (3, 30)}  # the published code's, in towers of so many


def regional_attention(features: Tensor, regions: Tensor, sharpness: float = SHARPNESS) -> Tensor:
    """softmax(sharpness·cosine) over the patches of one region: for all heads.

    (B, C, h, w) and (B, N), or (N,) for all windows, to (B, N, N).

    A patch of no region, a negative number, and any other attend to each other where their cosine is above the mean of
    all. A patch always attends to itself.
    """
    tokens = normalize(features.flatten(2).transpose(1, 2).float(), dim=-1)
    cosines = tokens @ tokens.transpose(-1, -2)
    loose = regions < 0
    within = (regions[..., :, None] == regions[..., None, :]) & ~loose[..., None, :]
    within = within | (loose[..., :, None] | loose[..., None, :]) & (cosines > cosines.mean(dim=(-2, -1), keepdim=True))
    within = within | torch.eye(cosines.shape[-1], dtype=torch.bool, device=cosines.device)
    return cosines.mul_(sharpness).masked_fill_(~within, -torch.inf).softmax(dim=-1).to(features.dtype)


def middle_blocks(blocks: int) -> tuple[int, int]:
    """The first and the last block, from 1, whose tokens make the second reading in a tower of so many."""
    return DEEPER.get(blocks, (layer(FIRST, blocks), layer(LAST, blocks)))


@dataclass(frozen=True)
class CorrClip(Host):
    """Three readings, added: the last block's, one of the middle blocks' mean, and a class token for every region.

    The first two share one attention, over the values of both side by side, and feedback corrects it for both. The
    class tokens are part of what each patch is projected to, and are left out where a tower's patches see none; so is
    the second reading where a tower was aligned with the last block's values alone.

    `regions` makes regions of a window's pixels, such as the masks of a model of your own; published are those of SAM
    2. Without it they are where the proxy finds neighbours alike, their cosine at least `alike`.
    """

    regions: Regions | None = None
    alike: float = ALIKE
    reach: float = REACH
    sharpness: float = SHARPNESS
    middle_weight: float | None = None  # 1, and 0 in a tower that was aligned without its residual
    region_weight: float = REGION_WEIGHT

    name = "corrclip"
    title = "a proxy's similarities within regions"
    citation = "Zhang et al., ICCV 2025, arXiv 2411.10086"
    matrices = (5.0, 0.0)
    uses_proxy = True
    protocol = "proxyclip"  # the same sizes, windows, scale and thresholds

    def tapped(self, blocks: int) -> tuple[int, ...]:
        check_depth(self.name, blocks)
        return tuple(range(1, blocks))  # for the regions' class tokens, which go through all

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        """Of both readings: (1, N, N)."""
        return self.read_out(output, features, keeps_residual=False).attention.weights  # pyright: ignore[reportReturnType]

    def read_out(self, output: TowerOutput, features: Tensor | None, keeps_residual: bool) -> Readout:
        if features is None:
            raise ValueError("corrclip needs a proxy's features")
        if keeps_residual:
            raise FeedsegError(f"the host {self.name} adds readings and has no place for the last block's residual")
        grid = (features.shape[-2], features.shape[-1])
        regions = self._regions(output, features)
        weight = self.middle_weight
        if weight is None:
            weight = MIDDLE_WEIGHT if output.tower.reads_residual else 0.0
        read = [output.last.patches, *([self._middle(output)] if weight else [])]
        values = torch.cat([self._values(output, tokens, grid) for tokens in read], dim=-1)
        attention = HostAttention(
            regional_attention(features, regions.flatten(1), self.sharpness), values, 0, self.row_sum, grid
        )
        added = None
        if output.tower.prefix > output.skipped:  # else there is no class token, or the tower was aligned without
            added = self._of_regions(output, regions) * self.region_weight
        return Readout(attention, partial(self._project, output, weight, added), depends_on_patch=added is not None)

    def _regions(self, output: TowerOutput, features: Tensor) -> Tensor:
        """The merged regions of a window's patches, (1, h, w), on the grid of the features."""
        if self.regions is None:
            found = alike_neighbours(features[0], self.alike)
        elif output.pixels is None:
            raise ValueError("regions of its pixels need the window itself")
        else:
            image = (output.pixels[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
            numbers = torch.from_numpy(checked_regions(self.regions(image), image.shape[:2]).astype("int64"))
            found = of_patches(numbers.to(features.device), (features.shape[-2], features.shape[-1]))
        tokens = normalize(features[0].flatten(1).T.float(), dim=-1)
        return merged(found.flatten(), tokens, self.reach).view_as(found)[None]

    def _middle(self, output: TowerOutput) -> Tensor:
        """The patches' mean tokens behind the middle blocks, (1, N, D)."""
        first, last = middle_blocks(len(output.tower.blocks))
        # what a block makes enters the next one
        middle = torch.stack([output.block(block + 1).tokens.float() for block in range(first, last + 1)]).mean(dim=0)
        return middle[:, output.tower.prefix :].to(output.last.tokens.dtype)

    def _values(self, output: TowerOutput, patches: Tensor, grid: tuple[int, int]) -> Tensor:
        return resized_tokens(Block(output.tower, output.last.index, patches).values, output.grid, grid)

    def _of_regions(self, output: TowerOutput, regions: Tensor) -> Tensor:
        """The class token of every patch's region, (B, N, E), on the grid of the regions."""
        numbers, count = self._numbered(of_patches(regions, output.grid))  # a small region may be gone
        own = of_patches(numbers, (regions.shape[-2], regions.shape[-1])).flatten(1)
        embeddings = region_embeddings(output, numbers.flatten(1), count)
        return embeddings.gather(1, own[..., None].expand(-1, -1, embeddings.shape[-1]))

    def _numbered(self, regions: Tensor) -> tuple[Tensor, int]:
        """Regions numbered from 0 without gaps, no region as one of them, and how many there are."""
        found, numbers = regions.unique(return_inverse=True)
        return numbers, len(found)

    def _project(self, output: TowerOutput, weight: float, added: Tensor | None, attended: Tensor) -> Tensor:
        """The readings projected into the joint space and added, with what the regions' class tokens add."""
        last, *middle = map(output.tower.project, attended.split(output.tower.width, dim=-1))
        for each in middle:
            last = last + weight * each
        return last if added is None else last + added


HOST = CorrClip()
