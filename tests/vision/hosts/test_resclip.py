"""ResCLIP's residual attention against its plain formula."""

import math

import pytest
import torch

from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.hosts.resclip import ResClip
from plain_clip import HEADS, WIDTH, PlainClip, check_against, deep_clip, random_windows


def restated(plain: PlainClip) -> torch.Tensor:
    _, key, _ = plain.heads(12, plain.h[11])
    width = plain.grid[1]
    weights = []
    for head in range(HEADS):
        scores = key[head] @ key[head].T / math.sqrt(WIDTH)
        for i in range(len(scores) - 1):
            for j in range(len(scores) - 1):
                squared = (i // width - j // width) ** 2 + (i % width - j % width) ** 2
                scores[1 + i, 1 + j] += math.exp(-squared / (2 * 5.0**2))
        middle = sum(plain.attention(block, head) for block in (6, 7, 8, 9)) / 4
        weights.append(2 * (0.6 * torch.softmax(scores, dim=-1) + 0.4 * middle))
    return plain.read(weights)


def test_the_patches_are_those_of_the_plain_formula(tmp_path):
    check_against(restated, *deep_clip(tmp_path), "resclip")


def test_with_nothing_blended_in_it_is_naclip_twice(tmp_path):
    _, tower = deep_clip(tmp_path)
    pixels = random_windows(40, 72, 1)
    (one,), (other,) = (WindowEncoder(tower, host)(pixels) for host in (ResClip(blend=0.0), HOSTS.load("naclip")))
    weights, of_naclip = (window.readout.attention.weights for window in (one, other))
    assert weights is not None
    assert of_naclip is not None
    torch.testing.assert_close(weights, 2 * of_naclip)


@pytest.mark.parametrize("blend", [-0.1, 1.1, math.nan])
def test_a_blend_that_is_no_fraction_is_refused(blend):
    with pytest.raises(ValueError, match="the blend is a fraction, 0 to 1"):
        ResClip(blend=blend)
