"""Towers beside CLIP as ONNX graphs, with the hosts of which formulas of their own are traced: as torch has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import interpolate, normalize

import tiny_towers
from feedseg.segmenter import Segmenter
from feedseg.vision.model import open_model
from feedseg.vision.onnx.export import OLDEST_TORCH, export_windows, export_word
from feedseg.vision.text.base import WordGraph

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


def word_embedding(path: Path, graph: WordGraph, word: str) -> Tensor:
    """As a program without this package makes it."""
    prompts = [template.replace("{}", word) for template in graph.templates]
    encodings = Tokenizer.from_str(graph.tokenizer).encode_batch(prompts)
    ids, mask = (np.array([getattr(one, name) for one in encodings]) for name in ("ids", "attention_mask"))
    return torch.from_numpy(onnxruntime.InferenceSession(path).run(None, {"ids": ids, "mask": mask})[0])


@pytest.mark.parametrize("kind", ["siglip", "tips", "metaclip2"])  # NaFlex has SigLIP's words
def test_words(tmp_path: Path, kind: str) -> None:
    SAVE[kind](tmp_path)
    encoder = open_model(tmp_path).text
    graph = encoder.word_graph()
    export_word(graph, tmp_path / "text.onnx")
    expected = encoder.embed(WORDS, None)
    found = torch.stack([word_embedding(tmp_path / "text.onnx", graph, word) for word in WORDS])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert float(torch.pdist(expected).min()) > 1e-2


@pytest.mark.parametrize(("kind", "host"), [("siglip", "pearl"), ("naflex", "sc-clip"), ("tips", "corrclip")])
def test_windows_of_every_size(tmp_path: Path, kind: str, host: str) -> None:
    """MetaCLIP 2 sees as CLIP does."""
    SAVE[kind](tmp_path)
    proxy = {"proxy": "self"} if host == "corrclip" else {}
    segmenter = Segmenter.load(tmp_path, host=host, feedback="none", device="cpu", **proxy)
    export_windows(segmenter.encoder, None, 32, tmp_path / "image.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "image.onnx")
    text = normalize(torch.randn(4, 32, generator=torch.Generator().manual_seed(1)), dim=-1)
    for windows, rows, columns in ((1, 4, 4), (2, 3, 7), (5, 9, 2)):  # 4 × 4 is what the position embeddings are for
        pixels = torch.rand(windows, 3, rows * 8, columns * 8, generator=torch.Generator().manual_seed(rows))
        expected = torch.stack([window.logits(text, None) for window in segmenter.encoder(pixels)])
        found = torch.from_numpy(session.run(None, {"pixels": pixels.numpy(), "text": text.numpy()})[0])
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        labels, wanted = (interpolate(one, scale_factor=8, mode="bilinear").argmax(dim=1) for one in (found, expected))
        assert float((labels == wanted).float().mean()) >= 0.999
