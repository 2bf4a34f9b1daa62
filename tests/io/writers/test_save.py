import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.io.writers.base import Writer
from feedseg.io.writers.labels import WRITER as LABELS
from feedseg.io.writers.save import DEFAULT_FORMATS, SavedFiles, load_writers, save
from feedseg.segmentation import Segmentation

Make = Callable[..., Segmentation]


@pytest.mark.parametrize(("source", "stem"), [("a/cat.jpg", None), (None, "cat"), ("b/dog.jpg", "cat")])
def test_saving_again_replaces(segmented: Make, tmp_path: Path, source: str | None, stem: str | None) -> None:
    segmented(threshold=0.1, source=source).save(tmp_path, stem)
    files = segmented(threshold=0.2, source=source).save(tmp_path, stem)
    assert json.loads(files.json.read_text())["threshold"] == 0.2
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("sources", [("a/cat.jpg", "b/cat.jpg"), (None, None), ("a/picture.png", None)])
def test_another_images_results_are_kept(
    segmented: Make, tmp_path: Path, sources: tuple[str | None, str | None]
) -> None:
    first, second = (segmented(source=source).save(tmp_path) for source in sources)
    assert first.labels.name.replace(".", "-2.", 1) == second.labels.name
    assert len(list(tmp_path.iterdir())) == 6


def test_results_without_their_json_are_kept_too(segmented: Make, tmp_path: Path) -> None:
    (tmp_path / "cat.labels.png").write_bytes(b"somebody's")
    assert segmented(source="cat.jpg").save(tmp_path).labels.name == "cat-2.labels.png"
    assert (tmp_path / "cat.labels.png").read_bytes() == b"somebody's"


@pytest.mark.parametrize("linked", [False, True])
def test_the_source_is_never_overwritten(segmented: Make, tmp_path: Path, linked: bool) -> None:
    source = tmp_path / "cat.overlay.jpg"
    source.write_bytes(b"the image")
    given = source
    if linked:
        given = tmp_path / "link.png"
        given.symlink_to(source)
    with pytest.raises(FeedsegError, match=r"cat\.overlay\.jpg is the image itself"):
        segmented(source=str(given)).save(tmp_path, "cat")
    assert source.read_bytes() == b"the image"
    assert not (tmp_path / "cat.labels.json").exists()
    segmented(source=str(given)).save(tmp_path, "dog")


@pytest.mark.parametrize("stem", ["a/b", "../a", "/a", "."])
def test_a_stem_stays_in_the_folder(segmented: Make, tmp_path: Path, stem: str) -> None:
    with pytest.raises(FeedsegError, match="cannot begin a file's name"):
        segmented().save(tmp_path / "folder", stem)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("written", [0, 1, 2])
