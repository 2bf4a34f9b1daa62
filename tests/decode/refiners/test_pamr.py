"""Pixel-adaptive refinement against its formula, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from feedseg.decode.refiners import pamr
from feedseg.decode.refiners.pamr import PAMR
from feedseg.decode.scores import Scores
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage


def by_formula(scores: np.ndarray, pixels: np.ndarray, how: PAMR) -> np.ndarray:
    """The definition in loops, in float64."""
    _, height, width = scores.shape
    offsets = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    places = [(y * step, x * step) for step in how.dilations for y, x in offsets]
    at = np.array([[[_inside(y + b, x + a, height, width) for b, a in places] for x in range(width)]
                   for y in range(height)])  # fmt: skip
    colours = pixels.astype(np.float64)
    weights = np.empty((height, width, len(places)))
    for y in range(height):
        for x in range(width):
            around = colours[at[y, x, :, 0], at[y, x, :, 1]]
            own = colours[y, x]
            deviation = np.concatenate([around, [own] * len(how.dilations)]).std(axis=0, ddof=1)
            exponent = -(np.abs(around - own) / (1e-8 + how.width * deviation)).mean(axis=1)
            weights[y, x] = np.exp(exponent - exponent.max())
    weights /= weights.sum(axis=-1, keepdims=True)
    for _ in range(how.steps):
        scores = (scores[:, at[..., 0], at[..., 1]] * weights).sum(axis=-1)
    return scores


def _inside(y: int, x: int, height: int, width: int) -> tuple[int, int]:
    return min(max(y, 0), height - 1), min(max(x, 0), width - 1)


@pytest.mark.parametrize("how", [PAMR(dilations=(1, 3), steps=3), PAMR(dilations=(2,), steps=1, width=0.5), PAMR()])
@torch.inference_mode()
def test_rows_are_those_of_the_formula(how, some_scores, some_pixels) -> None:
    size = (26, 19)
    scores, pixels = some_scores(3, size), some_pixels(size)
    found = how(scores, RgbImage(pixels)).rows(slice(None)).numpy()
    expected = by_formula(scores.rows(slice(None)).double().numpy(), pixels, how)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@torch.inference_mode()
def test_strips_are_rows_of_the_whole(some_scores, some_pixels, monkeypatch) -> None:
    size = (90, 17)
    refined = PAMR(dilations=(1, 2), steps=4)(some_scores(4, size), RgbImage(some_pixels(size)))
    whole = refined.rows(slice(None))
    monkeypatch.setattr(pamr, "_ROWS", 7)
    monkeypatch.setattr("feedseg.decode.scores.STRIP_ELEMENTS", 1)
    strips = refined.strips()
    assert len(strips) > 10
    torch.testing.assert_close(torch.cat([refined.rows(strip) for strip in strips], dim=1), whole, atol=1e-6, rtol=0)


class Fixed(Scores):
    """Scores as they are given."""

    def __init__(self, values: torch.Tensor) -> None:
        self._values = values
        self.shape, self.device = (values.shape[0], values.shape[1], values.shape[2]), values.device

    def rows(self, rows: slice) -> torch.Tensor:
        return self._values[:, rows].clone()


@torch.inference_mode()
def test_scores_of_one_colour_become_alike_and_do_not_cross_an_edge() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 20:] = 255
    probability = torch.full((40, 40), 0.9)
    probability[:, 20:] = 0.2
    probability[5:9, 5:9] = probability[5:9, 25:29] = 0.5
    refined = PAMR(dilations=(1,), steps=40)(Fixed(torch.stack([probability, 1 - probability])), RgbImage(pixels))
    found = refined.rows(slice(None))
    torch.testing.assert_close(found.sum(dim=0), torch.ones(40, 40))
    assert found[0, :, :20].min() > 0.8
    assert found[0, :, 20:].max() < 0.3


def test_constants_that_make_no_sense_are_told() -> None:
    with pytest.raises(FeedsegError, match="PAMR takes dilations"):
        PAMR(dilations=(0,))


@pytest.mark.parametrize("size", [(27, 19), (24, 32)])
@torch.inference_mode()
def test_reduced_it_is_the_formula_on_a_smaller_image_resized(size, some_scores, some_pixels, monkeypatch) -> None:
    monkeypatch.setattr("feedseg.decode.scores.STRIP_ELEMENTS", 200)
    how = PAMR(dilations=(1, 2), steps=3, reduce=4)
    scores, pixels = some_scores(5, size), some_pixels(size)
    height, width = -(-size[0] // 4), -(-size[1] // 4)
    rows = [int((row + 0.5) * size[0] / height) for row in range(height)]
    columns = [int((column + 0.5) * size[1] / width) for column in range(width)]
    small = scores.rows(slice(None)).double().numpy()[:, rows][:, :, columns]
    means = np.empty((height, width, 3))
    for y in range(height):
        for x in range(width):
            part = pixels[
                y * size[0] // height : -(-(y + 1) * size[0] // height),
                x * size[1] // width : -(-(x + 1) * size[1] // width),
            ]
            means[y, x] = part.mean(axis=(0, 1))
    expected = torch.nn.functional.interpolate(
        torch.tensor(by_formula(small, means, how))[None], size=size, mode="bilinear", align_corners=False
    )[0]
    refined = how(scores, RgbImage(pixels))
    strips = refined.strips()
    assert len(strips) > 1
    found = torch.cat([refined.rows(strip) for strip in strips], dim=1)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    best = [refined.best(strip) for strip in strips]
    torch.testing.assert_close(torch.cat([probability for _, probability in best]), found.amax(dim=0))
    assert torch.equal(torch.cat([label for label, _ in best]), found.argmax(dim=0))
