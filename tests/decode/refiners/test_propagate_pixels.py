"""Propagation over pixels against scipy's sparse solver, on a graph that is built pixel by pixel in fp64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array, csr_array, eye_array
from scipy.sparse.linalg import spsolve

from feedseg import FeedsegError, Segmenter
from feedseg.decode.labels import label_image
from feedseg.decode.refiners import propagate_pixels
from feedseg.decode.refiners.propagate_pixels import PixelGraph, PropagatePixels, lab, smaller
from feedseg.io.images import RgbImage

SIZE = (9, 11)


def graph_of(colours: np.ndarray, reach: int, width: float) -> csr_array:
    """S, in loops, of colours (height, width, channels)."""
    height, across, _ = colours.shape
    entries = [
        (y * across + x, v * across + u, np.exp(-np.linalg.norm(colours[y, x] - colours[v, u]) / width))
        for y, x in np.ndindex(height, across)
        for v, u in np.ndindex(height, across)
        if (y, x) != (v, u) and max(abs(y - v), abs(x - u)) <= reach
    ]
    rows, columns, weights = map(np.array, zip(*entries, strict=True))
    degree = np.bincount(rows, weights)
    scaled = weights / np.sqrt(degree[rows] * degree[columns])
    return csr_array(coo_array((scaled, (rows, columns)), shape=(height * across,) * 2))


def colours_of(pixels: np.ndarray) -> np.ndarray:
    color = pytest.importorskip("skimage.color")
    return color.rgb2lab(pixels) / 100


@torch.inference_mode()
@pytest.mark.parametrize("how", [PropagatePixels(steps=300), PropagatePixels(0.6, reach=2, width=0.3, steps=100)])
def test_with_many_steps_it_is_the_solution(how, some_scores: Callable, some_pixels: Callable, monkeypatch) -> None:
    monkeypatch.setattr(propagate_pixels, "CLASSES_TOGETHER", 2)
    pixels, scores = some_pixels(SIZE), some_scores(5, SIZE)
    graph = graph_of(colours_of(pixels), how.reach, how.width)
    assert graph.shape is not None
    own = scores.rows(slice(None)).double().numpy().reshape(5, -1)
    system = eye_array(graph.shape[0]) - how.alpha * graph
    expected = spsolve(system.tocsc(), (1 - how.alpha) * own.T).T.reshape(5, *SIZE)
    expected /= expected.sum(axis=0)
    refined = how(scores, RgbImage(pixels))
    found = refined.rows(slice(None))
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), atol=2e-4, rtol=1e-3)
    assert (found - scores.rows(slice(None))).abs().max() > 0.05
    labels, confidence = label_image(refined)
    np.testing.assert_array_equal(labels, found.argmax(dim=0).numpy())
    np.testing.assert_allclose(confidence, found.amax(dim=0).numpy(), rtol=1e-5)


@pytest.mark.parametrize("size", [(7, 9), (1, 5), (6, 1), (1, 1)])
def test_a_product_is_that_with_the_matrix(size, some_pixels) -> None:
    pixels = some_pixels(size)
    vectors = torch.rand(size[0] * size[1], 3, generator=torch.Generator().manual_seed(1))
    colours = colours_of(pixels)
    product = PixelGraph(torch.tensor(colours, dtype=torch.float32).permute(2, 0, 1), 3, 0.4) @ vectors
    if size == (1, 1):
        assert not product.any()
        return
    expected = graph_of(colours, 3, 0.4) @ vectors.double().numpy()
    torch.testing.assert_close(product.double(), torch.from_numpy(expected), atol=1e-5, rtol=1e-4)


def test_colours_are_those_of_scikit_image() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 40, 3), np.uint8)
    pixels[0, :3] = ((0, 0, 0), (255, 255, 255), (3, 2, 1))
    found = lab(torch.tensor(pixels).permute(2, 0, 1) / 255).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found / 100, colours_of(pixels), atol=5e-5)


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [((30, 40), 1200, (30, 40)), ((30, 40), 300, (15, 20)), ((3, 4000), 100, (1, 100)), ((1, 1), 1, (1, 1))],
)
def test_large_images_are_worked_on_smaller(size, most, expected) -> None:
    assert smaller(size, most) == expected


@torch.inference_mode()
def test_time_and_memory_do_not_grow_with_the_image(some_scores, some_pixels, monkeypatch) -> None:
    sizes = []
    monkeypatch.setattr(
        propagate_pixels, "PixelGraph", lambda colours, *how: sizes.append(colours.shape) or PixelGraph(colours, *how)
    )
    how = PropagatePixels(most_pixels=200, steps=3)
    for size in ((10, 20), (40, 80), (400, 100)):
        assert how(some_scores(3, size), RgbImage(some_pixels(size))).rows(slice(None)).shape == (3, *size)
    assert [tuple(size) for size in sizes] == [(3, 10, 20), (3, 10, 20), (3, 28, 7)]


def test_a_whole_segmentation(some_pixels) -> None:
    plain, refined = (
        Segmenter.load("mini")(some_pixels((64, 80)), "striped, dotted, bricks", refiners=refiners)
        for refiners in ([], ["propagate", "propagate-pixels"])
    )
    assert refined.labels.shape == plain.labels.shape
    assert np.isfinite(refined.confidence).all()


@pytest.mark.parametrize("wrong", [{"alpha": 1.0}, {"width": 0.0}, {"reach": 0}, {"steps": 0}, {"most_pixels": 0}])
def test_wrong_constants_are_told(wrong) -> None:
    with pytest.raises(FeedsegError):
        PropagatePixels(**wrong)
