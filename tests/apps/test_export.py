"""`feedseg export`: what it refuses, and what it says. What it writes is tested in tests/engine/test_onnx_folder.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedseg.apps.cli.main import main
from feedseg.engine import onnx_folder
from feedseg.engine.onnx_folder import Agreement
from feedseg.vision.onnx import export as exporter


@pytest.fixture(autouse=True)
def _with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "check_extra", lambda: None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "mine"], "mine is there, and is no export of ours: give another --out"),
        (["--out", "exported"], "exported holds an export already: give another --out, or --overwrite"),
        (["--out", "new", "--host", "nosuch"], "nosuch"),
        (["--out", "new", "--feedback", "nosuch"], "nosuch"),
        (["--out", "new", "--model", "nosuch/model/twice"], "nosuch"),
        ([], "--out"),
    ],
)
def test_what_is_refused_is_one_line(arguments: list[str], told: str, tmp_path: Path, complaint) -> None:
    for name, file in (("mine", "notes.txt"), ("exported", "export.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}")
    assert main(["export", *arguments]) == 2
    assert told in complaint()
    assert not (tmp_path / "new").exists()


def test_it_says_how_far_it_agrees(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def written(segmenter, out: Path, *, overwrite: bool) -> Agreement:
        assert (segmenter.encoder.host.name, str(segmenter.encoder.tower.dtype)) == ("naclip", "torch.float32")
        out.mkdir()
        (out / "image.onnx").write_bytes(bytes(3_000_000))
        return Agreement(2e-6, 1.0, 0.999)

    monkeypatch.setattr(onnx_folder, "export_folder", written)
    assert main(["export", "--model", str(model), "--host", "naclip", "--out", "graphs"]) == 0
    out = capsys.readouterr().out
    assert "graphs, 3 MB" in out
    assert "99.9% of the labels agree, cosines to 2e-06" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
