"""A second view of every window: what is seen, and that logits are the mean of both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from feedseg import FeedsegError, Segmenter, Settings
from feedseg.apps.service.kept import bytes_of
from feedseg.decode.refiners.class_token import ClassToken
from feedseg.settings import WHOLE_IMAGE
from feedseg.vision.views import averaged, second_view

WORDS = "striped, dotted, bricks, wood"
WINDOWS = Settings(short_side=112, window=112, stride=64)


@pytest.fixture(scope="module")
def mini() -> Segmenter:
    return Segmenter.load("mini", feedback="calibrated", settings=WHOLE_IMAGE, device="cpu")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("share", "size"), [(0.75, (72, 96)), (0.5, (48, 64)), (0.1, (8, 16)), (0.01, (8, 8))])
def test_a_view_is_the_window_mirrored_and_smaller_in_whole_patches(share: float, size: tuple[int, int]) -> None:
    pixels = noise(96, 128) // 2 + 64  # so that nothing overshoots, which Pillow cuts off between rows and columns
    view = second_view(torch.from_numpy(pixels).permute(2, 0, 1) / 255, share, 8)
    assert view.shape == (3, *size)
    by_pillow = np.array(Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.BICUBIC))[:, ::-1]
    difference = np.abs(view.permute(1, 2, 0).numpy() - by_pillow / 255)
    assert difference.max() <= 2 / 255  # Pillow rounds twice


def test_a_whole_view_is_the_mirrored_window() -> None:
    window = torch.rand(3, 24, 40)
    torch.testing.assert_close(second_view(window, 1.0, 8), window.flip(-1), rtol=0, atol=1e-6)
    logits = torch.rand(5, 3, 4)
    torch.testing.assert_close(averaged(logits, logits.flip(-1)), logits)


@pytest.mark.parametrize("feedback", ["none", "calibrated"])
def test_logits_are_the_mean_of_the_image_and_of_its_mirrored_copy(mini: Segmenter, feedback: str) -> None:
    settings = replace(WHOLE_IMAGE, short_side=112)
    pixels = noise(112, 160)  # its working size: nothing is resized before
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    first, other = (mini.encode(each, settings=settings).windows[0][1] for each in (pixels, mirrored))
    text, chosen = mini.embed(WORDS), mini._plan(feedback=feedback).feedback
    expected = (first.logits(text, chosen) + other.logits(text, chosen).flip(-1)) / 2
    ((_, both),) = mini.encode(pixels, settings=replace(settings, second_view=1.0)).windows
    torch.testing.assert_close(both.logits(text, chosen), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(both.class_token, (first.class_token + other.class_token) / 2, rtol=0, atol=1e-5)
    torch.testing.assert_close(both.features, first.features)  # what patches look like is the first view's
    ((_, smaller),) = mini.encode(pixels, settings=replace(settings, second_view=0.5)).windows
    assert smaller.second is not None
    of_second = interpolate(smaller.second.logits(text, chosen)[None], first.grid, mode="bilinear")[0].flip(-1)
    expected = (first.logits(text, chosen) + of_second) / 2
    torch.testing.assert_close(smaller.logits(text, chosen), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("settings", [WHOLE_IMAGE, WINDOWS, replace(WINDOWS, stride=None)])
def test_a_second_view_may_come_later(mini: Segmenter, settings: Settings) -> None:
    pixels, refiners = noise(117, 190), [ClassToken(0.2)]
    later = mini.encode(pixels, settings=settings).with_second_view(0.75).segment(WORDS, refiners=refiners)
    at_once = mini(pixels, WORDS, settings=replace(settings, second_view=0.75), refiners=refiners)
    np.testing.assert_array_equal(later.confidence, at_once.confidence)
    np.testing.assert_array_equal(later.labels, at_once.labels)
    assert (at_once.confidence != mini(pixels, WORDS, settings=settings, refiners=refiners).confidence).any()
    assert at_once.settings["second_view"] == later.settings["second_view"] == 0.75
    assert "second_view" not in mini.describe()  # results without one are described as ever


def test_a_batch_is_as_its_images(mini: Segmenter) -> None:
    settings = replace(WINDOWS, second_view=0.75)
    images = [noise(112, 190), noise(130, 112)]
    together = replace(mini, batch_size=8).segment_many(images, WORDS, settings=settings)
    for image, found in zip(images, together, strict=True):
        alone = mini(image, WORDS, settings=settings)
        assert (found.labels == alone.labels).mean() > 0.999


def test_what_is_kept_counts_both_views(mini: Segmenter) -> None:
    once = mini.encode(noise(112, 112))
    twice = once.with_second_view(1.0)
    pixels = once.image.pixels.nbytes
    assert bytes_of(twice) - pixels == 2 * (bytes_of(once) - pixels)


@pytest.mark.parametrize("share", [0, 0.05, 1.5, float("nan"), "half", True])
def test_a_share_that_is_none_is_told(share: object) -> None:
    with pytest.raises(FeedsegError, match="second view"):
        Settings(second_view=share)  # pyright: ignore[reportArgumentType]
