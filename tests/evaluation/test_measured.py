"""What one image contributes, into journals and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feedseg.engine.journal import JournalFolder, Record
from feedseg.errors import FeedsegError
from feedseg.evaluation.measured import Measured, identity_json, read_measurements, sparse, total


def measured(name: str, seed: int = 0, classes: int = 5) -> Measured:
    confusion = np.random.default_rng(seed).integers(0, 3, (classes, classes))
    boundaries = np.array([[1, 5, 4, 3, 2]])
    pixels = {"none": sparse(confusion)}
    return Measured(name, (9, 5), pixels, {"none": boundaries}, {"encode": 0.5, "none": 0.25}, 7)


@pytest.fixture
def journals(tmp_path: Path) -> JournalFolder:
    return JournalFolder(tmp_path, "images")


def write(journals: JournalFolder, *outcomes: Measured | Record) -> Path:
    with journals.open({}) as journal:
        for one in outcomes:
            journal.append(one if isinstance(one, Record) else Record(identity_json(one), one.to_json()))
    return journal.path


def failure(name: str, *sizes: int) -> Record:
    return Record({"name": name, "sizes": [*sizes]}, error="broken")


def test_what_is_written_is_read(journals: JournalFolder) -> None:
    one = measured("a/1", 3)
    write(journals, one, failure("ümlaut"))
    found = read_measurements(journals)
    assert found.measured["a/1", (9, 5)].to_json() == one.to_json()
    assert found.failed == {("ümlaut", ()): "broken"}


def test_a_failure_is_forgotten_once_the_image_is_measured(journals: JournalFolder) -> None:
    write(journals, failure("a", 9, 5), failure("b", 9, 5), measured("a"))
    assert read_measurements(journals).failed == {("b", (9, 5)): "broken"}


def test_what_several_journals_have_counts_once(journals: JournalFolder) -> None:
    path = write(journals, measured("a", 1), measured("bb", 2))
    path.rename(path.with_name("images.1-of-2.jsonl"))
    write(journals, measured("ccc", 3), measured("a", 1))
    found = read_measurements(journals).measured
    assert sorted(name for name, _ in found) == ["a", "bb", "ccc"]
    expected = sum(np.random.default_rng(seed).integers(0, 3, (5, 5)) for seed in (1, 2, 3))
    np.testing.assert_array_equal(total(found.values(), "none", 5), expected)


def test_an_image_of_the_same_name_and_another_size_is_another_one(journals: JournalFolder) -> None:
    other = replace(measured("a", 9), sizes=(9, 6))
    write(journals, measured("a", 1), failure("a", 9, 6))
    assert [*read_measurements(journals).failed] == [("a", (9, 6))]
    write(journals, other)
    found = read_measurements(journals)
    assert not found.failed
    assert found.measured["a", (9, 6)].to_json() == other.to_json()
    assert found.measured["a", (9, 5)].to_json() == measured("a", 1).to_json()


@pytest.mark.parametrize(
    "line",
    [
        *('{"item":{"name":5,"sizes":[]},"result":{}}', '{"item":{"name":"c","sizes":["9"]},"error":"broken"}'),
        *('{"item":"c","error":"broken"}', '{"item":{"name":"c","sizes":5},"error":"broken"}'),
        *(
            f'{{"item":{{"name":"c","sizes":[]}},"result":{{"pixels":{rows},"boundaries":{{}},"seconds":{{}},"memory":1}}}}'
            for rows in ('{"none":[[1,2]]}', '{"none":[[1e400,1,1]]}', '{"none":[[1,1,1' + 30 * "0" + "]]}", "[5]")
        ),
    ],
)
def test_lines_that_are_no_measurements_are_damage(journals: JournalFolder, line: str) -> None:
    path = write(journals, measured("a"))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(FeedsegError, match=r"images\.jsonl is damaged"):
        read_measurements(journals)
