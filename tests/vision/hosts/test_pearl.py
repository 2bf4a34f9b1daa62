"""PEARL's attention against its plain formula, the rotation against scipy's."""

import torch
from scipy.linalg import polar
from scipy.stats import ortho_group

from feedseg.vision.hosts.pearl import aligned_attention, rotation
from plain_clip import HEADS, PlainClip, check_against, deep_clip


def restated(plain: PlainClip) -> torch.Tensor:
    query, key, _ = plain.heads(12, plain.h[11])
    weights = []
    for q, k in zip(query, key, strict=True):
        lengths = [float(row.square().sum().sqrt()) for row in q]
        centre_of_q = sum(length * row for length, row in zip(lengths, q, strict=True)) / sum(lengths)
        centre_of_k = sum(length * row for length, row in zip(lengths, k, strict=True)) / sum(lengths)
        of_k = torch.stack([row - centre_of_k for row in k])
        of_q = torch.stack([row - centre_of_q for row in q])
        turn = torch.from_numpy(polar((of_k.T @ of_q).numpy())[0])
        scores = q @ (k @ turn).T + 0.08 * of_k @ of_k.T
        weights.append(plain.softmax(scores))
    assert len(weights) == HEADS
    return plain.read(weights)


def test_the_patches_are_those_of_the_plain_formula(tmp_path):
    check_against(restated, *deep_clip(tmp_path), "pearl")


def test_a_turned_cloud_is_turned_back():
    turn = torch.from_numpy(ortho_group.rvs(6, random_state=0))
    key = torch.randn(1, 1, 40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(rotation(key, key @ turn)[0, 0], turn, atol=1e-4, rtol=0)


def test_directions_that_few_tokens_leave_open_stay_where_they_are():
    """Three tokens in eight dimensions: orthogonal, the same whatever rounding does, the identity beside them."""
    generator = torch.Generator().manual_seed(0)
    key, query = (torch.randn(1, 1, 3, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    found = rotation(key, query)[0, 0]
    torch.testing.assert_close(found @ found.T, torch.eye(8).double(), atol=1e-9, rtol=0)
    noise = 1e-12 * torch.randn(1, 1, 3, 8, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(rotation(key + noise, query - noise)[0, 0], found, atol=1e-3, rtol=0)
    torch.testing.assert_close(rotation(key * 0, query)[0, 0], torch.eye(8).double(), atol=1e-9, rtol=0)


def test_rows_sum_to_one_for_tokens_that_are_alike():
    alike = torch.ones(1, 2, 5, 4)
    torch.testing.assert_close(aligned_attention(alike, alike, 1), torch.full((1, 2, 4, 5), 0.2))
