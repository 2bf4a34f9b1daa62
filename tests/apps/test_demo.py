"""`feedseg demo` from end to end: its files, its figures against scikit-learn, its sheet pixel by pixel."""

from __future__ import annotations

import json
import re
import shlex
import socket
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix as confusion_of_scikit_learn

from feedseg.apps.cli.main import main
from feedseg.apps.cli.render_demo import PAPERS_HOSTS, SHOWN, compose, judged
from feedseg.evaluation.demo import FEEDBACKS, SIZE, WORDS, HostResult, draw_example, mean_iou_of_targets, one_thread
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.photographs import PHOTOGRAPHS
from feedseg.evaluation.scenes import BACKGROUNDS, PATTERNS, draw_scene
from feedseg.io.palette import far_apart
from feedseg.io.sheet import outlines
from feedseg.segmentation import Segmentation

COLOURS = np.concatenate([[(203, 203, 203)], far_apart(8)])
SEEDS = (3, 4)


class Run(NamedTuple):
    """What a run of the command has left."""

    folder: Path
    output: str

    def labels(self, name: str) -> np.ndarray:
        """Class indices of an indexed PNG."""
        with Image.open(self.folder / f"{name}.png") as image:
            assert image.mode == "P"
            return np.array(image)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The command over two scenes, with an empty cache and where nothing can be connected to."""

    def refuse(*_: object) -> None:
        raise AssertionError("the demonstration needs no network")

    folder = tmp_path_factory.mktemp("demo") / "a folder"
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as output:
        patch.setenv("FEEDSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(socket.socket, "connect", refuse)
        arguments = ["demo", "--out", str(folder), "--scenes", "2", "--seed", str(SEEDS[0]), "--host", "sclip"]
        assert main(arguments) == 0
    return Run(folder, output.getvalue())


def example_files(seed: int) -> list[str]:
    results = [f"{reading}.{end}" for reading in FEEDBACKS for end in ("labels.png", "overlay.jpg", "labels.json")]
    return [f"scene-{seed}.{end}" for end in ("png", "truth.png", *results)]


def test_the_folder_has_the_sheet_and_every_scene_with_its_results(run: Run) -> None:
    expected = ["demo.png", "photographs.png", *(name for seed in SEEDS for name in example_files(seed))]
    for photograph in PHOTOGRAPHS:
        for reading in FEEDBACKS:
            ends = ("labels.png", "overlay.jpg", "labels.json")
            expected += [f"{photograph.name}.{reading}.{end}" for end in ends]
    assert sorted(path.name for path in run.folder.iterdir()) == sorted(expected)


def test_scene_and_truth_are_the_generators(run: Run) -> None:
    for seed in SEEDS:
        scene = draw_scene(seed, SIZE, (2, 3))
        np.testing.assert_array_equal(np.array(Image.open(run.folder / f"scene-{seed}.png")), scene.image)
        truth = run.labels(f"scene-{seed}.truth")
        for label, thing in enumerate(scene.things, start=1):
            assert set(truth[scene.labels == label]) <= {1 + PATTERNS.index(thing.pattern)}
        assert set(truth[scene.labels == 0]) == {0}


def test_results_say_how_they_were_made(run: Run) -> None:
    kinds = {"none": None, "paper": "FSAFeedback", "calibrated": "CalibratedFeedback"}
    for reading, kind in kinds.items():
        about = json.loads((run.folder / f"scene-{SEEDS[0]}.{reading}.labels.json").read_text())
        assert about["settings"]["host"] == "sclip"
        assert (about["settings"]["feedback"] or {"kind": None})["kind"] == kind
        assert about["models"]["model"]["name"] == "mini"
        assert about["names"] == ["background", *PATTERNS]


def independent_score(truth: np.ndarray, labels: np.ndarray) -> float:
    """mIoU in percent over the classes that are there, from scikit-learn's confusion matrix."""
    counts = confusion_of_scikit_learn(truth.ravel(), labels.ravel(), labels=range(9))
    ious = [
        counts[label, label] / (counts[label].sum() + counts[:, label].sum() - counts[label, label])
        for label in np.unique(truth)
    ]
    return 100 * float(np.mean(ious))


def test_the_tables_figures_are_those_of_the_saved_labels(run: Run) -> None:
    rows = {line.split()[0]: line.split() for line in run.output.splitlines() if line.split()[:1]}
    assert set(PAPERS_HOSTS) <= set(rows)
    truths = [run.labels(f"scene-{seed}.truth") for seed in SEEDS]
    of_feedback = {
        feedback: [run.labels(f"scene-{seed}.{feedback}.labels") for seed in SEEDS] for feedback in FEEDBACKS
    }
    before, *after = (independent_score(np.stack(truths), np.stack(labels)) for labels in of_feedback.values())
    plain, *others = (
        [independent_score(truth, one) for truth, one in zip(truths, labels, strict=True)]
        for labels in of_feedback.values()
    )
    better = [sum(second > first for first, second in zip(plain, other, strict=True)) for other in others]
    _, shown_before, *rest = rows["sclip"]
    assert float(shown_before) == pytest.approx(before, abs=0.051)
    for score, shown, gain in zip(after, rest[0:4:2], rest[1:4:2], strict=True):
        assert float(shown) == pytest.approx(score, abs=0.051)
        assert float(gain.strip("()")) == pytest.approx(float(shown) - float(shown_before), abs=0.001)
    assert " ".join(rest[4:]) == f"{better[0]} of 2 {better[1]} of 2"
    assert len({before, *after}) == 3, "two of the results are the same: nothing was fed back"


