"""A disk that fails at any step of a command: it ends in lines, nothing is half written, and the same command goes on.

What libraries write without Python, as they do videos, meets a limit of file sizes instead.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from faulty_disk import FaultyDisk
from feedseg.apps.cli.main import main
from writing_commands import NATIVE, SUBJECTS, Subject, check_told, files, make_quick


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_quick(monkeypatch)


def steps_of(subject: Subject, out: Path) -> int:
    """How many steps an undisturbed run takes, which is done."""
    subject.before(out.name)
    with pytest.MonkeyPatch.context() as patch:
        disk = FaultyDisk(out).put_in(patch)
        assert main(subject.command(out.name)) == 0
    return disk.steps


@pytest.mark.parametrize(
    ("name", "error", "lasting", "every"),
    [
        ("segment", errno.ENOSPC, True, 2),
        ("convert", errno.ENOSPC, True, 3),
        ("prepare", errno.ENOSPC, True, 3),
        ("evaluate", errno.ENOSPC, True, 4),
        ("explain", errno.ENOSPC, True, 12),
        ("compare", errno.ENOSPC, True, 6),
        ("convert", errno.EIO, False, 9),
        ("segment", errno.EIO, False, 7),
    ],
)
def test_at_every_step_it_ends_in_lines_and_goes_on(
    name: str,
    error: int,
    lasting: bool,
    every: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """At some of the steps in every run of the tests, at each of them with `--hypothesis-profile=long`."""
    every = 1 if request.config.getoption("--hypothesis-profile") == "long" else every
    subject = SUBJECTS[name]
    subject.begin()
    steps = steps_of(subject, tmp_path / "undisturbed")
    wanted = subject.content(tmp_path / "undisturbed")
    subject.before("before")
    before = files(tmp_path / "before")
    assert steps > 2 * len(files(tmp_path / "undisturbed")) > 0
    for good in range(0, steps, every):
        out = tmp_path / "out"
        if before:
            shutil.copytree("before", out)
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            FaultyDisk(out, good, error, lasting=lasting).put_in(patch)
            code = main(subject.command("out"))
        told = capsys.readouterr().err
        made = files(out)
        if code == 0 and not lasting:  # a file that is opened once more, as zip files are
            assert subject.content(out) == wanted, good
            shutil.rmtree(out)
            continue
        check_told(code, told)
        assert os.strerror(error) in told, good
        assert not [path for path in out.rglob(".feedseg-*") if path.is_file()], good
        assert before.keys() - {*subject.of_all} <= made.keys(), good
        if subject.content is files:
            for path in made.keys() - {*subject.of_all}:
                is_claim = path.endswith(".labels.json") and path not in before
                assert made[path] in (wanted[path], before.get(path)) or is_claim, (good, path)
        assert main(subject.command("out")) == 0, good
        assert subject.content(out) == wanted, good
        shutil.rmtree(out)


@pytest.mark.parametrize("name", NATIVE)
def test_whatever_size_is_too_large_it_ends_in_lines_and_goes_on(
    name: str, tmp_path: Path, file_size_limit: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    subject = NATIVE[name]
    subject.begin()
    assert main(subject.command("undisturbed")) == 0
    wanted = files(tmp_path / "undisturbed")
    for size in sorted({size for content in wanted.values() for size in (len(content) // 2, len(content) - 1)}):
        out = tmp_path / "out"
        capsys.readouterr()
        file_size_limit(size)
        code = main(subject.command("out"))
        file_size_limit(-1)
        check_told(code, capsys.readouterr().err)
        made = files(out)
        assert not [path for path in out.rglob(".feedseg-*") if path.is_file()], size
        assert {path for path, content in made.items() if wanted[path] != content} <= {*subject.of_all}, size
        assert main(subject.command("out")) == 0, size
        assert files(out) == wanted, size
        shutil.rmtree(out)
