"""`feedseg evaluate --suite` from end to end on miniature data: resumed, averaged, and told of what is not there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny_models
from feedseg.apps.cli.main import main
from feedseg.engine.journal import JournalFolder
from feedseg.evaluation.datasets.benchmarks import SUITE, load_benchmark
from feedseg.evaluation.measured import STEM
from tiny_datasets import LAYOUTS, draw

LATER = "cityscapes"


@pytest.fixture(scope="module")
def all_words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model that knows every word of the suite."""
    folder = tmp_path_factory.mktemp("all-words")
    queries = (word for name in SUITE for word in load_benchmark(name, None).vocabulary().queries)
    tiny_models.save_aligned(folder, tuple(dict.fromkeys(queries)))
    return folder


@pytest.fixture
def suite(all_words: Path, small: tuple[str, ...]) -> Callable[..., int]:
    """`suite(*options)`: `feedseg evaluate --suite` with that model; the exit code."""

    return lambda *options: main(command(all_words, small, *options))


def command(model: Path, small: tuple[str, ...], *options: object) -> list[str]:
    start = ["evaluate", "--suite", "--data", "data", "--model", str(model), *small, "--feedback", "none,paper"]
    return [*start, *map(str, options or ("--out", "out"))]


def draw_all(names: list[str]) -> None:
    for name in names:
        draw(name, Path("data"))


def measured(name: str) -> list[str]:
    return [record.item["name"] for _, record in JournalFolder(Path("out", name), STEM).records()]


def test_what_is_there_is_measured_and_what_comes_later_is_added(
    suite: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    draw_all([name for name in SUITE if name != LATER])
    assert suite("--out", "out", "--limit", 1) == 1
    out, err = capsys.readouterr()
    (told,) = [line for line in err.splitlines() if "left out" in line]
    assert told.startswith(f"feedseg: {LATER} is left out: ")
    assert f"mean of the mIoU of 7 of 8 benchmarks; missing: {LATER}" in " ".join(out.split())

    draw_all([LATER])
    assert suite() == 0
    out, err = capsys.readouterr()
    assert "left out" not in err
    for name in SUITE:
        assert sorted(measured(name)) == sorted(LAYOUTS[name].ids)  # no image twice
    benchmarks = json.loads(Path("out/report.json").read_text())["benchmarks"]
    assert {one["benchmark"] for one in benchmarks} == set(SUITE)
    means = [
        sum(one["variants"][variant]["miou"]["value"] for one in benchmarks) / len(SUITE)
        for variant in ("none", "paper")
    ]
    (row,) = [line.split() for line in out.splitlines() if line.startswith("average ") and "mean" not in line]
    assert row[1:3] == [f"{100 * mean:.1f}" for mean in means]
    assert "mean of the mIoU of 8 of 8 benchmarks" in " ".join(out.split())
    page = Path("out/report.md").read_text()
    assert "## Average" in page
    assert "not to be compared with papers" in page


def figures(folder: str) -> list[dict[str, Any]]:
    """What was counted, without what depends on the machine's pace."""
    benchmarks = json.loads(Path(folder, "report.json").read_text())["benchmarks"]
    return [
        {key: one[key] for key in ("benchmark", "images", "variants", "gains", "classes", "by_image")}
        for one in benchmarks
    ]


def test_a_suite_that_is_killed_in_the_middle_ends_as_one_that_was_not(
    suite: Callable[..., int], all_words: Path, small: tuple[str, ...]
) -> None:
    draw_all([*SUITE])
    ended = "out/coco-object"
    running = subprocess.Popen([sys.executable, "-m", "feedseg", *command(all_words, small)], stderr=subprocess.DEVNULL)
    while running.poll() is None and not (Path(ended).is_dir() and measured(Path(ended).name)):
        time.sleep(0.02)
    running.kill()
    assert running.wait() != 0
    assert not Path("out/report.json").exists()
    assert suite() == suite("--out", "undisturbed") == 0
    for name in SUITE:
        assert sorted(measured(name)) == sorted(LAYOUTS[name].ids)
    assert figures("out") == figures("undisturbed")


def test_a_folder_without_any_of_them_is_an_error(
    suite: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data").mkdir()
    assert suite() == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(SUITE) + 1
    assert lines[-1] == "feedseg: no benchmark's data are there: give the folder that holds them as --data"


def test_a_benchmark_of_the_suite_is_not_named_again(suite: Callable[..., int], complaint: Callable[[], str]) -> None:
    assert suite("voc20", "--out", "out") == 2
    assert complaint() == "feedseg: voc20 is part of --suite: leave it out\n"