def test_if_one_file_cannot_be_written_none_is_replaced(
    segmented: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    before = {path: path.read_bytes() for path in segmented(threshold=0.1).save(tmp_path, "x")}
    original = Path.write_bytes
    contents: list[bytes] = []

    def full(self: Path, data: bytes) -> int:
        if len(contents) == written:
            raise OSError(28, "No space left on device")
        contents.append(data)
        return original(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FeedsegError, match=r"^cannot write .*x\..*: No space left"):
        segmented(labels=np.ones((3, 5), int), threshold=0.2).save(tmp_path, "x")
    assert len(contents) == written
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("ending", ["labels.png", "overlay.jpg", "labels.json"])
def test_a_folder_in_the_way_of_one_file_keeps_all_as_they_are(segmented: Make, tmp_path: Path, ending: str) -> None:
    (tmp_path / f"x.{ending}").mkdir()
    with pytest.raises(FeedsegError, match=rf"^cannot write .*x\.{ending}: it is a folder"):
        segmented().save(tmp_path, "x")
    assert list(tmp_path.iterdir()) == [tmp_path / f"x.{ending}"]


@pytest.mark.parametrize("setting", [object(), float("nan")])
def test_nothing_is_written_if_something_cannot_be_rendered(segmented: Make, tmp_path: Path, setting: object) -> None:
    with pytest.raises((TypeError, ValueError), match="JSON"):
        segmented(settings={"host": setting}).save(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("formats", [DEFAULT_FORMATS, ("json", "overlay", "labels")])
def test_the_json_comes_last(
    segmented: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formats: tuple[str, ...]
) -> None:
    replaced: list[str] = []
    original = Path.replace

    def noted(self: Path, target: Path) -> Path:
        replaced.append(target.name)
        return original(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    files = segmented().save(tmp_path, formats=formats)
    assert tuple(files.by_format) == formats
    assert replaced[-1] == files.json.name
    assert len(replaced) == 3


class Areas(Writer):
    """A format of somebody's own."""

    name = "areas"
    suffix = ".areas.csv"
    description = "a line for every class"

    def encode(self, result: Segmentation) -> bytes:
        """See `Writer.encode`."""
        return "".join(f"{name},{pixels}\n" for name, pixels in result.pixels.items()).encode()


class Text(Areas):
    """One that returns what it must not."""

    def encode(self, result: Segmentation) -> bytes:
        """Not even bytes."""
        return "text"  # type: ignore[return-value]


AREAS = b"background,8\ncat,4\ngrass,3\nZebra,0\n"


def test_without_writers_it_is_the_default_ones(segmented: Make, tmp_path: Path) -> None:
    files = save(segmented(), tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert tuple(files.by_format) == DEFAULT_FORMATS


@pytest.mark.parametrize("formats", ["overlay", ["overlay"], ("overlay",)])
def test_one_format_alone(segmented: Make, tmp_path: Path, formats: str | list[str]) -> None:
    files = segmented().save(tmp_path, formats=formats)
    assert list(tmp_path.iterdir()) == [files.overlay] == [tmp_path / "picture.overlay.jpg"]
    with pytest.raises(AttributeError, match="nothing was saved as 'json'"):
        _ = files.json


@pytest.mark.parametrize("own", [Areas, Areas()])
def test_a_format_of_ones_own(segmented: Make, tmp_path: Path, own: Writer) -> None:
    files = segmented().save(tmp_path, "x", formats=["labels", own])
    assert files.by_format == {"labels": tmp_path / "x.labels.png", "areas": tmp_path / "x.areas.csv"}
    assert files.areas.read_bytes() == AREAS
    assert segmented().save(tmp_path, "y", formats=Areas()).areas.read_bytes() == AREAS


def test_a_format_of_ones_own_by_name(segmented: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_formats.py").write_text(
        """
from feedseg.io.writers.base import Writer

class Size(Writer):
    name, suffix, description = "size", ".size.txt", "width and height"

    def encode(self, result):
        return b"%d x %d" % result.size
"""
    )
    files = segmented().save("out", "x", formats=["json", "my_formats:Size"])
    assert files.size.read_bytes() == b"5 x 3"


@pytest.mark.parametrize(
    ("formats", "complaint"),
    [
        (["lables"], "no writer 'lables'; did you mean labels"),
        (["no.such:Writer"], "no.such:Writer cannot be imported"),
        ([], "no format to save in: there are .*json"),
        (["coco"], "'coco' is one file for a whole run: .*feedseg convert --format coco"),
        (["labels", type("Mine", (Areas,), {"name": "labels"})()], "two of the formats are called 'labels'"),
        ([Areas(), type("Other", (Areas,), {"name": "other"})()], "two of the formats write files that end in '.areas"),
    ],
)
def test_formats_that_cannot_be_saved_in(formats: list[str | Writer], complaint: str) -> None:
    with pytest.raises(FeedsegError, match=complaint):
        load_writers(formats)


def test_a_format_that_is_repeated_is_meant_once() -> None:
    assert load_writers(["labels", "json", "labels", LABELS]) == load_writers(["labels", "json"])


class Several(Writer):
    """One file for each of the suffixes that it is told."""

    name, suffix, description = "several", ".txt", "files"

    def __init__(self, *suffixes: str) -> None:
        self.ends = suffixes

    def files(self, result: Segmentation) -> dict[str, bytes]:
        """See `Writer.files`."""
        return dict.fromkeys(self.ends, b"text")


def test_a_writer_of_several_files(segmented: Make, tmp_path: Path) -> None:
    files = segmented().save(tmp_path, "x", formats=Several(".txt", ".a.txt"))
    assert {name: path.name for name, path in files.by_format.items()} == {
        "several": "x.txt",
        "several.a": "x.a.txt",
    }


@pytest.mark.parametrize("suffix", [".png", "a.txt", ".a.b.txt", ".a/b.txt", "/../a.txt", ""])
def test_a_file_that_could_be_anothers(segmented: Make, tmp_path: Path, suffix: str) -> None:
    with pytest.raises(FeedsegError, match=r"the writer 'several' must end its files in '\.txt'"):
        segmented().save(tmp_path, "x", formats=Several(suffix))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["labels.png", "overlay.jpg", "labels.json"])
def test_with_only_own_files_those_of_others_stay(segmented: Make, tmp_path: Path, ending: str) -> None:
    somebodys = tmp_path / f"cat.{ending}"
    somebodys.write_bytes(b"{}")
    with pytest.raises(FeedsegError, match=rf"cat\.{ending} is there and was not written by feedseg"):
        save(segmented(), tmp_path, "cat", only_own=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == {somebodys: b"{}"}


def test_with_only_own_files_ones_own_are_replaced(segmented: Make, tmp_path: Path) -> None:
    for threshold in (0.1, 0.2):
        files = save(segmented(threshold=threshold), tmp_path, "cat", only_own=True)
        assert json.loads(files.json.read_text())["threshold"] == threshold


def test_a_kill_between_two_files_leaves_them_known_as_ours(
    segmented: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.name == "x.overlay.jpg":
            raise KeyboardInterrupt
        return original(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            save(segmented(source="x.jpg"), tmp_path, "x", only_own=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.labels.json", "x.labels.png"]
    whole = save(segmented(source="x.jpg"), tmp_path, "x", only_own=True)
    assert sorted(tmp_path.iterdir()) == sorted(whole)
    assert json.loads(whole.json.read_text())["names"] == list(segmented().names)


def test_a_failure_before_the_first_file_leaves_nothing(
    segmented: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        if target.name != "x.labels.json":
            raise OSError(28, "No space left on device")
        return original(self, target)

    original = Path.replace
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(FeedsegError, match="No space left"):
        save(segmented(), tmp_path, "x", only_own=True)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_encodes_to_no_bytes(segmented: Make, tmp_path: Path) -> None:
    with pytest.raises(FeedsegError, match="the writer 'areas' must encode to bytes, not str"):
        segmented().save(tmp_path / "folder", formats=["labels", Text()])
    assert list(tmp_path.iterdir()) == []


def test_other_formats_of_another_image_keep_its_stem_theirs(segmented: Make, tmp_path: Path) -> None:
    segmented(source="a/cat.jpg").save(tmp_path)
    assert segmented(source="a/cat.jpg").save(tmp_path, formats=Areas()).areas.name == "cat.areas.csv"
    assert segmented(source="b/cat.jpg").save(tmp_path, formats=Areas()).areas.name == "cat-2.areas.csv"


def test_saved_files_are_their_paths_and_survive_a_pickle() -> None:
    files = SavedFiles({"labels": Path("a"), "my-own": Path("b")})
    for one in (files, pickle.loads(pickle.dumps(files))):
        assert tuple(one) == (Path("a"), Path("b"))
        assert one.labels == Path("a")
        assert one.by_format == {"labels": Path("a"), "my-own": Path("b")}
