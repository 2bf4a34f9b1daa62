"""The GPU's benchmark on the CPU, with tiny models; and what it says where there is no GPU."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from paths import ROOT


@pytest.fixture(scope="module")
def gpu() -> Iterator[Any]:
    """The program as a module; its own modules are imported by their bare names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield importlib.import_module("gpu")


@pytest.fixture(scope="module")
def found(gpu: Any) -> Any:
    """Two tiny models, every part of the program; what compiles doubles the tower's tokens, so that it is seen."""
    setup = importlib.import_module("parts").Setup(device="cpu", repeats=1, quick=True)

    def compiled(tower: torch.nn.Module) -> Any:
        return lambda batch: tuple(2 * tokens for tokens in tower(batch))

    return gpu.measure(setup, ["ViT-B/16", "photo"], (1, 3), compiled)


def test_every_type_and_batch_is_measured_and_agrees(found: Any) -> None:
    assert list(found) == ["ViT-B/16", "photo"]
    for by_dtype in found.values():
        assert list(by_dtype) == ["fp32", "fp16", "bf16"]
        for of in by_dtype.values():
            assert list(of["images"]) == ["1", "3"]
            for times in (*of["images"].values(), of["tower"], of["compiled"]):
                assert 0 < times["least"] <= times["median"] <= times["most"]
            assert of["compiled apart"] > 0.1
        assert (by_dtype["fp32"]["agreement"], by_dtype["fp32"]["cosines apart"]) == (1, 0)
        assert 0 < by_dtype["bf16"]["cosines apart"] < 0.1
    assert found["photo"]["bf16"]["agreement"] > 0.9


def test_figures_are_written_for_programs_and_for_people(gpu: Any, found: Any, tmp_path: Path) -> None:
    gpu.write(found, {"device": "none"}, tmp_path / "results")
    content = json.loads((tmp_path / "results/gpu.json").read_text())
    assert content["models"] == found
    page = (tmp_path / "results/gpu.md").read_text()
    assert "| device | none |" in page
    assert "| model | dtype | batch 1 | batch 3 | memory |" in page
    assert page.count("| photo | bf16 |") == 3


def test_a_model_that_disagrees_is_named(gpu: Any, found: Any) -> None:
    assert gpu.disagreements({"photo": {"fp32": found["photo"]["fp32"]}}, ["photo"]) == []
    wrong = {"photo": {"fp32": found["photo"]["fp32"] | {"agreement": 0.5}}}
    assert gpu.disagreements(wrong, ["photo"]) == [
        "photo in fp32 agrees with the CPU on 50.00 % of the pixels, less than 99.9 %"
    ]


def test_what_does_not_fit_into_the_memory_is_left_out(gpu: Any) -> None:
    setup = importlib.import_module("parts").Setup(device="cpu", repeats=1)

    def work() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert gpu.each(setup, work, 4) is None
    with pytest.raises(RuntimeError, match="something else"):
        gpu.each(setup, lambda: (_ for _ in ()).throw(RuntimeError("something else")), 4)


def test_without_a_gpu_it_says_so_in_one_line(
    gpu: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert gpu.main() == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("torch finds no CUDA device here")
