"""What arguments lead to: files, folders, patterns; names for results; what is counted instead of read."""

import io
import os
import pickle
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage
from feedseg.io.limits import FileLimits
from feedseg.io.sources import SOURCES
from feedseg.io.sources.base import Failure, Finding, Found, Job, Search, Source, resolved
from feedseg.io.sources.find import find_images
from feedseg.io.sources.stems import distinct_stems

ENDINGS = (".labels.png", ".overlay.jpg", ".labels.json")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder called "here"."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def stems(*arguments: str, out: str = "out") -> dict[str, str]:
    """Where the results of every image go, below the folder for results."""
    found = find_images(arguments, Search(ENDINGS))
    assert not found.failures
    jobs = distinct_stems(found.images, Path(out), ENDINGS)
    names = {job.name: str((job.folder / job.stem).relative_to(out)) for job in jobs}
    assert len({name.casefold() for name in names.values()}) == len(jobs)
    return names


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
@pytest.mark.usefixtures("here")
def test_no_two_images_share_a_name(arguments: tuple[str, ...], expected: dict[str, str]) -> None:
    touch("a/b.jpg", "a/x/b.jpg", "c/b.jpg", "c/x/b.gif", "d/x/b.jpg", "b.jpg", "b.png", "B.JPG", "c.png")
    assert stems(*arguments) == expected


@pytest.mark.usefixtures("here")
def test_no_results_replace_an_input() -> None:
    """An image may be called like our own results, and the results may go beside it."""
    touch("a.png", "a.labels.png", "a.png.overlay.jpg")
    images = find_images(["a.png", "a.labels.png", "a.png.overlay.jpg"], Search(ENDINGS)).images
    jobs = distinct_stems(images, Path(), ENDINGS)
    results = {str(job.folder / job.stem) + ending for job in jobs for ending in ENDINGS}
    assert len(results) == 9
    assert results.isdisjoint({"a.png", "a.labels.png", "a.png.overlay.jpg"})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "a/b", "A"]),
            st.sampled_from("bB"),
            st.sampled_from([".jpg", ".png", ".labels.png"]),
        ),
        unique=True,
        max_size=8,
    )
)
def test_whatever_is_found_results_are_apart_and_away_from_inputs(names: list[tuple[str, str, str]]) -> None:
    inside = [PurePath(folder, name + suffix) for folder, name, suffix in names]
    found = [Found(Path("/photos", path), path, "photos") for path in inside]
    jobs = distinct_stems(found, Path("/photos"), ENDINGS)
    assert [job.image for job in jobs] == found
    files = [(str(job.folder / job.stem) + ending).casefold() for job in jobs for ending in ENDINGS]
    assert len(set(files)) == len(files)
    assert set(files).isdisjoint(str(one.path).casefold() for one in found)


@pytest.mark.usefixtures("here")
def test_folders_are_searched_but_not_for_what_is_hidden_or_a_result() -> None:
    touch("x/top.png", "x/x/deep/b.JPG", "x/x/c.webp", "x/.hidden.png", "x/.git/d.png", "x/x/e.Labels.png")
    touch("x/f.overlay.jpg", "x/notes.txt", "x/labels.png")
    assert stems("x") == {
        "x/labels.png": "labels",
        "x/top.png": "top",
        "x/x/c.webp": "x/c",
        "x/x/deep/b.JPG": "x/deep/b",
    }


@pytest.mark.usefixtures("here")
def test_what_is_not_read_is_counted_by_its_kind() -> None:
    touch("x/a.png", "x/a.Mask.png", "x/b.txt", "x/y/c.TXT", "x/film.mp4", "x/.DS_Store", "x/Makefile", "x/.git/d.png")
    touch(".feedseg/x.png", "x/.feedseg/y.png")
    found = find_images(["x"], Search((".mask.png",)))
    assert [image.name for image in found.images] == ["x/a.png"]
    assert found.skipped == {".txt": 2, ".mp4": 1, "hidden": 2, "without suffix": 1, "of earlier results": 1}
    again = find_images(["x", "x/a.png", "./x"], Search((".mask.png",)))
    assert again.skipped == found.skipped | {"given more than once": 2}


@pytest.mark.usefixtures("here")
def test_known_results_are_not_read_whatever_they_are_called() -> None:
    touch("x/a.png", "x/a.cut.png")
    found = find_images(["x"], Search(results=lambda folder: {"a.cut.png"} if folder.name == "x" else ()))
    assert [image.name for image in found.images] == ["x/a.png"]
    assert found.skipped == {"of earlier results": 1}


