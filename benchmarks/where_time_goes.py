"""Part of `bench.py`: where the time of one image goes, by groups of operations, from torch's profiler.

CLIP ViT-B/16 with proxyclip and DINO ViT-B/8, feedback, random weights, an image of 336 × 448 pixels in two windows,
20 words; from the array of pixels to the labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from unittest.mock import patch

import numpy as np
from torch.profiler import ProfilerActivity, profile, record_function

from feedseg import Settings
from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Setup
from random_models import random_segmenter, vocabulary

# group -> parts of the names of torch's operations; the first group that fits counts
GROUPS = {
    "attention": ("scaled_dot_product",),
    "matrix products and convolutions": ("mm", "linear", "conv", "matmul"),
    "GELU": ("gelu", "sigmoid", "silu"),
    "norms": ("norm",),
    "softmax": ("softmax",),
    "resizing": ("upsample", "interpolate", "lerp"),
    "sorting": ("sort", "searchsorted", "cumsum", "topk", "partition"),
    "other elementwise work and copies": ("aten::",),
}
REST = "outside torch: Pillow, Python"


def group_of(operation: str) -> str:
    """The group that an operation belongs to."""
    return next((group for group, parts in GROUPS.items() if any(part in operation for part in parts)), REST)


def recorded_as(name: str, function: Callable[..., object]) -> Callable[..., object]:
    """A function whose time the profiler shows under a name: numpy's are not torch's operations."""

    def recorded(*arguments: object, **options: object) -> object:
        with record_function(name):
            return function(*arguments, **options)

    return recorded


def measure_profile(setup: Setup) -> Figures:
    """Seconds by group, and of the whole image. On CUDA they are the device's."""
    settings = setup.size(Settings(), Settings(short_side=32, window=32, stride=16))
    segmenter = random_segmenter(settings=settings, device=setup.device, tiny=setup.quick)
    image = np.random.default_rng(0).integers(0, 256, setup.size((336, 448, 3), (32, 48, 3)), np.uint8)
    words = vocabulary()
    segmenter(image, words)
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if setup.device == "cuda" else [])
    with (
        patch("numpy.sort", recorded_as("numpy.sort", np.sort)),
        patch("numpy.partition", recorded_as("numpy.partition", np.partition)),
        profile(activities=activities) as profiled,
    ):
        start = time.perf_counter()
        segmenter(image, words)
        whole = time.perf_counter() - start
    counted = dict.fromkeys((*GROUPS, REST), 0.0)
    for event in profiled.key_averages():
        micros = event.self_cpu_time_total if setup.device == "cpu" else event.self_device_time_total
        counted[group_of(event.key)] += micros / 1e6
    counted[REST] += max(0.0, whole - sum(counted.values()))
    return {"seconds": whole, "operations": counted}


def profile_tables(found: Figures) -> Sequence[Table]:
    rows = [
        (group, f"{taken:.3f}", f"{100 * taken / found['seconds']:.1f} %")
        for group, taken in sorted(found["operations"].items(), key=lambda item: -item[1])
    ]
    return [Table("Where the time of an image goes", ("operations", "seconds", "fraction"), rows)]


PROFILE = Part("profile", measure_profile, profile_tables)
