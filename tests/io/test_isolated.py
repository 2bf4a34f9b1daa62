"""Decoding in processes of their own: the same images, and faults that stay with the file that has them."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

import hostile_decoder
from bombs import progressive_bomb
from feedseg.errors import FeedsegError, InvalidValueError
from feedseg.io.images import decode_image
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.limits import FileLimits, TooManyPixelsError
from feedseg.io.sources.find import find_images

LIMITS = FileLimits(pixels=1_000_000)


@pytest.fixture(scope="module")
def decoder() -> Iterator[IsolatedDecoder]:
    with IsolatedDecoder() as one:
        yield one


def stored(image: Image.Image, form: str = "PNG") -> bytes:
    file = BytesIO()
    image.save(file, form)
    return file.getvalue()


def png(width: int) -> bytes:
    return stored(Image.new("RGB", (width, 4), "red"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "GIF"])
def test_it_is_the_same_image(decoder: IsolatedDecoder, form: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    content = stored(Image.fromarray(pixels), form)
    found = decoder(content, "a.img", LIMITS)
    np.testing.assert_array_equal(found.pixels, decode_image(BytesIO(content), "a.img").pixels)
    assert found.source == "a.img"
    assert not found.pixels.flags.writeable


def test_what_is_said_of_an_image_is_said_here(decoder: IsolatedDecoder) -> None:
    grey = stored(Image.fromarray(np.array([[0, 1023]], np.uint16)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoder(grey, "deep.png", LIMITS)
    assert [str(one.message) for one in caught] == [
        "deep.png holds numbers up to 1023: read as 10 bits, with 1023 as white"
    ]


@pytest.mark.parametrize("content", [b"", b"no image", png(300)[:60], stored(Image.new("L", (2000, 1000)))])
def test_its_errors_are_the_same(decoder: IsolatedDecoder, content: bytes) -> None:
    with pytest.raises(FeedsegError) as here:
        decode_image(BytesIO(content), "a.png", LIMITS.pixels)
    with pytest.raises(FeedsegError) as there:
        decoder(content, "a.png", LIMITS)
    assert str(there.value) == str(here.value)
    assert type(there.value) is type(here.value)
    if isinstance(there.value, TooManyPixelsError):
        assert there.value.pixels == 2_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="tells ends by signals")
@pytest.mark.parametrize(
    ("width", "said"),
    [
        (hostile_decoder.CRASHES, r"its decoder crashed \(SIGABRT\)$"),
        (hostile_decoder.HANGS, r"took more than 0\.4 seconds to decode: .* --max-seconds$"),
        (hostile_decoder.LEAVES, r"its decoder crashed \(exit code 3\)$"),
        pytest.param(
            hostile_decoder.EATS,
            r"takes more memory to decode than an image of 1 million pixels$",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux"),
        ),
    ],
)
def test_a_fault_is_that_files_and_the_next_one_is_decoded(
    width: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile_decoder.install(tmp_path / "hostile", monkeypatch)
    with IsolatedDecoder() as decoder:
        decoder(png(4), "before.png", LIMITS)
        limits = FileLimits(pixels=LIMITS.pixels, seconds=0.4 if width == hostile_decoder.HANGS else 60)
        with pytest.raises(FeedsegError, match=rf"^bad\.png .*{said}"):
            decoder(png(width), "bad.png", limits)
        assert decoder(png(6), "behind.png", LIMITS).size == (4, 6)


def test_a_jpeg_of_thousands_of_scans_is_given_up(decoder: IsolatedDecoder) -> None:
    bomb = progressive_bomb(4000, 20_000)  # 0.7 MB, and half a minute
    with pytest.raises(FeedsegError, match=r"bomb\.jpg took more than 0\.5 seconds"):
        decoder(bomb, "bomb.jpg", FileLimits(seconds=0.5))


def test_a_file_of_too_many_bytes_is_not_read(decoder: IsolatedDecoder, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(4))
    (found,) = find_images([str(tmp_path)]).images
    limits = FileLimits(bytes=70)
    for way in (None, decoder):
        with pytest.raises(FeedsegError, match=r"a\.png has .* MB, and the limit is 7e-05 MB: raise it by --max-bytes"):
            found.load(limits, way)
    image, digest = found.load(LIMITS, decoder)
    assert (image.size, digest) == ((4, 4), found.digest())


@pytest.mark.parametrize(
    "wrong", [{"pixels": 0}, {"pixels": 1.5}, {"bytes": "1G"}, {"seconds": 0}, {"seconds": float("nan")}]
)
def test_limits_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match=r"^the most (pixels|bytes|seconds) (of|for) a file "):
        FileLimits(**wrong)


def test_what_are_no_bytes_is_refused(decoder: IsolatedDecoder) -> None:
    path: Any = Path("a.png")
    with pytest.raises(FeedsegError, match=r"takes the bytes of a file, not \w+Path"):
        decoder(path, "a.png", LIMITS)


def test_many_threads_get_their_own_images(decoder: IsolatedDecoder) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda width: decoder(png(width), f"{width}.png", LIMITS), range(20, 60)))
    assert [(one.size[1], one.source) for one in found] == [(width, f"{width}.png") for width in range(20, 60)]


def test_nothing_of_the_working_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PIL", "json", "numpy", "feedseg"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)", encoding="utf-8")
    with IsolatedDecoder() as decoder:
        assert decoder(png(6), "a.png", LIMITS).size == (4, 6)


def test_no_process_is_left(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    with IsolatedDecoder() as decoder:
        decoder.start()
        decoder(png(6), "a.png", LIMITS)
        assert len(set(psutil.Process().children()) - before) == 1
    assert set(psutil.Process().children()) <= before
    program = (
        "import sys, time; from feedseg.io.isolated import IsolatedDecoder; "
        "IsolatedDecoder().start(); print('started', flush=True); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=with_path()) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = psutil.Process(parent.pid).children()
        parent.kill()
        child.wait(30)  # raises where it goes on


def with_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
