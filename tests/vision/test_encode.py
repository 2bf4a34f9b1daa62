"""The feedback as the segmenter runs it, for every host, class token and residual, against the direct formula."""

import itertools

import pytest
import torch
from torch.nn.functional import normalize

import reference
import tiny_models
from feedseg import FSAFeedback
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.model import open_model
from feedseg.vision.ops import gaussian_of_distance, normalised

CHOICES = [
    pytest.param(
        host, token, residual, id=f"{host}-{'token' if token else 'patches'}-{'residual' if residual else 'bare'}"
    )
    for host, token, residual in itertools.product(
        ("clip", "maskclip", "sclip", "clearclip", "naclip"), (True, False), (True, False)
    )
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    return tiny_models.save_clip(folder), open_model(folder).tower


def plain_attention(host, query, key, grid, prefix):
    """The published attention of one window over all tokens, (H, M, M), fp64."""
    root = query.shape[-1] ** 0.5
    if host == "maskclip":
        return torch.eye(query.shape[1]).double().expand(query.shape[0], -1, -1)
    kk = key @ key.mT / root
    if host == "naclip":
        kk[:, prefix:, prefix:] += gaussian_of_distance(grid, 5.0).double()
        return kk.softmax(-1)
    qq = (query @ query.mT / root).softmax(-1)
    return {"clip": (query @ key.mT / root).softmax(-1), "sclip": qq + kk.softmax(-1), "clearclip": qq}[host]


@pytest.mark.parametrize(("host", "token", "residual"), CHOICES)
def test_every_host_with_feedback_equals_the_direct_formula(clip, host, token, residual):
    model, tower = clip
    batch = torch.randn(2, 3, 40, 56, generator=torch.Generator().manual_seed(3))
    text = normalize(torch.randn(5, 20, generator=torch.Generator().manual_seed(4)), dim=-1)
    # small scales and no pruning: rounding must not decide, and everything else of the feedback is as published
    constants = (4.0, 7.0, 1.0, 3.0)
    encoder = WindowEncoder(tower, HOSTS.load(host), class_token=token, residual=residual)
    windows = encoder(batch)
    block = tower.encode(normalised(batch, tower.mean, tower.std)).last

    vision, last = model.vision_model, model.vision_model.encoder.layers[-1].double()
    prefix = 1 if encoder.sees_class_token else 0
    for index, window in enumerate(windows):
        tokens = block.tokens[index].double()
        kept = last.layer_norm1(tokens)[1 - prefix :]
        query, key, value = (
            projection(kept).unflatten(-1, (4, -1)).transpose(0, 1)
            for projection in (last.self_attn.q_proj, last.self_attn.k_proj, last.self_attn.v_proj)
        )

        def read(attended, tokens=tokens):
            out = last.self_attn.out_proj(attended)
            if residual:
                out = tokens[1:] + out
                out = out + last.mlp(last.layer_norm2(out))
            norm, projection = vision.post_layernorm, model.visual_projection
            out = torch.nn.functional.layer_norm(out, (32,), norm.weight.double(), norm.bias.double(), norm.eps)
            return out @ projection.weight.double().T

        weights = plain_attention(host, query, key, window.grid, prefix)
        expected, _ = reference.refined_embeddings(weights, value, read, text.double(), prefix, constants)
        computed = window.embeddings(text, FSAFeedback(*constants))
        torch.testing.assert_close(computed[0].double(), expected, atol=1e-4, rtol=1e-4)
    last.float()


def test_what_is_fed_back_can_be_looked_at(clip):
    _, tower = clip
    (window,) = WindowEncoder(tower, HOSTS.load("clearclip"))(torch.rand(1, 3, 40, 56))
    text = normalize(torch.randn(5, 20, generator=torch.Generator().manual_seed(4)), dim=-1)
    affinity = window.affinity(text, FSAFeedback())
    assert affinity.shape == (35, 35)
    torch.testing.assert_close(affinity.sum(dim=-1), torch.ones(35))
