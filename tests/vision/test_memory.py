"""What is done about memory: told before it is missing, and smaller batches where it is."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch

from feedseg import FeedsegError, Segmenter
from feedseg.vision import memory
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.memory import SMALL, check_fits, free_bytes, window_bytes

WORDS = "striped, dotted, bricks"
CPU = torch.device("cpu")


def test_an_image_that_does_not_fit_is_told_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = Segmenter.load("mini")
    large = replace(segmenter, settings=replace(segmenter.settings, short_side=4000, max_long_side=8000))
    monkeypatch.setattr(memory, "free_bytes", lambda _: 2e9)
    monkeypatch.setattr(WindowEncoder, "__call__", lambda *_: pytest.fail("it was encoded"))
    with pytest.raises(FeedsegError, match=r"8000 × 4000 pixels at a time take about \d+\.\d GB .* 2\.0 GB are free"):
        large(np.zeros((500, 1000, 3), np.uint8), WORDS)


def test_logits_of_many_windows_and_words_are_told_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segmenter = Segmenter.load("mini")
    settings = replace(segmenter.settings, short_side=2000, max_long_side=4000, window=64, stride=8)
    monkeypatch.setattr(memory, "free_bytes", lambda _: 1e9)
    monkeypatch.setattr(WindowEncoder, "__call__", lambda *_: pytest.fail("it was encoded"))
    image = np.zeros((400, 400, 3), np.uint8)
    words = list(segmenter.model.text.known_words)
    said = rf"59,049 windows and {len(words)} words of one image take about \d+\.\d GB .* 1\.0 GB are free: take fewer"
    with pytest.raises(FeedsegError, match=said):
        replace(segmenter, settings=settings)(image, words)


def test_processes_that_do_not_fit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tower = Segmenter.load("mini").encoder.tower
    monkeypatch.setattr(memory, "free_bytes", lambda _: 4e9)
    memory.check_processes(8, tower)
    with pytest.raises(FeedsegError, match=r"100 processes take about 3\d\.\d GB of memory.*take fewer --shards"):
        memory.check_processes(100, tower)


def test_what_is_small_or_fits_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _: 0.0)
    check_fits(SMALL, CPU, (10, 10))
    monkeypatch.setattr(memory, "free_bytes", lambda _: inf)
    check_fits(1e15, CPU, (10, 10))


def test_what_is_free_is_known_on_linux_and_bounded_by_a_container(tmp_path: Path) -> None:
    if Path("/proc/meminfo").is_file():
        total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
        assert 0 < free_bytes(CPU) <= int(total.split()[1]) * 1024
    (tmp_path / "memory.current").write_text("300\n")
    for most, expected in (("1000\n", 700), ("max\n", inf), ("200\n", 0), ("?", inf)):
        (tmp_path / "memory.max").write_text(most)
        assert memory._of_group(tmp_path) == expected
    assert memory._of_group(tmp_path / "none") == inf


@pytest.mark.parametrize("name", HOSTS.names())
def test_the_estimate_grows_with_the_square_of_the_patches_and_with_the_heads(name: str) -> None:
    host = HOSTS.load(name)
    assert 3 < window_bytes(20_000, 384, 6, host) / window_bytes(10_000, 384, 6, host) <= 4
    assert window_bytes(5_000, 384, 12, host) >= window_bytes(5_000, 384, 6, host)


class Limited(WindowEncoder):
    """Memory for two windows at a time."""

    def __call__(self, pixels: torch.Tensor) -> list:
        sizes.append(len(pixels))
        if len(pixels) > 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried")
        return super().__call__(pixels)


sizes: list[int] = []


def test_where_memory_runs_out_batches_become_smaller_with_the_same_labels() -> None:
    segmenter = Segmenter.load("mini")
    settings = replace(segmenter.settings, window=64, stride=32)
    windows = replace(segmenter, settings=settings)
    image = np.random.default_rng(0).integers(0, 256, (130, 200, 3), np.uint8)
    expected = windows(image, WORDS)
    encoder = Limited(
        *(getattr(segmenter.encoder, name) for name in ("tower", "host", "proxy", "class_token", "residual"))
    )
    sizes.clear()
    found = replace(windows, encoder=encoder, batch_size=7)(image, WORDS)
    assert max(sizes) == 7
    assert 2 in sizes or 1 in sizes
    assert (found.labels == expected.labels).mean() > 0.99  # products over a batch are rounded otherwise


def test_a_window_that_alone_has_no_room_fails_as_before() -> None:
    class Empty(WindowEncoder):
        def __call__(self, pixels: torch.Tensor) -> list:
            raise MemoryError

    segmenter = Segmenter.load("mini")
    encoder = Empty(segmenter.encoder.tower, segmenter.encoder.host, segmenter.encoder.proxy)
    with pytest.raises(MemoryError):
        replace(segmenter, encoder=encoder, batch_size=4)(np.zeros((40, 40, 3), np.uint8), WORDS)
