"""What `feedseg export` writes answers as torch does, and in a process that has no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny_models
from feedseg.engine import onnx_folder
from feedseg.engine.onnx_folder import Agreement, check_place, export_folder
from feedseg.errors import FeedsegError
from feedseg.segmenter import Segmenter
from feedseg.settings import Settings
from feedseg.vision.onnx.export import OLDEST_TORCH
from paths import ROOT

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
if tuple(map(int, torch.__version__.split(".")[:2])) < OLDEST_TORCH:
    pytest.skip("torch is too old to export", allow_module_level=True)

WORDS = ["cat", "sofa", "red rug"]
# It runs the example where torch, transformers and this package are not there to be imported.
WITHOUT = """
import runpy, sys
for name in ("torch", "transformers", "feedseg", "onnx"):
    sys.modules[name] = None
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    folder = tmp_path_factory.mktemp("clip")
    tiny_models.save_clip(folder, num_hidden_layers=2)
    settings = Settings(short_side=40, window=None)
    return Segmenter.load(folder, proxy="self", feedback="calibrated", device="cpu", settings=settings)


@pytest.fixture(scope="module")
def exported(segmenter: Segmenter, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Agreement]:
    """The folder, and what the export itself found."""
    folder = tmp_path_factory.mktemp("onnx") / "model"
    return folder, export_folder(segmenter, folder)


def photograph(path: Path, width: int, height: int) -> Path:
    pixels = np.random.default_rng(width).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


def test_the_folder_is_whole(exported: tuple[Path, Agreement]) -> None:
    folder, agreement = exported
    assert sorted(path.name for path in folder.iterdir()) == [
        "export.json",
        "image.onnx",
        "text.onnx",
        "tokenizer.json",
    ]
    assert list(folder.parent.iterdir()) == [folder]
    about = json.loads((folder / "export.json").read_text())
    assert about["image"]["multiple"] == 8
    assert about["image"]["short_side"] == 40
    assert about["text"]["max_tokens"] == 24
    assert about["agreement"]["same_label"] == agreement.same_label == 1
    assert agreement.largest_difference < 1e-4


@pytest.mark.parametrize(("windows", "rows", "columns", "words"), [(1, 4, 4, 1), (2, 3, 7, 2), (5, 9, 2, 3)])
def test_windows_of_every_size(
    segmenter: Segmenter, exported: tuple[Path, Agreement], windows: int, rows: int, columns: int, words: int
) -> None:
    """4 × 4 patches is what the position embeddings are for."""
    text = segmenter.model.text.embed(WORDS[:words], None)
    pixels = torch.rand(windows, 3, rows * 8, columns * 8, generator=torch.Generator().manual_seed(rows))
    expected = torch.stack([window.logits(text, segmenter.feedback) for window in segmenter.encoder(pixels)])
    session = onnxruntime.InferenceSession(exported[0] / "image.onnx")
    (found,) = session.run(None, {"pixels": pixels.numpy(), "text": text.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("width", "height"), [(64, 90), (75, 50)])
def test_the_example_needs_no_torch(
    segmenter: Segmenter, exported: tuple[Path, Agreement], tmp_path: Path, width: int, height: int
) -> None:
    photo, target = photograph(tmp_path / "photo.png", width, height), tmp_path / "labels.png"
    example = str(ROOT / "examples/onnx_segment.py")
    command = [sys.executable, "-c", WITHOUT, example, str(exported[0]), str(photo), ", ".join(WORDS), str(target)]
    subprocess.run(command, check=True)
    found = np.asarray(Image.open(target))
    expected = segmenter(photo, WORDS).labels
    assert found.shape == expected.shape
    assert np.mean(found == expected) >= 0.999
    assert len(np.unique(expected)) > 1


def test_the_example_is_forty_lines() -> None:
    lines = (ROOT / "examples/onnx_segment.py").read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
    assert len([line for line in lines if line.strip()]) <= 40


def test_nothing_is_overwritten_in_silence(exported: tuple[Path, Agreement], tmp_path: Path) -> None:
    with pytest.raises(FeedsegError, match="holds an export already: give another --out, or --overwrite"):
        check_place(exported[0], overwrite=False)
    check_place(exported[0], overwrite=True)
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(FeedsegError, match="no export of ours"):
        check_place(tmp_path, overwrite=True)
    with pytest.raises(FeedsegError, match="no export of ours"):
        check_place(tmp_path / "mine.txt", overwrite=True)
    (tmp_path / "empty").mkdir()
    check_place(tmp_path / "empty", overwrite=False)


def test_a_graph_that_disagrees_leaves_nothing(
    segmenter: Segmenter, exported: tuple[Path, Agreement], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export's own check sees a wrong graph; here it is that of another feedback's segmenter."""

    def copied(name: str):
        return lambda *arguments: arguments[-1].write_bytes((exported[0] / name).read_bytes())

    monkeypatch.setattr(onnx_folder, "export_word", copied("text.onnx"))
    monkeypatch.setattr(onnx_folder, "export_windows", copied("image.onnx"))
    export_folder(segmenter, tmp_path / "right")
    with pytest.raises(FeedsegError, match=r"gives other numbers than torch: [\d.]+% of the labels"):
        export_folder(replace(segmenter, feedback=None), tmp_path / "wrong")
    assert [path.name for path in tmp_path.iterdir()] == ["right"]


def test_what_cannot_be_exported_says_why(
    tmp_path: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_models.save_aligned(tmp_path / "bank")
    bank = Segmenter.load(tmp_path / "bank", feedback="none", device="cpu")
    with pytest.raises(FeedsegError, match="finished embeddings of 3 words, and no text encoder to export"):
        export_folder(bank, tmp_path / "out")
    twice = replace(segmenter, settings=replace(segmenter.settings, second_view=0.75))
    with pytest.raises(FeedsegError, match="leave out the second view"):
        export_folder(twice, tmp_path / "out")

    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("Step 1 failed\nand so on") from ValueError("there is no linalg_svd\nsee above")

    monkeypatch.setattr(torch.onnx, "export", refused)
    with pytest.raises(FeedsegError, match=r"^the words' encoder cannot be exported to ONNX: there is no linalg_svd$"):
        export_folder(segmenter, tmp_path / "out")
    assert not (tmp_path / "out").exists()
