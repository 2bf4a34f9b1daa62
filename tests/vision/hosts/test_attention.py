"""Hosts' attentions against plain loops and their defining properties."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from feedseg.vision.hosts import HOSTS
from feedseg.vision.hosts.attention import query_key_attention, self_self_attention
from feedseg.vision.hosts.naclip import neighbour_attention
from feedseg.vision.hosts.proxyclip import proxy_attention
from feedseg.vision.hosts.sclip import correlative_attention
from feedseg.vision.ops import gaussian_of_distance


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("prefix", [0, 1, 3])
def test_query_key_attention_is_softmax_of_scaled_products(prefix):
    query, key = draw(2, 3, 7, 4), draw(2, 3, 7, 4, seed=1)
    weights = query_key_attention(query, key, prefix)
    assert weights.shape == (2, 3, 7 - prefix, 7)
    for row in range(7 - prefix):
        scores = torch.tensor([(query[1, 2, row + prefix] @ key[1, 2, j]).item() / math.sqrt(4) for j in range(7)])
        torch.testing.assert_close(weights[1, 2, row], scores.softmax(0))


def test_correlative_attention_sums_to_two_and_is_both_parts():
    query, key = draw(1, 2, 6, 4), draw(1, 2, 6, 4, seed=1)
    weights = correlative_attention(query, key, 1)
    torch.testing.assert_close(weights.sum(-1), torch.full((1, 2, 5), 2.0))
    torch.testing.assert_close(weights, self_self_attention(query, 1) + self_self_attention(key, 1))


def test_the_gaussian_is_one_at_home_and_falls_with_the_distance():
    weights = gaussian_of_distance((3, 4), std=5.0)
    assert weights.shape == (12, 12)
    torch.testing.assert_close(weights.diagonal(), torch.ones(12))
    # from (0, 0) to (2, 3)
    assert weights[0, 11].item() == pytest.approx(math.exp(-13 / 50))
    torch.testing.assert_close(weights, weights.T)


def test_neighbour_attention_leaves_the_class_token_without_bias():
    key = draw(1, 1, 7, 4)
    weights = neighbour_attention(key, (2, 3), prefix=1)
    scores = key[0, 0, 1:] @ key[0, 0].T / 2
    scores[:, 1:] += gaussian_of_distance((2, 3), 5.0)
    torch.testing.assert_close(weights[0, 0], scores.softmax(-1))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_proxy_attention_equals_the_plain_formula_per_window(batch, height, width, seed):
    features = draw(batch, 5, height, width, seed=seed)
    weights = proxy_attention(features)
    for window in range(batch):
        tokens = features[window].flatten(1).T.double()
        tokens = tokens / tokens.norm(dim=-1, keepdim=True)
        cosines = tokens @ tokens.T
        scores = (cosines - 1.2 * cosines.mean()) * 3.0
        if (scores.amax(-1) < 0).any():
            continue  # an image that looks alike everywhere: the next test's subject
        scores[scores < 0] = -torch.inf
        torch.testing.assert_close(weights[window].double(), scores.softmax(-1), atol=1e-5, rtol=1e-4)


def test_an_image_that_looks_alike_everywhere_has_an_attention():
    """The published code divides zero by zero here."""
    weights = proxy_attention(torch.ones(1, 4, 3, 3))
    torch.testing.assert_close(weights, torch.full((1, 9, 9), 1 / 9))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["clip", "sclip", "clearclip", "naclip"])
def test_half_precision_gives_half_precision_rows_of_the_right_sum(name, dtype):
    class Last:
        query = draw(1, 2, 5, 8).to(dtype)
        key = draw(1, 2, 5, 8, seed=1).to(dtype)
        prefix = 1

    class Output:
        last, grid = Last(), (2, 2)

    host = HOSTS.load(name)
    weights = host.attention(Output(), None)  # pyright: ignore[reportArgumentType]
    assert weights is not None
    assert weights.dtype == dtype
    torch.testing.assert_close(weights.float().sum(-1), torch.full((1, 2, 4), host.row_sum), atol=2e-2, rtol=0)
