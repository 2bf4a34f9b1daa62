"""What cannot be written into, or is not what it should be, or goes meanwhile: a line and an exit code, and no harm."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from faulty_disk import FaultyDisk
from feedseg.apps.cli.main import main
from writing_commands import NATIVE, SUBJECTS, check_told, make_quick

ALL = {name: one for name, one in SUBJECTS.items() if name != "compare"} | {"video": NATIVE["video"]}
ELSEWHERE = ("segment", "video")  # find other names for files whose own are taken


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_quick(monkeypatch)


def refused(name: str, out: str, told: Callable[[], str]) -> str:
    """What is said where a command must not end well."""
    told()
    code = main(ALL[name].command(out))
    said = told()
    check_told(code, said)
    return said


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """`told()`: what came on stderr since the last time."""
    return lambda: capsys.readouterr().err


@pytest.mark.parametrize("name", ALL)
def test_what_is_in_the_way_is_told(name: str, told: Callable[[], str], tmp_path: Path) -> None:
    ALL[name].begin()
    Path("file").write_bytes(b"mine")
    for out in ("file", "file/below"):  # a file where a folder should be
        refused(name, out, told)
        assert Path("file").read_bytes() == b"mine"
    with pytest.MonkeyPatch.context() as patch:  # a folder that can only be read; the superuser may write into any
        FaultyDisk(tmp_path / "out", 0, errno.EROFS).put_in(patch)
        assert os.strerror(errno.EROFS) in refused(name, "out", told)
    shutil.rmtree("out", ignore_errors=True)
    assert main(ALL[name].command("out")) == 0
    made = [path for path in Path("out").rglob("*") if path.is_file() and path.suffix != ".lock"]
    for path in made:  # a folder where a file should be
        place = Path("taken") / path.relative_to("out")
        place.mkdir(parents=True)
        if name not in ELSEWHERE or main(ALL[name].command("taken")):
            refused(name, "taken", told)
        assert place.is_dir()
        shutil.rmtree("taken")


@pytest.mark.parametrize("name", ["segment", "convert", "prepare", "evaluate"])
def test_a_folder_that_goes_meanwhile_is_told_or_made_again(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ALL[name].begin()
    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        disk = FaultyDisk(out).put_in(patch)
        assert main(ALL[name].command("out")) == 0
    for step in (disk.steps // 2, disk.steps - 1):
        shutil.rmtree(out)
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            Vanishing(out, step).put_in(patch)
            code = main(ALL[name].command("out"))
        said = "".join(capsys.readouterr())
        assert code in (0, 1, 2)
        assert code == 0 or said
        assert "Traceback" not in said
        assert "unexpected" not in said
        shutil.rmtree(out, ignore_errors=True)
        assert main(ALL[name].command("out")) == 0, step


class Vanishing(FaultyDisk):
    """One whose folder somebody removes before a step."""

    def __init__(self, folder: Path, step: int) -> None:
        super().__init__(folder)
        self.step = step

    def take(self, path: object) -> None:
        """See `FaultyDisk.take`."""
        super().take(path)
        if self.steps == self.step:
            shutil.rmtree(self.folder, ignore_errors=True)
