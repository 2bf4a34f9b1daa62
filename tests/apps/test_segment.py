"""`feedseg segment` from end to end, on a tiny random model saved as a user would have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hostile_decoder
import tiny_models
from bombs import progressive_bomb
from feedseg import Segmenter, Settings, Vocabulary
from feedseg.apps.cli.main import main
from feedseg.apps.cli.render_segment import understood
from feedseg.io.output import Output


def test_the_files_hold_what_the_python_interface_gives(
    model: Path, capsys: pytest.CaptureFixture[str], segment, draw, files, results_of
) -> None:
    path = draw("a/b.png")
    assert segment(path, "--background", "wall, floor", "--threshold", "0.3", "--out", "results") == 0
    assert files("results") == results_of("b")

    segmenter = Segmenter.load(
        model, host="clip", device="cpu", settings=Settings(short_side=32, window=32, stride=16, logit_scale=40.0)
    )
    vocabulary = Vocabulary([("cat", "kitten"), "sofa", "rug"], background=["wall", "floor"], threshold=0.3)
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
    assert "background wherever nothing reaches 0.3" in out
    assert "1 image → results in" in out
    for name, fraction in result.area_fractions.items():
        assert not fraction or f"{fraction:.1%}" in out, name
    assert out == "".join(f"{line.rstrip()}\n" for line in out.splitlines())


def test_folders_are_searched_and_mirrored(segment, draw, files, results_of) -> None:
    for name in ("top.png", "x/deep/b.JPG", "x/c.webp", ".hidden.png", ".git/d.png", "x/e.labels.png", "f.overlay.jpg"):
        draw(f"photos/{name}")
    Path("photos/notes.txt").write_text("not a image")
    assert segment("photos", "--out", "photos/results") == 0
    assert files("photos/results") == results_of("top", "x/deep/b", "x/c")
    before = {path: path.read_bytes() for path in Path("photos/results").rglob("*") if path.is_file()}
    assert segment("photos", "--out", "photos/results") == 0
    assert {path: path.read_bytes() for path in Path("photos/results").rglob("*") if path.is_file()} == before


def test_the_vocabulary_file_and_a_threshold_beside_it(
    model: Path, capsys: pytest.CaptureFixture[str], draw, small
) -> None:
    draw("a.png")
    Path("words.txt").write_text("background: wall\nthreshold: 0.4\ncat; kitten\nsofa\n", encoding="utf-8")
    options = ("--model", str(model), *small, "--json")
    assert main(["segment", "a.png", "--vocabulary", "words.txt", *options]) == 0
    assert json.loads(capsys.readouterr().out)["threshold"] == 0.4
    assert main(["segment", "a.png", "--vocabulary", "words.txt", "--threshold", "0.7", *options]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["threshold"] == 0.7
    assert about["names"] == ["background", "cat", "sofa"]


def test_options_reach_the_segmenter(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], draw, words
) -> None:
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
    arguments = ["segment", "a.png", "--labels", words, "--model", model, "--device", "cpu", "--json", *options]
    assert main([*map(str, arguments), "--short-side", "40", "--window", "none"]) == 0
    about = json.loads(capsys.readouterr().out)
    expected = {"host": "proxyclip", "feedback": None, "residual": True, "dtype": "bfloat16", "device": "cpu"}
    assert about["settings"] == about["settings"] | expected | {"short_side": 40, "window": None}
    assert about["models"]["proxy"]["name"] == str(proxy)


def test_fast_looks_at_every_part_once(model: Path, capsys: pytest.CaptureFixture[str], draw, words) -> None:
    draw("a.png")
    options = ["--model", str(model), "--host", "clip", "--device", "cpu", "--short-side", "40", "--json"]
    windows = {}
    for speed in ("protocol", "fast"):
        assert main(["segment", "a.png", "--labels", words, *options, "--speed", speed]) == 0
        about = json.loads(capsys.readouterr().out)["settings"]
        windows[speed] = (about["short_side"], about["window"], about["stride"])
    assert windows == {"protocol": (40, 336, 112), "fast": (40, 80, None)}


def test_no_input_is_overwritten(segment, draw, files) -> None:
    """A image may be called like our own results, and the results may go beside it."""
    names = ("a.png", "a.labels.png", "a.png.overlay.jpg")
    before = [draw(name, seed).read_bytes() for seed, name in enumerate(names)]
    assert segment(*names, "--out", ".") == 0
    assert [Path(name).read_bytes() for name in names] == before
    assert len(files(".")) == 3 + 3 * 3


def test_bad_images_do_not_stop_the_rest(capsys: pytest.CaptureFixture[str], segment, draw, files, results_of) -> None:
    whole = draw("photos/b.png", size=(200, 200)).read_bytes()
    Path("photos/a.png").write_bytes(whole[: len(whole) // 2])
    Path("photos/c.jpg").write_text("not a image")
    Path("photos/d.png").touch()
    draw("photos/z.png")
    Path("empty").mkdir()
    assert segment("photos", "nosuch.png", "empty", "--out", "results") == 1
    assert files("results") == results_of("b", "z")
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == 5
    for name in ("photos/a.png", "photos/c.jpg", "photos/d.png", "nosuch.png", "empty"):
        (line,) = (line for line in lines if name in line)
        assert line.startswith("feedseg: ")
        assert line.removeprefix("feedseg: ") in out
    assert "2 images → results" in out


def test_json_lines(capsys: pytest.CaptureFixture[str], segment, draw) -> None:
    draw("a.png")
    draw("b.png")
    Path("bad\n\x1b[31m.png").write_text("not a image")
    assert segment("a.png", "nosuch.png", "bad\n\x1b[31m.png", "b.png", "--json", "--no-background") == 1
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


def test_hostile_images_fail_alone(
    capsys: pytest.CaptureFixture[str], segment, draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile_decoder.install(tmp_path / "hostile", monkeypatch)
    for name in ("photos/a.png", "photos/z.png"):
        draw(name)
    for width in (hostile_decoder.CRASHES, hostile_decoder.HANGS):
        Image.new("L", (width, 9)).save(f"photos/{width}.png")
    Path("photos/bomb.jpg").write_bytes(progressive_bomb(4000, 20_000))
    assert segment("photos", "--out", "results", "--max-seconds", "2", "--max-bytes", "5M") == 1
    out, err = capsys.readouterr()
    assert "feedseg: photos/13.png cannot be read: its decoder crashed (SIGABRT)\n" in err
    for name in ("14.png", "bomb.jpg"):
        assert f"feedseg: photos/{name} took more than 2 seconds to decode: convert it, or raise the limit" in err
    assert "2 images → results" in out
    Path("photos/bomb.jpg").unlink()
    assert segment("photos/a.png", "--out", "small", "--max-bytes", "100") == 1
    assert "MB, and the limit is 0.0001 MB: raise it by --max-bytes" in capsys.readouterr().err


def test_results_that_cannot_be_written(capsys: pytest.CaptureFixture[str], segment, draw, files, results_of) -> None:
    for name in ("a.png", "x/b.png"):
        draw(f"photos/{name}")
    Path("results").mkdir()
    Path("results/x").touch()
    assert segment("photos", "--out", "results") == 1
    assert files("results") == [*results_of("a"), "x"]
    assert "feedseg: photos/x/b.png: cannot write results/x/b." in capsys.readouterr().err


def test_an_interrupt_says_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], segment, draw, files, results_of
) -> None:
    for number in range(4):
        draw(f"photos/{number}.png", number)
    original = Output.save

    def save(self, result, folder, stem):
        if stem == "2":
            raise KeyboardInterrupt
        return original(self, result, folder, stem)

    monkeypatch.setattr(Output, "save", save)
    assert segment("photos", "--out", "results", "--workers", "1") == 130
    assert files("results") == results_of("0", "1")
    out, err = capsys.readouterr()
    assert err == "feedseg: interrupted; 2 of 4 images are finished\n"
    assert "2 images → results" in out


WORDS = "cat; kitten, sofa, rug"
BAD_USE = {
    "no images": ([], "IMAGES_OR_FOLDERS"),
    "no such image": (["nosuch.png", "--labels", WORDS], "nosuch.png does not exist"),
    "an empty folder": (["empty", "--labels", WORDS], "empty has no images"),
    "an empty name": (["", "--labels", WORDS], "empty name"),
    "no words": (["a.png"], "--labels"),
    "an empty word": (["a.png", "--labels", "cat,,sofa"], "empty name"),
    "one word and no background": (["a.png", "--labels", "cat", "--no-background"], "'cat' is the only one"),
    "semicolons for commas": (["a.png", "--labels", "cat; sofa", "--no-background"], "separated by commas"),
    "bars for commas": (["a.png", "--labels", "cat | sofa"], 'did you mean "cat, sofa"?'),
    "stops for commas": (["a.png", "--labels", "cat. sofa."], 'did you mean "cat, sofa"?'),
    "a numbered list": (["a.png", "--labels", "0 cat, 1 sofa"], "are numbered"),
    "a background and none": (["a.png", "--labels", WORDS, "--background", "wall", "--no-background"], "contradict"),
    "a background in the file and none": (
        ["a.png", "--vocabulary", "sky.txt", "--no-background"],
        "sky.txt has a line",
    ),
    "words that the model does not know": (["a.png", "--labels", "cat, giraffe, hippo"], "'giraffe'"),
    "no background that the model knows": (["a.png", "--labels", "cat; wall; floor; sky; grass"], "no background word"),
    "a word twice": (["a.png", "--labels", "cat, sofa; cat"], "'cat'"),
    "a file as labels": (["a.png", "--labels", "words.txt"], "--vocabulary"),
    "no such file as labels": (["a.png", "--labels", "nosuch.txt"], "--vocabulary"),
    "labels and a file": (["a.png", "--labels", WORDS, "--vocabulary", "words.txt"], "give one of them"),
    "a background beside a file": (["a.png", "--vocabulary", "words.txt", "--background", "wall"], "--background"),
    "no such vocabulary": (["a.png", "--vocabulary", "nosuch.txt"], "nosuch.txt"),
    "a folder as vocabulary": (["a.png", "--vocabulary", "empty"], "empty"),
    "a image as vocabulary": (["a.png", "--vocabulary", "a.png"], "a.png"),
    "commas in a vocabulary": (["a.png", "--vocabulary", "commas.txt"], "line 1"),
    "a threshold too high": (["a.png", "--labels", WORDS, "--threshold", "1"], "threshold"),
    "a threshold that is no number": (["a.png", "--labels", WORDS, "--threshold", "high"], "--threshold"),
    "no such option": (["a.png", "--labels", WORDS, "--nonsense"], "--nonsense"),
    "a window of words": (["a.png", "--labels", WORDS, "--window", "big"], "--window"),
    "no such speed": (
        ["a.png", "--labels", WORDS, "--speed", "slow"],
        "--speed is protocol, fast or fastest, not 'slow'",
    ),
    "fast with windows": (["a.png", "--labels", WORDS, "--speed", "fast", "--stride", "9"], "leave out --stride"),
    "no short side": (["a.png", "--labels", WORDS, "--short-side", "0"], "--short-side"),
    "no batch": (["a.png", "--labels", WORDS, "--batch-size", "-1"], "--batch-size"),
    "a file for the results": (["a.png", "--labels", WORDS, "--out", "a.png"], "a.png is a file"),
    "a file above the results": (["a.png", "--labels", WORDS, "--out", "a.png/b"], "a.png is a file"),
    "nowhere for the results": (["a.png", "--labels", WORDS, "--out", ""], "--out"),
    "no such host": (["a.png", "--labels", WORDS, "--host", "nosuch"], "clearclip"),
    "no such feedback": (["a.png", "--labels", WORDS, "--feedback", "nosuch"], "calibrated"),
    "no such refiner": (["a.png", "--labels", WORDS, "--refiner", "nosuch"], "package.module:Name"),
    "no such model of regions": (["a.png", "--labels", WORDS, "--refiner", "region-vote:nosuch"], "no folder 'nosuch'"),
    "no weights of regions": (["a.png", "--labels", WORDS, "--refiner", "region-vote:empty"], "has no weights"),
    "more behind a refiner": (["a.png", "--labels", WORDS, "--refiner", "pamr:2"], "nothing behind its name"),
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
def test_bad_use_is_one_line(arguments: list[str], expected: str, model: Path, draw, files, complaint) -> None:
    draw("a.png")
    Path("empty").mkdir()
    Path("words.txt").write_text("cat\nsofa\n")
    Path("sky.txt").write_text("background: sky\ncat\nsofa\n")
    Path("commas.txt").write_text("cat, sofa\n")
    before = files(".")
    options = [] if "--model" in arguments else ["--model", str(model)]
    if "--host" not in arguments:
        options += ["--host", "clip"]
    assert main(["segment", *arguments, *options]) == 2
    assert expected in complaint()
    assert files(".") == before
    assert not Path("feedseg-out").exists()


def test_one_word_is_enough_and_the_background_is_told(capsys: pytest.CaptureFixture[str], segment, draw) -> None:
    draw("a.png")
    assert segment("a.png", "--json", words="cat") == 0
    out, err = capsys.readouterr()
    about = json.loads(out)
    assert about["names"] == ["background", "cat"]
    # of the stock list, what the tiny model's tokenizer knows
    assert " cat · background, chosen automatically: sky, wall, grass, floor\n" in err
    assert about["classes"][0]["words"] == ["sky", "wall", "grass", "floor"]


def test_a_background_of_ones_own_or_none_is_instead_of_the_automatic(
    model: Path, capsys: pytest.CaptureFixture[str], segment, draw, small
) -> None:
    draw("a.png")
    for options, names in (
        (["--background", "sky"], ["background", "cat", "sofa"]),
        (["--no-background"], ["cat", "sofa"]),
    ):
        assert segment("a.png", "--json", *options, words="cat, sofa") == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["names"] == names
        assert "automatically" not in err
    for text, names in (("cat\n", ["background", "cat"]), ("background: auto\ncat\n", ["background", "cat"])):
        Path("words.txt").write_text(text)
        assert main(["segment", "a.png", "--vocabulary", "words.txt", "--model", str(model), *small, "--json"]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["names"] == names
        assert "chosen automatically" in err


@pytest.mark.filterwarnings("default")
def test_what_was_made_of_words_and_threshold_is_told_once(capsys: pytest.CaptureFixture[str], segment, draw) -> None:
    for name in "abc":
        draw(f"photos/{name}.png")
    assert segment("photos", "--threshold", "0.2", words="Cat; kitten, CAT, sofas") == 0
    err = capsys.readouterr().err
    assert [line.removeprefix("feedseg: note: ").split("; '")[0] for line in err.splitlines()] == [
        "'Cat' and 'CAT': written more than once, counted once",
        "a threshold of 0.2 cannot do anything with 3 classes: the most probable always has at least 0.333; take a "
        "higher one",
        f"{err.splitlines()[-1].removeprefix('feedseg: note: ').split(' has no')[0]} has no 'sofas'",
    ]


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str], segment, draw) -> None:
    draw("a.png")
    assert segment("a.png", "--background", "wall, sofa") == 0
    err = capsys.readouterr().err
    assert err.startswith("feedseg: note: ")
    assert err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_sees_progress_and_a_pipe_does_not(model: Path, tmp_path: Path, draw, words, small) -> None:
    """stderr is a terminal of 80 columns, stdout a pipe that must get JSON and nothing else."""
    import fcntl
    import pty
    import struct
    import termios

    for number in range(3):
        draw(tmp_path / f"photos/{number}.png", number)
    terminal, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    arguments = ["segment", "photos", "--labels", words, "--model", str(model), *small, "--json"]
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


def test_words_are_told_as_they_were_understood() -> None:
    vocabulary = Vocabulary.parse_line("cat; kitten; tom, sofa", "wall; floor", 0.5)
    assert understood(vocabulary) == (
        "cat (kitten, tom) · sofa · background: wall, floor · background wherever nothing reaches 0.5"
    )


def test_colours_are_those_that_were_asked_for(segment, draw, capsys) -> None:
    draw("a.png")
    Path("colours.txt").write_text("Sofa = #010203\nrug=skyblue\n")
    assert segment("a.png", "--colours", "colours.txt", "--json") == 0
    colours = {one["name"]: one["colour"] for one in json.loads(capsys.readouterr().out)["classes"]}
    assert (colours["sofa"], colours["rug"]) == ("#010203", "#87ceeb")
    saved = json.loads(Path("feedseg-out/a.labels.json").read_text())
    assert {one["name"]: one["colour"] for one in saved["classes"]} == colours
    with Image.open("feedseg-out/a.labels.png") as labels:
        palette = np.array(labels.getpalette()).reshape(-1, 3)
    assert palette[saved["names"].index("sofa")].tolist() == [1, 2, 3]


@pytest.mark.parametrize("colours", ["sofe=red", "sofa=rad", "nowhere.txt", "cat=red, sofa=#f00"])
def test_colours_that_cannot_be_are_told_before_the_run(colours, segment, draw, complaint) -> None:
    draw("a.png")
    assert segment("a.png", "--colours", colours) == 2
    complaint()
    assert not Path("feedseg-out").exists()
