"""A window that the tower sees in parts, each as large as it is used to, while host and proxy see the whole of it."""

from __future__ import annotations

import torch
from torch import Tensor

from feedseg.settings import Sides
from feedseg.vision.towers.base import TowerOutput, VisionTower
from feedseg.vision.windows import Window, place_windows


def parts_of(grid: Sides, part: Sides) -> list[Window]:
    """Parts of at most `part` patches that cover a window of `grid`, each overlapping the next by half; in patches."""
    largest = (min(part[0], grid[0]), min(part[1], grid[1]))
    return place_windows(grid, largest, (-(-largest[0] // 2), -(-largest[1] // 2)))


def encode_in_parts(tower: VisionTower, pixels: Tensor, taps: tuple[int, ...], sides: Sides) -> TowerOutput:
    """The tower's output for whole windows, from parts of them: where parts overlap, the mean of their tokens.

    The leading tokens are the mean of all parts'. Means are taken in fp32.

    Args:
        tower: whose last block is still to come, as in `VisionTower.encode`.
        pixels: normalised windows, (B, 3, height, width), sides in whole patches.
        taps: further blocks whose tokens are kept.
        sides: of the largest part, in pixels; no less than one patch is taken.
    """
    patch = tower.patch_size
    grid = (pixels.shape[-2] // patch, pixels.shape[-1] // patch)
    parts = parts_of(grid, (max(sides[0] // patch, 1), max(sides[1] // patch, 1)))
    if len(parts) == 1:
        return tower.encode(pixels, taps)
    counts = torch.zeros(*grid, 1, device=pixels.device)
    leading: dict[int, Tensor] = {}
    patches: dict[int, Tensor] = {}
    for part in parts:
        counts[part.rows, part.columns] += 1
        top, left = part.top * patch, part.left * patch
        cropped = pixels[..., top : top + part.height * patch, left : left + part.width * patch]
        for block, tokens in tower.encode(cropped, taps).tokens.items():
            own = tokens.float()
            if block not in patches:
                leading[block] = torch.zeros_like(own[:, : tower.prefix])
                patches[block] = own.new_zeros(len(own), *grid, own.shape[-1])
            leading[block] += own[:, : tower.prefix]
            patches[block][:, part.rows, part.columns] += own[:, tower.prefix :].unflatten(1, (part.height, part.width))
    means = {
        block: torch.cat([leading[block] / len(parts), (patches[block] / counts).flatten(1, 2)], dim=1).to(tower.dtype)
        for block in patches
    }
    return TowerOutput(tower, means, grid)
