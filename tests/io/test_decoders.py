"""Which formats are read, and what is said of those that are not."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from feedseg.errors import FeedsegError
from feedseg.io import decoders
from feedseg.io.images import read_image
from feedseg.io.limits import FileLimits
from feedseg.io.sources.find import find_images


@pytest.fixture
def scene() -> Image.Image:
    """Smooth, so that formats with loss keep it."""
    rows, columns = np.mgrid[:24, :32]
    return Image.fromarray(np.stack([rows * 8, columns * 6, rows + columns], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("suffix", sorted({".jpg", ".JPE", ".jfif", ".png", ".webp", ".tif", ".bmp", ".gif"}))
def test_formats_that_every_build_has(suffix: str, scene: Image.Image, tmp_path: Path) -> None:
    form = decoders.BY_SUFFIX[suffix.lower()].name
    scene.save(tmp_path / f"a{suffix}", form)
    (found,) = find_images([str(tmp_path)]).images
    pixels = found.load(FileLimits(pixels=1000))[0].pixels
    assert np.abs(pixels.astype(int) - np.asarray(scene)).mean() < 12


@pytest.mark.parametrize(
    ("suffix", "feature"),
    [(".jp2", "jpg_2000"), (".avif", "avif"), (".ppm", ""), (".tga", ""), (".ico", ""), (".pgm", "")],
)
def test_formats_that_a_build_may_have(suffix: str, feature: str, scene: Image.Image, tmp_path: Path) -> None:
    if feature and not features.check(feature):
        pytest.skip("not in this build of Pillow")
    (scene.convert("L") if suffix == ".pgm" else scene).save(tmp_path / f"a{suffix}")
    (found,) = find_images([str(tmp_path)]).images
    assert found.load(FileLimits(pixels=1000))[0].pixels.shape[2] == 3


def test_heic_is_read_by_its_own_decoder(scene: Image.Image, tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(scene).save(tmp_path / "a.HEIC", quality=95)
    scene.save(tmp_path / "plain.png")
    (found, _) = find_images([str(tmp_path)]).images
    pixels = found.load(FileLimits(pixels=1000))[0].pixels
    assert np.abs(pixels.astype(int) - np.asarray(scene)).mean() < 6
    (tmp_path / "a.HEIC").rename(tmp_path / "called.jpg")  # as telephones do
    np.testing.assert_array_equal(read_image(tmp_path / "called.jpg").pixels, pixels)


@pytest.fixture
def without_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if pillow-heif were not installed."""
    lacking = tuple(one for one in decoders.FORMATS if one.name != "HEIF")
    monkeypatch.setattr(decoders, "readable", lambda: lacking)


@pytest.mark.usefixtures("without_heif")
def test_without_it_one_line_says_how_many_and_what_to_install(tmp_path: Path) -> None:
    head = b"\0\0\0\x1cftypheic" + bytes(100)
    for name in ("a.heic", "b.HEIC"):
        (tmp_path / name).write_bytes(head)
    found = find_images([str(tmp_path), str(tmp_path / "a.heic")])
    (failure,) = found.failures
    assert failure.reason == (
        f"2 .heic files, such as {tmp_path / 'a.heic'}, were not read: pip install 'feedseg[heif]'"
    )
    (tmp_path / "c.jpg").write_bytes(head)
    with pytest.raises(FeedsegError, match=r"c\.jpg is not an image in a known format; it is HEIF: pip install"):
        read_image(tmp_path / "c.jpg")


def test_no_other_program_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    for name in ("holiday.jpg", "holiday.eps"):
        (tmp_path / name).write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
        with pytest.raises(FeedsegError, match="not an image in a known format"):
            read_image(tmp_path / name)


def test_an_image_may_be_called_otherwise_but_text_is_no_targa(scene: Image.Image, tmp_path: Path) -> None:
    scene.save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.dat")
    assert read_image(tmp_path / "a.dat").size == (24, 32)
    assert "TGA" not in decoders.decoders(".png")
    assert "TGA" in decoders.decoders(".TGA")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(FeedsegError, match=r"a\.png is a named pipe, not an image file"):
        read_image(tmp_path / "a.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "b.png"))
        with pytest.raises(FeedsegError, match="is a socket"):
            read_image(tmp_path / "b.png")
    with pytest.raises(FeedsegError, match="is a device"):
        read_image("/dev/zero")


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    Image.new("L", (13300, 13300)).save(tmp_path / "large.png")  # under 200 KB
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(FeedsegError, match=r"13300 × 13300 pixels, 177 million, and the limit is 120 million"):
        read_image(tmp_path / "large.png")
    Image.new("L", (6, 9)).save(tmp_path / "small.png")
    with pytest.raises(FeedsegError, match=r"the limit is 5e-05 million: raise it by --max-pixels"):
        read_image(tmp_path / "small.png", max_pixels=50)
    assert read_image(tmp_path / "small.png", max_pixels=54).size == (9, 6)
    with pytest.raises(FeedsegError, match=r"large\.png has 177 million pixels, and the limit is 80 million"):
        read_image(tmp_path / "large.png", max_pixels=80_000_000)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_gif_whose_first_frame_is_huge_takes_no_memory(tmp_path: Path) -> None:
    screen = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0, 0, 0)
    control = b"\x21\xf9\x04\x08\x00\x00\x00\x00"  # the frame is to be disposed of, for which Pillow makes room
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\x02\x44\x01\x00\x3b"
    (tmp_path / "a.gif").write_bytes(screen + control + frame)
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FeedsegError, match=r"a\.gif has 3600 million pixels, and the limit is 120 million"):
        read_image(tmp_path / "a.gif")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes
