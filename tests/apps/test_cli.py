"""The command line from end to end, on tiny random models saved as a user would have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

import tiny_models
from feedseg import Segmentation, Segmenter, Vocabulary
from feedseg.apps.cli import run_segment as segment_module
from feedseg.apps.cli.console import listed, one_line, out_of_memory
from feedseg.apps.cli.inputs import find_pictures
from feedseg.apps.cli.main import main
from feedseg.apps.cli.run_segment import outcomes, understood
from feedseg.io.images import Picture
from feedseg.settings import Settings

WORDS = "cat; kitten, sofa, rug"
SMALL = ("--host", "clip", "--device", "cpu", "--short-side", "32", "--window", "32", "--stride", "16")
ENDINGS = ("labels.json", "labels.png", "overlay.png")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    tiny_models.save_clip(folder)
    return folder


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths mean a folder of the test's own; COLUMNS is what a narrow terminal has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FEEDSEG_DEBUG", raising=False)


def draw(path: Path | str, seed: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
    """A picture file of noise, which may be of a format that loses some of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def segment(model: Path, *arguments: object, words: str = WORDS) -> int:
    """Run `feedseg segment` with the tiny model and sizes that suit it."""
    return main(["segment", *map(str, arguments), "--labels", words, "--model", str(model), *SMALL])


