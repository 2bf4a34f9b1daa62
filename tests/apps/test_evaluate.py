"""`feedseg evaluate` from end to end: the same integers whoever measures, in whatever order, however often killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedseg import Vocabulary
from feedseg.apps.cli.main import main
from feedseg.engine.journal import JournalFolder
from feedseg.evaluation.datasets.samples import Sample
from feedseg.evaluation.experiment import Bench
from feedseg.evaluation.measured import STEM, Measured
from measuring import CLASSES, QUICK, journal_lines, matrices, write_dataset


def test_the_terminal_shows_a_short_table(dataset: Path, capsys: pytest.CaptureFixture[str], evaluate) -> None:
    assert evaluate("--dataset", dataset, "scenes", "--limit", 2, "--out", "out") == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].split() == "mIoU none paper gain, 95 % interval control published".split()
    assert [line.split()[0] for line in lines[1:3]] == ["scenes", "mine"]
    assert max(map(len, lines[:3])) <= 80
    assert "out/report.html" in out
    assert out.count("2 images are too few: their intervals come out too narrow.") == 1
    assert (
        sorted(path.name for path in Path("out").iterdir()) == "mine report.html report.json report.md scenes".split()
    )


@pytest.mark.parametrize("workers", [1, 5])
def test_workers_change_nothing(workers: int, dataset: Path, undisturbed: Path, evaluate) -> None:
    assert evaluate("--dataset", dataset, "--workers", workers, "--out", "out") == 0
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


def test_only_one_variant_where_only_one_is_asked_for(dataset: Path, undisturbed: Path, evaluate) -> None:
    for variant in ("none", "paper", "calibrated"):
        assert evaluate("--dataset", dataset, "--feedback", variant, "--out", variant) == 0
        (line, *_) = journal_lines(Path(variant) / "mine")
        assert list(line["pixels"]) == [variant]
        if variant != "calibrated":  # which is not compared unless it is asked for
            assert matrices(Path(variant) / "mine", [variant])[variant] == matrices(undisturbed)[variant]
        assert "NaN" not in Path(variant, "report.json").read_text()


def test_both_kinds_of_feedback_stand_side_by_side(dataset: Path, undisturbed: Path, capsys, evaluate) -> None:
    assert evaluate("--dataset", dataset, "--feedback", "calibrated, none,paper", "--out", "out") == 0
    screen = capsys.readouterr().out
    assert "calibrated" in screen
    (line, *_) = journal_lines(Path("out/mine"))
    assert list(line["pixels"]) == ["none", "paper", "calibrated"]
    report = json.loads(Path("out/report.json").read_text())["benchmarks"][0]
    assert set(report["gains"]) == {"paper", "calibrated"}
    assert report["made_with"]["variants"]["calibrated"]["kind"] == "CalibratedFeedback"
    page = Path("out/report.html").read_text()
    assert "with calibrated feedback" in page
    assert "mine, calibrated" in page
    both = matrices(Path("out/mine"), ["none", "paper"])
    assert both == {name: matrices(undisturbed)[name] for name in both}


def test_the_control_alone_is_shown_by_its_miou(dataset: Path, capsys: pytest.CaptureFixture[str], evaluate) -> None:
    assert evaluate("--dataset", dataset, "--feedback", "control", "--out", "out") == 0
    heading, row, *_ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["mIoU", "control", "published"]
    miou = json.loads(Path("out/report.json").read_text())["benchmarks"][0]["variants"]["control"]["miou"]["value"]
    assert row.split()[1] == f"{100 * miou:.1f}"


def test_more_images_can_be_added_later(dataset: Path, undisturbed: Path, evaluate) -> None:
    for limit in (1, 3, 4):
        assert evaluate("--dataset", dataset, "--limit", limit, "--out", "out") == 0
        assert json.loads(Path("out/report.json").read_text())["benchmarks"][0]["images"]["measured"] == limit
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


def test_shards_for_clusters_are_measured_apart_and_merged(
    dataset: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str], evaluate
) -> None:
    assert evaluate("--dataset", dataset, "--out", "out", "--shard", "3/3") == 0
    out = capsys.readouterr().out
    assert "shard 3/3 is finished; 1 of all 4 images are measured" in out
    assert "--shard" in out
    assert not Path("out/report.json").exists()
    assert evaluate("--dataset", dataset, "--out", "out", "--shard", "1/2") == 0  # in another number of shards
    assert evaluate("--dataset", dataset, "--out", "out") == 0  # and what nobody has measured
    assert len(list(Path("out/mine").glob("*.jsonl"))) == 3
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


def test_a_broken_image_is_told_counted_and_tried_again(
    tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str], evaluate
) -> None:
    dataset = write_dataset(tmp_path / "photos")
    broken = tmp_path / "photos/images/1.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        assert evaluate("--dataset", dataset, "--out", "out") == 1
        out, err = capsys.readouterr()
        assert err.count("\n") == 1
        assert str(broken) in err
        assert "3 of 4 images; 1 failed: 1" in out
        report = json.loads(Path("out/report.json").read_text())["benchmarks"][0]["images"]
        assert list(report["failed"]) == ["1"]
        assert report["measured"] == 3
        for page in ("report.md", "report.html"):
            assert "could not be measured" in Path("out", page).read_text()
    broken.write_bytes(whole)
    assert evaluate("--dataset", dataset, "--out", "out") == 0
    assert matrices(Path("out/mine")) == matrices(undisturbed)


def test_a_folder_with_other_numbers_is_refused(
    dataset: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str], evaluate
) -> None:
    before = journal_lines(undisturbed)
    words = Path("words.txt")
    Vocabulary([*CLASSES[:-1], "dark"]).write(words)
    for change, told in (
        (("--short-side", "64"), "settings.short_side was 48, now 64"),
        (("--host", "clip"), "settings.host was proxyclip, now clip"),
        (("--logit-scale", "30"), "settings.logit_scale was 40.0, now 30.0"),
        (("--vocabulary", words), "words was "),
        (("--feedback", "none"), "variants.paper.kind was FSAFeedback, now absent"),
    ):
        assert evaluate("--dataset", dataset, "--out", undisturbed.parent, *change) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert told in err
        assert "give another --out" in err
    assert journal_lines(undisturbed) == before


def test_other_images_of_the_same_names_are_measured_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], evaluate
) -> None:
    one, other = write_dataset(tmp_path / "one"), write_dataset(tmp_path / "other")
    for index in range(2):  # the first two are as they were, the others change places
        (other.parent / f"images/{2 + index}.png").write_bytes((one.parent / f"images/{3 - index}.png").read_bytes())
    assert evaluate("--dataset", one, "--out", "out") == 0
    assert evaluate("--dataset", other, "--out", "out") == 0
    assert [line["name"] for line in journal_lines(Path("out/mine"))] == ["0", "1", "2", "2", "3", "3"]
    assert evaluate("--dataset", other, "--out", "apart") == 0
    figures, expected = (json.loads(Path(out, "report.json").read_text())["benchmarks"][0] for out in ("out", "apart"))
    assert figures["variants"] == expected["variants"]
    assert figures["by_image"] == expected["by_image"]
    assert evaluate("--dataset", one, "--out", "out") == 0  # whose figures are still there
    assert len(journal_lines(Path("out/mine"))) == 6
    assert json.loads(Path("out/report.json").read_text())["benchmarks"][0]["variants"] != expected["variants"]

    one.parent.joinpath("images").rename(one.parent / "i")
    one.write_text(one.read_text().replace("images/{id}", "i/{id}"))
    capsys.readouterr()
    assert evaluate("--dataset", one, "--out", "out") == 2
    assert "benchmark.images was images/{id}.png, now i/{id}.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say what to measure on"),
        (("scenes", "scenes"), "more than once"),
        (("scenes", "--dataset", "Scenes.toml"), "the benchmark scenes is asked for more than once"),
        (("scene",), "did you mean 'scenes'"),
        (("voc21",), "voc21 needs its data"),
        (("scenes", "--shard", "0/3"), "a shard is written K/N, such as 2/8"),
        (("scenes", "--shard", "1/3", "--shards", "2"), "give one of them"),
        (
            ("scenes", "--feedback", "none,mine"),
            "--feedback takes none, paper, calibrated, near, auto, control or package.module:Name",
        ),
        (("scenes", "--window", "half"), "--window is a number of pixels or none"),
        (("scenes", "--speed", "slow"), "--speed is protocol, fast or fastest, not 'slow'"),
        (("scenes", "--speed", "fast"), "--speed fast chooses the windows: leave out --window"),
        (("scenes", "--stride", "9"), "--stride is the step between windows"),
        (("scenes", "--threshold", "0.5"), "scenes has no background"),
        (("scenes", "--logit-scale", "0"), "logit scale is a positive number"),
        (("scenes", "--vocabulary", "few.txt"), "few.txt has 2 classes, the masks of scenes have 16"),
        (("scenes", "--vocabulary", "background.txt"), "scenes has no background: leave out background.txt's"),
        (("scenes", "--protocol", "fas"), "there is no protocol 'fas'"),
        (("scenes", "--host", "none"), "there is no host 'none'"),
        (("scenes", "--out", ""), "--out is empty"),
    ],
)
def test_what_cannot_be_started_is_told_in_one_line(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str], evaluate
) -> None:
    Path("Scenes.toml").write_text('images = "i/{id}.png"\nmasks = "m/{id}.png"\nclasses = ["cat", "dog"]')
    Vocabulary(["cat", "dog"]).write("few.txt")
    Vocabulary(CLASSES, background=["wall"]).write("background.txt")
    assert evaluate(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert told in err
    assert not Path("feedseg-evaluation").exists()


def test_fast_is_part_of_what_the_numbers_depend_on(dataset: Path) -> None:
    """And windows of a user's own protocol come before the model's own sizes, which have none."""
    Path("windows.toml").write_text("window = 336")
    options = ["--dataset", str(dataset), "--model", "mini", "--device", "cpu", "--short-side", "48", "--limit", "1"]
    options += ["--protocol", "windows.toml"]
    for speed in ("protocol", "fast"):
        assert main(["evaluate", *options, "--feedback", "none", "--speed", speed, "--out", speed]) == 0
    settings = [
        json.loads(next(Path(speed, "mine").glob("*.jsonl")).read_text().splitlines()[0])["fingerprint"]["settings"]
        for speed in ("protocol", "fast")
    ]
    assert settings[0] | {"window": 96, "stride": None} == settings[1]
    assert settings[0]["window"] == 336


def test_other_words_with_a_threshold_take_the_place_of_a_background(tmp_path: Path, evaluate) -> None:
    dataset = write_dataset(tmp_path / "photos", 2)
    text = dataset.read_text().replace('classes = ["plain", ', 'background = ["plain"]\nclasses = [')
    dataset.write_text(text)
    Vocabulary(CLASSES[1:]).write("words.txt")
    assert evaluate("--dataset", dataset, "--vocabulary", "words.txt") == 2
    assert evaluate("--dataset", dataset, "--vocabulary", "words.txt", "--threshold", 0.5) == 0
    found = matrices(Path("feedseg-evaluation/mine"), ["none"])["none"]
    assert np.sum(found, axis=0)[0] > 0  # some pixels are background by the threshold alone


def test_the_feedback_that_auto_chose_is_shown(dataset: Path, evaluate, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--dataset", dataset, "--limit", "2", "--feedback", "auto,none") == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:3] == ["mIoU", "none", "paper"]


def test_a_measurement_names_its_background(dataset: Path, evaluate, complaint) -> None:
    Vocabulary(CLASSES, background="auto").write("words.txt")
    assert evaluate("--dataset", dataset, "--vocabulary", "words.txt") == 2
    assert "which words are its background" in complaint()


def test_data_are_found_at_the_root_and_below_it(tmp_path: Path, evaluate) -> None:
    root = write_dataset(tmp_path / "kit/VOC2012", 2).parent
    names = "\n".join(f"{index}" for index in range(2))
    for old, new in (("images", "JPEGImages"), ("masks", "SegmentationClass")):
        (root / old).rename(root / new)
    for picture in (root / "JPEGImages").iterdir():
        picture.rename(picture.with_suffix(".jpg"))  # Pillow looks at the content
    split = root / "ImageSets/Segmentation/val.txt"
    split.parent.mkdir(parents=True)
    split.write_text(names)
    Vocabulary([*CLASSES, *(f"striped {word}" for word in CLASSES[2:6])]).write("words.txt")  # which the model knows
    words = ("--vocabulary", "words.txt", "--threshold", 0.1)
    for place in (root, tmp_path / "kit"):
        assert evaluate("voc21", "--data", place, "--feedback", "none", "--out", "out", *words) == 0
    assert len(journal_lines(Path("out/voc21"))) == 2


def test_killed_in_the_middle_it_goes_on_to_the_same_integers() -> None:
    """The program's own output stands in a pipe that nobody reads on, so it is killed in the middle for certain."""
    command = ["evaluate", "scenes", *QUICK, "--limit", "6", "--feedback", "paper", "--out"]
    program = (
        "import sys\n"
        "from feedseg.apps.cli.main import main\n"
        "from feedseg.engine.journal import Journal\n"
        "append = Journal.append\n"
        "def told(self, record):\n"
        "    append(self, record)\n"
        "    print(record.item['name'], flush=True)\n"
        "    sys.stdin.readline()\n"  # until the test lets it go on
        "Journal.append = told\n"
        "main(sys.argv[1:])\n"
    )
    journal = Path("killed/scenes/images.jsonl")
    with subprocess.Popen(
        [sys.executable, "-c", program, *command, "killed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline().startswith("scene-")
            process.stdin.write("\n")
            process.stdin.flush()
        process.kill()
    before = journal.read_bytes()
    assert 4 <= before.count(b"\n") < 7
    assert not Path("killed/report.json").exists()
    assert main([*command, "killed"]) == 0
    assert journal.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert main([*command, "whole"]) == 0
    assert journal_lines(Path("killed/scenes")) == journal_lines(Path("whole/scenes"))
    names = [line["name"] for line in journal_lines(Path("killed/scenes"))]
    assert len(names) == len(set(names)) == 6


def test_interrupted_by_the_user_it_ends_with_130_and_goes_on(
    dataset: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], evaluate
) -> None:
    original = Bench.measure

    def interrupted(self: Bench, sample: Sample, *arguments: Any) -> Measured:
        if sample.name == "1":
            raise KeyboardInterrupt
        return original(self, sample, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Bench, "measure", interrupted)
        assert evaluate("--dataset", dataset, "--out", "out") == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "feedseg: interrupted; images measured so far: 1; the same command goes on\n"
    assert len(journal_lines(Path("out/mine"))) == 1
    assert evaluate("--dataset", dataset, "--out", "out") == 0
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


def test_one_evaluation_at_a_time(dataset: Path, undisturbed: Path, evaluate, complaint) -> None:
    shutil.copytree(undisturbed, "out/mine")
    lines = Path("out/mine/images.jsonl").read_bytes().splitlines(keepends=True)
    Path("out/mine/images.jsonl").write_bytes(b"".join(lines[:3]))
    with JournalFolder(Path("out/mine"), STEM).open(json.loads(lines[0])["fingerprint"]):
        assert evaluate("--dataset", dataset, "--out", "out") == 2
        assert "images.jsonl is being written by another process: wait until it has ended" in complaint()
        assert evaluate("--dataset", dataset, "--out", "out", "--feedback", "none") == 2
        assert "was made otherwise" in complaint()
    assert Path("out/mine/images.jsonl").read_bytes() == b"".join(lines[:3])
    assert evaluate("--dataset", dataset, "--out", "out") == 0
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


def test_a_disk_that_is_full_in_the_middle_ends_it_with_1_and_it_goes_on(
    dataset: Path,
    undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    evaluate,
    file_size_limit: Callable[[int], None],
) -> None:
    original = Bench.measure

    def full(self: Bench, sample: Sample, *arguments: Any) -> Measured:
        if sample.name == "2":
            file_size_limit(Path("out/mine/images.jsonl").stat().st_size)
        return original(self, sample, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Bench, "measure", full)
        assert evaluate("--dataset", dataset, "--out", "out") == 1
    file_size_limit(-1)  # there is room again
    out, err = capsys.readouterr()
    assert out == ""
    assert "File too large; images measured so far: 2; the same command goes on\n" in err
    assert err.count("\n") == 1
    Path("out/report.json").mkdir()  # and what takes no report is told without losing the figures
    assert evaluate("--dataset", dataset, "--out", "out") == 1
    out, err = capsys.readouterr()
    assert "4 of 4 images" in out
    assert "report.json: Is a directory; what was measured is safe, and the same command writes the report" in err
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)
