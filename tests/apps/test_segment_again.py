"""`feedseg segment` given again: what stands is left, what is missing is made, and two runs do not mix."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import hostile_decoder
from feedseg.engine.results_folder import journals_of
from feedseg.io.output import Output


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stems of the results that were made, in order."""
    stems: list[str] = []
    original = Output.save

    def save(self: Output, result: Any, folder: Path, stem: str) -> Any:
        stems.append(stem)
        return original(self, result, folder, stem)

    monkeypatch.setattr(Output, "save", save)
    return stems


@pytest.fixture
def again(segment: Callable[..., int], saved: list[str]) -> Callable[..., list[str]]:
    """`again(*arguments, words=…, out="out")`: run it; which results it made, sorted."""

    def run(*arguments: object, out: str | None = "out", **words: str) -> list[str]:
        saved.clear()
        assert segment(*arguments, *([] if out is None else ["--out", out]), **words) == 0
        return sorted(saved)

    return run


def contents(folder: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and ".feedseg" not in path.parts
    }


def test_only_what_is_missing_or_changed_is_made_again(again, draw, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abcdef":
        draw(f"photos/{name}.png", ord(name))
    assert again("photos") == [*"abcdef"]
    whole = contents("out")
    assert again("photos") == []
    assert "6 images → out" in (out := capsys.readouterr().out)
    assert "6 of 6 done before" in out
    Path("out/a.labels.json").unlink()
    Path("out/b.labels.png").write_bytes(b"")
    with Path("out/c.overlay.jpg").open("ab") as file:
        file.write(b"x")
    content = Path("photos/d.png").read_bytes()
    os.utime("photos/e.png")  # a date is no content
    shutil.copy("photos/f.png", "photos/d.png")
    assert again("photos") == [*"abcd"]
    Path("photos/d.png").write_bytes(content)
    assert again("photos", "--workers", 1) == ["d"]
    assert contents("out") == whole
    assert again("photos", "--overwrite") == [*"abcdef"]
    assert contents("out") == whole


def test_every_image_has_its_line_of_json_whether_made_now_or_before(
    again, draw, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        draw(f"photos/{name}.png", ord(name))
    again("photos", "--json")
    first = capsys.readouterr().out.splitlines()
    Path("out/b.labels.json").unlink()
    assert again("photos", "--json") == ["b"]
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(first)
    assert len(first) == 3


def test_other_images_share_the_folder_and_what_is_named_stays_so(again, draw) -> None:
    for path in ("first/x.png", "second/x.png", "a.png"):
        draw(path, len(path))
    assert again("first/x.png") == ["x"]
    assert again("second/x.png") == ["x"]
    assert again("a.png") == ["a"]
    assert again("second", "first", Path("a.png").absolute()) == []
    names = {json.loads(path.read_text())["picture"]: path.as_posix() for path in Path("out").rglob("*.json")}
    assert names == {
        "first/x.png": "out/x.labels.json",
        "second/x.png": "out/second/x.labels.json",
        "a.png": "out/a.labels.json",
    }


def test_images_and_results_may_be_moved(again, draw, monkeypatch: pytest.MonkeyPatch) -> None:
    draw("here/photos/a.png", 1)
    draw("here/photos/b.png", 2)
    assert again("here/photos", out="here/out") == ["a", "b"]
    Path("here").rename("there")
    assert again("there/photos", out="there/out") == []
    Path("there/photos").rename("there/pictures")  # the images alone: known by name and content
    assert again("there/pictures", out="there/out") == []
    Path("there/pictures/a.png").unlink()
    draw("there/others/a.png", 3)  # another image of that name: the results of the first are kept
    assert again("there/others", out="there/out") == ["a"]
    assert sorted(path.name for path in Path("there/out").rglob("*.json")) == [
        "a.labels.json",
        "a.labels.json",
        "b.labels.json",
    ]


OTHERS = {
    "words": {"words": "cat, dog"},
    "an option": {"options": ("--short-side", "40")},
    "feedback": {"options": ("--feedback", "none")},
    "a refiner": {"options": ("--refiner", "small-areas")},
    "a threshold": {"options": ("--threshold", "0.4")},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_run_replaces_all_or_is_refused(
    other: dict[str, Any], again, segment, draw, complaint, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("photos/a.png", 1)
    draw("photos/b.png", 2)
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    options, words = other.get("options", ()), {key: other[key] for key in other.keys() & {"words"}}
    again("photos")
    before = contents("out")
    capsys.readouterr()
    assert segment("photos/a.png", *options, "--out", "out", **words) == 2
    line = complaint()
    assert "out holds 2 results of another run" in line
    assert " was " in line
    assert "--overwrite" in line
    assert contents("out") == before
    assert again("photos", *options, **words) == ["a", "b"]
    assert contents("out")["a.labels.json"] != before["a.labels.json"]
    assert again("photos", *options, **words) == []
    with Path("out/b.labels.json").open("a") as file:
        file.write("\n")  # by hand: it is ours no more
    assert again("photos/a.png", "--overwrite") == ["a"]
    assert sorted(contents("out")) == ["a.labels.json", "a.labels.png", "a.overlay.jpg", "b.labels.json", "notes.txt"]
    assert contents("out")["a.labels.json"] == before["a.labels.json"]


def test_without_out_every_run_has_a_folder_of_its_own(again, draw, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png", 1)
    draw("b.png", 2)
    Path("feedseg-out").mkdir()  # empty
    Path("feedseg-out-3").mkdir()
    Path("feedseg-out-3/notes.txt").touch()
    for image, words, folder in (
        ("a.png", "cat, sofa", "feedseg-out"),
        ("a.png", "cat, rug", "feedseg-out-2"),
        ("b.png", "cat, sofa", "feedseg-out"),
        ("a.png", "cat, red", "feedseg-out-4"),
    ):
        assert again(image, out=None, words=words) == [image[0]]
        assert f"1 image → {folder} in" in capsys.readouterr().out
    assert again("a.png", "b.png", out=None, words="cat, sofa") == []
    assert again(".", out=None, words="cat, sofa") == []  # results are no images
    assert "12 of earlier results" in capsys.readouterr().out


def test_one_run_at_a_time(segment, draw, complaint, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    assert segment("a.png", "--out", "out") == 0
    capsys.readouterr()
    journals = journals_of(Path("out"))
    fingerprint = json.loads(journals.path().read_text().splitlines()[0])["fingerprint"]
    with journals.open(fingerprint):
        assert segment("a.png", "--out", "out") == 2
        assert "another process" in complaint()
        assert segment("a.png", "--out", "out", words="cat, dog") == 2
        assert "another run is writing into out" in complaint()


def test_what_somebody_else_wrote_is_not_replaced(again, draw) -> None:
    draw("cat.png", 1)
    Path("cat.labels.png").write_bytes(b"mine")
    Path("results").mkdir()
    Path("results/cat.overlay.jpg").write_bytes(b"mine, too")
    again("cat.png", out=".")
    again("cat.png", out="results")
    assert again("cat.png", out="results") == []
    assert Path("cat.labels.png").read_bytes() == b"mine"
    assert Path("results/cat.overlay.jpg").read_bytes() == b"mine, too"
    assert len(contents("results")) == 4


def test_leftovers_of_a_killed_run_are_swept_and_nothing_else(again, draw) -> None:
    draw("photos/x/a.png", 1)
    again("photos")
    ours = [Path("out/.feedseg-0123456789abcdef.png"), Path("out/x/.feedseg-0123456789abcdef.json")]
    theirs = [Path("out/.feedseg-notes.txt"), Path("out/x/.hidden.png"), Path("out/x/feedseg-0123456789abcdef.png")]
    for path in (*ours, *theirs):
        path.touch()
    again("photos")
    assert [path.exists() for path in (*ours, *theirs)] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interrupt_finishes_what_is_being_written(
    number: signal.Signals,
    code: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    segment,
    draw,
    files,
    results_of,
) -> None:
    for name in range(5):
        draw(f"photos/{name}.png", name)
    original = Output.save

    def save(self: Output, result: Any, folder: Path, stem: str) -> Any:
        if stem == "2":
            signal.raise_signal(number)
        return original(self, result, folder, stem)

    with monkeypatch.context() as patch:
        patch.setattr(Output, "save", save)
        assert segment("photos", "--out", "out", "--workers", 1) == code
    out, err = capsys.readouterr()
    finished = len(files("out")) // 3
    assert finished >= 3
    assert files("out") == results_of(*map(str, range(finished)))
    assert err == f"feedseg: {word}; {finished} of 5 images are finished\n"
    assert f"{finished} images → out" in out
    assert segment("photos", "--out", "out") == 0
    assert f"{finished} of 5 done before" in capsys.readouterr().out


@pytest.mark.parametrize("shards", [1, 2])
def test_an_interrupt_does_not_wait_for_a_decoder_that_hangs(
    shards: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    segment,
    draw,
    files,
    results_of,
) -> None:
    for name, width in (("a", 40), ("b", hostile_decoder.HANGS), ("c", 40)):
        draw(f"photos/{name}.png", size=(width, 30))
    arguments = ("photos", "--out", "out", "--shards", shards)
    with monkeypatch.context() as patch:
        hangs = hostile_decoder.install(tmp_path / "hostile", patch)
        watching = Thread(target=interrupt_once, args=(hangs,), daemon=True)
        watching.start()
        assert segment(*arguments, "--max-seconds", 500) == 130  # the tests are given up long before
    assert "interrupted" in capsys.readouterr().err
    stems = {path.split(".")[0] for path in files("out")}
    assert "b" not in stems
    assert files("out") == results_of(*sorted(stems))  # whole
    assert segment(*arguments) == 0
    assert files("out") == results_of(*"abc")


def interrupt_once(hangs: Path) -> None:
    """Ctrl-C for this process, once a decoder has begun to hang."""
    while not hangs.exists():
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def test_processes_and_shards_make_the_same_bytes(segment, draw, capsys: pytest.CaptureFixture[str]) -> None:
    for name in range(5):
        draw(f"photos/{name}.png", name)
    assert segment("photos", "--out", "one") == 0
    assert segment("photos", "--out", "two", "--shards", 2) == 0
    assert capsys.readouterr().err == ""
    for part in ("1/3", "3/3", "2/3"):
        assert segment("photos", "--out", "three", "--shard", part) == 0
    assert segment("photos", "--out", "three") == 0
    assert "5 of 5 done before" in capsys.readouterr().out
    assert contents("one") == contents("two") == contents("three")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--shard", "1/2"], "--shard needs --out"),
        (["--shard", "1/2", "--shards", "2", "--out", "out"], "give one of them"),
        (["--shard", "3/2", "--out", "out"], "K/N"),
        (["--max-pixels", "many"], "--max-pixels is a number such as 50M, not 'many'"),
        (["--max-bytes", "0"], "--max-bytes"),
    ],
)
def test_what_does_not_go_together_is_one_line(arguments: list[str], expected: str, segment, draw, complaint) -> None:
    draw("a.png")
    assert segment("a.png", *arguments) == 2
    assert expected in complaint()


def test_limits_and_warnings_name_the_image(segment, draw, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png", size=(40, 30))
    assert segment("a.png", "--max-pixels", "1k", "--out", "out") == 1
    assert "a.png has 40 × 30 pixels" in capsys.readouterr().err
    assert segment("a.png", "--max-pixels", "1200", "--out", "out") == 0