def files(folder: Path | str) -> list[str]:
    """Every file below a folder, by its path in it."""
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def expected_files(*stems: str) -> list[str]:
    return sorted(f"{stem}.{ending}" for stem in stems for ending in ENDINGS)


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, nothing being on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("feedseg: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


# What is written


def test_the_files_hold_what_the_python_interface_gives(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = draw("a/b.png")
    assert segment(model, path, "--background", "wall, floor", "--threshold", "0.2", "--out", "results") == 0
    assert files("results") == expected_files("b")

    segmenter = Segmenter.load(
        model, host="clip", device="cpu", settings=Settings(short_side=32, window=32, stride=16, logit_scale=40.0)
    )
    vocabulary = Vocabulary([("cat", "kitten"), "sofa", "rug"], background=["wall", "floor"], threshold=0.2)
    result = segmenter(path, vocabulary)
    with Image.open("results/b.labels.png") as labels:
        assert labels.mode == "P"
        np.testing.assert_array_equal(np.array(labels), result.labels)
    about = json.loads(Path("results/b.labels.json").read_text(encoding="utf-8"))
    assert about == json.loads(json.dumps(result.to_dict()))
    assert about["picture"] == "a/b.png"
    assert about["names"] == ["background", "cat", "sofa", "rug"]
    assert about["models"]["model"]["revision"].startswith("sha256:")
    out, err = capsys.readouterr()
    assert err == ""
    assert " words cat (kitten) · sofa · rug · background: wall, floor" in " ".join(out.split())
    assert "background wherever nothing reaches 0.2" in out
    assert "1 picture → results in" in out
    for name, share in result.shares.items():
        assert not share or f"{share:.1%}" in out, name
    assert out == "".join(f"{line.rstrip()}\n" for line in out.splitlines())


def test_folders_are_searched_and_mirrored(model: Path) -> None:
    for name in ("top.png", "x/deep/b.JPG", "x/c.webp", ".hidden.png", ".git/d.png", "x/e.labels.png", "f.overlay.png"):
        draw(f"photos/{name}")
    Path("photos/notes.txt").write_text("not a picture")
    assert segment(model, "photos", "--out", "photos/results") == 0
    assert files("photos/results") == expected_files("top", "x/deep/b", "x/c")
    before = {path: path.read_bytes() for path in Path("photos/results").rglob("*") if path.is_file()}
    assert segment(model, "photos", "--out", "photos/results") == 0
    assert {path: path.read_bytes() for path in Path("photos/results").rglob("*") if path.is_file()} == before


def test_the_vocabulary_file_and_a_threshold_beside_it(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    Path("words.txt").write_text("background: wall\nthreshold: 0.1\ncat; kitten\nsofa\n", encoding="utf-8")
    options = ("--model", str(model), *SMALL, "--json")
    assert main(["segment", "a.png", "--vocabulary", "words.txt", *options]) == 0
    assert json.loads(capsys.readouterr().out)["threshold"] == 0.1
    assert main(["segment", "a.png", "--vocabulary", "words.txt", "--threshold", "0.7", *options]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["threshold"] == 0.7
    assert about["names"] == ["background", "cat", "sofa"]


def test_options_reach_the_segmenter(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    proxy = tmp_path / "dino"
    tiny_models.save_proxy(proxy, "dino")
    options = [
        "--proxy",
        proxy,
        "--feedback",
        "none",
        "--class-token",
        "--residual",
        "--dtype",
        "bf16",
        "--batch-size",
        "3",
    ]
    arguments = ["segment", "a.png", "--labels", WORDS, "--model", model, "--device", "cpu", "--json", *options]
    assert main([*map(str, arguments), "--short-side", "40", "--window", "none"]) == 0
    about = json.loads(capsys.readouterr().out)
    expected = {"host": "proxyclip", "feedback": None, "residual": True, "dtype": "bfloat16", "device": "cpu"}
    assert about["settings"] == about["settings"] | expected | {"short_side": 40, "window": None}
    assert about["models"]["proxy"]["name"] == str(proxy)


def test_fast_looks_at_every_part_once(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    options = ["--model", str(model), "--host", "clip", "--device", "cpu", "--short-side", "40", "--json"]
    windows = {}
    for speed in ("protocol", "fast"):
        assert main(["segment", "a.png", "--labels", WORDS, *options, "--speed", speed]) == 0
        about = json.loads(capsys.readouterr().out)["settings"]
        windows[speed] = (about["short_side"], about["window"], about["stride"])
    assert windows == {"protocol": (40, 336, 112), "fast": (40, 80, None)}


# Names


def stems(*arguments: str, out: str = "out") -> dict[str, str]:
    """Where the results of every picture go, below the folder for results."""
    jobs, failures = find_pictures(arguments, Path(out))
    assert not failures
    names = {str(job.path): str((job.folder / job.stem).relative_to(out)) for job in jobs}
    assert len({name.casefold() for name in names.values()}) == len(jobs)
    return names


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("a/b.jpg", "c.png"), {"a/b.jpg": "b", "c.png": "c"}),
        (("a",), {"a/b.jpg": "b", "a/x/b.jpg": "x/b"}),
        (("b.jpg", "b.png"), {"b.jpg": "b.jpg", "b.png": "b.png"}),
        (("b.png", "b.jpg"), {"b.jpg": "b.jpg", "b.png": "b.png"}),
        (("a/b.jpg", "c/b.jpg"), {"a/b.jpg": "a/b", "c/b.jpg": "c/b"}),
        (("a", "c"), {"a/b.jpg": "a/b", "a/x/b.jpg": "x/b.jpg", "c/b.jpg": "c/b", "c/x/b.gif": "x/b.gif"}),
        (("a/b.jpg", "a/x/b.jpg", "c/b.jpg"), {"a/b.jpg": "a/b", "a/x/b.jpg": "x/b", "c/b.jpg": "c/b"}),
        (
            ("c/x/b.gif", "a/x/b.jpg", "d/x/b.jpg"),
            {"c/x/b.gif": "b.gif", "a/x/b.jpg": "x/b.jpg", "d/x/b.jpg": "x/b.jpg-2"},
        ),
        (("b.jpg", "B.JPG"), {"b.jpg": "here/b.jpg", "B.JPG": "here/B.JPG-2"}),
        (("b.jpg", "./b.jpg", "a/../b.jpg"), {"b.jpg": "b"}),
        (("a/x/b.jpg", "a"), {"a/x/b.jpg": "x/b", "a/b.jpg": "a/b"}),
    ],
)
def test_no_two_pictures_share_a_name(
    arguments: tuple[str, ...], expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir("here")
    touch("a/b.jpg", "a/x/b.jpg", "c/b.jpg", "c/x/b.gif", "d/x/b.jpg", "b.jpg", "b.png", "B.JPG", "c.png")
    assert stems(*arguments) == expected


def test_no_input_is_overwritten(model: Path) -> None:
    """A picture may be called like our own results, and the results may go beside it."""
    names = ("a.png", "a.labels.png", "a.png.overlay.png")
    before = [draw(name, seed).read_bytes() for seed, name in enumerate(names)]
    assert segment(model, *names, "--out", ".") == 0
    assert [Path(name).read_bytes() for name in names] == before
    assert len(files(".")) == 3 + 3 * len(ENDINGS)


# What goes wrong with some pictures


def test_bad_pictures_do_not_stop_the_rest(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = draw("photos/b.png", size=(200, 200)).read_bytes()
    Path("photos/a.png").write_bytes(whole[: len(whole) // 2])
    Path("photos/c.jpg").write_text("not a picture")
    Path("photos/d.png").touch()
    draw("photos/z.png")
    Path("empty").mkdir()
    assert segment(model, "photos", "nosuch.png", "empty", "--out", "results") == 1
    assert files("results") == expected_files("b", "z")
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == 5
    for name in ("photos/a.png", "photos/c.jpg", "photos/d.png", "nosuch.png", "empty"):
        (line,) = (line for line in lines if name in line)
        assert line.startswith("feedseg: ")
        assert line.removeprefix("feedseg: ") in out
    assert "2 pictures → results" in out


def test_json_lines(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    draw("b.png")
    Path("bad\n\x1b[31m.png").write_text("not a picture")
    assert segment(model, "a.png", "nosuch.png", "bad\n\x1b[31m.png", "b.png", "--json") == 1
    out, err = capsys.readouterr()
    parsed = [json.loads(line) for line in out.splitlines()]
    results = {line["picture"]: line for line in parsed if "files" in line}
    failures = {line["picture"]: line["error"] for line in parsed if "error" in line}
    assert list(results) == ["a.png", "b.png"]
    assert failures.keys() == {"nosuch.png", "bad\n\x1b[31m.png"}
    for line in results.values():
        assert [Path(path).is_file() for path in line["files"].values()] == [True] * 3
        assert line["names"] == ["cat", "sofa", "rug"]
    assert "words" in err  # the summary for people
    assert "\x1b" not in err


def test_a_failing_batch_is_tried_one_by_one() -> None:
    """Of nine pictures four go together; 2 cannot be read, 3 and 7 fail whenever they are computed."""
    wrong = {"3.png": RuntimeError("CUDA out of memory"), "7.png": IndexError("7")}
    for number in range(9):
        draw(f"{number}.png", number, (32, 32))
    Path("2.png").write_text("not a picture")

    def in_batches(pictures: Picture | Iterable[Picture], _: Vocabulary) -> Any:
        """Behaves like a segmenter, and gives the pictures' names as results."""
        if isinstance(pictures, Picture):
            return next(in_batches([pictures], _))
        return results(iter(pictures))

    def results(pictures: Iterator[Picture]) -> Iterator[Any]:
        while batch := [picture.source for picture in islice(pictures, 4)]:
            for name in batch:
                if name in wrong:
                    raise wrong[name]
            yield from batch

    segmenter = cast(Segmenter, in_batches)
    jobs, _ = find_pictures([f"{number}.png" for number in range(9)], Path("out"))
    found = {str(job.path): outcome for job, outcome in outcomes(segmenter, Vocabulary(["cat", "sofa"]), jobs)}
    assert found.keys() == {f"{number}.png" for number in range(9)}
    for name, outcome in found.items():
        if name not in ("2.png", *wrong):
            assert outcome == name
    assert "not a picture" in str(found["2.png"])
    assert found["3.png"] == "3.png: out of memory: try a smaller --short-side, --batch-size 1 or --device cpu"
    assert found["7.png"] == "7.png: unexpected IndexError: 7"


def test_outcomes_keep_their_order_and_read_no_further_than_needed(model: Path) -> None:
    segmenter = Segmenter.load(model, host="clip", device="cpu", settings=Settings(short_side=32, window=None))
    for number in (0, 1, 3):
        draw(f"{number}.png", number)
    Path("2.png").touch()
    jobs, _ = find_pictures([f"{number}.png" for number in range(4)], Path("out"))
    handed = []

    def watched() -> Iterator:
        for job in jobs:
            handed.append(job)
            yield job

    found = outcomes(segmenter, Vocabulary(["cat", "sofa"]), watched())
    job, outcome = next(found)
    assert job.path == Path("0.png")
    assert isinstance(outcome, Segmentation)
    assert len(handed) == 1
    assert [(job.path.name, isinstance(outcome, Segmentation)) for job, outcome in found] == [
        ("1.png", True),
        ("2.png", False),
        ("3.png", True),
    ]


def test_results_that_cannot_be_written(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "x/b.png"):
        draw(f"photos/{name}")
    Path("results").mkdir()
    Path("results/x").touch()
    assert segment(model, "photos", "--out", "results") == 1
    assert files("results") == [*expected_files("a"), "x"]
    assert "feedseg: photos/x/b.png: cannot write results/x/b." in capsys.readouterr().err


def test_an_interrupt_says_how_far_it_came(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        draw(f"photos/{number}.png", number)
    original = Segmentation.save

    def save(self, folder, stem=None):
        if stem == "2":
            raise KeyboardInterrupt
        return original(self, folder, stem)

    monkeypatch.setattr(Segmentation, "save", save)
    assert segment(model, "photos", "--out", "results") == 130
    assert files("results") == expected_files("0", "1")
    out, err = capsys.readouterr()
    assert err == "feedseg: interrupted; 2 of 4 pictures are finished\n"
    assert "2 pictures → results" in out


def test_a_defect_is_one_line_and_a_traceback_on_demand(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect\nof the program")

    draw("a.png")
    monkeypatch.setattr(segment_module, "load_segmenter", broken)
    assert segment(model, "a.png") == 1
    assert "unexpected ZeroDivisionError: a defect of the program; run with FEEDSEG_DEBUG=1" in complaint(capsys)
    monkeypatch.setenv("FEEDSEG_DEBUG", "1")
    assert segment(model, "a.png") == 1
    assert "Traceback" in capsys.readouterr().err


def test_too_little_memory_for_the_model(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    draw("a.png")
    monkeypatch.setattr(segment_module, "load_segmenter", full)
    assert segment(model, "a.png") == 2
    assert "--device cpu" in complaint(capsys)


# What cannot be started at all

BAD_USE = {
    "no pictures": ([], "PICTURES_OR_FOLDERS"),
    "no such picture": (["nosuch.png", "--labels", WORDS], "nosuch.png does not exist"),
    "an empty folder": (["empty", "--labels", WORDS], "empty has no pictures"),
    "an empty name": (["", "--labels", WORDS], "empty name"),
    "no words": (["a.png"], "--labels"),
    "an empty word": (["a.png", "--labels", "cat,,sofa"], "empty name"),
    "one word": (["a.png", "--labels", "cat"], "only word"),
    "semicolons for commas": (["a.png", "--labels", "cat; sofa"], "separate classes by commas"),
    "a word twice": (["a.png", "--labels", "cat, sofa; cat"], "'cat'"),
    "a file as labels": (["a.png", "--labels", "words.txt"], "--vocabulary"),
    "labels and a file": (["a.png", "--labels", WORDS, "--vocabulary", "words.txt"], "give one of them"),
    "a background beside a file": (["a.png", "--vocabulary", "words.txt", "--background", "wall"], "--background"),
    "no such vocabulary": (["a.png", "--vocabulary", "nosuch.txt"], "nosuch.txt"),
    "a folder as vocabulary": (["a.png", "--vocabulary", "empty"], "empty"),
    "a picture as vocabulary": (["a.png", "--vocabulary", "a.png"], "a.png"),
    "commas in a vocabulary": (["a.png", "--vocabulary", "commas.txt"], "line 1"),
    "a threshold too high": (["a.png", "--labels", WORDS, "--threshold", "1"], "threshold"),
    "a threshold that is no number": (["a.png", "--labels", WORDS, "--threshold", "high"], "--threshold"),
    "no such option": (["a.png", "--labels", WORDS, "--nonsense"], "--nonsense"),
    "a window of words": (["a.png", "--labels", WORDS, "--window", "big"], "--window"),
    "no such speed": (["a.png", "--labels", WORDS, "--speed", "slow"], "--speed is protocol or fast, not 'slow'"),
    "fast with windows": (["a.png", "--labels", WORDS, "--speed", "fast", "--stride", "9"], "leave out --stride"),
    "no short side": (["a.png", "--labels", WORDS, "--short-side", "0"], "--short-side"),
    "no batch": (["a.png", "--labels", WORDS, "--batch-size", "-1"], "--batch-size"),
    "a file for the results": (["a.png", "--labels", WORDS, "--out", "a.png"], "a.png is a file"),
    "a file above the results": (["a.png", "--labels", WORDS, "--out", "a.png/b"], "a.png is a file"),
    "nowhere for the results": (["a.png", "--labels", WORDS, "--out", ""], "--out"),
    "no such host": (["a.png", "--labels", WORDS, "--host", "nosuch"], "clearclip"),
    "no such device": (["a.png", "--labels", WORDS, "--device", "nosuch"], "nosuch"),
    "no such type": (["a.png", "--labels", WORDS, "--dtype", "fp8"], "bf16"),
    "no such model": (["a.png", "--labels", WORDS, "--model", "nosuch"], "nosuch"),
    "a proxy as model": (["a.png", "--labels", WORDS, "--model", "dino-b8"], "vit-b-16"),
    "a folder without weights": (["a.png", "--labels", WORDS, "--model", "empty"], "no weights"),
    "a proxy for a host without": (["a.png", "--labels", WORDS, "--host", "clip", "--proxy", "self"], "proxyclip"),
    "no such proxy": (["a.png", "--labels", WORDS, "--host", "proxyclip", "--proxy", "nosuch"], "nosuch"),
    "a stride with gaps": (["a.png", "--labels", WORDS, "--stride", "500"], "--stride"),
    "a stride without windows": (["a.png", "--labels", WORDS, "--window", "none", "--stride", "5"], "--window"),
}


@pytest.mark.parametrize(("arguments", "expected"), BAD_USE.values(), ids=BAD_USE)
def test_bad_use_is_one_line(
    arguments: list[str], expected: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("a.png")
    Path("empty").mkdir()
    Path("words.txt").write_text("cat\nsofa\n")
    Path("commas.txt").write_text("cat, sofa\n")
    before = files(".")
    options = [] if "--model" in arguments else ["--model", str(model)]
    if "--host" not in arguments:
        options += ["--host", "clip"]
    assert main(["segment", *arguments, *options]) == 2
    assert expected in complaint(capsys)
    assert files(".") == before
    assert not Path("feedseg-out").exists()


@pytest.mark.parametrize("arguments", [["nosuch"], ["--nosuch"], ["models", "more"], ["doctor", "--vectors", "nosuch"]])
def test_bad_commands_are_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert arguments[-1] in complaint(capsys)


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    assert segment(model, "a.png", "--background", "wall, sofa") == 0
    err = capsys.readouterr().err
    assert err.startswith("feedseg: note: ")
    assert err.count("\n") == 1


# Help, models, doctor


@pytest.mark.parametrize("command", [[], ["segment"], ["models"], ["doctor"]])
def test_help_fits_80_columns(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    if command == ["segment"]:
        options = """--labels --background --vocabulary --threshold --model --host --proxy --feedback
            --device --short-side --window --stride --out --json --class-token --no-class-token --residual --no-residual
            --dtype --batch-size --help"""
        for option in options.split():
            assert f" {option} " in out, option
        for panel in ("What to look for", "Model", "Picture size", "Output", "Examples"):
            assert panel in out


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "segment" in capsys.readouterr().out


def test_models(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    here = {"openai/clip-vit-base-patch16": "0123456789abcdef" * 2}
    monkeypatch.setattr("feedseg.apps.cli.run_models.cached_revision", here.get)
    assert main(["models"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "yes 0123456" in rows["vit-b-16"]
    assert "MIT (OpenAI)" in rows["vit-b-16"]
    assert rows["dino-b8"].endswith("no")
    assert "proxyclip" in rows
    assert main(["models", "--json"]) == 0
    catalog = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert catalog["vit-b-16"]["revision"] == here["openai/clip-vit-base-patch16"]
    assert catalog["sam-b"] == catalog["sam-b"] | {"here": False, "revision": None, "kind": "proxy"}


def test_doctor_checks_the_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line]
    assert {"torch", "transformers", "cpu", "pillow"} <= {row[0] for row in rows}
    assert out.endswith(" tensors, 0 too far\n")


def test_doctor_fails_if_a_tensor_is_too_far(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.resources import files as resources

    from safetensors import safe_open
    from safetensors.torch import save_file

    source = str(resources("feedseg") / "evaluation/vectors/fsa_tiny.safetensors")
    with safe_open(source, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    tensors["out.proxyclip"][0, 0, 0] += 0.01
    tensors["out.unheard_of"] = tensors["out.proxyclip"]
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, tmp_path / "fsa_tiny.safetensors", metadata)
    assert main(["doctor", "--vectors", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    verdicts = {words[1]: words[3:] for line in out.splitlines()[1:-2] if (words := line.split())}
    assert verdicts["out.proxyclip"] == ["1.00e-02", "TOO", "FAR"]
    assert verdicts["out.unheard_of"][:3] == ["-", "TOO", "FAR"]
    assert verdicts["out.plain"][1] == "ok"
    assert out.endswith(f"{len(verdicts)} tensors, 2 too far\n")


def test_doctor_fails_without_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--vectors", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == "0 tensors, 0 too far\n"
    assert err.startswith("feedseg: ")
    (tmp_path / "fsa_x.safetensors").write_bytes(b"damaged")
    assert main(["doctor", "--vectors", str(tmp_path)]) == 1
    assert "fsa_x.safetensors" in capsys.readouterr().err


# In a process of its own


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "COLUMNS": "80"} | environment
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from feedseg.apps.cli.main import main; code = main(['segment', '--help']); "
        "print(sorted({'torch', 'transformers', 'numpy', 'PIL', 'huggingface_hub'} & sys.modules.keys()), code)"
    )
    done = run("-c", program)
    assert done.stdout.endswith("[] 0\n"), done.stdout
    assert done.stderr == ""


def test_the_module_is_the_program() -> None:
    done = run("-m", "feedseg", "--version")
    assert done.stdout.startswith("feedseg ")
    assert done.returncode == 0
    done = run("-m", "feedseg", "nosuch")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_without_network_the_error_says_how_to_bring_weights(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "nothing")}
    done = run("-m", "feedseg", "segment", str(tmp_path / "a.png"), "--labels", WORDS, **offline)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("feedseg: openai/clip-vit-base-patch16 ")
    assert "--model FOLDER" in done.stderr
    assert "HF_HOME" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_sees_progress_and_a_pipe_does_not(model: Path, tmp_path: Path) -> None:
    """stderr is a terminal of 80 columns, stdout a pipe that must get JSON and nothing else."""
    import fcntl
    import pty
    import struct
    import termios

    for number in range(3):
        draw(tmp_path / f"photos/{number}.png", number)
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    arguments = ["segment", "photos", "--labels", WORDS, "--model", str(model), *SMALL, "--json"]
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    environment |= {"OMP_NUM_THREADS": "1", "TERM": "xterm", "FEEDSEG_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        [sys.executable, "-m", "feedseg", *arguments], stdout=subprocess.PIPE, stderr=its_end, env=environment
    ) as process:
        os.close(its_end)
        seen = b""
        while process.poll() is None or not seen.endswith(b"\n"):
            try:
                seen += os.read(terminal, 1 << 16)
            except OSError:  # nobody writes to it any more
                break
        assert process.stdout is not None
        lines = process.stdout.read().decode().splitlines()
    os.close(terminal)
    assert process.returncode == 0
    assert [Path(json.loads(line)["picture"]).name for line in lines] == ["0.png", "1.png", "2.png"]
    screen = seen.decode()
    assert "loading" in screen
    assert "0/3" in screen
    assert "words" in screen


# Small things


def test_text_from_anywhere_fits_one_line() -> None:
    assert one_line("a\n  b\r\nc \x1b[31m\udcff é") == "a b c \\x1b[31m\\udcff é"


def test_long_lists_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(number) for number in range(30)], most=3) == "0, 1, 2, and 27 more"


def test_words_are_told_as_they_were_understood() -> None:
    vocabulary = Vocabulary.parse_line("cat; kitten; tom, sofa", "wall; floor", 0.25)
    assert understood(vocabulary) == (
        "cat (kitten, tom) · sofa · background: wall, floor · background wherever nothing reaches 0.25"
    )


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB."),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    ],
)
def test_a_lack_of_memory_is_recognised(error: Exception) -> None:
    assert "--short-side" in (out_of_memory(error) or "")


def test_other_errors_are_no_lack_of_memory() -> None:
    assert out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
