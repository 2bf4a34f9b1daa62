"""A disk that is full at any write of `convert`: one line, nothing half written, and the same command goes on."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedseg.apps.cli.main import main
from feedseg.segmentation import Segmentation

FORMATS = ("masks", "geojson", "coco", "yolo")
OPEN = io.open


class Disk:
    """What is written below a folder is counted, and one write of all, and those after it, find no room."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.writes, self.room = folder, 0, 10**9

    def open(self, file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        path = file if isinstance(file, (str, os.PathLike)) else ""
        if not {*mode} & {*"wax+"} or not Path(path).absolute().is_relative_to(self.folder):
            return OPEN(file, mode, *arguments, **options)
        raw = Full(path, mode.replace("b", "").replace("t", ""))
        raw.disk = self
        binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return binary
        text: dict[str, Any] = {name: options.get(name) for name in ("encoding", "errors", "newline")}
        return io.TextIOWrapper(binary, **text)

    def take(self) -> None:
        self.writes += 1
        if self.writes > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Full(io.FileIO):
    disk: Disk

    def write(self, content: Any) -> int:
        self.disk.take()
        return super().write(content)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two results with their images."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    for number in range(2):
        image = np.random.default_rng(number).integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(image).save(f"{number}.png")
        labels = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16) // (96 + number)
        Segmentation(
            labels=labels,
            confidence=np.ones(labels.shape, np.float32),
            image=image,
            names=("cat", "dog"),
            source=f"{number}.png",
        ).save("results", formats=("labels", "json"))
    return tmp_path / "results"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_full_at_every_write_it_ends_in_lines_and_goes_on(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def convert(out: Path) -> int:
        return main(["convert", "results", *(part for one in FORMATS for part in ("--format", one)), "--out", str(out)])

    def disk_of(out: Path, patch: pytest.MonkeyPatch) -> Disk:
        disk = Disk(out)
        patch.setattr("io.open", disk.open)
        patch.setattr("builtins.open", disk.open)
        return disk

    undisturbed = tmp_path / "undisturbed"
    with monkeypatch.context() as patch:
        disk = disk_of(undisturbed, patch)
        assert convert(undisturbed) == 0
    wanted, writes = files(undisturbed), disk.writes
    assert writes >= len(wanted) > 10
    capsys.readouterr()
    for room in range(writes):
        out = tmp_path / f"full-{room}"
        with monkeypatch.context() as patch:
            disk_of(out, patch).room = room
            code = convert(out)
        told = capsys.readouterr().err
        assert code == 1, room
        assert "No space left on device" in told
        assert not {"Traceback", "unexpected"} & {*told.replace(":", " ").split()}, told
        made = files(out) if out.is_dir() else {}
        assert not [name for name in made if ".feedseg-" in name], room
        results_made = {name for name in made if name.split(".")[0].isdigit()}  # other files hold what there is
        assert all(made[name] == wanted[name] or name.endswith(".labels.json") for name in results_made), room
        assert convert(out) == 0, room
        assert files(out) == wanted, room
