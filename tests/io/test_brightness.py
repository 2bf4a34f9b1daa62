"""Every kind of number that an image file may hold becomes the brightness that it stands for, or a clear refusal."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stored_images as stored
from feedseg import Segmenter
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage, decode_image
from stored_images import png, portable, tiff

GREY = np.random.default_rng(0).integers(0, 256, (6, 5)).astype(np.uint8)
GREY[0, :2] = 255, 0
COLOURS = np.random.default_rng(1).integers(0, 256, (6, 5, 3)).astype(np.uint8)
COLOURS[0, 0] = 255
OPAQUE = np.full((6, 5, 1), 255, np.uint8)
INK = np.concatenate([255 - COLOURS, np.zeros((6, 5, 1), np.uint8)], axis=-1)
SIXTEEN = COLOURS.astype(np.uint16) * 257


def times(factor: float, kind: Any) -> np.ndarray:
    return (GREY * float(factor)).astype(kind)


# Arguments of `tiff`, what is read and what is said.
_BOTH_WAYS: tuple[tuple[str, Any, np.ndarray, str | None], ...] = (
    ("u2", (times(257, "u2"),), GREY, None),
    ("u2 of 12 bits", (times(16, "u2"),), GREY, "as 12 bits"),
    ("i2", (times(128, "i2"), stored.BLACK_IS_ZERO, stored.SIGNED), GREY, "as 15 bits"),
    ("i4", (times(1, "i4"), stored.BLACK_IS_ZERO, stored.SIGNED), GREY, "as 8 bits"),
    ("i4 of 31 bits", (times(1 << 23, "i4"), stored.BLACK_IS_ZERO, stored.SIGNED), GREY, "as 31 bits"),
    ("f4 to 1", (times(1 / 255, "f4"), stored.BLACK_IS_ZERO, stored.FRACTIONS), GREY, "fractions up to 1"),
    ("f4 to 255", (times(1, "f4"), stored.BLACK_IS_ZERO, stored.FRACTIONS), GREY, "as 8 bits"),
    ("f4 to 65535", (times(257, "f4"), stored.BLACK_IS_ZERO, stored.FRACTIONS), GREY, None),
    ("3 u2", (SIXTEEN, stored.RGB), COLOURS, None),
)
KINDS = {
    "grey 8": (png(GREY), GREY, None),
    "grey 16": (png(times(257, "u2")), GREY, None),
    "grey 16 and dark": (png(times(257, "u2") // 2), GREY // 2, None),
    "grey 14 in 16": (png(times(64, "u2")), GREY, "as 14 bits"),
    "grey 12 in 16": (png(times(16, "u2")), GREY, "as 12 bits"),
    "grey 10 in 16": (png(times(4, "u2")), GREY, "as 10 bits"),
    "grey and alpha 8": (png(np.stack([GREY, OPAQUE[..., 0]], -1), stored.GREY_ALPHA), GREY, None),
    "colours 16": (png(SIXTEEN, stored.COLOUR), COLOURS, None),
    "colours and alpha 16": (png(np.concatenate([SIXTEEN, OPAQUE * np.uint16(257)], -1), 6), COLOURS, None),
    "PGM 16": (portable(GREY * np.uint16(257), 65535), GREY, None),
    "PPM 16": (portable(SIXTEEN, 65535), COLOURS, None),
    "TIFF white is zero": (tiff(255 - GREY, stored.WHITE_IS_ZERO), GREY, None),
    "TIFF white is zero 16": (tiff(65535 - times(257, "u2"), stored.WHITE_IS_ZERO), GREY, None),
    "TIFF CMYK": (tiff(INK, stored.CMYK), COLOURS, None),
    "TIFF CMYK 16": (tiff(INK * np.uint16(257), stored.CMYK), COLOURS, None),
    **{
        f"TIFF {name} {'big' if big else 'little'} endian": (tiff(*arguments, big_endian=big), expected, said)
        for big in (False, True)
        for name, arguments, expected, said in _BOTH_WAYS
    },
    "TIFF u4": (tiff(times(1 << 24, "u4")), GREY, "as 32 bits"),
}


def read(content: bytes) -> tuple[RgbImage, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = decode_image(BytesIO(content), "a.img")
    return image, [str(one.message) for one in caught]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_is_what_is_read(kind: str) -> None:
    content, expected, said = KINDS[kind]
    image, told = read(content)
    np.testing.assert_array_equal(image.pixels, np.broadcast_to(np.atleast_3d(expected), (6, 5, 3)))
    assert list(image.notes) == told  # on stderr and in the JSON
    assert len(told) == (said is not None)
    assert said is None or (said in told[0] and told[0].startswith("a.img holds "))


def test_colours_of_14_bits_in_16_are_brightened_and_it_is_said() -> None:
    image, told = read(png(COLOURS.astype(np.uint16) * 64, stored.COLOUR))
    assert np.abs(image.pixels.astype(int) - COLOURS).max() <= 4  # 64 shades are left of them
    assert "14 bits" in told[0]
    clear = np.concatenate([COLOURS.astype(np.uint16) * 64, np.full((6, 5, 1), 65535, np.uint16)], -1)
    np.testing.assert_array_equal(read(png(clear, stored.COLOUR_ALPHA))[0].pixels, image.pixels)


def test_black_is_black() -> None:
    for black in (png(np.zeros((4, 4, 3), np.uint16), stored.COLOUR), png(np.zeros((4, 4), np.uint16))):
        assert not read(black)[0].pixels.any()


REFUSED = {
    "negative": (tiff(times(-1, "f4"), numbers=stored.FRACTIONS), "holds -255 to -?0, which is no brightness"),
    "no number": (tiff(np.array([[1, np.nan]], "f4"), numbers=stored.FRACTIONS), "holds nan to nan"),
    "infinite": (tiff(np.array([[1, np.inf]], "f4"), numbers=stored.FRACTIONS), "holds 1 to inf"),
    "huge": (tiff(np.array([[1, 1e20]], "f4"), numbers=stored.FRACTIONS), r"numbers up to 1e\+20"),
    "i1": (tiff(np.array([[1, -2]], "i1"), numbers=stored.SIGNED), "signed numbers of 8 bits"),
    "f2": (tiff(times(1 / 255, "f2"), numbers=stored.FRACTIONS), "a TIFF of 16-bit fractions, which are not read"),
    "f8": (tiff(times(1 / 255, "f8"), numbers=stored.FRACTIONS), "a TIFF of 64-bit fractions, which are not read"),
    "3 f4": (tiff(COLOURS.astype("f4"), stored.RGB, stored.FRACTIONS), "a TIFF of 3 × 32-bit fractions"),
    "3 u4": (tiff(COLOURS.astype("u4"), stored.RGB), "a TIFF of 3 × 32-bit whole numbers"),
    "YCbCr": (tiff(COLOURS, stored.YCBCR, tags={530: [1, 1]}), "an uncompressed TIFF of YCbCr"),
    "colours of 12 bits": (png(COLOURS.astype(np.uint16) * 16, stored.COLOUR), "colours of 12 bits .* convert it"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_told_or_read_is_refused_for_its_true_reason(kind: str) -> None:
    content, said = REFUSED[kind]
    with pytest.raises(FeedsegError, match=rf"^a\.img .*{said}"):
        read(content)


@pytest.mark.parametrize("way", range(1, 9))
def test_a_tiff_is_turned_once(way: int) -> None:
    ways = {
        1: COLOURS,
        2: COLOURS[:, ::-1],
        3: COLOURS[::-1, ::-1],
        4: COLOURS[::-1],
        5: COLOURS.swapaxes(0, 1),
        6: np.rot90(COLOURS, -1),
        7: COLOURS[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(COLOURS),
    }
    expected = ways[way]
    np.testing.assert_array_equal(read(tiff(COLOURS, stored.RGB, tags={274: [way]}))[0].pixels, expected)


def test_lab_is_red_where_it_says_so() -> None:
    lab = np.tile(np.array([136, 80, 67], np.uint8), (4, 4, 1))  # L* 53, a* 80, b* 67: the red of sRGB
    red, green, blue = read(tiff(lab, stored.LAB))[0].pixels[0, 0].tolist()
    assert (red > 240, green < 20, blue < 30) == (True, True, True)


def test_ink_of_a_jpeg_is_inverted_as_adobe_has_it() -> None:
    file = BytesIO()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(file, "JPEG", quality=95)
    assert b"Adobe" in file.getvalue()
    np.testing.assert_array_equal(read(file.getvalue())[0].pixels[8, 8], [255, 0, 0])


def test_a_palettes_clear_colour_lies_on_white() -> None:
    image = Image.new("P", (4, 1), 1)
    image.putpalette([0, 0, 0, 200, 10, 20])
    image.putpixel((0, 0), 0)
    for form in ("PNG", "GIF"):
        file = BytesIO()
        image.save(file, form, transparency=0)
        pixels = read(file.getvalue())[0].pixels
        np.testing.assert_array_equal(pixels[0, :2], [[255, 255, 255], [200, 10, 20]])


@pytest.mark.parametrize("form", ["TIFF", "PNG", "WEBP", "GIF"])
def test_of_several_frames_the_first_counts(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    file = BytesIO()
    frames[0].save(
        file, form, save_all=True, append_images=frames[1:], **({"lossless": True} if form == "WEBP" else {})
    )
    np.testing.assert_array_equal(read(file.getvalue())[0].pixels[0, 0], [255, 0, 0])


def test_the_json_of_a_result_says_what_was_done() -> None:
    image, told = read(png(np.tile(times(16, "u2"), (8, 8))))
    result = Segmenter.load("mini")(image, "striped, dotted")
    assert result.to_dict()["notes"] == told
    assert "notes" not in Segmenter.load("mini")(image.pixels, "striped, dotted").to_dict()


@pytest.mark.parametrize("kind", ["u2", "i4", "f4", "f8", "bool"])
def test_arrays_of_other_numbers_are_refused_and_greyscale_may_come_as_an_image(kind: str) -> None:
    segmenter = Segmenter.load("mini")
    with pytest.raises(FeedsegError, match=r"height × width × 3, uint8, not \(6, 5, 3\)"):
        segmenter(COLOURS.astype(kind), "striped, dotted")
    with pytest.raises(FeedsegError, match=r"uint8, not \(6, 5\) of .*PIL\.Image\.fromarray"):
        segmenter(GREY.astype(kind), "striped, dotted")
