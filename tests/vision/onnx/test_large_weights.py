"""Weights that are too many for one file are a second one, which the graph finds wherever the two are moved to."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from feedseg.vision.onnx import export
from feedseg.vision.text.base import WordGraph

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
if tuple(map(int, torch.__version__.split(".")[:2])) < export.OLDEST_TORCH:
    pytest.skip("torch is too old to export", allow_module_level=True)


class Mean(nn.Module):
    """The mean of the tokens' vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 400)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return (self.table(ids) * mask[..., None]).sum(dim=(0, 1))


@pytest.mark.parametrize(("largest", "files"), [(79_999, ["text.onnx", "text.onnx.data"]), (80_000, ["text.onnx"])])
def test_of_how_many_files_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int, files: list[str]
) -> None:
    monkeypatch.setattr(export, "LARGEST_WEIGHTS", largest)
    (tmp_path / "made").mkdir()
    module = Mean()
    export.export_word(WordGraph(module, "", ("{}",), 9), tmp_path / "made/text.onnx")
    folder = (tmp_path / "made").rename(tmp_path / "moved")
    assert sorted(path.name for path in folder.iterdir()) == files
    assert ((folder / "text.onnx").stat().st_size > 80_000) == (len(files) == 1)
    ids, mask = torch.tensor([[3, 7, 49]]), torch.tensor([[1, 1, 0]])
    (found,) = onnxruntime.InferenceSession(folder / "text.onnx").run(None, {"ids": ids.numpy(), "mask": mask.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), module(ids, mask))
