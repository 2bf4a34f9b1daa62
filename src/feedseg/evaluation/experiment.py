"""What is measured on a benchmark, and the bench that measures it."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from feedseg.evaluation.datasets.benchmarks import Benchmark
from feedseg.evaluation.datasets.masks import IGNORED
from feedseg.evaluation.datasets.samples import Sample
from feedseg.evaluation.measured import Measured, sparse
from feedseg.evaluation.metrics.boundaries import boundary_counts
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.small_maps import encode_map
from feedseg.io.images import RgbImage
from feedseg.presets import PRESETS, Preset
from feedseg.segmenter import EncodedImage, Segmenter
from feedseg.settings import Settings
from feedseg.vision.text.templates import default_templates
from feedseg.vocabulary import Vocabulary

# Variants are called as on the command line: by the name of their feedback.
NONE, PAPER, CALIBRATED, CONTROL = "none", "paper", "calibrated", "control"
_TITLES = {
    NONE: "without feedback",
    PAPER: "with the paper's feedback",
    CALIBRATED: "with calibrated feedback",
    CONTROL: "control: host attention twice",
    **{name: f"with the preset {name}" for name in PRESETS},
}
Variants = Mapping[str, Any]  # name -> a feedback object, "none", or a preset with the host of all


def variant_title(name: str) -> str:
    """A variant in words."""
    return _TITLES.get(name, f"with {name}")


def with_feedback(variants: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """The variants that feed something back: neither the baseline nor the control."""
    return [name for name in variants if name not in (NONE, CONTROL)]


@dataclass(frozen=True)
class Experiment:
    """How a benchmark's images are cut, which words are asked for, which variants are compared."""

    benchmark: Benchmark
    protocol: str  # its name
    vocabulary: Vocabulary
    settings: Settings
    variants: Variants
    refiners: tuple[Any, ...] = ()  # names or objects, in order
    boundaries: bool = True  # whether boundary scores are wanted too, and small label maps for a report to show

    @property
    def classes(self) -> int:
        """The number of labels."""
        return len(self.vocabulary.names)


@dataclass(frozen=True)
class Bench:
    """A segmenter and an experiment; benches may share a segmenter."""

    segmenter: Segmenter
    experiment: Experiment

    def fingerprint(self) -> dict[str, Any]:
        """Everything that the numbers depend on, as JSON; not where things are, nor how the work is divided."""
        experiment, benchmark = self.experiment, self.experiment.benchmark
        settings = self.segmenter.describe(settings=experiment.settings, refiners=experiment.refiners)
        settings |= {"device": self.segmenter.device.type, "host_class": class_name(self.segmenter.encoder.host)}
        del settings["feedback"]
        return {
            "benchmark": {
                "name": benchmark.name,
                "images": benchmark.images,
                "masks": benchmark.masks,
                "split": benchmark.split,
                "zero_is_ignored": benchmark.zero_is_ignored,
                "ignore_index": benchmark.ignore_index,
                **({"values": list(benchmark.values)} if benchmark.values else {}),
            },
            "words": words_hash(experiment.vocabulary),
            "threshold": experiment.vocabulary.threshold,
            "settings": settings,
            "variants": {name: described(variant) for name, variant in experiment.variants.items()},
            "boundaries": experiment.boundaries,
            # a folder's name says less than the hash of its content, which is its revision
            "models": {role: one["revision"] or one["name"] for role, one in self.segmenter.provenance().items()},
            "versions": {"feedseg": version("feedseg"), "torch": torch.__version__},
        }

    def encode(self, image: RgbImage) -> EncodedImage:
        """The image after tower, proxy and host; returns once all is computed."""
        encoded = self.segmenter.encode(image, settings=self.experiment.settings)
        if self.segmenter.device.type == "cuda":
            torch.cuda.synchronize(self.segmenter.device)
        return encoded

    def label(self, encoded: EncodedImage, variant: str) -> np.ndarray:
        """The labels by one variant, (height, width)."""
        experiment = self.experiment
        feedback, refiners = experiment.variants[variant], experiment.refiners
        if isinstance(feedback, Preset):
            if feedback.second_view is not None:
                encoded = encoded.with_second_view(feedback.second_view)
            feedback, refiners = feedback.feedback, (*refiners, *feedback.refiners)
        return encoded.labels(experiment.vocabulary, feedback=feedback, refiners=refiners)[0]

    def measure(self, sample: Sample, image: RgbImage, target: np.ndarray) -> Measured:
        """One image, as the sample was read, by every variant; it is encoded once."""
        classes = self.experiment.classes
        start = time.perf_counter()
        encoded = self.encode(image)
        seconds = {"encode": time.perf_counter() - start}
        pixels: dict[str, np.ndarray] = {}
        boundaries: dict[str, np.ndarray] = {}
        labels: dict[str, str] = {}
        for variant in self.experiment.variants:
            start = time.perf_counter()
            pred = self.label(encoded, variant)
            seconds[variant] = time.perf_counter() - start
            pixels[variant] = sparse(confusion_matrix(target, pred, classes, IGNORED))
            if self.experiment.boundaries:
                counts = boundary_counts(target, pred, classes, IGNORED)
                present = np.flatnonzero(counts.any(axis=0))
                boundaries[variant] = np.column_stack((present, counts[:, present].T))
                labels[variant] = encode_map(pred)
        memory = peak_memory(self.segmenter.device)
        return Measured(sample.name, sample.sizes, pixels, boundaries, seconds, memory, labels)


def described(feedback: Any) -> dict[str, Any] | None:
    """What a variant's feedback is, as JSON: its class and its constants; None for "none"."""
    return None if feedback == NONE else {"kind": class_name(feedback), **asdict(feedback)}


def class_name(part: Any) -> str:
    """The name of an object's class, with its module where it is not one of this package."""
    found = type(part)
    own = found.__module__.partition(".")[0] == __name__.partition(".")[0]
    return found.__qualname__ if own else f"{found.__module__}:{found.__qualname__}"


def words_hash(vocabulary: Vocabulary) -> str:
    """A name for the words, their order and the prompts, the threshold left out: 16 hexadecimal digits."""
    templates = vocabulary.templates or default_templates()
    return sha256(repr((vocabulary.background, vocabulary.classes, templates)).encode()).hexdigest()[:16]


def peak_memory(device: torch.device) -> int | None:
    """The most memory that this process has held, bytes: on CUDA the device's, else the machine's; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # elsewhere it is in KiB
