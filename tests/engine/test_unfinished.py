"""Folders of what is finished of one large input."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedseg.engine.unfinished import claim, release

OF = {"model": "a", "video": "é"}


def begun(folder: Path, name: str = "clip.mp4") -> Path:
    own = claim(folder, "videos", name, OF)
    (own / "000000.json").write_text("{}", "utf-8")
    return own


def test_parts_of_the_same_stay_and_those_of_others_go(tmp_path: Path) -> None:
    own = begun(tmp_path)
    assert claim(tmp_path, "videos", "clip.mp4", OF) == own
    assert (own / "000000.json").is_file()
    assert claim(tmp_path, "videos", "clip.mp4", {**OF, "model": "b"}) == own
    assert not (own / "000000.json").exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"model": '])
def test_where_it_is_not_known_whose_they_are_they_go(tmp_path: Path, content: bytes) -> None:
    own = begun(tmp_path)
    (own / "of.json").write_bytes(content)
    assert [path.name for path in claim(tmp_path, "videos", "clip.mp4", OF).iterdir()] == ["of.json"]


def test_the_folder_above_goes_with_the_last(tmp_path: Path) -> None:
    own, other = begun(tmp_path), begun(tmp_path, "other.mp4")
    release(own)
    assert other.is_dir()
    release(other)
    assert not other.parent.exists()
