"""Pure tensor functions for all of `vision`. Shapes: B windows, N patches, D channels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def normalised(pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(pixels − mean) / std per channel: (B, 3, height, width)."""
    return (pixels - pixels.new_tensor(mean)[:, None, None]) / pixels.new_tensor(std)[:, None, None]


def gaussian_of_distance(grid: tuple[int, int], std: float, device: torch.device | None = None) -> Tensor:
    """exp(−‖x_i − x_j‖² / 2 std²) for every pair of the grid's patches: (N, N), row-major, 1 on the diagonal."""
    rows, columns = (torch.arange(side, device=device, dtype=torch.float32) for side in grid)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    positions = torch.stack((y.flatten(), x.flatten()), dim=-1)
    squared = (positions[:, None] - positions[None]).square().sum(-1)
    return torch.exp(-squared / (2 * std**2))


def resized_tokens(tokens: Tensor, grid: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Patch tokens resized bilinearly from one grid to another: (B, h·w, D) to (B, h'·w', D)."""
    if grid == target:
        return tokens
    image = tokens.transpose(1, 2).unflatten(-1, grid)
    return interpolate(image, size=target, mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)


def smoothly_resized(table: Tensor, native: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Position embeddings for another grid, bilinear with antialiasing: (n, D) to (h·w, D). Computed in fp32."""
    square = table.float().T.unflatten(-1, native)[None]
    resized = interpolate(square, size=grid, mode="bilinear", align_corners=False, antialias=True)
    return resized[0].flatten(1).T.to(table.dtype)


def bicubic_weights(source: int, target: int, step: float) -> Tensor:
    """Bicubic resizing along one side as a matrix: (target, source), fp32, rows sum to one.

    `interpolate` does the same, but takes its scale for a constant when it is traced. Keys' kernel with a = −0.75, no
    antialiasing, pixels beyond the edge like the one at the edge.

    Args:
        source: how many there are.
        target: how many there will be; may be symbolic.
        step: from one of the target's to the next, in the source's.
    """
    position = (torch.arange(target, dtype=torch.float32) + 0.5) * step - 0.5
    first = position.floor()
    weights = torch.zeros(target, source)
    for shift in (-1, 0, 1, 2):
        distance = (position - first - shift).abs()
        near = (1.25 * distance - 2.25) * distance**2 + 1
        far = ((-0.75 * distance + 3.75) * distance - 6) * distance + 3
        weight = near if shift in (0, 1) else far
        index = (first + shift).clamp(0, source - 1)
        weights = weights + weight[:, None] * (index[:, None] == torch.arange(source))
    return weights


def patch_tokens(tokens: Tensor, pixels: Tensor, patch_size: int) -> Tensor:
    """The patches among tokens (B, P + N, D), laid out as the windows (B, 3, height, width): (B, D, h, w)."""
    grid = (pixels.shape[-2] // patch_size, pixels.shape[-1] // patch_size)
    return tokens[:, -grid[0] * grid[1] :].transpose(1, 2).unflatten(-1, grid)


def accurate_dtype(device: torch.device) -> torch.dtype:
    """The widest floating-point type of a device: fp64, and fp32 on Apple's MPS, which has no fp64."""
    return torch.float32 if device.type == "mps" else torch.float64


def best_query(embeddings: Tensor, text: Tensor) -> Tensor:
    """The query that is nearest to each patch: (B, N, E) and unit (C, E) to (B, N)."""
    return (embeddings.float() @ text.float().T).argmax(dim=-1)
