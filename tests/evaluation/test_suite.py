"""The suite finds what data there are, and averages as papers do."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedseg.evaluation.datasets.benchmarks import SUITE
from feedseg.evaluation.suite import available, average
from tiny_datasets import draw


def test_benchmarks_without_data_are_named_and_the_others_found(tmp_path: Path) -> None:
    present = [name for name in SUITE if name != "cityscapes"]
    for name in present:
        draw(name, tmp_path)
    found, told = available(SUITE, tmp_path, None)
    assert list(found) == present
    (line,) = told
    assert line.startswith("cityscapes is left out: ")


def test_the_average_is_the_mean_of_the_mious_and_says_what_is_missing() -> None:
    whole = average({name: {"none": index / 10, "paper": 0.5} for index, name in enumerate(SUITE)})
    assert whole is not None
    assert whole.variants == {"none": pytest.approx(0.35), "paper": pytest.approx(0.5)}
    assert whole.text == "mean of the mIoU of 8 of 8 benchmarks"
    part = average({"voc20": {"none": 0.4}, "voc21": {"none": 0.2}, "scenes": {"none": 0.9}})
    assert part is not None
    assert part.variants == {"none": pytest.approx(0.3)}
    assert part.text.endswith("missing: context60, coco-object, context59, coco-stuff, cityscapes, ade20k")
    assert average({"voc20": {"none": 0.4}}) is None
