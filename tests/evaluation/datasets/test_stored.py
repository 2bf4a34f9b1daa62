"""Numbers of masks as the file holds them, against arrays written by hand and files packed bit by bit."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from feedseg import FeedsegError
from feedseg.evaluation.datasets.masks import NoMaskError, read_mask
from feedseg.evaluation.datasets.samples import read_stored
from feedseg.evaluation.datasets.stored import orientation, stored_size

ROWS = np.array([[0, 1, 3], [3, 2, 0]], np.uint8)
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def packed(values: np.ndarray, bits: int) -> bytes:
    """Rows of numbers of so many bits each, the first in the highest bits, every row ending with a whole byte."""
    each = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(each.reshape(len(values), -1), axis=1).tobytes()


def png(path: Path, values: np.ndarray, bits: int) -> Path:
    """A greyscale PNG, written by hand after its specification."""
    stride = len(packed(values[:1], bits))
    data = packed(values, bits)
    lines = b"".join(b"\0" + data[start : start + stride] for start in range(0, len(data), stride))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    parts = (struct.pack(">I", len(b)) + a + b + struct.pack(">I", zlib.crc32(a + b)) for a, b in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def tiff(path: Path, values: np.ndarray, bits: int, white_is_zero: bool, orientation: int = 1) -> Path:
    """A greyscale TIFF of one strip without compression, written by hand after its specification."""
    data = packed(values, bits)
    tags = [
        *((256, values.shape[1]), (257, values.shape[0]), (258, bits), (259, 1), (262, 0 if white_is_zero else 1)),
        *((273, 8), (274, orientation), (277, 1), (278, values.shape[0]), (279, len(data))),
    ]
    data += b"\0" * (len(data) % 2)
    table = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table + b"\0\0\0\0")
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_png_of_any_depth_is_read_as_stored(bits: int, tmp_path: Path) -> None:
    values = ROWS & ((1 << bits) - 1)
    assert read_mask(png(tmp_path / "a.png", values, bits)).tolist() == values.tolist()


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_tiff_of_any_depth_is_read_as_stored_whatever_white_is(
    bits: int, white_is_zero: bool, tmp_path: Path
) -> None:
    values = ROWS & ((1 << bits) - 1)
    assert read_mask(tiff(tmp_path / "a.tif", values, bits, white_is_zero)).tolist() == values.tolist()


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_tiffs_orientation_changes_no_row_and_no_column(turned: int, tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", ROWS, 8, False, turned)
    with Image.open(path) as image:
        assert (orientation(image), stored_size(image)) == (turned, (2, 3))
    assert read_mask(path).tolist() == ROWS.tolist()
    assert read_stored(path).pixels[..., 0].tolist() == ROWS.tolist()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_an_orientation_in_xmp_changes_nothing_either(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    image = Image.fromarray(ROWS * 60)
    if suffix == ".tif":
        tags = ImageFileDirectory_v2()
        tags[700] = XMP.encode()
        image.save(path, tiffinfo=tags)
    elif suffix == ".png":
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP)
        image.save(path, pnginfo=text)
    else:
        image.save(path, xmp=XMP.encode(), quality=100)
    with Image.open(path) as opened:
        assert (orientation(opened), stored_size(opened)) == (6, (2, 3))
    assert read_stored(path).size == (2, 3)
    assert np.abs(read_stored(path).pixels[..., 0].astype(int) - ROWS * 60).max() <= 2
    if suffix != ".jpg":
        assert read_mask(path).tolist() == (ROWS * 60).tolist()


@pytest.mark.parametrize("form", ["P2", "P5"])
@pytest.mark.parametrize("largest", [3, 20, 150, 255, 846, 65535])
def test_a_portable_map_is_read_as_stored_whatever_its_largest_number(form: str, largest: int, tmp_path: Path) -> None:
    values = np.array([[0, 1, 2], [largest // 2, largest - 1, largest]], np.uint16)
    header = f"{form}\n3 2\n{largest}\n".encode()
    binary = values.astype(">u2" if largest > 255 else np.uint8).tobytes()
    text = " ".join(map(str, values.ravel())).encode()
    path = tmp_path / "a.pgm"
    path.write_bytes(header + (binary if form == "P5" else text + b"\n"))
    assert read_mask(path).tolist() == values.tolist()


@pytest.mark.parametrize("data", [b"P1\n3 2\n0 1 1\n1 0 0\n", b"P4\n3 2\n\x60\x80"])
def test_a_portable_bitmaps_one_is_one_though_it_is_black(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pbm").write_bytes(data)
    assert read_mask(tmp_path / "a.pbm").tolist() == [[0, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".tif"])
def test_an_index_is_never_looked_up(suffix: str, tmp_path: Path) -> None:
    image = Image.fromarray(ROWS)
    image.putpalette([200, 0, 0, 0, 0, 0, 9, 9, 9, 1, 2, 3])
    image.save(tmp_path / f"a{suffix}")
    assert read_mask(tmp_path / f"a{suffix}").tolist() == ROWS.tolist()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_tiff_without_loss_holds_its_sixteen_bits(compression: str | None, tmp_path: Path) -> None:
    values = np.array([[0, 255, 256], [846, 65534, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tif", compression=compression, dpi=(72, 300))
    assert read_mask(tmp_path / "a.tif").tolist() == values.tolist()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.jpg", {}, "is a JPEG file, which changes numbers"),
        ("a.webp", {"lossless": True}, "is a WEBP file, which changes numbers"),
        ("a.tif", {"compression": "jpeg"}, "is a TIFF with jpeg compression, which changes numbers"),
        ("a.png", {"format": "JPEG"}, "is a JPEG file, which changes numbers"),  # whatever it is called
    ],
)
def test_what_is_stored_with_loss_is_refused(name: str, options: dict, message: str, tmp_path: Path) -> None:
    Image.fromarray(np.kron(ROWS, np.ones((16, 16), np.uint8))).save(tmp_path / name, **options)
    with pytest.raises(NoMaskError, match=message):
        read_mask(tmp_path / name)


@pytest.mark.parametrize("name", ["a.tif", "a.gif"])
def test_several_pages_are_refused(name: str, tmp_path: Path) -> None:
    first, second = Image.fromarray(ROWS), Image.fromarray(ROWS + 1)
    first.save(tmp_path / name, save_all=True, append_images=[second])
    with pytest.raises(NoMaskError, match="has 2 pages, and a mask is one image"):
        read_mask(tmp_path / name)


def test_an_orientation_that_is_nonsense_is_none(tmp_path: Path) -> None:
    text = struct.pack("<HHHI4sI", 1, 274, 2, 4, b"abc", 0)  # one tag, the orientation, a text of four bytes
    Image.fromarray(ROWS).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0" + struct.pack("<I", 8) + text)
    assert read_mask(tmp_path / "a.png").tolist() == ROWS.tolist()
    assert read_stored(tmp_path / "a.png").size == (2, 3)


def test_fractions_are_refused(tmp_path: Path) -> None:
    Image.fromarray(ROWS.astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(FeedsegError, match="holds fractions"):
        read_mask(tmp_path / "a.tif")
