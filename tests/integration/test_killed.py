"""Killed and started again, a run ends with the bytes of an undisturbed one: `benchmarks/killed.py`, small."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT


@pytest.mark.skipif(sys.platform == "win32", reason="the program looks at exit codes of POSIX")
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    killed = importlib.import_module("killed")
    killed.draw(tmp_path / "images", 8)
    subprocess.run(killed.command("undisturbed", 1), cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    found = killed.killed_run(tmp_path, kills=1, shards=1, seed=3)
    assert len(killed.files(tmp_path / "undisturbed")) == 24
    assert (found.kills, found.different, found.left) == (1, [], [])
    assert found.lines == sorted(found.lines)


@pytest.mark.skipif(sys.platform == "win32", reason="the program looks at exit codes of POSIX")
@pytest.mark.parametrize(("name", "shards"), [("prepare", 2), ("convert", 1)])
def test_other_killed_commands_end_as_undisturbed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, shards: int
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    killed = importlib.import_module("killed")
    subject, inputs = killed.SUBJECTS[name], 12
    subject.begin(tmp_path, inputs)
    command = subject.command("undisturbed", 1, inputs)
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    found = killed.killed_run(tmp_path, kills=1, shards=shards, seed=3, subject=subject, images=inputs)
    assert len(subject.content(tmp_path / "undisturbed")) >= inputs
    assert (found.kills, found.different, found.left) == (1, [], [])
