import os
import stat
from pathlib import Path

import pytest

from feedseg.errors import FeedsegError
from feedseg.files import write_atomically, write_folder_atomically


def write_half_of(path: Path, failure: BaseException) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text("half")
        raise failure


def test_the_new_file_takes_the_place_of_the_old_one_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with write_atomically(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_lies_beside_the_file_with_its_suffix_in_a_folder_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "deeper" / "a.labels.png"
    with write_atomically(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".png"
        assert temporary != path
        temporary.write_bytes(b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ZeroDivisionError, SystemExit])
def test_whatever_ends_the_body_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(failure):
        write_half_of(path, failure())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with write_atomically(tmp_path / "a") as temporary:
            temporary.write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_a_file_name_as_long_as_they_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".txt")
    with write_atomically(path) as temporary:
        temporary.write_text("x")
    assert path.read_text() == "x"


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(FeedsegError, match=r"^cannot write .*file/a\.txt: \w[^\n]*$"),
        write_atomically(tmp_path / "file" / "a.txt") as temporary,
    ):
        temporary.write_text("y")
    assert (tmp_path / "file").read_text() == "x"


def test_a_folder_in_the_way_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(FeedsegError, match=r"^cannot write .*folder: \w[^\n]*$"),
        write_atomically(tmp_path / "folder") as temporary,
    ):
        temporary.write_text("y")
    assert list(tmp_path.rglob("*")) == [tmp_path / "folder"]


def test_no_space_left(tmp_path: Path) -> None:
    with pytest.raises(FeedsegError, match=r"^cannot write .*a\.txt: No space left on device$") as caught:
        write_half_of(tmp_path / "a.txt", OSError(28, "No space left on device"))
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def write_part_of(folder: Path) -> None:
    with write_folder_atomically(folder) as temporary:
        (temporary / "newer").write_text("2")
        raise KeyboardInterrupt


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "folder"
    with write_folder_atomically(folder) as temporary:
        (temporary / "new").write_text("1")
        assert not folder.exists()
    with pytest.raises(KeyboardInterrupt):
        write_part_of(folder)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "made",
        "made/folder",
        "made/folder/new",
    ]
    with write_folder_atomically(folder) as temporary:
        (temporary / "newer").write_text("3")
    assert [path.name for path in folder.iterdir()] == ["newer"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(FeedsegError, match=r"^cannot write .*folder: \w[^\n]*$"),
        write_folder_atomically(tmp_path / "file" / "folder"),
    ):
        pass