@pytest.mark.usefixtures("here")
def test_a_file_is_taken_whatever_it_is_called() -> None:
    touch("notes.txt", ".hidden.png", "a.labels.png")
    found = find_images(["notes.txt", ".hidden.png", "a.labels.png"], Search(ENDINGS))
    assert (len(found.images), found.failures) == (3, [])


@pytest.mark.usefixtures("here")
def test_what_leads_to_nothing_says_why_in_order_and_stops_nothing() -> None:
    touch("a.png")
    Path("empty").mkdir()
    found = find_images(["none.png", "", "a.png", "empty", "n" * 300, "a\0b", "*.jpg"])
    assert [image.name for image in found.images] == ["a.png"]
    reasons = {failure.input: failure.reason for failure in found.failures}
    assert list(reasons) == ["none.png", "", "empty", "n" * 300, "a\0b", "*.jpg"]
    assert reasons["none.png"] == "none.png does not exist"
    assert reasons[""] == "an empty name stands among the images"
    assert reasons["empty"].startswith("empty has no images (jpg, jpeg, ")
    assert reasons["n" * 300] == f"{'n' * 300} cannot be read: File name too long"
    assert "cannot be read" in reasons["a\0b"] or "does not exist" in reasons["a\0b"]
    assert reasons["*.jpg"] == "*.jpg matches no images"


@pytest.mark.usefixtures("here")
def test_a_folder_that_cannot_be_read_is_named_and_the_rest_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    touch("x/a.png", "x/secret/b.png")
    original = os.scandir

    def guarded(path: str) -> Any:
        if Path(path) == Path("x/secret"):  # the tests may run as a user who can read everything
            raise PermissionError(13, "Permission denied", path)
        return original(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = find_images(["x"])
    assert [image.name for image in found.images] == ["x/a.png"]
    assert found.failures == [Failure("x/secret", "x/secret cannot be read: Permission denied")]
    found = find_images(["x/secret"])
    assert (found.images, len(found.failures)) == ([], 1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.usefixtures("here")
def test_only_files_of_bytes_are_opened() -> None:
    touch("x/a.png")
    os.mkfifo("x/b.png")
    os.mkfifo("x/c")
    Path("x/d.jpg").symlink_to("nowhere")
    found = find_images(["x"])
    assert [image.name for image in found.images] == ["x/a.png"]
    assert found.skipped == {"without suffix": 1}
    assert {failure.reason for failure in found.failures} == {
        "x/b.png is a named pipe, not an image file",
        "x/d.jpg is a broken link",
    }
    (pipe,) = find_images(["x/b.png"]).images
    with pytest.raises(FeedsegError, match="is a named pipe"):
        pipe.digest()


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX")
@pytest.mark.usefixtures("here")
def test_links_to_folders_are_followed_once_and_circles_end() -> None:
    touch("x/a.png", "x/y/b.png", "elsewhere/c.png")
    for name, target in {
        "x/0": "y",
        "x/loop": "../x",
        "x/y/up": "../..",
        "x/out": "../elsewhere",
        "x/out-2": "../elsewhere",
        "x/root": "/",
    }.items():
        Path(name).symlink_to(target)
    found = find_images(["x"])
    assert [image.name for image in found.images] == ["x/a.png", "x/y/b.png", "x/out/c.png"]
    assert found.skipped == {"linked to a folder that is read anyway": 2, "linked to a folder above": 3}
    deep = find_images(["x/**/*.png"])
    assert [image.name for image in deep.images] == ["x/a.png", "x/y/b.png", "x/out/c.png"]
    assert {image.name for image in find_images(["x/*"]).images} == {image.name for image in deep.images}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("x/*.png", {"x/a.png": "a"}),
        ("x/**/*.p*", {"x/a.png": "a", "x/y/z/c.png": "y/z/c"}),
        ("x/**/[bc].*", {"x/y/b.JPG": "y/b", "x/y/z/c.png": "y/z/c"}),
        ("x/**", {"x/a.png": "a", "x/e.jpg": "e", "x/y/b.JPG": "y/b", "x/y/z/c.png": "y/z/c"}),
        ("x/y*", {"x/y/b.JPG": "y/b", "x/y/z/c.png": "y/z/c"}),
        ("*/?.jpg", {"x/e.jpg": "x/e"}),
        ("x/**/z/**/c.*", {"x/y/z/c.png": "y/z/c"}),
        ("real[1].png", {"real[1].png": "real[1]"}),
    ],
)
@pytest.mark.usefixtures("here")
def test_patterns_find_what_a_shell_would(pattern: str, expected: dict[str, str]) -> None:
    touch("x/a.png", "x/y/b.JPG", "x/y/z/c.png", "x/e.jpg", "x/.hidden/d.png", "real[1].png", "real1.png")
    assert stems(pattern) == expected


