"""Images in tar files, in Parquet tables and at addresses of fsspec's."""

from __future__ import annotations

import io
import os
import tarfile
from hashlib import sha256
from pathlib import Path, PurePath

import fsspec
import numpy as np
import pytest
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io import remote
from feedseg.io.limits import FileLimits
from feedseg.io.sources.base import Search, inside_of
from feedseg.io.sources.find import Findings, find_images

LIMITS = FileLimits(pixels=10_000)


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def find(*arguments: object) -> Findings:
    return find_images(map(str, arguments), Search(stored=True))


def shades(found: Findings) -> list[int]:
    return [int(image.load(LIMITS)[0].pixels[0, 0, 0]) for image in found.images]


def test_the_images_of_a_tar_file_are_read_from_where_they_lie(tmp_path: Path) -> None:
    path = tar(tmp_path / "s.tar", {"b/1.png": png(7), "b/1.json": b"{}", "b/2.png": png(9), "b/.x.png": png(1)})
    found = find(path)
    assert [image.key for image in found.images] == [f"{path}/b/1.png", f"{path}/b/2.png"]
    assert [image.inside for image in found.images] == [PurePath("b/1.png"), PurePath("b/2.png")]
    assert shades(found) == [7, 9]
    assert found.images[1].load(LIMITS)[1] == sha256(png(9)).hexdigest()
    assert dict(found.skipped) == {".json": 1, "hidden": 1}


def test_shards_in_folders_and_patterns_are_looked_into_only_where_that_is_wanted(tmp_path: Path) -> None:
    for number in range(2):
        tar(tmp_path / f"{number}.tar", {"a.png": png(number)})
    assert shades(find(tmp_path)) == shades(find(tmp_path / "*.tar")) == [0, 1]
    other = find_images([str(tmp_path)])
    assert (other.images, dict(other.skipped)) == ([], {".tar": 2})
    (failure,) = find_images([str(tmp_path / "0.tar")]).failures
    assert failure.reason == f"{tmp_path / '0.tar'} was not read: feedseg batch reads it"


@pytest.mark.parametrize(
    ("mode", "cut", "whole"),
    [("w:gz", None, []), ("w", 700, [1]), ("w", 1024, [1]), ("w", 1200, [1]), ("w", 3000, None)],
)
def test_what_is_no_whole_plain_tar_file_is_told_and_loses_no_other(
    tmp_path: Path, mode: str, cut: int | None, whole: list[int] | None
) -> None:
    random = np.random.default_rng(0).bytes(5000)
    broken = tar(tmp_path / "broken.tar", {"a.png": png(1), "b.png": random}, mode)
    broken.write_bytes(broken.read_bytes()[:cut])
    found = find(broken, tar(tmp_path / "whole.tar", {"a.png": png(5)}))
    if whole is not None:
        assert shades(found) == [*whole, 5]
    (failure,) = found.failures
    assert failure.reason.startswith(f"{broken} ")
    assert "\n" not in failure.reason


def test_a_shard_that_has_become_shorter_is_told(tmp_path: Path) -> None:
    path = tar(tmp_path / "s.tar", {"a.png": png(1)})
    (image,) = find(path).images
    os.truncate(path, 520)
    with pytest.raises(FeedsegError, match=r"s\.tar/a\.png cannot be read: the file ends before it"):
        image.load(LIMITS)


def test_names_from_elsewhere_lead_nowhere_else(tmp_path: Path) -> None:
    (image,) = find(tar(tmp_path / "s.tar", {"../../etc/a:b.png": png(1)})).images
    assert image.inside == PurePath("etc/a_b.png")
    for name, inside in (("/a/./b", "a/b"), ("..", "image"), ("a\\..\\b", "a/b"), ("", "image"), ("a\nb", "a_b")):
        assert inside_of(name) == PurePath(inside)


