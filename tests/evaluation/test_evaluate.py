"""`feedseg evaluate` from end to end: the same integers whoever measures, in whatever order, however often killed."""

from __future__ import annotations

import json
import signal
import sys
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.apps.cli.main import main
from feedseg.engine import processes as shares
from feedseg.engine.journal import Journal, Outcome, Share
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.datasets.samples import find_samples
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.report import pictures as report_pictures
from feedseg.evaluation.run import Bench, Experiment, read_ahead
from feedseg.vision.feedback.controls import HostTwice
from measuring import CLASSES, QUICK, evaluate, journal_lines, matrices, write_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("photos"))


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(report_pictures, "EACH", 0)  # drawing takes longer than all else; test_report has pictures


@pytest.fixture(scope="module")
def undisturbed(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journals' folder of a run that nothing has happened to."""
    out = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_pictures, "EACH", 0)
        assert evaluate("--dataset", dataset, "--out", out) == 0
    return out / "mine"


def test_the_integers_are_those_of_the_segmenter(dataset: Path, undisturbed: Path) -> None:
    segmenter = Segmenter.load("mini", device="cpu", settings=Settings(short_side=48, window=None))
    usual = segmenter.feedback
    expected: dict[str, np.ndarray] = dict.fromkeys(
        ("without", "feedback", "control"), np.zeros((len(CLASSES),) * 2, np.int64)
    )
    for sample in find_samples(load_benchmark(dataset), None):
        picture, truth = sample.read()
        for variant, feedback in (("without", None), ("feedback", usual), ("control", HostTwice())):
            segmenter.feedback = feedback  # type: ignore[assignment]
            labels = segmenter(picture, Vocabulary(CLASSES)).labels
            expected[variant] = expected[variant] + confusion_matrix(truth, labels, len(CLASSES), -1)
    found = matrices(undisturbed)
    assert found == {variant: matrix.tolist() for variant, matrix in expected.items()}
    assert found["without"] != found["feedback"] != found["control"] != found["without"]


