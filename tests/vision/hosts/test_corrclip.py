"""CorrCLIP against its plain formula, and what its regions do."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import tiny_models
from feedseg import FeedsegError
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts.corrclip import CorrClip, middle_blocks, regional_attention
from feedseg.vision.model import open_model
from feedseg.vision.proxies.base import FunctionProxy, TowerProxy
from plain_clip import HEADS, PlainClip, check_against, deep_clip, random_windows

SIDE = 4  # of the proxy's patches, half of the tower's
BANDS = 8  # columns of pixels that are a region
LOOSE = 3  # the band that is none


def bands(pixels: np.ndarray) -> np.ndarray:
    """Upright stripes numbered from 5 on, one of them no region, and one row of patches a region of its own."""
    height, width, _ = pixels.shape
    found = np.tile(5 + np.arange(width) // BANDS, (height, 1))
    found[:, LOOSE * BANDS : (LOOSE + 1) * BANDS] = -1
    found[:SIDE] = 77
    return found


def features(windows: torch.Tensor) -> torch.Tensor:
    """Of each patch its stripe's direction, which turns from one to the next, and a little of its colour."""
    cells = torch.nn.functional.avg_pool2d(windows, SIDE)
    angle = torch.tensor([0.0, 0.5, 1.0, 2.5, 3.0, 4.0, 4.4, 5.5, 0.1])[torch.arange(cells.shape[-1]) * SIDE // BANDS]
    directions = torch.stack((angle.cos(), angle.sin()))[:, None].expand(-1, cells.shape[-2], -1).clone()
    directions[:, 0] = directions.flip(-1)[:, 0]
    return torch.cat((directions.expand(len(cells), -1, -1, -1), 0.3 * (cells - 0.5)), dim=1)


PROXY = FunctionProxy(features, patch_size=SIDE)
HOST = CorrClip(regions=bands)


def of_pixels(height: int, width: int, unit: torch.Tensor) -> list[int]:
    """The bands at the patches' centres."""
    image = bands(np.zeros((height * SIDE, width * SIDE, 3), np.uint8))
    return [int(image[SIDE * y + SIDE // 2, SIDE * x + SIDE // 2]) for y in range(height) for x in range(width)]


def of_proxy(height: int, width: int, unit: torch.Tensor) -> list[int]:
    """Patches that are alike to a neighbour, numbered by the least that leads to them."""
    found = list(range(len(unit)))
    beside = [(i, i + 1) for i in range(len(unit)) if (i + 1) % width] + [
        (i, i + width) for i in range(len(unit) - width)
    ]
    linked = [(i, j) for i, j in beside if float(unit[i] @ unit[j]) >= 0.9]
    for _ in found:
        for i, j in linked:
            found[i] = found[j] = min(found[i], found[j])
    return [number if any(i in pair for pair in linked) else -1 for i, number in enumerate(found)]


def plain_regions(grid: tuple[int, int], unit: torch.Tensor, regions: Callable = of_pixels) -> list[int]:
    """Of every patch of the proxy's grid the number of its merged region, -1 for none."""
    found = regions(*(side * 8 // SIDE for side in grid), unit)
    groups = [{number} for number in sorted(set(found) - {-1})]
    means = {}
    for (number,) in map(tuple, groups):
        mean = unit[[i for i, each in enumerate(found) if each == number]].sum(dim=0)
        means[number] = mean / mean.norm()
    for one, mean in means.items():
        for other, another in means.items():
            if float(mean @ another) >= 0.8:
                together = [group for group in groups if one in group or other in group]
                groups = [group for group in groups if group not in together] + [set().union(*together)]
    return [next((k for k, group in enumerate(groups) if number in group), -1) for number in found]


def class_token_of(plain: PlainClip, patches: list[int]) -> torch.Tensor:
    """The embedding of a copy of the class token that sees the class token and these of the tower's patches."""
    seen = [0, *(1 + patch for patch in patches)]
    token = plain.h[0][0]
    for block in range(1, plain.blocks + 1):
        layer = plain.layer(block)
        query = plain.heads(block, token[None])[0]
        _, key, value = plain.heads(block, plain.h[block - 1][seen])
        mixed = torch.cat([plain.softmax(query[i] @ key[i].T) @ value[i] for i in range(HEADS)], dim=-1)
        token = token + plain.linear(layer.self_attn.out_proj, mixed)[0]
        inner = plain.linear(layer.mlp.fc1, plain.norm(layer.layer_norm2, token))
        token = token + plain.linear(layer.mlp.fc2, inner * torch.sigmoid(1.702 * inner))
    return plain.join(token)


def restated(plain: PlainClip, class_tokens: bool = True, make: Callable = of_pixels) -> torch.Tensor:
    found = features(plain.pixels[None])[0].double()
    height, width = found.shape[1:]
    unit = torch.stack([row / row.norm() for row in found.flatten(1).T])
    regions = plain_regions(plain.grid, unit, make)
    cosines, mean = (unit @ unit.T).tolist(), float((unit @ unit.T).mean())
    rows = []
    for i, row in enumerate(cosines):
        kept = []
        for j, cosine in enumerate(row):
            loose = -1 in (regions[i], regions[j])
            allowed = i == j or (cosine > mean if loose else regions[i] == regions[j])
            kept.append(math.exp(4 * cosine) if allowed else 0.0)
        rows.append([each / sum(kept) for each in kept])
    weights = torch.tensor(rows, dtype=torch.float64)
    total = torch.zeros(len(unit), plain.projection.shape[0]).double()
    middle = (plain.h[6] + plain.h[7] + plain.h[8] + plain.h[9] + plain.h[10]) / 5
    for tokens in (plain.h[11], middle):
        value = torch.cat(plain.heads(12, tokens[1:])[2], dim=-1)
        image = value.T.unflatten(-1, plain.grid)[None]
        fine = torch.nn.functional.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)
        total = total + plain.join(plain.output_projection(12, weights @ fine[0].flatten(1).T))
    if not class_tokens:
        return total
    # the tower's patches are of the region at their centres, and give its class token to the four of the proxy's there
    rows, columns = plain.grid
    coarse = [regions[(2 * y + 1) * width + 2 * x + 1] for y in range(rows) for x in range(columns)]
    embedded = {
        number: class_token_of(plain, [patch for patch, each in enumerate(coarse) if each == number])
        for number in set(coarse)
    }
    added = [embedded[coarse[(i // width) // 2 * columns + (i % width) // 2]] for i in range(len(unit))]
    return total + 0.5 * torch.stack(added)


def test_the_stripes_of_the_tests_merge_over_each_other_and_not_all():
    found = features(torch.rand(1, 3, 48, 72, generator=torch.Generator().manual_seed(0)))[0].double()
    unit = torch.nn.functional.normalize(found.flatten(1).T, dim=-1)
    of_columns = plain_regions((6, 9), unit)[-18:]  # the lowest row, two patches of each stripe
    assert of_columns[0] == of_columns[4] == of_columns[17] != of_columns[8]  # the first and third by the second
    assert of_columns[6] == -1
    assert float(unit[-18] @ unit[-14]) < 0.8


def test_the_patches_are_those_of_the_plain_formula(tmp_path):
    check_against(restated, *deep_clip(tmp_path), HOST, PROXY)


def test_regions_of_alike_neighbours_are_those_of_the_plain_formula(tmp_path):
    check_against(lambda plain: restated(plain, make=of_proxy), *deep_clip(tmp_path), "corrclip", PROXY)


def test_without_the_class_token_two_readings_are_left(tmp_path):
    check_against(lambda plain: restated(plain, False), *deep_clip(tmp_path), HOST, PROXY, class_token=False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_patches_attend_within_their_region_and_loose_ones_above_the_mean(dtype):
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(1, 5, 4, 6, generator=generator).to(dtype)
    regions = torch.randint(-1, 3, (24,), generator=generator)
    weights = regional_attention(drawn, regions)[0]
    assert weights.dtype == dtype
    torch.testing.assert_close(weights.float().sum(-1), torch.ones(24), atol=2e-2, rtol=0)
    unit = torch.nn.functional.normalize(drawn[0].flatten(1).T.double(), dim=-1)
    cosines = unit @ unit.T
    for i, j in np.ndindex(24, 24):
        loose = -1 in (regions[i], regions[j])
        near = abs(float(cosines[i, j] - cosines.mean())) < 1e-3  # rounding may decide
        if not near or i == j:
            kept = i == j or (cosines[i, j] > cosines.mean() if loose else regions[i] == regions[j])
            assert (weights[i, j] > 0) == bool(kept), (i, j)


def test_where_all_patches_look_alike_and_are_loose_each_keeps_itself():
    """The published code divides zero by zero where rounding puts no cosine above the mean."""
    for value in (1.0, 0.3, 0.1):
        weights = regional_attention(torch.full((1, 7, 3, 5), value), torch.full((15,), -1))
        assert weights.isfinite().all()
        assert (weights[0].diagonal() > 0).all()


def test_a_window_without_any_region_is_read(tmp_path):
    _, tower = deep_clip(tmp_path)
    host = CorrClip(regions=lambda pixels: np.full(pixels.shape[:2], -1))
    (window,) = WindowEncoder(tower, host, TowerProxy())(random_windows(48, 48, 1))
    assert window.first.isfinite().all()


def test_the_regions_are_of_the_windows_pixels(tmp_path):
    """Each window of a batch has its own, as bytes, in its own proportions."""
    _, tower = deep_clip(tmp_path)
    seen = []

    def regions(pixels):
        seen.append(pixels)
        return np.zeros(pixels.shape[:2], np.int64)

    batch = random_windows(40, 72)
    encoded = WindowEncoder(tower, CorrClip(regions=regions), TowerProxy())(batch)
    for pixels, found in zip(batch, seen, strict=True):
        np.testing.assert_array_equal(found, np.rint(pixels.permute(1, 2, 0).numpy() * 255).astype(np.uint8))
    assert all(window.output.pixels is None for window in encoded)  # an encoded image does not keep them twice


def test_a_tower_aligned_without_residual_is_read_by_its_last_block_alone(tmp_path):
    """As it was aligned; the second reading can be asked for."""
    tiny_models.save_aligned(tmp_path)
    tower = open_model(tmp_path).tower
    pixels = random_windows(56, 40, 1)
    widths = {None: 1, 0.0: 1, 0.5: 2}
    found = {}
    for weight, readings in widths.items():
        host = CorrClip(regions=bands, middle_weight=weight)
        (found[weight],) = WindowEncoder(tower, host, TowerProxy())(pixels)
        assert found[weight].readout.attention.values.shape[-1] == readings * tower.width
    assert torch.equal(found[None].first, found[0.0].first)
    assert (found[0.5].first - found[0.0].first).abs().max() > 1e-3


def test_regions_of_a_wrong_shape_and_a_residual_are_refused(tmp_path):
    _, tower = deep_clip(tmp_path)
    pixels = random_windows(48, 48, 1)
    wrong = CorrClip(regions=lambda found: found)
    with pytest.raises(FeedsegError, match=r"regions are whole numbers \(48, 48\), .* not uint8 \(48, 48, 3\)"):
        WindowEncoder(tower, wrong, TowerProxy())(pixels)
    with pytest.raises(FeedsegError, match="no place for the last block's residual"):
        WindowEncoder(tower, HOST, TowerProxy(), residual=True)(pixels)


@pytest.mark.parametrize(("blocks", "read"), [(12, (6, 10)), (24, (11, 22)), (32, (3, 30)), (4, (2, 3)), (2, (1, 1))])
def test_the_middle_blocks_are_the_published_ones_or_at_their_depth(blocks, read):
    assert middle_blocks(blocks) == read
