import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage
from feedseg.io.sources import SOURCES
from feedseg.io.sources.base import Failure, Found, Job, Source, resolved
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
    jobs, failures = find_images(arguments, Path(out))
    assert not failures
    names = {str(job.path): str((job.folder / job.stem).relative_to(out)) for job in jobs}
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
    jobs, _ = find_images(["a.png", "a.labels.png", "a.png.overlay.jpg"], Path())
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
def test_results_of_other_formats_are_not_searched_for_when_asked() -> None:
    touch("x/a.png", "x/a.Mask.png")
    jobs, _ = find_images(["x"], Path("out"), endings=[".mask.png"])
    assert [str(job.path) for job in jobs] == ["x/a.png"]


@pytest.mark.usefixtures("here")
def test_a_file_is_taken_whatever_it_is_called() -> None:
    touch("notes.txt", ".hidden.png", "a.labels.png")
    jobs, failures = find_images(["notes.txt", ".hidden.png", "a.labels.png"], Path("out"))
    assert (len(jobs), failures) == (3, [])


@pytest.mark.usefixtures("here")
def test_what_leads_to_nothing_says_why_in_order_and_stops_nothing() -> None:
    touch("a.png")
    Path("empty").mkdir()
    jobs, failures = find_images(["none.png", "", "a.png", "empty", "n" * 300], Path("out"))
    assert [job.stem for job in jobs] == ["a"]
    assert failures == [
        Failure("none.png", "none.png does not exist"),
        Failure("", "an empty name stands among the images"),
        Failure("empty", "empty has no images (bmp, gif, jpeg, jpg, png, tif, tiff, webp)"),
        Failure("n" * 300, f"{'n' * 300} cannot be read: File name too long"),
    ]


@pytest.mark.usefixtures("here")
def test_a_folder_that_cannot_be_read_is_named_and_the_rest_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    touch("x/a.png", "x/secret/b.png")
    original = os.scandir

    def guarded(path: str) -> Any:
        if Path(path) == Path("x/secret"):  # the tests may run as a user who can read everything
            raise PermissionError(13, "Permission denied", path)
        return original(path)

    monkeypatch.setattr(os, "scandir", guarded)
    jobs, failures = find_images(["x"], Path("out"))
    assert [str(job.path) for job in jobs] == ["x/a.png"]
    assert failures == [Failure("x/secret", "x/secret cannot be read: Permission denied")]
    jobs, failures = find_images(["x/secret"], Path("out"))
    assert (jobs, len(failures)) == ([], 1)


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX")
@pytest.mark.usefixtures("here")
def test_a_link_to_an_image_is_an_image_but_one_to_its_folder_leads_to_the_same() -> None:
    touch("a/b.png")
    Path("link.png").symlink_to("a/b.png")
    Path("c").symlink_to("a")
    assert stems("a/b.png", "link.png", "c/b.png") == {"a/b.png": "b", "link.png": "link"}


@pytest.mark.usefixtures("here")
def test_a_job_is_read_and_pickles() -> None:
    Image.new("RGB", (3, 2), (1, 2, 3)).save("a.png")
    (job,), _ = find_images(["a.png"], Path("out"))
    for one in (job, pickle.loads(pickle.dumps(job))):
        image = one.read()
        assert (image.size, image.source) == ((2, 3), "a.png")
    Path("a.png").unlink()
    with pytest.raises(FeedsegError, match=r"^a\.png does not exist"):
        job.read()


@dataclass(frozen=True)
class Frame(Found):
    """An image that is no file of its own."""

    number: int = 0

    @cached_property
    def key(self) -> str:
        """The file and the frame."""
        return f"{resolved(self.path)}#{self.number}"

    def read(self) -> RgbImage:
        """A grey image."""
        return RgbImage(np.full((2, 2, 3), self.number, np.uint8), f"{self.path}#{self.number}")


class Frames(Source):
    """A source of somebody's own: three frames of what is called *.frames."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return argument.endswith(".frames")

    def find(self, argument: str, endings: tuple[str, ...]) -> Iterator[Found | Failure]:
        """See `Source.find`."""
        path = Path(argument)
        for number in range(3):
            yield Frame(path, PurePath(f"{path.stem}-{number}"), path.absolute().parent.name, number)


@pytest.mark.usefixtures("here")
def test_a_source_of_ones_own() -> None:
    touch("film.frames", "a.png")
    jobs, failures = find_images(["film.frames", "a.png", "film.frames"], Path("out"), sources=[Frames()])
    assert not failures
    assert [job.stem for job in jobs] == ["film-0", "film-1", "film-2", "a"]
    assert [job.read().pixels[0, 0, 0] for job in jobs[:3]] == [0, 1, 2]


@pytest.mark.usefixtures("here")
def test_a_source_that_breaks_off_is_a_failure_of_its_argument() -> None:
    class Broken(Frames):
        """Stops after the first frame."""

        def find(self, argument: str, endings: tuple[str, ...]) -> Iterator[Found | Failure]:
            yield next(super().find(argument, endings))
            raise OSError(5, "Input/output error")

    jobs, failures = find_images(["film.frames"], Path("out"), sources=[Broken()])
    assert jobs == []
    assert failures == [Failure("film.frames", "film.frames cannot be read: Input/output error")]


def test_the_sources_there_are() -> None:
    assert {"files", "folders"} <= set(SOURCES.names())
    assert [name for name in SOURCES.names() if SOURCES.load(name).last] == ["files"]


def test_a_job_names_its_file() -> None:
    image = Found(Path("a/b.png"), PurePath("b.png"), "a")
    assert Job(image, Path("out"), "b").path == Path("a/b.png")
