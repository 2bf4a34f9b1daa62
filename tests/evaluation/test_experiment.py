"""The bench: it measures what the segmenter answers, and leaves it and other benches alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.datasets.samples import find_samples
from feedseg.evaluation.experiment import Bench, Experiment
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.run import measure_task
from feedseg.vision.feedback.controls import HostTwice
from measuring import CLASSES


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load("mini", device="cpu", settings=Settings(short_side=48, window=None))


def test_the_integers_are_those_of_the_segmenter(dataset: Path, segmenter: Segmenter) -> None:
    benchmark = load_benchmark(dataset)
    variants = {"none": "none", "paper": segmenter.feedback, "control": HostTwice()}
    bench = Bench(segmenter, Experiment(benchmark, "own", benchmark.vocabulary(), segmenter.settings, variants))
    found: dict[str, np.ndarray] = {}
    for sample in find_samples(benchmark, None):
        image, target = sample.read()
        measured = bench.measure(sample, image, target)
        assert measured.seconds.keys() == {"encode", *variants}
        for variant, feedback in variants.items():
            labels = segmenter(image, Vocabulary(CLASSES), feedback=feedback).labels
            expected = confusion_matrix(target, labels, len(CLASSES), -1)
            found[variant] = np.zeros_like(expected)
            rows, columns, counts = measured.pixels[variant].T
            found[variant][rows, columns] = counts
            np.testing.assert_array_equal(found[variant], expected)
    assert (found["none"] != found["paper"]).any()


def test_benches_leave_the_segmenter_and_each_other_alone(dataset: Path, segmenter: Segmenter) -> None:
    benchmark = load_benchmark(dataset)
    before = segmenter.describe()
    benches = [
        Bench(segmenter, Experiment(benchmark, "own", benchmark.vocabulary(), settings, {"control": HostTwice()}))
        for settings in (Settings(short_side=48, window=None), Settings(short_side=64, window=None))
    ]
    prints = [bench.fingerprint() for bench in benches]
    (sample,) = find_samples(benchmark, None, limit=1)
    measured = [bench.measure(sample, *sample.read()) for bench in (*benches, *benches)]
    assert segmenter.describe() == before
    assert [bench.fingerprint() for bench in benches] == prints
    assert prints[0]["settings"] != prints[1]["settings"]
    first, second, again, _ = (one.pixels["control"].tolist() for one in measured)
    assert first == again != second


def test_the_fingerprint_says_what_plug_ins_are(dataset: Path, segmenter: Segmenter) -> None:
    class Own(HostTwice):
        pass

    benchmark = load_benchmark(dataset)
    variants = {"none": "none", "own": Own(), "control": HostTwice()}
    experiment = Experiment(benchmark, "own", benchmark.vocabulary(), segmenter.settings, variants)
    kinds = Bench(segmenter, experiment).fingerprint()["variants"]
    assert kinds["none"] is None
    assert kinds["own"]["kind"].endswith("test_experiment:test_the_fingerprint_says_what_plug_ins_are.<locals>.Own")
    assert kinds["control"] == {"kind": "HostTwice"}


def test_the_task_of_no_benchmark_is_empty() -> None:
    assert list(measure_task([]).process([])) == []
