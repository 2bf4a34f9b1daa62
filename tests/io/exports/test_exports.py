"""What holds for every registered export."""

import random
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from feedseg.errors import FeedsegError
from feedseg.io import packages
from feedseg.io.exports import EXPORTS
from feedseg.io.exports.base import NEAR
from feedseg.io.results import Results

NAMES = [name for name in EXPORTS.names() if all(find_spec(package) for package in EXPORTS.load(name).packages)]
Saved = Callable[..., list[Path]]


def test_files_and_names_differ() -> None:
    exports = [EXPORTS.load(name) for name in EXPORTS.names()]
    assert [export.name for export in exports] == EXPORTS.names()
    assert len({export.file for export in exports}) == len(exports)
    assert all(export.description for export in exports)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_in_whatever_order_results_were_finished(name: str, saved: Saved, tmp_path: Path) -> None:
    records = saved(pictures=tuple(f"photos/{letter}.jpg" for letter in "dbeac"))
    contents = []
    for seed in range(3):
        shuffled = [*records]
        random.Random(seed).shuffle(shuffled)
        folder = tmp_path / str(seed)
        path = EXPORTS.load(name).write(Results(shuffled, tmp_path / "out"), folder)
        assert path == folder / EXPORTS.load(name).file
        contents.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert contents[0] == contents[1] == contents[2]


@pytest.mark.parametrize("name", NAMES)
def test_ones_own_is_replaced_and_somebody_elses_is_not(name: str, saved: Saved, tmp_path: Path) -> None:
    export, results = EXPORTS.load(name), Results(saved(pictures=tuple(f"p/{n}.jpg" for n in range(9))))
    folder = tmp_path / "exported"
    path = export.write(results, folder)
    assert path.stat().st_size > 0
    assert export.write(results, folder) == path
    path.write_bytes(b"{}" * NEAR)
    with pytest.raises(FeedsegError, match=rf"{path.name} is there and was not written by feedseg"):
        export.write(results, folder)
    assert path.read_bytes() == b"{}" * NEAR


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_result_is_one_line_and_leaves_what_was_there(name: str, saved: Saved, tmp_path: Path) -> None:
    records = saved()
    export, folder = EXPORTS.load(name), tmp_path / "exported"
    before = export.write(Results(records), folder).read_bytes()
    records[1].write_text("{")
    with pytest.raises(FeedsegError, match=r"a\.labels\.json is damaged"):
        export.write(Results(records), folder)
    assert (folder / export.file).read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("csv", "parquet")])
def test_results_with_other_classes_need_a_folder_of_their_own(name: str, saved: Saved, tmp_path: Path) -> None:
    records = [*saved(pictures=("p/a.jpg",)), *saved(pictures=("p/b.jpg",), names=("a", "b", "c", "d"))]
    with pytest.raises(FeedsegError, match=r"b\.labels\.json has other classes than .*a\.labels\.json"):
        EXPORTS.load(name).write(Results(records), tmp_path / "exported")


@pytest.mark.parametrize("name", ["coco", "parquet"])
def test_a_package_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda package: None)
    with pytest.raises(FeedsegError, match=rf"the format '{name}' needs \w+: pip install 'feedseg\[formats\]'"):
        EXPORTS.load(name).check_installed()
