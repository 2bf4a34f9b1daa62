"""Towers beside CLIP as ONNX graphs: windows, prompts and tokenizer answer as torch does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import interpolate, normalize

import tiny_towers
from feedseg.engine.onnx_folder import export_folder
from feedseg.segmenter import Segmenter
from feedseg.vision.onnx.export import OLDEST_TORCH

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
if tuple(map(int, torch.__version__.split(".")[:2])) < OLDEST_TORCH:
    pytest.skip("torch is too old to export", allow_module_level=True)

WORDS = ("Red cat", "sofa", "dog, good or bad.")
SAVE: dict[str, Callable[[Path], Any]] = {
    "siglip": lambda folder: tiny_towers.save_siglip(folder, num_hidden_layers=2),
    "naflex": lambda folder: tiny_towers.save_siglip(folder, "naflex", num_hidden_layers=2),
    "tips": lambda folder: tiny_towers.save_tips(folder, num_hidden_layers=2),
    "metaclip2": tiny_towers.save_metaclip2,
}


def word_embedding(folder: Path, segmenter: Segmenter, word: str) -> Tensor:
    """As a program without this package makes it."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    prompts = [template.replace("{}", word) for template in segmenter.model.text.word_graph().templates]
    encodings = tokenizer.encode_batch(prompts)
    ids, mask = (torch.tensor([getattr(one, name) for one in encodings]) for name in ("ids", "attention_mask"))
    session = onnxruntime.InferenceSession(folder / "text.onnx")
    return torch.from_numpy(session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})[0])


@pytest.mark.parametrize("kind", SAVE)
def test_a_tower_and_its_words(tmp_path: Path, kind: str) -> None:
    SAVE[kind](tmp_path)
    segmenter = Segmenter.load(tmp_path, host="clearclip", feedback="none", device="cpu")
    folder = tmp_path / "out"
    export_folder(segmenter, folder)
    wanted = segmenter.model.text.embed(WORDS, None)
    found = torch.stack([word_embedding(folder, segmenter, word) for word in WORDS])
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    assert float(torch.pdist(wanted).min()) > 1e-2
    # random towers hold all words for much the same
    text = normalize(torch.randn(4, wanted.shape[1], generator=torch.Generator().manual_seed(1)), dim=-1)
    session = onnxruntime.InferenceSession(folder / "image.onnx")
    for windows, rows, columns in ((1, 4, 4), (2, 3, 7), (5, 9, 2)):  # 4 × 4 is what the position embeddings are for
        pixels = torch.rand(windows, 3, rows * 8, columns * 8, generator=torch.Generator().manual_seed(rows))
        expected = torch.stack([window.logits(text, segmenter.feedback) for window in segmenter.encoder(pixels)])
        (logits,) = session.run(None, {"pixels": pixels.numpy(), "text": text.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), expected, atol=1e-4, rtol=0)
        labels, wanted = (
            interpolate(one, scale_factor=8, mode="bilinear").argmax(dim=1)
            for one in (torch.from_numpy(logits), expected)
        )
        assert float((labels == wanted).float().mean()) >= 0.999
