"""A run's results in a folder, as `feedseg segment` leaves them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feedseg.io.output import Output
from feedseg.io.results import Results
from feedseg.segmentation import Segmentation

NAMES = ("background", "cat", "grass", "traffic light")


def labelled(number: int, classes: int = len(NAMES)) -> np.ndarray:
    """Blobs of noise, in another size for each image."""
    rng = np.random.default_rng(number)
    return rng.integers(0, classes, (4 + number, 6)).repeat(3, axis=0).repeat(2, axis=1)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., list[Path]]:
    """`saved(output, pictures=…, **changes)`: the JSON files of a run's results below `out`."""

    def save(
        output: Output | None = None, pictures: tuple[str, ...] = ("photos/b.jpg", "photos/x/a.png"), **changes: object
    ) -> list[Path]:
        records = []
        for number, picture in enumerate(pictures):
            labels = labelled(number)
            fields = {
                "labels": labels,
                "confidence": np.linspace(0, 1, labels.size).reshape(labels.shape),
                "names": NAMES,
                "image": np.full((*labels.shape, 3), 100 + number, np.uint8),
                "background": True,
                "synonyms": (("wall",), ("cat", "kitten"), ("grass",), ("traffic light",)),
                "models": {"model": {"name": "photo", "revision": "1"}},
                "settings": {"host": "clip"},
            } | changes
            inside = Path(picture).parent.relative_to(Path(picture).parts[0])
            files = (output or Output.of()).save(
                Segmentation(source=picture, **fields),  # pyright: ignore
                tmp_path / "out" / inside,
                Path(picture).stem,
            )
            assert files is not None
            records.append(files.by_format["json"])
        return records

    return save


@pytest.fixture
def results(saved: Callable[..., list[Path]], tmp_path: Path) -> Results:
    """Two results with a background."""
    return Results(saved(), tmp_path / "out")


@pytest.fixture
def separate(saved: Callable[..., list[Path]], tmp_path: Path) -> Results:
    """The same with each connected region as an object of its own."""
    return Results(saved(), tmp_path / "out", lambda result: result.with_regions(connected=True))
