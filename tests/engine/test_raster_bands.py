"""Rasters band by band have the labels that the segmenter gives the whole as one image, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.engine.raster_bands import Band, label_bands, raster_settings
from feedseg.engine.raster_parts import RasterParts
from feedseg.io.raster import RasterOptions, open_raster
from feedseg.segmentation import Segmentation
from tiny_rasters import patches, write_raster

pytest.importorskip("rasterio")
WORDS = Vocabulary([("cat", "kitten"), "sofa", "rug", "wall", "red", "grass"])
SIZES = {
    "windows": Settings(window=32, stride=16),
    "unequal": Settings(window=(40, 24), stride=(13, 24)),
    "side by side": Settings(window=48, stride=None),
    "larger than the raster": Settings(window=96, stride=48),
    "a second view": Settings(window=40, stride=20, second_view=0.75),
}


@pytest.fixture(scope="module")
def segmenter(tiny_clip) -> Segmenter:
    return Segmenter.load(tiny_clip(), host="clip", device="cpu")


def whole(
    segmenter: Segmenter, values: np.ndarray, settings: Settings, scale: float, words: Vocabulary
) -> Segmentation:
    """What the segmenter gives the same pixels in memory."""
    side = int(min(values.shape[1:]) * scale)
    settings = replace(settings, short_side=side, max_long_side=16 * side)
    return segmenter(np.ascontiguousarray(values.transpose(1, 2, 0)), words, settings=settings)


def banded(
    segmenter: Segmenter, path: Path, settings: Settings, scale: float, words: Vocabulary, first: int = 0, row: int = 0
) -> list[Band]:
    changed = replace(segmenter, settings=settings)
    with open_raster(path, RasterOptions(scale=scale)) as raster:
        return list(label_bands(changed, words, raster, first=first, row=row))


def joined(bands: list[Band]) -> np.ndarray:
    return np.concatenate([band.labels for band in bands])


@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("name", SIZES)
def test_labels_are_those_of_the_whole_image(segmenter: Segmenter, tmp_path: Path, name: str, scale: float) -> None:
    values = patches((90, 70))
    path = write_raster(tmp_path / "scene.tif", values)
    expected = whole(segmenter, values, SIZES[name], scale, WORDS)
    bands = banded(segmenter, path, SIZES[name], scale, WORDS)
    np.testing.assert_array_equal(joined(bands), expected.labels)
    assert len(np.unique(expected.labels)) > 2
    assert [band.start for band in bands[1:]] == [band.stop for band in bands[:-1]]
    assert np.sum([band.areas for band in bands], axis=0).tolist() == [*expected.pixels.values()]
    assert sum(band.confidence for band in bands) / expected.labels.size == pytest.approx(expected.mean_confidence)


@pytest.mark.parametrize("size", [(1, 1), (150, 2), (2, 150)])
def test_rasters_of_every_shape(segmenter: Segmenter, tmp_path: Path, size: tuple[int, int]) -> None:
    values = patches(size)
    path = write_raster(tmp_path / "scene.tif", values)
    expected = whole(segmenter, values, SIZES["windows"], 1, WORDS)
    np.testing.assert_array_equal(joined(banded(segmenter, path, SIZES["windows"], 1, WORDS)), expected.labels)


def test_a_threshold_gives_pixels_to_the_background(segmenter: Segmenter, tmp_path: Path) -> None:
    words = Vocabulary(["cat", "sofa"], background=["wall", "floor"], threshold=0.6)
    values = patches((60, 50))
    path = write_raster(tmp_path / "scene.tif", values)
    expected = whole(segmenter, values, SIZES["windows"], 1, words)
    assert expected.labels[expected.confidence < np.float32(0.6)].tolist() == [0] * int(
        (expected.confidence < 0.6).sum()
    )
    np.testing.assert_array_equal(joined(banded(segmenter, path, SIZES["windows"], 1, words)), expected.labels)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_windows_without_data_are_left_out_and_change_nothing_else(
    segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    values = patches((160, 120))
    values[:, :, :70] = 0
    values[:, :60] = 0
    values[:, 90:, 100:] = 0
    values[0, 70, 80] = 0  # one band alone: there are data
    path = write_raster(tmp_path / "scene.tif", values, nodata=0)
    expected = whole(segmenter, values, SIZES["windows"], scale, WORDS)
    encoded = []
    original = type(segmenter.encoder).encode_images
    monkeypatch.setattr(
        type(segmenter.encoder),
        "encode_images",
        lambda self, images, *more: (encoded.append(len(images)), original(self, images, *more))[1],
    )
    bands = banded(segmenter, path, SIZES["windows"], scale, WORDS)
    nothing = (values == 0).all(axis=0)
    labels = joined(bands)
    assert (labels[nothing] == 255).all()
    np.testing.assert_array_equal(labels[~nothing], expected.labels[~nothing])
    assert sum(encoded) < (40 if scale == 1 else 10)  # of 63 and 12
    assert sum(band.areas.sum() for band in bands) == (~nothing).sum()


def test_a_raster_without_any_data_is_nothing_but_that(segmenter: Segmenter, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "scene.tif", np.zeros((3, 50, 60), np.uint8), nodata=0)
    assert (joined(banded(segmenter, path, SIZES["windows"], 1, WORDS)) == 255).all()


@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0])
def test_from_any_band_on_it_goes_on_as_if_it_had_done_all(segmenter: Segmenter, tmp_path: Path, scale: float) -> None:
    path = write_raster(tmp_path / "scene.tif", patches((60, 100)))
    settings = SIZES["windows"]
    bands = banded(segmenter, path, settings, scale, WORDS)
    for first in range(1, len(bands)):
        again = banded(segmenter, path, settings, scale, WORDS, first, bands[first].start)
        assert [band.number for band in again] == [*range(first, len(bands))]
        np.testing.assert_array_equal(joined(again), joined(bands[first:]))
        assert [band.confidence for band in again] == [band.confidence for band in bands[first:]]


def test_models_of_whole_images_get_windows() -> None:
    whole, windows = Settings(window=None, short_side=224), Settings(window=50, stride=None)
    assert raster_settings(whole, fast=False) == Settings(window=224, stride=112, short_side=224)
    assert raster_settings(whole, fast=True) == Settings(window=448, stride=None, short_side=224)
    assert raster_settings(windows, fast=False) == windows


def test_parts_that_are_damaged_or_of_others_are_made_again(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    parts = RasterParts(tmp_path, "scene.tif", {"words": "cat"}, 4, labels.dtype)
    for number in range(3):
        parts.write(Band(number, 3 * number, labels + number, np.array([5, 7]), 1.5))
    again = RasterParts(tmp_path, "scene.tif", {"words": "cat"}, 4, labels.dtype)
    assert (again.number, again.row, np.array(again.areas).tolist(), again.confidence) == (3, 9, [15, 21], 4.5)
    np.testing.assert_array_equal(np.concatenate([*again.labels()]), np.concatenate([labels, labels + 1, labels + 2]))
    (again.folder / "000001.labels").write_bytes(b"x")
    assert RasterParts(tmp_path, "scene.tif", {"words": "cat"}, 4, labels.dtype).row == 3
    assert RasterParts(tmp_path, "scene.tif", {"words": "dog"}, 4, labels.dtype).row == 0
