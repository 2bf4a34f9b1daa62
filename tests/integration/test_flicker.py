"""Averages between frames lessen flicker and lose no mIoU, on a short clip whose labels are known."""

from __future__ import annotations

import importlib

import pytest

from feedseg import Segmenter, Vocabulary
from paths import ROOT


def test_averages_lessen_flicker_and_lose_no_miou(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    program = importlib.import_module("flicker")
    segmenter = Segmenter.load("mini")
    frames, truth, names = program.clip(0, 16)
    found = {a: list(program.predicted(segmenter, frames, Vocabulary(names), a)) for a in (1.0, 0.4)}
    flicker = {alpha: program.flicker(labels, truth) for alpha, labels in found.items()}
    miou = {alpha: program.mean_iou(labels, truth, len(names)) for alpha, labels in found.items()}
    assert flicker[0.4] < flicker[1.0] / 2
    assert miou[0.4] >= miou[1.0]
    assert (program.flicker(truth, truth), program.mean_iou(truth, truth, len(names))) == (0, 1)
