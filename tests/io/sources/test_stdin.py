"""Standard input: an image or a list of paths, told apart by what it holds."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.limits import FileLimits
from feedseg.io.sources.base import Search
from feedseg.io.sources.find import Findings, find_images
from feedseg.io.sources.stdin import paths


@pytest.fixture
def piped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`piped(content, **search)`: what - leads to, in a folder with a.png, BMW.bmp and P1000.png."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "BMW.bmp", "P1000.png"):
        Image.new("RGB", (4, 3), (9, 8, 7)).save(name)

    def find(content: bytes, **search: object) -> Findings:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        return find_images(["-"], Search(**search))  # pyright: ignore[reportArgumentType]

    return find


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "PPM", "GIF", "TIFF", "WEBP"])
def test_an_image_is_an_image(form: str, piped) -> None:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 100, 0)).save(file, form)
    (found,) = piped(file.getvalue()).images
    assert (found.name, found.stems[0].as_posix()) == ("stdin", "stdin")
    image, digest = found.load(FileLimits(pixels=100))
    assert (image.size, image.source) == ((3, 4), "stdin")
    assert digest == found.digest()


@pytest.mark.parametrize("content", [b"a.png\nBMW.bmp\n", b"a.png\r\n\r\nBMW.bmp", b"a.png\0BMW.bmp\0"])
def test_a_list_is_a_list(content: bytes, piped) -> None:
    assert [image.name for image in piped(content).images] == ["a.png", "BMW.bmp"]


def test_a_list_may_look_like_an_image_and_hold_folders(piped) -> None:
    assert [image.name for image in piped(b"BMW.bmp\0P1000.png\0").images] == ["BMW.bmp", "P1000.png"]
    assert [image.name for image in piped(b"P1000.png\n.\n").images] == ["P1000.png", "BMW.bmp", "a.png"]
    found = piped(b"P1 none.jpg\na.png\n-\n")
    assert [image.name for image in found.images] == ["a.png"]
    assert [failure.reason for failure in found.failures] == [
        "stdin lists itself (-) among the images",
        "P1 none.jpg does not exist",
    ]


@given(st.lists(st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["C", "Z"]), min_size=1)))
def test_names_in_a_list_are_those_that_were_written(names: list[str]) -> None:
    assert paths("\0".join([*names, ""]).encode()) == names


def test_what_is_neither_is_said(piped) -> None:
    assert [failure.reason for failure in piped(b" \n").failures] == [
        "stdin is empty: pipe an image or a list of paths into it"
    ]
    assert "--max-bytes" in piped(b"x" * 11, max_bytes=10).failures[0].reason
    (found,) = piped(b"\x01\x02\x03 no image").images
    with pytest.raises(FeedsegError, match="stdin is not an image in a known format"):
        found.load(FileLimits(pixels=100))
