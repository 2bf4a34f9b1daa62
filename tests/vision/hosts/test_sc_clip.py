"""SC-CLIP against its plain formula, and what it is made of against other programs."""

import numpy as np
import pytest
import torch

from feedseg import CalibratedFeedback, FeedsegError, FSAFeedback
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts.outliers import outliers, repaired
from feedseg.vision.hosts.sc_clip import HOST, aggregation, similarity_attention
from plain_clip import HEADS, PlainClip, check_against, deep_clip, random_windows


def outlier_patches(tokens: torch.Tensor) -> set[int]:
    """By the published steps, patch by patch."""
    count = len(tokens)
    squared = [[float((tokens[i] - tokens[j]).square().sum()) for j in range(count)] for i in range(count)]
    some = min(30, (count - 1) // 2)
    nearest = [
        sorted((j for j in range(count) if j != i), key=lambda j, i=i: squared[i][j])[:some] for i in range(count)
    ]
    reach = [squared[i][nearest[i][-1]] for i in range(count)]
    factors = [sum(reach[i] / reach[j] for j in nearest[i]) / len(nearest[i]) for i in range(count)]
    limit = np.quantile(factors, 0.95)
    return {i for i in range(count) if factors[i] > limit}


def repair(tokens: torch.Tensor, wrong: set[int], grid: tuple[int, int]) -> torch.Tensor:
    height, width = grid
    out = tokens.clone()
    for patch in wrong:
        row, column = divmod(patch, width)
        around = [
            y * width + x
            for y in range(max(0, row - 1), min(height, row + 2))
            for x in range(max(0, column - 1), min(width, column + 2))
            if y * width + x not in wrong
        ]
        if around:
            out[patch] = torch.stack([tokens[one] for one in around]).mean(0)
    return out


def plain_cosines(tokens: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cosine_similarity(tokens[:, None], tokens[None], dim=-1)


def rows_of(similarity: torch.Tensor) -> torch.Tensor:
    kept = torch.where(similarity >= 0.4, similarity, 0)
    return torch.stack([row / row.sum() for row in kept])


def restated(plain: PlainClip) -> torch.Tensor:
    wrong = outlier_patches(plain.h[11][1:])
    tokens = repair(plain.h[11][1:], wrong, plain.grid)
    similarity = plain_cosines(repair(plain.h[9][1:], wrong, plain.grid))
    tokens = rows_of(similarity) @ tokens
    z = plain.h[4] + plain.h[5] + plain.h[6] + plain.h[7] + plain.h[8] + plain.h[9] + plain.h[10]
    total = 0
    for patches, class_token in ((tokens, plain.h[11][0]), (z[1:], z[0])):
        _, key, value = plain.heads(12, patches)
        scores = 3 * (similarity - similarity.mean())
        scores = torch.where(scores < 0, -torch.inf, scores)
        mixed = []
        for head in range(HEADS):
            weights = (torch.softmax(scores, -1) + plain.softmax(key[head] @ key[head].T)) / 2
            mixed.append(weights @ value[head])
        reading = plain.output_projection(12, torch.cat(mixed, -1)) + 0.3 * class_token
        total = total + rows_of(plain_cosines(plain.h[4][1:])) @ reading
    assert isinstance(total, torch.Tensor)
    return plain.join(total)


def test_the_patches_are_those_of_the_plain_formula(tmp_path):
    check_against(restated, *deep_clip(tmp_path), "sc-clip")


def test_outliers_are_those_of_the_plain_steps():
    for seed in range(5):
        tokens = torch.randn(80, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        tokens[7] *= 20
        found = outliers(tokens[None])[0].nonzero().flatten().tolist()
        assert set(found) == outlier_patches(tokens)
        assert 7 in found
        assert len(found) == 4


def test_where_patches_are_alike_or_few_there_are_no_outliers():
    assert not outliers(torch.ones(1, 50, 4)).any()
    assert not outliers(torch.randn(1, 1, 4)).any()
    assert not outliers(torch.randn(1, 2, 4)).any()


@pytest.mark.parametrize("grid", [(5, 9), (1, 7), (6, 2)])
def test_a_repaired_patch_is_the_mean_of_its_right_neighbours(grid):
    generator = torch.Generator().manual_seed(1)
    count = grid[0] * grid[1]
    tokens = torch.randn(1, count, 3, generator=generator)
    wrong = torch.rand(1, count, generator=generator) < 0.3
    expected = repair(tokens[0], set(wrong[0].nonzero().flatten().tolist()), grid)
    torch.testing.assert_close(repaired(tokens, wrong, grid)[0], expected)


def test_one_without_right_neighbours_stays():
    tokens = torch.randn(1, 9, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(repaired(tokens, torch.ones(1, 9, dtype=torch.bool), (3, 3)), tokens)


def test_rows_sum_to_one_even_where_nothing_is_alike():
    similarity = torch.eye(6)[None] * 2 - 1
    torch.testing.assert_close(aggregation(similarity), torch.eye(6)[None])
    weights = similarity_attention(torch.full((1, 6, 6), 0.7), torch.ones(1, 2, 6, 4))
    torch.testing.assert_close(weights, torch.full((1, 2, 6, 6), 1 / 6))


@pytest.mark.parametrize("feedback", [FSAFeedback(), CalibratedFeedback()])
def test_feedback_corrects_both_readings(tmp_path, feedback):
    """Where either's values are nothing, feedback still changes what the other makes of them."""
    _, tower = deep_clip(tmp_path)
    (window,) = WindowEncoder(tower, HOST)(random_windows(48, 48, 1))
    attention = window.readout.attention
    text = torch.nn.functional.normalize(torch.randn(5, 20, generator=torch.Generator().manual_seed(4)), dim=-1)
    first, uniform = (torch.nn.functional.normalize(one, dim=-1) for one in (window.first, window.uniform))
    changed = {}

    def project(attended: torch.Tensor) -> torch.Tensor:
        changed["by"] = (attended - attention.attended).abs()
        return window.readout.project(attended)

    feedback.embed(attention, first, uniform, text, project)
    of_first, of_second = changed["by"].chunk(2, dim=-1)
    assert of_first.max() > 1e-3
    assert of_second.max() > 1e-3


def test_the_class_token_can_be_left_out_and_a_residual_cannot_be_kept(tmp_path):
    _, tower = deep_clip(tmp_path)
    pixels = random_windows(48, 48, 1)
    (one,), (other,) = (WindowEncoder(tower, HOST, class_token=kept)(pixels) for kept in (True, False))
    assert (one.first - other.first).abs().max() > 1e-3
    with pytest.raises(FeedsegError, match="no place for the last block's residual"):
        WindowEncoder(tower, HOST, residual=True)(pixels)
