"""Damaged image files become an image or one line, whatever is damaged.

`corpus/images` has a small file of every kind, and those that once went wrong. For hours instead of seconds:
`pytest tests/fuzz --hypothesis-profile=long`.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damage import EDITS, damaged
from feedseg.errors import FeedsegError
from feedseg.io.decoders import FORMATS, readable
from feedseg.io.images import decode_image

CORPUS = sorted((Path(__file__).parent / "corpus/images").iterdir())
WHOLE = [path for path in CORPUS if not path.name.startswith("bad-")]
MOST = 1_000_000  # pixels
PNG = b"\x89PNG\r\n\x1a\n"


def mended(content: bytes) -> bytes:
    """A PNG with right checksums, so that what is damaged reaches the decoder; anything else as it is."""
    if not content.startswith(PNG):
        return content
    at, parts = len(PNG), [PNG]
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        body = content[at + 4 : at + 8 + length]
        parts += [content[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(parts)


def check(content: bytes, name: str) -> None:
    """Fails unless it is an image within the limits, or refused in one line that names it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels, said = decode_image(BytesIO(content), name, MOST).pixels.size, name
        except FeedsegError as error:
            pixels, said = 0, str(error)
    assert pixels <= 3 * MOST
    assert said.startswith(name)
    assert "\n" not in said


def test_there_is_a_file_of_every_format() -> None:
    suffixes = {path.suffix for path in CORPUS}
    assert [one.name for one in FORMATS if not suffixes & set(one.suffixes)] == []


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
@given(edits=EDITS)
def test_a_damaged_file_is_an_image_or_one_line(path: Path, edits: list[tuple[str, int, bytes]]) -> None:
    check(mended(damaged(path.read_bytes(), edits)), path.name)


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name)
def test_a_file_that_is_cut_off_anywhere_is_an_image_or_one_line(path: Path) -> None:
    content = path.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        check(content[:length], path.name)


@given(head=st.sampled_from([path.read_bytes()[:12] for path in CORPUS]), tail=st.binary(max_size=200))
def test_what_only_begins_like_an_image_is_one_line_or_an_image(head: bytes, tail: bytes) -> None:
    check(head + tail, "a.img")


def test_what_once_went_wrong_is_one_line_or_an_image() -> None:
    for path in CORPUS:
        check(path.read_bytes(), path.name)


def test_the_corpus_holds_images() -> None:
    for path in WHOLE:
        if any(path.suffix in one.suffixes for one in readable()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert decode_image(BytesIO(path.read_bytes()), path.name, MOST).pixels.any(), path.name
