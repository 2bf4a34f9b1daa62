"""GEM's stream against its plain formula."""

import torch
from torch.nn.functional import normalize

from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts.gem import HOST, generalised_attention
from plain_clip import HEADS, WIDTH, PlainClip, check_against, deep_clip, random_windows


def of_block(plain: PlainClip, block: int) -> torch.Tensor:
    """The output projection of the mean of the three self-self attentions, all tokens: (M, D)."""
    tokens = plain.h[block - 1]
    normed = plain.norm(plain.layer(block).layer_norm1, tokens)
    temperature = sum(token.square().sum().sqrt() for token in normed) / len(normed) / WIDTH**0.5
    query, key, value = plain.heads(block, tokens)
    mixed = []
    for head in range(HEADS):
        parts = []
        for one in (query[head], key[head], value[head]):
            unit = torch.stack([row / row.square().sum().sqrt() for row in one])
            unit = torch.softmax(temperature * unit @ unit.T, dim=-1) @ unit
            unit = torch.stack([row / row.square().sum().sqrt() for row in unit])
            parts.append(torch.softmax(temperature * unit @ unit.T, dim=-1) @ value[head])
        mixed.append((parts[0] + parts[1] + parts[2]) / 3)
    return plain.output_projection(block, torch.cat(mixed, dim=-1))


def restated(plain: PlainClip, blocks: int = 6) -> torch.Tensor:
    stream = plain.h[plain.blocks - blocks]
    for block in range(plain.blocks - blocks + 1, plain.blocks + 1):
        stream = stream + of_block(plain, block)
    return plain.join(stream[1:])


def test_the_patches_are_those_of_the_plain_formula(tmp_path):
    check_against(restated, *deep_clip(tmp_path), "gem")


def test_a_tower_of_few_blocks_uses_half_of_them(tmp_path):
    check_against(lambda plain: restated(plain, 2), *deep_clip(tmp_path, blocks=4), "gem")


def test_without_the_residual_only_the_last_block_is_read(tmp_path):
    clip, tower = deep_clip(tmp_path)
    (pixels,) = random_windows(40, 72, 1)
    (window,) = WindowEncoder(tower, HOST, residual=False)(pixels[None])
    with torch.no_grad():
        plain = PlainClip(clip, tower, pixels)
        expected = plain.join(of_block(plain, plain.blocks)[1:])
    torch.testing.assert_close(window.first[0].double(), expected, atol=1e-4, rtol=1e-4)


def test_rows_sum_to_one_whatever_the_temperature():
    drawn = torch.randn(3, 2, 4, 9, 8, generator=torch.Generator().manual_seed(0))
    for temperature in (0.1, 30.0):
        weights = generalised_attention(tuple(drawn), torch.full((2, 1, 1, 1), temperature), 1)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 8))


def test_patches_that_look_alike_attend_to_all_alike():
    alike = normalize(torch.ones(1, 1, 6, 4), dim=-1)
    weights = generalised_attention((alike,), torch.ones(1, 1, 1, 1), 0)
    torch.testing.assert_close(weights, torch.full((1, 1, 6, 6), 1 / 6))
