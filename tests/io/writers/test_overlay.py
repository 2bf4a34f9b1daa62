from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedseg.io.writers.overlay import WRITER
from feedseg.segmentation import Segmentation


def of(image: np.ndarray, segmented: Callable[..., Segmentation], source: str | None = None) -> Segmentation:
    """A result with some classes side by side."""
    labels = np.broadcast_to(np.arange(image.shape[1]) * 3 // image.shape[1], image.shape[:2])
    return segmented(labels=labels, confidence=np.ones(image.shape[:2]), image=image, source=source)


def photograph(height: int, width: int) -> np.ndarray:
    """Smooth shades with some grain, which compress as photographs do."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:height, :width]
    shades = 120 + 80 * np.sin(np.stack([x / 90, y / 70, (x + y) / 110], axis=-1))
    return np.clip(shades + rng.normal(0, 6, shades.shape), 0, 255).astype(np.uint8)


def test_a_jpeg_of_the_overlay_with_sharp_colours(segmented: Callable[..., Segmentation]) -> None:
    result = segmented()
    with Image.open(BytesIO(WRITER.encode(result))) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # pyright: ignore[reportAttributeAccessIssue]
        shown = np.asarray(result.overlay(), int)
        assert np.abs(np.asarray(image, int) - shown).mean() < 3


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("size", [(300, 400), (375, 500), (900, 1200), (1500, 2400)])
def test_at_most_twice_the_bytes_of_the_photograph(
    size: tuple[int, int], quality: int, segmented: Callable[..., Segmentation], tmp_path: Path
) -> None:
    file = tmp_path / "a.jpg"
    pixels = photograph(*size)
    Image.fromarray(pixels).save(file, quality=quality)
    result = of(pixels, segmented, str(file))
    content = WRITER.encode(result)
    assert len(content) <= max(2 * file.stat().st_size, 32 * 1024)
    assert content == WRITER.encode(result)
    with Image.open(BytesIO(content)) as image:
        assert max(image.size) >= min(640, max(size))


def test_a_file_with_many_bytes_gets_the_full_size(segmented: Callable[..., Segmentation], tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    pixels = photograph(700, 800)
    Image.fromarray(pixels).save(file)
    result = of(pixels, segmented, str(file))
    with Image.open(BytesIO(WRITER.encode(result))) as image:
        assert image.size == result.overlay().size


@pytest.mark.parametrize("source", [None, "gone.jpg", "https://example.org/a.jpg", "nul\0.jpg"])
def test_an_image_without_a_file_counts_as_a_jpeg(source: str | None, segmented: Callable[..., Segmentation]) -> None:
    pixels = photograph(600, 800)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling=0)
    assert len(WRITER.encode(of(pixels, segmented, source))) <= 2 * buffer.tell()