def test_the_sheets_panels_are_scene_truth_and_results(run: Run) -> None:
    page = np.array(Image.open(run.folder / "demo.png").convert("RGB"))
    height, width = SIZE
    tops = []
    for seed in SEEDS:
        scene = draw_scene(seed, SIZE, (2, 3)).image
        first = scene[0]
        y, x = next(
            (y, x)
            for y in range(page.shape[0] - height + 1)
            for x in (36,)
            if (page[y, x : x + width] == first).all() and (page[y : y + height, x : x + width] == scene).all()
        )
        tops.append(y)
        grey = np.array(Image.fromarray(scene).convert("L")).astype(float)[..., None]
        for column, name in enumerate(("truth", *(f"{feedback}.labels" for feedback in FEEDBACKS)), start=1):
            labels = run.labels(f"scene-{seed}.{name}")
            left = x + column * (width + 20)
            panel = page[y : y + height, left : left + width].astype(float)
            colour = 0.28 * grey + 0.72 * COLOURS[labels]
            expected = np.where(labels[..., None] == 0, 0.38 * grey + 0.62 * 255, colour)
            calm = ~outlines(labels)
            assert calm.mean() > 0.9
            assert np.abs(panel - expected)[calm].max() <= 1.5
    assert page.shape[1] == 2 * 36 + 5 * width + 4 * 20
    assert tops[0] < tops[1] < page.shape[0] - height


def test_what_it_suggests_can_be_run(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = next(line.strip() for line in run.output.splitlines() if line.startswith("  feedseg segment"))
    assert main([*shlex.split(command)[1:], "--out", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine" / f"scene-{SEEDS[0]}.overlay.jpg").is_file()
    assert "done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--host", "dense"], "there is no host 'dense'"),
        (["--scenes", "0"], "'--scenes'"),
        (["--scenes", "501"], "'--scenes'"),
        (["--seed", "-1"], "'--seed'"),
        (["--out", ""], "--out is empty"),
        (["--out", "taken"], "taken is a file"),
        (["--out", "taken/below"], "is a file"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("mine")
    assert main(["demo", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert reason in err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_one_vocabulary_names_patterns_and_counts_backgrounds_as_one() -> None:
    assert WORDS.names == ("background", *PATTERNS)
    assert WORDS.background == BACKGROUNDS


def perfect(seeds: range) -> tuple[list, tuple[HostResult, ...]]:
    """Examples, and results that are all background without feedback and all right with each of them."""
    examples = [draw_example(seed) for seed in seeds]
    outcomes = []
    for feedback in FEEDBACKS:
        labels = [np.zeros_like(example.target) if feedback == "none" else example.target for example in examples]
        results = [
            Segmentation(labels=one, confidence=np.ones(SIZE, np.float32), names=WORDS.names, image=example.scene.image)
            for one, example in zip(labels, examples, strict=True)
        ]
        counts = [confusion_matrix(example.target, one, 9) for one, example in zip(labels, examples, strict=True)]
        outcomes.append(HostResult(results, counts))
    return examples, tuple(outcomes)


def test_the_sheet_shows_the_first_scenes_and_measures_all() -> None:
    examples, outcomes = perfect(range(7, 13))
    sheet = compose(examples, outcomes, "naclip")
    assert len(sheet.rows) == SHOWN == 4
    assert sheet.columns[0] == ("scene", "scenes 7 to 10: in order, not chosen")
    assert sheet.columns[3] == ("paper's feedback: 100.0", "mIoU in percent over 6 scenes")
    assert sheet.columns[4][0] == "calibrated feedback: 100.0"
    everything = np.stack([example.target for example in examples])
    before = independent_score(everything, np.zeros_like(everything))
    assert sheet.columns[2][0] == f"no feedback: {before:.1f}"
    assert "(naclip)" in " ".join(sheet.text)
    assert f"asked for {8 + 8} words" in " ".join(sheet.text)


def test_a_class_has_one_colour_on_the_whole_sheet() -> None:
    examples, outcomes = perfect(range(2))
    sheet = compose(examples, outcomes, "naclip")
    colours = {entry.text: entry.colour for entry in sheet.legend if entry.colour}
    assert list(colours) == list(WORDS.names)
    assert len(set(colours.values())) == 9
    assert [colours[name] for name in PATTERNS] == [tuple(colour) for colour in COLOURS[1:].tolist()]
    notes = [entry for row in sheet.rows for panel in row for line in panel.notes for entry in line if entry.colour]
    assert len(notes) > 10
    assert all(entry.colour == colours[re.sub(r" \d+$", "", entry.text)] for entry in notes)


def test_notes_give_every_true_class_its_iou_and_list_wrong_words_apart() -> None:
    # 100 pixels: 60 background, of which 30 are called striped and 1 dotted; 40 plain, of which 10 are called scaly.
    confusion = np.zeros((9, 9), np.int64)
    confusion[0, [0, 2, 3]] = 29, 30, 1
    confusion[1, [1, 6]] = 30, 10
    first, second = judged(confusion, COLOURS)
    assert [entry.text for entry in first] == ["mIoU 62", "background 48", "plain 75"]  # 29 / 60, 30 / 40
    assert [entry.text for entry in second] == ["not there:", "striped", "dotted", "scaly"]
    confusion[0, [0, 3]] = 1_000, 1  # now a thousandth
    assert "dotted" not in [entry.text for entry in judged(confusion, COLOURS)[1]]
    assert len(judged(np.diag([5, 5, 0, 0, 0, 0, 0, 0, 0]), COLOURS)) == 1


def test_words_that_are_nowhere_true_do_not_count_by_themselves() -> None:
    confusion = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert mean_iou_of_targets(confusion) == pytest.approx((3 / 4 + 4 / 5) / 2)
    confusion[0] = 2, 1, 1
    assert mean_iou_of_targets(confusion) == pytest.approx((2 / 4 + 4 / 5) / 2)


def test_the_number_of_threads_is_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), one_thread():
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
