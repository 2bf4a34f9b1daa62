"""FreeCP's pruning against its plain formula, boxes by scipy, attentions by transformers' own layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn.functional import interpolate

from feedseg import FeedsegError, Segmenter, Settings
from feedseg.decode.patches import Patches
from feedseg.decode.refiners.free_cp import LEAST, FreeCp, boxes, transitions
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.windows import Placement, Window
from plain_clip import HEADS, PlainClip, deep_clip, random_windows

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)


def test_the_attention_is_the_mean_over_heads_and_blocks_of_transformers_own(tmp_path: Path) -> None:
    """Of a part of an image, padded to whole patches."""
    clip, tower = deep_clip(tmp_path, blocks=4)
    (image,) = random_windows(60, 80, 1)
    window = Window(4, 8, 36, 48)
    placement = Placement(window, Window(2, 0, 36, 48), (40, 48))
    found = WindowEncoder(tower, HOSTS.load("naclip")).self_attention(image, placement)
    padded = torch.zeros(3, 40, 48)
    padded[:, 2:38] = image[:, 4:40, 8:56]
    plain = PlainClip(clip, tower, padded)
    with torch.no_grad():
        each = [plain.attention(block, head) for block in (1, 2, 3) for head in range(HEADS)]
    expected = sum(each[1:], each[0])[1:, 1:] / len(each)
    assert found.shape == (5, 6, 5, 6)
    torch.testing.assert_close(found.flatten(2).flatten(0, 1).double(), expected, atol=1e-5, rtol=1e-4)


def rectangles(bright: np.ndarray) -> list[tuple[slice, slice]]:
    """Around connected parts, by scipy."""
    labelled: Any = ndimage.label(bright)
    return ndimage.find_objects(labelled[0])


def plain_overlap(patches: Patches) -> list[float]:
    """ΣPM' / (ΣP + ΣM') of every query, in fp64."""
    attention = patches.self_attention
    assert attention is not None
    windows, queries, *_ = patches.logits.shape
    both, total = np.zeros(queries), np.zeros(queries)
    for window in range(windows):
        raw = np.exp(patches.logits[window].double().numpy() * patches.scale)
        p = torch.from_numpy(raw / raw.sum(axis=0))[None]
        p = interpolate(p, size=attention.shape[1:3], mode="bilinear", align_corners=False)[0].numpy()
        count = p[0].size
        t = attention[window].double().reshape(count, count).numpy()
        for _ in range(3):
            t = t / t.sum(axis=0)
            t = (t.T / t.sum(axis=1)).T
        t = (t + t.T) / 2
        t = t @ t
        for query in range(queries):
            m = (p[query] - p[query].min()) / (p[query].max() - p[query].min())
            mask = np.zeros_like(m)
            for box in rectangles(m > 0.4):
                mask[box] = 1
            refined = t @ (m * mask).ravel()
            both[query] += (p[query].ravel() * refined).sum()
            total[query] += p[query].sum() + refined.sum()
    return (both / total).tolist()


@pytest.mark.parametrize("seed", range(6))
def test_queries_that_overlap_too_little_are_pruned_as_by_the_plain_formula(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 0.1 * interpolate(torch.randn(2, 5, 3, 3, generator=generator), size=(6, 8), mode="bilinear")
    attention = torch.rand(2, 4, 5, 4, 5, generator=generator) ** 4
    patches = Patches(logits, 40.0, torch.zeros(2, 48, 2), self_attention=attention)
    overlap = plain_overlap(patches)
    ordered = sorted(overlap)
    for few in range(5):
        bound = 0.0 if few == 0 else (ordered[few - 1] + ordered[few]) / 2
        found = FreeCp(bound).refine(patches)
        for query, each in enumerate(overlap):
            if each > bound:
                assert torch.equal(found[:, query], logits[:, query])
            else:
                assert (found[:, query] == LEAST).all()
    none = FreeCp(1.0).refine(patches)  # the best stays
    assert [(none[:, query] > LEAST).any().item() for query in range(5)] == [each == ordered[-1] for each in overlap]


@pytest.mark.parametrize("size", [(7, 9), (1, 6), (5, 1)])
def test_boxes_are_scipys(size: tuple[int, int]) -> None:
    for seed in range(5):
        bright = torch.rand(size, generator=torch.Generator().manual_seed(seed)) < 0.3
        expected = np.zeros(size, bool)
        for box in rectangles(bright.numpy()):
            expected[box] = True
        np.testing.assert_array_equal(boxes(bright).numpy(), expected)


def test_what_each_patch_gives_and_takes_is_nearly_the_same_for_all() -> None:
    attention = torch.rand(20, 20, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    found = transitions(attention)
    torch.testing.assert_close(found, found.T)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(20), atol=1e-3, rtol=0)


@pytest.mark.parametrize("host", ["naclip", "proxyclip", "corrclip"])
@pytest.mark.parametrize("window", [None, 32])
def test_an_image_and_an_encoded_image_are_pruned_alike(host: str, window: int | None) -> None:
    segmenter = Segmenter.load("mini", host=host, settings=Settings(short_side=48, window=window, stride=16))
    words = "striped, dotted, bricks, checked"
    direct = segmenter(PIXELS, words, refiners=["free-cp"])
    encoded = segmenter.encode(PIXELS)
    np.testing.assert_array_equal(direct.labels, encoded.segment(words, refiners=[FreeCp()]).labels)
    every = encoded.segment(words, refiners=[FreeCp(1.0)])
    assert len(np.unique(every.labels)) == 1


@pytest.mark.parametrize("bound", [-0.1, 1.5, float("nan")])
def test_a_bound_that_is_no_fraction_is_refused(bound: float) -> None:
    with pytest.raises(FeedsegError, match="the bound of a map's overlap is from 0 to 1"):
        FreeCp(bound)