def test_the_terminal_shows_a_short_table(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--dataset", dataset, "scenes", "--limit", 2, "--out", "out") == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].split() == "mIoU none paper gain, 95 % interval control published".split()
    assert [line.split()[0] for line in lines[1:3]] == ["scenes", "mine"]
    assert max(map(len, lines)) <= 80
    assert "out/report.html" in out
    assert out.count("2 pictures are too few: their intervals come out too narrow.") == 1
    assert (
        sorted(path.name for path in Path("out").iterdir()) == "mine report.html report.json report.md scenes".split()
    )


@pytest.mark.parametrize("workers", [1, 5])
def test_workers_change_nothing(workers: int, dataset: Path, undisturbed: Path) -> None:
    assert evaluate("--dataset", dataset, "--workers", workers, "--out", "out") == 0
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


def test_samples_are_read_ahead_but_not_all_at_once_and_handed_out_in_order() -> None:
    read: list[int] = []

    class Sample:
        def __init__(self, number: int) -> None:
            self.name, self.number = str(number), number

        def read(self) -> tuple[int, int]:
            read.append(self.number)
            return self.number, -self.number

    samples = [Sample(number) for number in range(50)]
    stream = read_ahead(samples, 2)  # type: ignore[arg-type]
    first = [next(stream)[1].result() for _ in range(3)]
    time.sleep(0.05)
    assert len(read) < 12
    assert [*first, *(reading.result() for _, reading in stream)] == [(n, -n) for n in range(50)]


def test_only_one_variant_where_only_one_is_asked_for(dataset: Path, undisturbed: Path) -> None:
    for name, variant in (("none", "without"), ("paper", "feedback"), ("calibrated", "calibrated")):
        assert evaluate("--dataset", dataset, "--feedback", name, "--out", name) == 0
        (line, *_) = journal_lines(Path(name) / "mine")
        assert list(line["pixels"]) == [variant]
        if variant != "calibrated":  # which is not compared unless it is asked for
            assert matrices(Path(name) / "mine", [variant])[variant] == matrices(undisturbed)[variant]
        assert "NaN" not in Path(name, "report.json").read_text()


def test_both_kinds_of_feedback_stand_side_by_side(dataset: Path, undisturbed: Path, capsys) -> None:
    assert evaluate("--dataset", dataset, "--feedback", "calibrated, none,paper", "--out", "out") == 0
    screen = capsys.readouterr().out
    assert "calibrated" in screen
    (line, *_) = journal_lines(Path("out/mine"))
    assert list(line["pixels"]) == ["without", "feedback", "calibrated"]
    report = json.loads(Path("out/report.json").read_text())["benchmarks"][0]
    assert set(report["gains"]) == {"feedback", "calibrated"}
    assert report["made_with"]["variants"]["calibrated"]["kind"] == "CalibratedFeedback"
    page = Path("out/report.html").read_text()
    assert "with calibrated feedback" in page
    assert "mine, calibrated" in page
    both = matrices(Path("out/mine"), ["without", "feedback"])
    assert both == {name: matrices(undisturbed)[name] for name in both}


def test_the_control_alone_is_shown_by_its_miou(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--dataset", dataset, "--feedback", "control", "--out", "out") == 0
    heading, row, *_ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["mIoU", "control", "published"]
    miou = json.loads(Path("out/report.json").read_text())["benchmarks"][0]["variants"]["control"]["miou"]["value"]
    assert row.split()[1] == f"{100 * miou:.1f}"


def test_more_pictures_can_be_added_later(dataset: Path, undisturbed: Path) -> None:
    for limit in (1, 3, 4):
        assert evaluate("--dataset", dataset, "--limit", limit, "--out", "out") == 0
        assert json.loads(Path("out/report.json").read_text())["benchmarks"][0]["pictures"]["measured"] == limit
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


def test_shares_for_clusters_are_measured_apart_and_merged(
    dataset: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--dataset", dataset, "--out", "out", "--shard", "3/3") == 0
    out = capsys.readouterr().out
    assert "share 3/3 is finished; 1 of all 4 pictures are measured" in out
    assert "--shard" in out
    assert not Path("out/report.json").exists()
    assert evaluate("--dataset", dataset, "--out", "out", "--shard", "1/2") == 0  # in another number of shares
    assert evaluate("--dataset", dataset, "--out", "out") == 0  # and what nobody has measured
    assert len(list(Path("out/mine").iterdir())) == 3
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


def test_several_processes_give_the_same_integers(dataset: Path, undisturbed: Path) -> None:
    (Path("out/mine")).mkdir(parents=True)
    whole = (undisturbed / "pictures.jsonl").read_text().splitlines(keepends=True)
    (Path("out/mine/pictures.jsonl")).write_text("".join(whole[:2]) + whole[2][:40])  # one picture and a torn line
    assert evaluate("--dataset", dataset, "--out", "out", "--shards", 2) == 0
    names = sorted(path.name for path in Path("out/mine").iterdir())
    assert names == ["pictures.1-of-2.jsonl", "pictures.2-of-2.jsonl", "pictures.jsonl"]
    assert matrices(Path("out/mine")) == matrices(undisturbed)
    assert json.loads(Path("out/report.json").read_text())["benchmarks"][0]["pictures"]["measured"] == 4


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")
def test_killed_in_the_middle_it_goes_on_to_the_same_integers() -> None:
    command = ["evaluate", "scenes", *QUICK, "--limit", "30", "--out", "killed"]
    journal = Path("killed/scenes/pictures.jsonl")
    # A fork has everything imported; torch, which has one thread here, survives it.
    process = get_context("fork").Process(target=main, args=(command,))
    process.start()
    deadline = time.monotonic() + 300
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 3):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    before = journal.read_bytes()
    assert before.count(b"\n") < 31
    assert not Path("killed/report.json").exists()
    assert main(command) == 0
    assert journal.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert main([*command[:-1], "whole"]) == 0
    assert journal_lines(Path("killed/scenes")) == journal_lines(Path("whole/scenes"))
    names = [line["name"] for line in journal_lines(Path("killed/scenes"))]
    assert len(names) == len(set(names)) == 30


def test_interrupted_by_the_user_it_ends_with_130_and_goes_on(
    dataset: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = shares.run_share

    def interrupted(*arguments: object):
        yield next(iter(original(*arguments)))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "run_share", interrupted)
        assert evaluate("--dataset", dataset, "--out", "out") == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "feedseg: interrupted; pictures measured so far: 1; the same command goes on\n"
    assert len(journal_lines(Path("out/mine"))) == 1
    assert evaluate("--dataset", dataset, "--out", "out") == 0
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_is_full_in_the_middle_ends_it_with_1_and_it_goes_on(
    dataset: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = Journal.add

    def add(self: Journal, outcome: Outcome) -> None:
        if outcome.name == "2":
            self._file.close()
            self._file = Path("/dev/full").open("r+b")  # noqa: SIM115 -- the journal closes it
        original(self, outcome)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "add", add)
        assert evaluate("--dataset", dataset, "--out", "out") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "No space left on device; pictures measured so far: 2; the same command goes on\n" in err
    assert err.count("\n") == 1
    Path("out/report.json").mkdir()  # and what takes no report is told without losing the figures
    assert evaluate("--dataset", dataset, "--out", "out") == 1
    out, err = capsys.readouterr()
    assert "4 of 4 pictures" in out
    assert "report.json: Is a directory; what was measured is safe, and the same command writes the report" in err
    assert journal_lines(Path("out/mine")) == journal_lines(undisturbed)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_share_that_fails_is_told_while_others_are_still_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    context = get_context("fork")
    told = context.Event()
    heard: list[object] = []

    def work(_request: object, share: Share, _threads: int, mouth: Connection) -> None:
        if share.number == 1:
            mouth.send(("error", "broken"))
            return
        mouth.send(("picture", "told in time" if told.wait(20) else "too late", None))
        mouth.send(("end",))

    def lost(text: str) -> None:
        heard.append(text)
        told.set()

    monkeypatch.setattr(shares, "get_context", lambda _: context)
    monkeypatch.setattr(shares, "_work", work)
    request = SimpleNamespace(options={"device": "cpu"})
    shares.measure_apart(request, 2, lambda *said: heard.append(said), lost)  # type: ignore[arg-type]
    assert heard == ["share 1/2: broken", ("told in time", None)]


def test_benches_leave_the_segmenter_and_each_other_alone(dataset: Path) -> None:
    segmenter = Segmenter.load("mini", device="cpu")
    before = dict(vars(segmenter))
    benchmark = load_benchmark(dataset)
    benches = [
        Bench(segmenter, Experiment(benchmark, "own", benchmark.vocabulary(), settings, None, {"control": HostTwice()}))
        for settings in (Settings(short_side=48, window=None), Settings(short_side=64, window=None))
    ]
    prints = [bench.fingerprint() for bench in benches]
    (sample,) = find_samples(benchmark, None, limit=1)
    measured = [bench.measure(sample, *sample.read()) for bench in (*benches, *benches)]
    assert vars(segmenter) == before
    assert [bench.fingerprint() for bench in benches] == prints
    assert prints[0]["settings"] != prints[1]["settings"]
    first, second, again, _ = (one.pixels["control"].tolist() for one in measured)
    assert first == again != second


def test_a_broken_picture_is_told_counted_and_tried_again(
    tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
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
        assert "3 of 4 pictures; 1 failed: 1" in out
        report = json.loads(Path("out/report.json").read_text())["benchmarks"][0]["pictures"]
        assert list(report["failed"]) == ["1"]
        assert report["measured"] == 3
        for page in ("report.md", "report.html"):
            assert "could not be measured" in Path("out", page).read_text()
    broken.write_bytes(whole)
    assert evaluate("--dataset", dataset, "--out", "out") == 0
    assert matrices(Path("out/mine")) == matrices(undisturbed)


def test_a_folder_with_other_numbers_is_refused(
    dataset: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = journal_lines(undisturbed)
    words = Path("words.txt")
    Vocabulary([*CLASSES[:-1], "dark"]).write(words)
    for change, told in (
        (("--short-side", "64"), "settings.short_side was 48, now 64"),
        (("--host", "clip"), "settings.host was proxyclip, now clip"),
        (("--logit-scale", "30"), "settings.logit_scale was 40.0, now 30.0"),
        (("--vocabulary", words), "words was "),
        (("--feedback", "none"), "variants.feedback.kind was FeedbackAttention, now absent"),
    ):
        assert evaluate("--dataset", dataset, "--out", undisturbed.parent, *change) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert told in err
        assert "give another --out" in err
    assert journal_lines(undisturbed) == before


def test_other_pictures_of_the_same_names_are_measured_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = write_dataset(tmp_path / "one"), write_dataset(tmp_path / "other")
    for index in range(2):  # the first two are as they were, the others change places
        (other.parent / f"images/{2 + index}.png").write_bytes((one.parent / f"images/{3 - index}.png").read_bytes())
    assert evaluate("--dataset", one, "--out", "out") == 0
    assert evaluate("--dataset", other, "--out", "out") == 0
    assert [line["name"] for line in journal_lines(Path("out/mine"))] == ["0", "1", "2", "2", "3", "3"]
    assert evaluate("--dataset", other, "--out", "apart") == 0
    figures, expected = (json.loads(Path(out, "report.json").read_text())["benchmarks"][0] for out in ("out", "apart"))
    assert figures["variants"] == expected["variants"]
    assert figures["by_picture"] == expected["by_picture"]
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
        (("scenes", "--shard", "0/3"), "--shard is a share such as 2/8"),
        (("scenes", "--shard", "1/3", "--shards", "2"), "give one of them"),
        (("scenes", "--feedback", "none,mine"), "--feedback takes none, paper, calibrated, control"),
        (("scenes", "--window", "half"), "--window is a number of pixels or none"),
        (("scenes", "--speed", "slow"), "--speed is protocol or fast, not 'slow'"),
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
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
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
    options = ["--dataset", str(dataset), "--model", "mini", "--device", "cpu", "--short-side", "48", "--limit", "1"]
    for speed in ("protocol", "fast"):
        assert main(["evaluate", *options, "--feedback", "none", "--speed", speed, "--out", speed]) == 0
    settings = [
        json.loads(next(Path(speed, "mine").glob("*.jsonl")).read_text().splitlines()[0])["fingerprint"]["settings"]
        for speed in ("protocol", "fast")
    ]
    assert settings[0] | {"window": 96, "stride": None} == settings[1]
    assert settings[0]["window"] == 336


def test_other_words_with_a_threshold_take_the_place_of_a_background(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "photos", 2)
    text = dataset.read_text().replace('classes = ["plain", ', 'background = ["plain"]\nclasses = [')
    dataset.write_text(text)
    Vocabulary(CLASSES[1:]).write("words.txt")
    assert evaluate("--dataset", dataset, "--vocabulary", "words.txt") == 2
    assert evaluate("--dataset", dataset, "--vocabulary", "words.txt", "--threshold", 0.5) == 0
    found = matrices(Path("feedseg-evaluation/mine"), ["without"])["without"]
    assert np.sum(found, axis=0)[0] > 0  # some pixels are background by the threshold alone


def test_data_are_found_at_the_root_and_below_it(tmp_path: Path) -> None:
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