@pytest.mark.parametrize("nested", [False, True])
def test_the_rows_of_a_table_are_images(tmp_path: Path, nested: bool) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    images = [png(shade) for shade in (1, 2, 3, 4, 5)]
    values = [{"bytes": one, "path": "x.png"} for one in images] if nested else images
    table = pa.table({"label": [0] * 5, "thumb": [b""] * 5, "image": values})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    found = find(tmp_path / "t.parquet")
    assert [image.key for image in found.images] == [f"{tmp_path / 't.parquet'}#{row}" for row in range(5)]
    assert shades(found) == [1, 2, 3, 4, 5]
    assert len({stem for image in found.images for stem in image.stems[:1]}) == 5


def test_a_table_without_images_is_told(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"name": ["a"], "size": [1]}), tmp_path / "names.parquet")
    parquet.write_table(pa.table({"image": pa.array([None], pa.binary())}), tmp_path / "null.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    found = find(*(tmp_path / f"{name}.parquet" for name in ("names", "text", "null")))
    assert [failure.reason.partition(":")[0] for failure in found.failures] == [
        f"{tmp_path / 'names.parquet'} has no column of images",
        f"{tmp_path / 'text.parquet'} is no Parquet file",
    ]
    with pytest.raises(FeedsegError, match=r"null\.parquet#0 has no image"):
        found.images[0].load(LIMITS)


def test_addresses_lead_to_files_folders_patterns_and_shards(tmp_path: Path) -> None:
    with fsspec.open("memory://bucket/photos/a.png", "wb") as file:
        file.write(png(3))  # pyright: ignore[reportAttributeAccessIssue]
    system = fsspec.filesystem("memory")
    system.pipe_file("/bucket/photos/deep/b.png", png(4))
    system.pipe_file("/bucket/photos/notes.txt", b"")
    system.pipe_file("/bucket/photos/.hidden.png", png(0))
    system.pipe_file("/bucket/shard.tar", tar(tmp_path / "s.tar", {"c.png": png(5)}).read_bytes())
    folder = find("memory://bucket/photos")
    assert [image.key for image in folder.images] == [
        "memory:///bucket/photos/a.png",
        "memory:///bucket/photos/deep/b.png",
    ]
    assert [str(image.inside) for image in folder.images] == ["a.png", str(Path("deep/b.png"))]
    assert dict(folder.skipped) == {".txt": 1, "hidden": 1}
    assert shades(folder) == [3, 4]
    assert shades(find("memory://bucket/photos/*.png", "memory://bucket/shard.tar")) == [3, 5]
    assert shades(find("memory://bucket/*.tar")) == [5]
    assert shades(find((tmp_path / "s.tar").as_uri())) == [5]
    (failure,) = find("memory://bucket/none").failures
    assert failure.reason == "memory://bucket/none has no images, or is not there"
    (failure,) = find_images(["memory://bucket/photos"]).failures
    assert failure.reason == "memory://bucket/photos was not read: feedseg batch reads it"


def test_no_more_of_a_file_is_read_than_it_may_have() -> None:
    fsspec.filesystem("memory").pipe_file("/large/a.png", png(1) + bytes(10_000))
    (image,) = find_images(["memory://large/a.png"], Search(stored=True, max_bytes=500)).images
    with image.open() as file:
        assert len(file.read()) == 501
    with pytest.raises(FeedsegError, match="raise it by --max-bytes"):
        image.load(FileLimits(bytes=500))


def test_a_file_system_that_is_not_there_is_told() -> None:
    (failure,) = find("nosuch://bucket/photos").failures
    assert failure.reason == "nosuch://bucket/photos cannot be reached by nosuch: Protocol not known: nosuch"


def test_reading_is_tried_again_unless_it_is_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "WAITS", (0.0, 0.0))
    outcomes = iter([OSError("reset"), TimeoutError("slow"), b"bytes"])

    def read() -> bytes:
        one = next(outcomes)
        if isinstance(one, Exception):
            raise one
        return one

    assert remote.tried(read, "it fails") == b"bytes"
    outcomes = iter([OSError("reset"), OSError("reset"), OSError("reset again"), b"never"])
    with pytest.raises(FeedsegError, match="it fails: reset again"):
        remote.tried(read, "it fails")
    outcomes = iter([FileNotFoundError("not there"), b"never"])
    with pytest.raises(FeedsegError, match="it fails: not there"):
        remote.tried(read, "it fails")
