"""Damaged files of the product's own, and of data sets, are read, or refused in one line.

`corpus/files` has a small file of every kind, and those that once went wrong. For hours instead of seconds:
`pytest tests/fuzz --hypothesis-profile=long`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny_models
from damage import EDITS, NODES, damaged, rearranged, rearranged_lines
from feedseg.engine.journal import JournalFolder
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import load_benchmark, read_names
from feedseg.evaluation.datasets.masks import read_mask
from feedseg.evaluation.measured import read_measurements
from feedseg.evaluation.protocols.protocol import load_protocol
from feedseg.io.palette import parse_colours
from feedseg.io.results import Results, read_result
from feedseg.vision.manifest import open_manifest
from feedseg.vision.text.bank import read_bank
from feedseg.vocabulary import Vocabulary

resource = pytest.importorskip("resource")
FILES = Path(__file__).parent / "corpus/files"
MEMORY = 200  # MB, more than a damaged file may take
RESULT, LABELS = "a.labels.json", "a.labels.png"


def read_words(path: Path) -> None:
    assert Vocabulary.parse((words := Vocabulary.read(path)).format()).names == words.names


def read_saved(path: Path) -> None:
    result = read_result(path.with_name(RESULT))
    assert result.labels.max() < len(result.names)
    results = Results([path.with_name(RESULT)], path.parent)
    assert len(results.classes[0]) == len(result.names)
    assert results.pictures
    assert result.palette.shape == (len(result.names), 3)
    assert all(0 <= share <= 1 for share in result.area_fractions.values())


def read_journal(path: Path) -> None:
    journals = JournalFolder(path.parent, path.stem)
    list(journals.differing({"words": {"classes": "cat"}, "version": "0"}))
    assert all(isinstance(key, str) for key in journals.finished())


def read_measured(path: Path) -> None:
    read_journal(path)
    for one in read_measurements(JournalFolder(path.parent, path.stem)).measured.values():
        assert all(rows.dtype == np.int64 for rows in one.pixels.values())


def read_data(path: Path) -> None:
    benchmark = load_benchmark(path)
    assert benchmark.labels == len(benchmark.vocabulary().names)


def read_masked(path: Path) -> None:
    assert read_mask(path).ndim == 2


READERS: dict[str, Callable[[Path], object]] = {
    "words.txt": read_words,
    RESULT: read_saved,
    LABELS: read_saved,
    "run.jsonl": read_journal,
    "measured.jsonl": read_measured,
    "dataset.toml": read_data,
    "protocol.toml": lambda path: load_protocol(str(path), "voc21", "clip"),
    "names.txt": read_names,
    "mask.png": read_masked,
    "mask16.png": read_masked,
    "bank.safetensors": lambda path: read_bank([path], "it", "it").embed(["cat"], None),
    "colours.txt": lambda path: parse_colours(path.read_text(encoding="utf-8-sig", errors="replace"), ["cat", "sofa"]),
}


def check(name: str, content: bytes) -> bool:
    """Whether it is read; fails unless it is that, or refused in one line."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for other in (RESULT, LABELS):  # each is read with the other beside it
            (Path(folder) / other).write_bytes((FILES / other).read_bytes())
        path = Path(folder) / name
        path.write_bytes(content)
        return outcome(lambda: READERS[name](path))


def outcome(read: Callable[[], object]) -> bool:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal = None
    try:
        read()
    except FeedsegError as error:
        refusal = str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY * 1024
    assert refusal is None or (refusal.strip() and len(refusal.splitlines()) == 1)
    return refusal is None


@pytest.mark.parametrize("name", READERS)
def test_the_corpus_is_sound(name: str) -> None:
    assert check(name, (FILES / name).read_bytes())


@pytest.mark.parametrize("name", READERS)
@given(edits=EDITS)
def test_damaged_bytes_are_read_or_refused_in_one_line(name: str, edits: list[tuple[str, int, bytes]]) -> None:
    check(name, damaged((FILES / name).read_bytes(), edits))


@pytest.mark.parametrize("name", [RESULT, "run.jsonl", "measured.jsonl"])
@given(edits=NODES)
def test_other_values_in_json_are_read_or_refused_in_one_line(name: str, edits: list[tuple[str, int, Any]]) -> None:
    content = (FILES / name).read_bytes()
    if name == RESULT:
        check(name, json.dumps(rearranged(json.loads(content), edits)).encode())
    else:
        check(name, rearranged_lines(content, edits))


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_cut_off_anywhere_is_read_or_refused_in_one_line(name: str) -> None:
    content = (FILES / name).read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        check(name, content[:length])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifest")
    tiny_models.save_aligned(folder)
    (folder / "sound.json").write_bytes((folder / "feedseg.json").read_bytes())
    return folder


@given(edits=NODES, raw=st.none() | EDITS)
@settings(max_examples=60)
def test_a_damaged_manifest_is_opened_or_refused_in_one_line(
    model: Path, edits: list[tuple[str, int, Any]], raw: list[tuple[str, int, bytes]] | None
) -> None:
    sound = (model / "sound.json").read_bytes()
    content = json.dumps(rearranged(json.loads(sound), edits)).encode() if raw is None else damaged(sound, raw)
    (model / "feedseg.json").write_bytes(content)
    outcome(lambda: open_manifest(model))


@pytest.mark.parametrize("path", sorted(FILES.glob("bad-*")), ids=lambda path: path.name)
def test_what_once_went_wrong_is_refused_in_one_line(path: Path) -> None:
    assert not check(path.name.split("-", 2)[2], path.read_bytes())
