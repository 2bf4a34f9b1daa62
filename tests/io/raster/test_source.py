"""What is read of rasters: bands, brightness, what holds data; and what cannot be read is said in one line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.io.raster import RasterOptions, open_raster
from feedseg.io.raster.options import Stretch, parse_bands
from tiny_rasters import patches, write_raster

rasterio = pytest.importorskip("rasterio")


def read(path: Path, **options: object) -> tuple[np.ndarray, np.ndarray]:
    with open_raster(path, RasterOptions(**options)) as raster:  # pyright: ignore[reportArgumentType]
        return raster.rows(0, raster.size[0])


def test_rows_are_the_files_own(tmp_path: Path) -> None:
    values = patches()
    path = write_raster(tmp_path / "a.tif", values, tiled=True, blockxsize=32, blockysize=32, compress="lzw")
    with open_raster(path) as raster:
        pixels, valid = raster.rows(11, 37)
        assert (raster.size, raster.working, raster.bands) == ((70, 90), (70, 90), (1, 2, 3))
    np.testing.assert_array_equal(pixels, values[:, 11:37].transpose(1, 2, 0))
    assert valid.all()


def test_bands_are_those_that_are_called_so_or_asked_for(tmp_path: Path) -> None:
    values = patches(bands=5)
    path = write_raster(tmp_path / "a.tif", values, photometric="minisblack")
    with rasterio.open(path, "r+") as file:
        gray = rasterio.enums.ColorInterp.undefined
        blue, green, red = (rasterio.enums.ColorInterp[name] for name in ("blue", "green", "red"))
        file.colorinterp = [gray, blue, green, red, gray]
    np.testing.assert_array_equal(read(path)[0], values[[3, 2, 1]].transpose(1, 2, 0))
    np.testing.assert_array_equal(read(path, bands=(5, 1, 1))[0], values[[4, 0, 0]].transpose(1, 2, 0))
    np.testing.assert_array_equal(read(path, bands=(2,))[0], values[[1, 1, 1]].transpose(1, 2, 0))


def test_a_band_of_indices_has_its_colours(tmp_path: Path) -> None:
    values = np.array([[[0, 1], [2, 1]]], np.uint8)
    path = write_raster(tmp_path / "a.tif", values)
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (10, 20, 30, 255), 1: (200, 0, 0, 255), 2: (0, 0, 250, 255)})
    assert read(path)[0].tolist() == [[[10, 20, 30], [200, 0, 0]], [[0, 0, 250], [200, 0, 0]]]


@pytest.mark.filterwarnings("ignore:.* holds uint16")
def test_numbers_of_more_bits_are_stretched(tmp_path: Path) -> None:
    values = np.stack([np.arange(10_000, dtype=np.uint16).reshape(100, 100) * factor for factor in (1, 2, 3)])
    path = write_raster(tmp_path / "a.tif", values)
    for options, limits in (
        ({}, [np.percentile(band, [2, 98]) for band in values]),
        ({"stretch": Stretch.parse("10%,50%")}, [np.percentile(band, [10, 50]) for band in values]),
        ({"stretch": Stretch.parse("1000,9000")}, [(1000, 9000)] * 3),
    ):
        pixels, _ = read(path, **options)
        for band, (low, high) in enumerate(limits):
            expected = np.clip((values[band].astype(float) - low) / (high - low), 0, 1) * 255
            assert np.abs(pixels[..., band] - expected).max() <= 0.51
            assert {0, 255} <= {*pixels[..., band].flat}


def test_what_becomes_black_and_white_is_said(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.arange(101, dtype=np.uint16).reshape(1, 1, 101) * 10)
    with pytest.warns(UserWarning, match="a.tif holds uint16: black to white are 20 to 980, as --stretch could say"):
        read(path)


@pytest.mark.filterwarnings("ignore:.* holds float32")
def test_no_data_is_told_by_number_mask_alpha_and_nan(tmp_path: Path) -> None:
    values = patches((20, 16))
    values[:, :4] = 7
    values[0, 10] = 7  # in one band alone
    expected = np.ones((16, 20), bool)
    expected[:4] = False
    by_number = write_raster(tmp_path / "number.tif", values, nodata=7)
    alpha = np.where(expected, 255, 0).astype(np.uint8)
    by_alpha = write_raster(
        tmp_path / "alpha.tif", np.concatenate([values, alpha[None]]), photometric="rgb", alpha="yes"
    )
    by_mask = write_raster(tmp_path / "mask.tif", values)
    with rasterio.open(by_mask, "r+") as file:
        file.write_mask(expected)
    floats = values.astype(np.float32)
    floats[:, :4] = np.nan
    by_nan = write_raster(tmp_path / "nan.tif", floats)
    for path in (by_number, by_alpha, by_mask, by_nan):
        pixels, valid = read(path)
        np.testing.assert_array_equal(valid, expected, str(path))
        assert not pixels[:4].any()
        with open_raster(path) as raster:
            np.testing.assert_array_equal(raster.valid(2, 9), expected[2:9])


@pytest.mark.parametrize("scale", [0.5, 0.25, 2.0])
def test_resized_rows_are_those_of_the_whole_resized(tmp_path: Path, scale: float) -> None:
    from PIL import Image

    values = patches((96, 80))
    path = write_raster(tmp_path / "a.tif", values)
    whole = Image.fromarray(np.ascontiguousarray(values.transpose(1, 2, 0)))
    expected = np.array(whole.resize((int(96 * scale), int(80 * scale)), Image.Resampling.BICUBIC))
    with open_raster(path, RasterOptions(scale=scale)) as raster:
        height = raster.working[0]
        rows = [raster.working_rows(start, min(start + 7, height))[0] for start in range(0, height, 7)]
    np.testing.assert_array_equal(np.concatenate(rows), expected)


@pytest.mark.parametrize("scale", [0.3, 1.7])
def test_what_lies_near_data_is_never_left_out(tmp_path: Path, scale: float) -> None:
    values = np.zeros((3, 60, 60), np.uint8)
    values[:, 29, 31] = 200
    path = write_raster(tmp_path / "a.tif", values, nodata=0)
    with open_raster(path, RasterOptions(scale=scale)) as raster:
        valid = raster.working_rows(0, raster.working[0])[1]
    row, column = 29.5 * scale - 0.5, 31.5 * scale - 0.5
    for y in (int(row) - 1, int(row), int(row) + 1):
        assert valid[y, int(column) - 1 : int(column) + 2].all()
    assert valid.mean() < 0.3


COMPLEX = np.ones((1, 8, 8), np.complex64)


@pytest.mark.parametrize(
    ("values", "options", "reason"),
    [
        (COMPLEX, {}, "holds complex64 numbers, which are no brightness"),
        (patches(), {"bands": (4, 3, 2)}, "has 3 bands, and --bands asks for 4: give --bands from 1 to 3"),
        (np.full((3, 9, 9), np.nan, np.float32), {}, "holds no data in band 1"),
    ],
)
def test_what_cannot_be_seen_is_said(tmp_path: Path, values: np.ndarray, options: dict, reason: str) -> None:
    path = write_raster(tmp_path / "a.tif", values)
    with pytest.raises(FeedsegError, match=re.escape(reason)):
        read(path, **options)


def test_damaged_files_are_said_to_be(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 400, 300), np.uint8)
    path = write_raster(tmp_path / "a.tif", noise, compress="deflate")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with open_raster(path) as raster:
        raster.rows(0, 20)
        with pytest.raises(FeedsegError, match=r"a.tif is damaged: of its rows 381 to 400 some cannot be"):
            raster.rows(380, 400)
    for content in (b"", b"II*\0", b"These are words."):
        path.write_bytes(content)
        with pytest.raises(FeedsegError, match=r"a.tif cannot be read as a raster: .+; give a GeoTIFF that is whole"):
            read(path)


def test_files_that_name_others_are_not_opened(tmp_path: Path) -> None:
    from rasterio.shutil import copy

    copy(write_raster(tmp_path / "a.tif", patches()), tmp_path / "b.vrt", driver="VRT")
    with pytest.raises(FeedsegError, match="cannot be read as a raster"):
        read(tmp_path / "b.vrt")


@pytest.mark.parametrize("text", ["", "1", "5,1", "1,2,3", "1%,5", "-1%,50%", "2%,101%", "a,b", "1,1e999"])
def test_wrong_stretches(text: str) -> None:
    with pytest.raises(FeedsegError, match="--stretch says which values are black and white"):
        Stretch.parse(text)


@pytest.mark.parametrize("text", ["", "0", "1,2", "a", "1,2,3,4", "-1", "1.5", "100000"])
def test_wrong_bands(text: str) -> None:
    with pytest.raises(FeedsegError, match="--bands are three"):
        parse_bands(text)


@pytest.mark.parametrize("scale", [0, -1, 17, float("nan")])
def test_wrong_scales(scale: float) -> None:
    with pytest.raises(FeedsegError, match="--scale is from"):
        RasterOptions(scale=scale)
