"""Images of every kind a user may have."""

import copy
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from feedseg import FeedsegError
from feedseg.io.images import RgbImage, fitted_size, read_image, resized


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_paths_images_and_arrays_are_the_same_image(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for like in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(pixels), pixels, RgbImage(pixels)):
        np.testing.assert_array_equal(read_image(like).pixels, pixels)
    assert read_image(tmp_path / "a.png").source == str(tmp_path / "a.png")
    assert read_image(pixels).source is None


def test_exif_turns_the_image_upright(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    image = read_image(tmp_path / "a.png")
    assert image.size == (30, 20)
    np.testing.assert_array_equal(image.pixels, np.rot90(pixels, -1))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LAB", "HSV"])
def test_every_mode_becomes_rgb(pixels, mode):
    image = Image.fromarray(pixels).convert("RGB").convert(mode) if mode != "LAB" else Image.new("LAB", (30, 20))
    assert read_image(image).pixels.shape == (20, 30, 3)


def test_sixteen_bits_keep_their_shades(tmp_path):
    values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    Image.fromarray(values).save(tmp_path / "a.png")
    shades = read_image(tmp_path / "a.png").pixels[..., 0]
    np.testing.assert_array_equal(shades, values >> 8)


@pytest.mark.parametrize(
    ("stored", "mode", "suffix", "said"),
    [
        (lambda grey: grey.astype(np.int32), "I", "tif", "numbers up to 218: read as 8 bits, with 255 as white"),
        (lambda grey: grey.astype(np.uint16) * 4, None, "png", "read as 10 bits, with 1023 as white"),
        (lambda grey: grey.astype(np.uint16) * 16, None, "png", "read as 12 bits, with 4095 as white"),
        (lambda grey: grey.astype(np.uint16) * 257, None, "png", None),
        (lambda grey: grey.astype(np.int32) << 16, "I", "tif", "read as 24 bits"),
        (lambda grey: (grey / 255).astype(np.float32), "F", "tif", "fractions up to 0.855: 0 is black and 1 white"),
        (lambda grey: grey.astype(np.float32), "F", "tif", "read as 8 bits"),
        (lambda grey: grey.astype(np.float32) * 257, "F", "tif", None),
    ],
)
def test_numbers_are_as_bright_as_their_range_says(tmp_path, stored, mode, suffix, said):
    grey = np.random.default_rng(0).integers(0, 219, (20, 30)).astype(np.uint8)
    grey[0, 0] = 218
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(stored(grey), mode).save(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pixels = read_image(path).pixels
    np.testing.assert_array_equal(pixels[..., 1], grey)
    messages = [str(one.message) for one in caught if one.category is UserWarning]
    assert [message.startswith(f"{path} holds ") for message in messages] == [True] * bool(said)
    assert not said or said in messages[0]


@pytest.mark.parametrize("values", [[-1.0, 3.0], [0.0, np.nan], [0.0, np.inf], [0.0, 1e20]])
def test_what_is_no_brightness_is_refused(tmp_path, values):
    Image.fromarray(np.array([values], np.float32), "F").save(tmp_path / "a.tif")
    with pytest.raises(FeedsegError, match=r"a\.tif holds .*no brightness: convert it"):
        read_image(tmp_path / "a.tif")


def test_transparency_lies_on_white():
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    np.testing.assert_array_equal(read_image(image).pixels[0], [[255, 255, 255], [10, 20, 30]])


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif").pixels[0, 0], [255, 0, 0])


def test_what_is_no_image_says_so_in_one_line(tmp_path, pixels):
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "empty.png").touch()
    Image.fromarray(np.tile(pixels, (20, 20, 1))).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:2000])
    bad = {
        tmp_path / "none.jpg": "does not exist",
        tmp_path: "is a folder",
        tmp_path / "text.jpg": "not an image in a known format",
        tmp_path / "empty.png": "not an image in a known format",
        tmp_path / "half.jpg": "cannot be read as an image",
    }
    for path, message in bad.items():
        with pytest.raises(FeedsegError, match=message) as caught:
            read_image(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [read_image, RgbImage])
def test_a_callers_array_that_changes_later_changes_no_image(make, pixels):
    before = pixels.copy()
    whole, part = make(pixels), make(pixels[::-1, ::2])
    pixels[:] = 0
    np.testing.assert_array_equal(whole.pixels, before)
    np.testing.assert_array_equal(part.pixels, before[::-1, ::2])


def test_an_images_pixels_cannot_be_written(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    for one in (image, read_image(pixels), read_image(Image.fromarray(pixels)), copy.deepcopy(image)):
        with pytest.raises(ValueError, match="read-only"):
            one.pixels[0, 0] = 0
    again = pickle.loads(pickle.dumps(image))
    assert not again.pixels.flags.writeable
    assert again.source == image.source
    np.testing.assert_array_equal(again.pixels, image.pixels)


def test_the_callers_array_stays_writeable(pixels):
    read_image(pixels)
    pixels[0, 0] = 1


def test_reading_needs_no_torch():
    program = "import sys, feedseg.io.images; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_other_arrays_are_refused(array):
    for make in (read_image, RgbImage):
        with pytest.raises(FeedsegError, match="height × width × 3"):
            make(array)


def test_an_array_of_several_images_is_answered_with_what_to_do():
    with pytest.raises(FeedsegError, match="several images go in as a list"):
        read_image(np.zeros((2, 4, 4, 3), np.uint8))


@pytest.mark.parametrize("thing", [None, 3, [1, 2]])
def test_other_things_are_refused(thing):
    with pytest.raises(FeedsegError, match="an image is a path, a PIL image or an array, not"):
        read_image(thing)


def test_sizes_keep_the_short_side_and_bound_the_long_one():
    assert fitted_size((375, 500), 336, 2048) == (336, 448)
    assert fitted_size((100, 1000), 336, 2048) == (205, 2048)
    assert fitted_size((1, 1), 336, 2048) == (336, 336)
    assert fitted_size((1, 5000), 336, 2048) == (1, 2048)
    assert fitted_size((375, 500), 336, 2048, multiple=14) == (336, 448)
    assert fitted_size((333, 500), 336, 2048, multiple=14) == (336, 504)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 32))
def test_sizes_are_whole_multiples_and_never_nothing(height, width, multiple):
    for side in fitted_size((height, width), 336, 2048, multiple):
        assert side >= multiple
        assert side % multiple == 0


def test_resizing_is_pillows_bicubic(pixels):
    expected = np.array(Image.fromarray(pixels).resize((14, 28), Image.Resampling.BICUBIC))
    tensor = resized(RgbImage(pixels), (28, 14))
    np.testing.assert_allclose(tensor.permute(1, 2, 0).numpy() * 255, expected, atol=1e-3)
