"""Damaged files that a run keeps for the next one, and files that masks come from, are read or refused in one line.

They take no more than a bounded time and memory, whatever they say. See `test_own_files.py`, whose corpus has them.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from damage import EDITS, NODES, damaged, rearranged, rearranged_lines
from feedseg.engine.contents import Contents
from feedseg.engine.journal import JournalFolder
from feedseg.engine.raster_parts import RasterParts
from feedseg.engine.results_folder import journals_of
from feedseg.engine.video_parts import Parts
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.datasets.masks import read_mask
from feedseg.evaluation.datasets.prepare_context import read_regions
from feedseg.evaluation.measured import STEM, read_measurements
from feedseg.evaluation.metrics.results import summarise
from feedseg.evaluation.small_maps import decode_map
from feedseg.files import write_atomically
from feedseg.io.video.labels import read_labels
from feedseg.vision.text.cache import EmbeddingCache

CORPUS = Path(__file__).parent / "corpus/files"
MOST = 200 * 2**20  # bytes that reading a small file may take
LONGEST = 20.0  # seconds of a processor
CLASSES = load_benchmark("context59").classes


@dataclass(frozen=True)
class Kept:
    """How a file is read, and all is done with it that is done with a sound one."""

    read: Callable[[Path], object]
    name: str  # of the file below the folder that it is put into


def contents(path: Path) -> None:
    found = Contents.read(journals_of(path.parent.parent))
    for image, kept in found.kept.items():
        places = (kept.stem, *kept.outputs, *kept.files.values())
        assert all(isinstance(one, str) for one in (image, *places))
        assert not any(one.startswith("/") or ".." in one.split("/") for one in places)
    assert all(isinstance(one, str) for pair in found.names.items() for one in pair)


def measured(path: Path) -> None:
    measurements = read_measurements(JournalFolder(path.parent, STEM))
    found = summarise(measurements, [*measurements.measured.values()], ["none", "paper"], 16)
    for maps in found.labels.values():
        assert all(decode_map(one).ndim == 2 for one in maps.values())


def embedding(path: Path) -> None:
    cache = EmbeddingCache("revision", ("{}",), "float32")
    kept = cache.path("cat")
    assert kept is not None
    with write_atomically(kept) as temporary:
        temporary.write_bytes(path.read_bytes())
    found = cache.load("cat")
    assert found is None or found.isfinite().all()


def regions(path: Path) -> None:
    for one in read_regions(path, tuple(names[0] for names in CLASSES)):
        assert one.labels().ndim == 2


def video_part(path: Path) -> None:
    parts = Parts(path.parents[3], "video", {})
    (parts.folder / "000000.json").write_bytes(path.read_bytes())
    again = Parts(path.parents[3], "video", {})
    assert [one["mean_confidence"] + sum(one["pixels"]) for one in again.frames()] or again.number == 0


def raster_band(path: Path) -> None:
    folder, labels = path.parents[3], np.zeros((3, 4), np.uint8)
    parts = RasterParts(folder, "raster", {}, 4, labels.dtype)
    (parts.folder / "000000.labels").write_bytes(zlib.compress(labels.tobytes()))
    (parts.folder / "000000.json").write_bytes(path.read_bytes())
    again = RasterParts(folder, "raster", {}, 4, labels.dtype)
    assert again.number == 0 or (again.areas is not None and again.areas.ndim == 1)


FILES = {
    "contents.jsonl": Kept(contents, ".feedseg/run.jsonl"),
    "images.jsonl": Kept(measured, "images.jsonl"),
    "embedding.safetensors": Kept(embedding, "embedding.safetensors"),
    "part.json": Kept(video_part, "a/b/c/part.json"),
    "band.json": Kept(raster_band, "a/b/c/band.json"),
    "labels.mkv": Kept(lambda path: [*read_labels(path)], "labels.mkv"),
    "regions.json": Kept(regions, "regions.json"),
    "mask.tif": Kept(read_mask, "mask.tif"),
    "mask.gif": Kept(read_mask, "mask.gif"),
}
JSON = [name for name in FILES if name.endswith((".json", ".jsonl"))]


@contextmanager
def bounded() -> Iterator[None]:
    """Fails where the body takes too long a time of the processor, or too much memory."""
    if sys.platform == "win32":
        yield
        return
    import resource

    def too_long(*_: Any) -> None:
        raise AssertionError(f"more than {LONGEST} s")

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024
    assert taken < MOST, f"{taken / 1e6:.0f} MB"


def refusal(read: Callable[[Path], object], path: Path) -> str:
    """Why a file is refused; nothing where it is read."""
    try:
        read(path)
    except FeedsegError as error:
        return str(error)
    return ""


def check(folder: Path, name: str, content: bytes) -> str:
    """Why a file with this content is refused; fails unless it is read, or refused in one line that is not too long."""
    path = folder / FILES[name].name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with warnings.catch_warnings(), bounded():
        warnings.simplefilter("ignore")
        said = refusal(FILES[name].read, path)
    assert "\n" not in said
    assert len(said) < 1500, said[:300]
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A file's folder; each is read once, so that libraries are loaded before memory is looked at."""
    home = tmp_path_factory.mktemp("kept")
    for name in FILES:
        assert check(home / name, name, (CORPUS / name).read_bytes()) == ""
    return lambda name: home / name


@pytest.mark.parametrize("name", FILES)
@given(edits=EDITS)
def test_changed_bytes_are_read_or_refused_in_one_line(
    folder: Callable[[str], Path], name: str, edits: list[tuple[str, int, bytes]]
) -> None:
    check(folder(name), name, damaged((CORPUS / name).read_bytes(), edits))


@pytest.mark.parametrize("name", JSON)
@given(edits=NODES)
def test_other_values_in_json_are_read_or_refused_in_one_line(
    folder: Callable[[str], Path], name: str, edits: list[tuple[str, int, Any]]
) -> None:
    content = (CORPUS / name).read_bytes()
    lines = name.endswith(".jsonl")
    changed = rearranged_lines(content, edits) if lines else json.dumps(rearranged(json.loads(content), edits)).encode()
    check(folder(name), name, changed)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_is_read_or_refused_in_one_line(folder: Callable[[str], Path], name: str) -> None:
    content = (CORPUS / name).read_bytes()
    for length in range(0, len(content), max(1, len(content) // 25)):
        check(folder(name), name, content[:length])


@pytest.mark.parametrize("name", JSON)
def test_what_is_nested_deeply_is_read_or_refused_in_one_line(folder: Callable[[str], Path], name: str) -> None:
    check(folder(name), name, b"[" * 100_000)
    check(folder(name), name, b'{"a":' * 100_000 + b"\n")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("images.jsonl", b'"pixels":{"none":[[3,', b'"pixels":{"none":[[99,'),  # a class that there is none of
        ("images.jsonl", b'"seconds":{"encode"', b'"seconds":{"other"'),
        ("contents.jsonl", b'"outputs":{"000.labels.png"', b'"outputs":{"../000.labels.png"'),  # might be removed
    ],
)
def test_what_does_not_fit_is_told(folder: Callable[[str], Path], name: str, old: bytes, new: bytes) -> None:
    content = (CORPUS / name).read_bytes()
    assert old in content
    said = check(folder(name), name, content.replace(old, new, 1))
    assert ("damaged" in said) == (b"other" not in new)  # of times there may be others
