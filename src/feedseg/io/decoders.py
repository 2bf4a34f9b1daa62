"""The formats that images are read in: an explicit list, so that no other decoder, and no other program, is started."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

from feedseg.errors import FeedsegError, first_line
from feedseg.io.limits import TooManyPixelsError

if TYPE_CHECKING:
    from PIL import Image

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_TIFF_HEADS = {b"II*\0", b"MM\0*"}
_TIFF_NUMBERS = {1: "whole numbers", 2: "signed numbers", 3: "fractions"}  # by the tag of their format
_LIMIT = Lock()


@dataclass(frozen=True)
class ImageFormat:
    """One format."""

    name: str  # as Pillow has it
    suffixes: tuple[str, ...]  # in lower case; the first is the usual one
    feature: str = ""  # of `PIL.features`, which a build of Pillow may lack
    extra: str = ""  # of this package, that brings the decoder
    signed: bool = True  # whether its files begin with something that no other format's do

    @property
    def advice(self) -> str:
        """What to do where it cannot be read."""
        if self.extra:
            return f"pip install 'feedseg[{self.extra}]'"
        return "this build of Pillow cannot read them; convert them, or install Pillow from PyPI"

    def is_readable(self) -> bool:
        """Whether it can be read here."""
        if self.extra:
            return _register_heif()
        if not self.feature:
            return True
        from PIL import features

        return bool(features.check(self.feature))


FORMATS = (
    ImageFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")),
    ImageFormat("PNG", (".png", ".apng")),
    ImageFormat("WEBP", (".webp",), feature="webp"),
    ImageFormat("TIFF", (".tif", ".tiff")),
    ImageFormat("BMP", (".bmp", ".dib")),
    ImageFormat("GIF", (".gif",)),
    ImageFormat("PPM", (".ppm", ".pgm", ".pbm", ".pnm", ".pfm")),
    ImageFormat("JPEG2000", (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), feature="jpg_2000"),
    ImageFormat("AVIF", (".avif",), feature="avif"),
    ImageFormat("HEIF", (".heic", ".heif", ".hif"), extra="heif"),
    ImageFormat("ICO", (".ico",)),
    ImageFormat("TGA", (".tga", ".icb", ".vda", ".vst"), signed=False),
)
BY_SUFFIX = {suffix: one for one in FORMATS for suffix in one.suffixes}


@lru_cache
def readable() -> tuple[ImageFormat, ...]:
    """The formats that can be read here."""
    return tuple(one for one in FORMATS if one.is_readable())


def decoders(suffix: str) -> tuple[str, ...]:
    """Pillow's names of the formats that a file may be in; what has no signature is told by the suffix of its name."""
    return tuple(one.name for one in readable() if one.signed or suffix.lower() in one.suffixes)


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A file, open for reading. Raises FeedsegError where it is none, which a pipe that nobody writes to is not."""
    try:
        check_regular(path)
        file = path.open("rb")
    except FileNotFoundError as error:
        raise FeedsegError(f"{path} does not exist") from error
    except OSError as error:
        raise FeedsegError(f"{path} cannot be read: {error.strerror or error}") from error
    with file:
        yield file


def check_regular(path: Path) -> None:
    """Complain about what is no file of bytes. Raises FeedsegError, or OSError where it is not even there."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise FeedsegError(f"{path} is a folder, not an image")
    if not stat.S_ISREG(mode):
        raise FeedsegError(f"{path} is {_SPECIAL.get(stat.S_IFMT(mode), 'no regular file')}, not an image file")


@contextmanager
def opened_image(file: BinaryIO, name: str, max_pixels: int) -> Iterator[Image.Image]:
    """The image of an open file, not decoded yet; what Pillow raises inside becomes a FeedsegError with the name.

    Raises:
        FeedsegError: it is no image, or damaged, or has more pixels than `max_pixels`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        formats = decoders(Path(name).suffix)
        with _limited(Image, max_pixels):
            opened = Image.open(file, formats=formats)
        with opened as image:
            if (pixels := image.width * image.height) > max_pixels:
                raise _too_many(name, pixels, max_pixels, f"{image.width} × {image.height}")
            yield image
    except UnidentifiedImageError as error:
        raise FeedsegError(f"{name} is not an image in a known format{_hint(file)}") from error
    except (FeedsegError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        told = re.search(r"\d+", str(error))
        raise _too_many(name, int(told[0]) if told else 2 * max_pixels, max_pixels) from error
    except Exception as error:  # decoders are many, and so is what they raise of damaged files
        raise FeedsegError(f"{name} cannot be read as an image: {first_line(error)}") from error


@contextmanager
def _limited(pillow: Any, most: int) -> Iterator[None]:
    """Pillow's own limit of pixels, which it has for the whole process, is ours while one file is opened.

    Opening reads the header alone, but some decoders make room for the first frame already: a GIF of 350 bytes takes
    1.7 GB. Pillow raises what has more than twice the limit.
    """
    with _LIMIT:
        before = pillow.MAX_IMAGE_PIXELS
        pillow.MAX_IMAGE_PIXELS = most
        try:
            yield
        finally:
            pillow.MAX_IMAGE_PIXELS = before


def _too_many(name: str, pixels: int, most: int, sides: str = "") -> TooManyPixelsError:
    has = f"{sides} pixels, {pixels / 1e6:.0f} million" if sides else f"{pixels / 1e6:.0f} million pixels"
    return TooManyPixelsError(
        f"{name} has {has}, and the limit is {most / 1e6:g} million: raise it by --max-pixels, or in Python by "
        "read_image(…, max_pixels=…)",
        pixels,
    )


@lru_cache
def _register_heif() -> bool:
    """Whether pillow-heif is installed; Pillow knows of it afterwards."""
    if find_spec("pillow_heif") is None:
        return False
    import pillow_heif

    pillow_heif.register_heif_opener()
    return True


def _hint(file: BinaryIO) -> str:
    """What to do about a file in a format that is known, but cannot be read here."""
    file.seek(0)
    head = file.read(12)
    names = {"HEIF": _HEIF_BRANDS, "AVIF": _AVIF_BRANDS} if head[4:8] == b"ftyp" else {}
    for one in FORMATS:
        if head[8:12] in names.get(one.name, ()) and one not in readable():
            return f"; it is {one.name}: {one.advice}"
    return _kind_of_tiff(file) if head[:4] in _TIFF_HEADS else ""


def _kind_of_tiff(file: BinaryIO) -> str:
    """What is in a TIFF that Pillow does not know; nothing where that cannot be told either."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    try:
        file.seek(0)
        tags = ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        bits, signs = tags.get(258, (1,)), tags.get(339, (1,))
        kind = _TIFF_NUMBERS.get(signs[0], "other numbers")
        each = f"{len(bits)} × " if len(bits) > 1 else ""
        return f"; it is a TIFF of {each}{bits[0]}-bit {kind}, which are not read: convert it to 8 or 16 bits"
    except Exception:  # of a damaged file, of which Pillow raises whatever it stumbles over
        return ""
