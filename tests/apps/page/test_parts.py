"""The page's parts without a browser: what is asked, what is answered, and what gives the same."""

from __future__ import annotations

import base64
import dataclasses
import shlex
import socket
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import hostile_decoder
import tiny_models
from feedseg import FeedsegError, Segmentation, Segmenter
from feedseg.apps.cli.main import app, main
from feedseg.apps.limits import Limits
from feedseg.apps.page import session as sessions
from feedseg.apps.page.desk import Desk
from feedseg.apps.page.equivalent import command_line, python
from feedseg.apps.page.photo import Photo
from feedseg.apps.page.session import Session
from feedseg.apps.page.view import times
from feedseg.apps.page.wanted import Offered, Wanted
from feedseg.io.formats import format_names

Library = Callable[..., Segmentation]
MINI = Wanted("striped, dotted, bricks", "mini")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(Offered(("mini",)), "cpu")


def photo(path: Path) -> Photo:
    return Photo.of(path, path.name)


def changed(**changes: object) -> Wanted:
    return dataclasses.replace(MINI, **changes)  # pyright: ignore[reportArgumentType]


# Every control away from its usual value, alone and together.
ASKED = [
    MINI,
    changed(words="striped; dotted, bricks"),
    changed(background="none", feedback="paper"),
    changed(background="bricks, dotted", words="striped", threshold=0.6),
    changed(host="naclip", feedback="none", refiners=("pamr", "small-areas")),
    changed(proxy="self", refiners=("prune-words",), threshold=0.4),
    changed(speed="fast"),
    changed(speed="fastest", proxy="self", feedback="paper"),
]


@pytest.mark.parametrize("wanted", ASKED)
def test_the_command_and_the_program_give_the_labels_of_the_page(
    wanted: Wanted, desk: Desk, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = desk.answer(photo(drawn[0]), wanted).after
    monkeypatch.chdir(tmp_path)
    name = "it's a photo; $HOME.png"
    Path(name).write_bytes(drawn[0].read_bytes())
    command = shlex.split(command_line(name, wanted))
    assert command[0] == "feedseg"
    answered = CliRunner().invoke(app, command[1:])
    assert answered.exit_code == 0, answered.output
    (labels,) = Path("feedseg-out").glob("*.labels.png")
    np.testing.assert_array_equal(np.asarray(Image.open(labels)), shown.labels)
    labels.unlink()
    names: dict[str, Segmentation] = {}
    exec(compile(python(name, wanted), "program", "exec"), names)
    np.testing.assert_array_equal(names["result"].labels, shown.labels)
    assert names["result"].names == shown.names
    assert [*Path("feedseg-out").glob("*.labels.png")]


def test_colours_are_part_of_what_gives_the_same(desk: Desk, drawn: list[Path], tmp_path: Path) -> None:
    session = sessions.answered(desk, Session(), photo(drawn[0]), changed(background="none")).session
    found = sessions.recoloured(desk, session, "dotted", "#123456")
    assert {row["name"]: row["colour"] for row in found.legend["rows"]}["dotted"] == "#123456"
    assert "--colours dotted=#123456" in found.command.replace("'", "")
    files = sessions.files(desk, found.session, ["labels", "json"], tmp_path)
    with Image.open(next(file for file in files if file.name.endswith(".labels.png"))) as saved:
        palette = np.array(saved.getpalette()).reshape(-1, 3)
    assert palette[found.view["names"].index("dotted")].tolist() == [0x12, 0x34, 0x56]
    with pytest.raises(FeedsegError, match="both given the colour"):
        sessions.recoloured(desk, found.session, "striped", "#123456")


def test_both_results_are_the_librarys(desk: Desk, drawn: list[Path], library: Library) -> None:
    answer = desk.answer(photo(drawn[1]), MINI)
    assert answer.before is not None
    for result, feedback in ((answer.after, "auto"), (answer.before, "none")):
        np.testing.assert_array_equal(result.labels, library(drawn[1], feedback=feedback).labels)
    assert desk.answer(photo(drawn[1]), changed(feedback="none")).before is None


def test_another_speed_is_another_look_at_the_photo(drawn: list[Path], tmp_path: Path) -> None:
    """By a model that looks at windows, which none of the package does."""
    tiny_models.save_clip(tmp_path)
    usual = Wanted("cat, dog", str(tmp_path), "clip", background="none")
    fast = dataclasses.replace(usual, speed="fast")
    desk = Desk(Offered((usual.model,)), "cpu")
    expected = Segmenter.load(usual.model, host="clip", device="cpu", speed="fast")(drawn[0], fast.vocabulary(Limits()))
    answers = [desk.answer(photo(drawn[0]), wanted) for wanted in (usual, fast, fast)]
    assert [answer.timing.was_kept for answer in answers] == [False, False, True]
    assert (answers[0].after.labels != expected.labels).any()
    np.testing.assert_array_equal(answers[1].after.labels, expected.labels)
    np.testing.assert_array_equal(answers[2].after.labels, expected.labels)


def test_other_words_are_answered_from_what_is_kept_and_both_times_are_said(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "new.png"
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (64, 80, 3), np.uint8)).save(path)
    first = sessions.answered(desk, Session(), photo(path), MINI)
    assert first.said.count(" s") >= 3
    assert "First answer in" in first.said
    second = sessions.answered(desk, first.session, photo(path), changed(words="striped, bricks"))
    assert f"the first answer took {first.session.first:.2f} s" in second.said
    assert second.session.first == first.session.first
    assert [row["name"] for row in second.legend["rows"]] != []
    assert "dotted" not in second.view["names"]
    other = sessions.answered(desk, second.session, photo(path), changed(host="naclip"))
    assert "First answer in" in other.said


