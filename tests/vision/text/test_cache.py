"""Cached embeddings: whatever happened to the files, the numbers are those of the encoder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from feedseg.vision.text.cache import EmbeddingCache

WORDS = ("cat", "dog")


def folder_of(cache: EmbeddingCache) -> Path:
    assert cache.folder is not None
    return cache.folder


def file_of(cache: EmbeddingCache, word: str) -> Path:
    path = cache.path(word)
    assert path is not None
    return path


def embed(word: str) -> torch.Tensor:
    """Of unit length."""
    row = torch.tensor([len(word), ord(word[0]), 1.0, 2.0])
    return row / row.norm()


def embedded(words: Sequence[str]) -> torch.Tensor:
    return torch.stack([embed(word) for word in words])


@pytest.fixture
def cache() -> EmbeddingCache:
    found = EmbeddingCache("revision", ["{}"], "float32")
    found.completed(WORDS, embed)
    return found


def never(_: str) -> torch.Tensor:
    raise AssertionError("it is kept")


def test_what_is_kept_is_not_computed_again(cache: EmbeddingCache) -> None:
    torch.testing.assert_close(cache.completed(WORDS, never), embedded(WORDS), atol=0, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.full((4,), torch.nan),
        torch.zeros(4),
        torch.ones(5) / 5**0.5,
        torch.ones(2, 2) / 2,
        torch.ones(4, dtype=torch.int8),
        torch.tensor([1.0, 0, 0, 0]),
    ],
)
def test_another_vector_is_told_and_computed_anew(cache: EmbeddingCache, wrong: torch.Tensor) -> None:
    from safetensors import safe_open

    path = file_of(cache, "cat")
    with safe_open(path, framework="pt") as file:
        about = file.metadata()
    save_file({"embedding": wrong}, path, metadata=about)
    with pytest.warns(UserWarning, match=r"is damaged: its word is embedded anew"):
        torch.testing.assert_close(cache.completed(WORDS, embed), embedded(WORDS), atol=0, rtol=0)
    torch.testing.assert_close(cache.completed(WORDS, never), embedded(WORDS), atol=0, rtol=0)
    assert set(load_file(path)) == {"embedding"}


@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.filterwarnings("ignore:.*is damaged")
def test_no_damage_changes_the_numbers(data: st.DataObject) -> None:
    cache = EmbeddingCache(f"revision-{data.draw(st.integers(0, 10**9))}", ["{}"], "float32")
    cache.completed(WORDS, embed)
    path = file_of(cache, "dog")
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    torch.testing.assert_close(cache.completed(WORDS, embed), embedded(WORDS), atol=0, rtol=0)


def test_what_a_killed_run_left_goes_after_a_day_and_not_before(cache: EmbeddingCache) -> None:
    old, new = (folder_of(cache) / f".feedseg-{digit * 16}.safetensors" for digit in "ab")
    for path in (old, new):
        path.write_bytes(b"")
    before = time.time() - 100_000
    os.utime(old, (before, before))
    cache.completed(["bird"], embed)
    assert (old.exists(), new.exists()) == (False, True)


def test_without_a_folder_that_can_be_written_everything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", "~nobody-of-this-name/x"):
        monkeypatch.setenv("FEEDSEG_CACHE", str(folder))
        monkeypatch.chdir(tmp_path)
        found = EmbeddingCache("revision", ["{}"], "float32").completed(WORDS, embed)
        torch.testing.assert_close(found, embedded(WORDS))
    assert [one.name for one in tmp_path.iterdir()] == ["file"]  # and no folder called ~nobody-of-this-name


def test_on_a_full_disk_everything_is_computed_and_nothing_is_left(
    cache: EmbeddingCache, file_size_limit: Callable[[int], None]
) -> None:
    file_size_limit(100)
    torch.testing.assert_close(cache.completed(["bird"], embed), embedded(["bird"]), atol=0, rtol=0)
    assert cache.load("bird") is None
    assert len([*folder_of(cache).iterdir()]) == len(WORDS)


def test_a_user_without_a_home_has_no_cache_and_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEEDSEG_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: Path("~/.cache/feedseg"))  # as it is then
    monkeypatch.chdir(tmp_path)
    torch.testing.assert_close(EmbeddingCache("revision", ["{}"], "float32").completed(WORDS, embed), embedded(WORDS))
    assert not [*tmp_path.iterdir()]