@pytest.mark.usefixtures("here")
def test_names_stay_as_they_are_when_others_come() -> None:
    """Two images of one name, one after the other into one folder; and whatever else could be named later."""
    touch("first/x.png", "second/x.png", "first/y.png", "third/x.jpg")
    named: dict[str, str] = {}
    expected = {
        ("first/x.png",): {"first/x.png": "x"},
        ("second/x.png",): {"second/x.png": "second/x"},
        ("first", "second"): {"first/x.png": "x", "first/y.png": "y", "second/x.png": "second/x"},
        ("third/x.jpg",): {"third/x.jpg": "x.jpg"},
    }
    for arguments, names in expected.items():
        jobs = distinct_stems(find_images(arguments).images, Path("out"), ENDINGS, named)
        assert {job.name: (job.folder / job.stem).relative_to("out").as_posix() for job in jobs} == names
        named |= {job.image.key: (job.folder / job.stem).relative_to("out").as_posix() for job in jobs}


@pytest.mark.usefixtures("here")
def test_what_is_somebody_elses_is_not_replaced() -> None:
    touch("a.png")
    images = find_images(["a.png"]).images
    (job,) = distinct_stems(images, Path(), ENDINGS, foreign=lambda stem, image: str(stem) in ("a", "a.png"))
    assert (job.folder / job.stem).as_posix() == "here/a"


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX")
@pytest.mark.usefixtures("here")
def test_a_link_to_an_image_is_an_image_but_one_to_its_folder_leads_to_the_same() -> None:
    touch("a/b.png")
    Path("link.png").symlink_to("a/b.png")
    Path("c").symlink_to("a")
    assert stems("a/b.png", "link.png", "c/b.png") == {"a/b.png": "b", "link.png": "link"}


@pytest.mark.usefixtures("here")
def test_an_image_is_read_with_the_digest_of_its_bytes_and_pickles() -> None:
    Image.new("RGB", (3, 2), (1, 2, 3)).save("a.png")
    (found,) = find_images(["a.png"]).images
    for one in (found, pickle.loads(pickle.dumps(found))):
        image, digest = one.load(FileLimits(pixels=100))
        assert (image.size, image.source) == ((2, 3), "a.png")
        assert digest == one.digest() == sha256(Path("a.png").read_bytes()).hexdigest()
    Path("a.png").unlink()
    with pytest.raises(FeedsegError, match=r"^a\.png does not exist"):
        found.load(FileLimits(pixels=100))


@dataclass(frozen=True)
class Frame(Found):
    """An image that is no file of its own."""

    number: int = 0

    @cached_property
    def key(self) -> str:
        """The file and the frame."""
        return f"{resolved(self.path)}#{self.number}"

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Its number."""
        return io.BytesIO(bytes([self.number]))

    def decode(self, file: BinaryIO, max_pixels: int) -> RgbImage:
        """A grey image."""
        return RgbImage(np.full((2, 2, 3), file.read()[0], np.uint8), f"{self.path}#{self.number}")


class Frames(Source):
    """A source of somebody's own: three frames of what is called *.frames."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return argument.endswith(".frames")

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        path = Path(argument)
        for number in range(3):
            yield Frame(path, PurePath(f"{path.stem}-{number}"), path.absolute().parent.name, number)


@pytest.mark.usefixtures("here")
def test_a_source_of_ones_own() -> None:
    touch("film.frames", "a.png")
    found = find_images(["film.frames", "a.png", "film.frames"], sources=[Frames()])
    assert not found.failures
    jobs = distinct_stems(found.images, Path("out"), ENDINGS)
    assert [job.stem for job in jobs] == ["film-0", "film-1", "film-2", "a"]
    assert [job.image.load(FileLimits(pixels=10))[0].pixels[0, 0, 0] for job in jobs[:3]] == [0, 1, 2]


@pytest.mark.usefixtures("here")
def test_a_source_that_breaks_off_is_a_failure_of_its_argument() -> None:
    class Broken(Frames):
        """Stops after the first frame."""

        def find(self, argument: str, search: Search) -> Iterator[Finding]:
            yield next(super().find(argument, search))
            raise OSError(5, "Input/output error")

    found = find_images(["film.frames"], sources=[Broken()])
    assert found.images == []
    assert found.failures == [Failure("film.frames", "film.frames cannot be read: Input/output error")]


def test_the_sources_there_are() -> None:
    assert SOURCES.names() == ["files", "folders", "frames", "globs", "remotes", "shards", "stdin", "urls"]
    assert [name for name in SOURCES.names() if SOURCES.load(name).last] == ["files"]


def test_a_job_names_its_image() -> None:
    image = Found(Path("a/b.png"), PurePath("b.png"), "a")
    assert Job(image, Path("out"), "b").name == "a/b.png"