def test_a_photo_that_waits_for_words_counts_in_the_first_answer(desk: Desk, drawn: list[Path]) -> None:
    waiting, text = sessions.opened(desk, Session(), photo(drawn[2]), MINI)
    assert "Now type words" in text
    found = sessions.answered(desk, waiting, photo(drawn[2]), MINI)
    assert "First answer in" in found.said
    assert found.session.first is not None
    assert found.session.first > waiting.opened


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (changed(words=" , "), "type what to look for"),
        (changed(words="purple unicorn"), "unicorn"),
        (changed(model="photo"), "there is no model 'photo' here"),
        (changed(host="../x:y"), "there is no host"),
        (changed(proxy="dino-b8"), "there is no proxy 'dino-b8' here"),
        (changed(speed="fast "), "there is no speed 'fast ' here: there are protocol, fast, fastest"),
        (changed(feedback="os:getcwd"), "there is no feedback"),
        (changed(refiners=("os:getcwd",)), "there is no refiner"),
        (changed(threshold="high"), "threshold"),
        (changed(threshold=1.0), "threshold"),
        (changed(words=", ".join(f"a{n}" for n in range(501)), background="none"), "501 words are more than 500"),
        (changed(words="a" * 20_001), "20,000 characters"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(wanted: Wanted, complaint: str, desk: Desk, drawn: list[Path]) -> None:
    with pytest.raises(FeedsegError, match=complaint) as failed:
        desk.answer(photo(drawn[0]), wanted)
    assert "\n" not in str(failed.value)


def test_photos_that_cannot_be_used(tmp_path: Path, drawn: list[Path]) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    small = Desk(Offered(("mini",)), "cpu", Limits(bytes=1_000_000, pixels=320 * 240 - 1))
    (tmp_path / "large.png").write_bytes(bytes(1_000_001))
    for path, complaint in (
        (tmp_path / "text.jpg", "text.jpg"),
        (tmp_path / "large.png", "more than .* MiB"),
        (tmp_path / "gone.png", "not kept any more"),
        (drawn[0], "pixels"),
    ):
        with pytest.raises(FeedsegError, match=complaint) as failed:
            small.answer(photo(path), MINI)
        assert str(tmp_path) not in str(failed.value)  # where the server keeps it is nobody's business


def test_a_photo_that_crashes_its_decoder_is_refused_and_the_page_goes_on(
    tmp_path: Path, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile_decoder.install(tmp_path / "hostile", monkeypatch)
    desk = Desk(Offered(("mini",)), "cpu")
    Image.new("RGB", (hostile_decoder.CRASHES, 20)).save(tmp_path / "bad.png")
    with pytest.raises(FeedsegError, match=r"^bad\.png cannot be read: its decoder crashed \(SIGABRT\)$"):
        desk.answer(photo(tmp_path / "bad.png"), MINI)
    assert desk.answer(photo(drawn[0]), MINI).after.names


def test_encoded_photos_stay_within_their_bytes(drawn: list[Path]) -> None:
    none = Desk(Offered(("mini",)), "cpu", Limits(cache_bytes=1))
    assert [none.answer(photo(drawn[0]), MINI).timing.was_kept for _ in range(2)] == [False, False]
    some = Desk(Offered(("mini",)), "cpu")
    assert [some.answer(photo(drawn[0]), MINI).timing.was_kept for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.png", "cat.png"),
        ("a\nb.png", "a_b.png"),
        ("", "photo.png"),
        ("...", "photo.png"),
        ("-rf.png", "-rf.png"),
        ("x" * 300 + ".jpeg", "x" * 80 + ".jpeg"),
    ],
)
def test_a_photos_name_is_a_files_name(given: str, kept: str) -> None:
    assert Photo.of("/tmp/x", given).name == kept


def test_explanations_name_classes_as_text(desk: Desk, drawn: list[Path], library: Library) -> None:
    wanted = changed(words="striped <b>; striped, dotted", background="none")
    try:
        session = sessions.answered(desk, Session(), photo(drawn[0]), wanted).session
    except FeedsegError:  # the toy model knows no such word: its own names are safe
        wanted = changed(background="none")
        session = sessions.answered(desk, Session(), photo(drawn[0]), wanted).session
    text = sessions.explained(desk, session, (0.5, 0.5))
    assert "<b>;" not in text
    expected = library(drawn[0], wanted.words, None)
    assert any(name in text for name in expected.names)
    uris = [part.split('"')[0] for part in text.split('src="data:image/jpeg;base64,')[1:]]
    assert [Image.open(BytesIO(base64.b64decode(uri))).size for uri in uris] == [(560, 420)] * 2
    none = dataclasses.replace(session, wanted=changed(feedback="none"))
    with pytest.raises(FeedsegError, match="no feedback to explain"):
        sessions.explained(desk, none, (0.5, 0.5))


def test_every_format_is_written_and_packed(desk: Desk, drawn: list[Path], library: Library, tmp_path: Path) -> None:
    for package in ("pycocotools", "pyarrow"):
        pytest.importorskip(package)
    session = sessions.answered(desk, Session(), photo(drawn[0]), MINI).session
    archive, *files = sessions.files(desk, session, format_names(), tmp_path)
    with zipfile.ZipFile(archive) as packed:
        inside = {name: packed.read(name) for name in packed.namelist()}
    assert sorted(Path(name).name for name in inside) == sorted(file.name for file in files)
    labels = np.asarray(Image.open(BytesIO(inside["drawn-0.labels.png"])))
    np.testing.assert_array_equal(labels, library(drawn[0]).labels)
    assert {"drawn-0.scores.npz", "drawn-0.overlay.jpg", "drawn-0.labels.json"} <= inside.keys()
    assert any("coco" in name for name in inside)


@pytest.mark.parametrize("formats", [[], ["os:getcwd"], ["exe"]])
def test_formats_that_are_none(formats: list[str], desk: Desk, drawn: list[Path], tmp_path: Path) -> None:
    session = sessions.answered(desk, Session(), photo(drawn[0]), MINI).session
    with pytest.raises(FeedsegError, match=r"choose a format|no format"):
        sessions.files(desk, session, formats, tmp_path)


def test_a_large_photo_is_shown_smaller_and_its_files_have_all_pixels(
    desk: Desk, library: Library, drawn: list[Path], tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    with Image.open(drawn[0]) as image:
        image.resize((2048, 1536), Image.Resampling.BICUBIC).save(large)
    wanted = changed(background="none")
    session = sessions.answered(desk, Session(), photo(large), wanted).session
    shown, whole = desk.answer(photo(large), wanted), library(large, background=None)
    assert shown.after.labels.shape == (768, 1024)
    assert (shown.after.labels == whole.labels[::2, ::2]).mean() > 0.99
    archive, *_ = sessions.files(desk, session, ["labels"], tmp_path)
    with zipfile.ZipFile(archive) as packed:
        labels = np.asarray(Image.open(BytesIO(packed.read("large.labels.png"))))
    np.testing.assert_array_equal(labels, whole.labels)
    assert "The patch at 1024, 384" in sessions.explained(desk, session, (0.5, 0.25))
    refined = changed(background="none", refiners=("small-areas",))
    assert desk.answer(photo(large), refined).after.labels.shape == (1536, 2048)


def test_times_are_said_with_what_they_are_of() -> None:
    assert times(1.0, 0.25, None) == "First answer in 1.25 s: photo 1.00 s, words 0.25 s."
    assert times(1.0, 0.1, 12.0) == "These words in 0.10 s, from the photo that is kept; the first answer took 12 s."


def test_lines_for_people_are_text_and_not_html() -> None:
    text = sessions.said("<script>x</script>", ("<b>",), wrong=True)
    assert "<script>" not in text
    assert "&lt;b&gt;" in text
    assert 'role="alert"' in text


def test_without_gradio_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("feedseg.apps.cli.page.find_spec", lambda name: None if name == "gradio" else find_spec(name))
    assert main(["app"]) == 2
    assert capsys.readouterr().err.strip() == "feedseg: gradio is not installed: pip install 'feedseg[app]'"


def test_a_port_that_is_taken_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if find_spec("gradio") is None:
        pytest.skip("gradio is not installed")
    monkeypatch.setattr(Desk, "load", pytest.fail)  # which takes time
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["app", "--model", "mini", "--port", str(port)]) == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("feedseg:")]
    assert f"cannot listen on 127.0.0.1, port {port}" in line
