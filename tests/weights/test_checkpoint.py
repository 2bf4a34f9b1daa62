"""Models in local folders: which files are taken, what they are read as, and what the user is told if that fails."""

import hashlib
import json
import os
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor

from feedseg.errors import FeedsegError
from feedseg.weights.checkpoint import Checkpoint, find_checkpoint, load_weights, read_config

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2, 3])}


class Trap:
    """Unpickling this makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def complaint(call: Callable[[], object]) -> str:
    """The one line that the user is told."""
    with pytest.raises(FeedsegError) as caught:
        call()
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


def write_shards(folder: Path, suffix: str = ".safetensors") -> None:
    """Two shards and their index, which names them in another order than they are numbered."""
    stem = "model" if suffix == ".safetensors" else "pytorch_model"
    for number, (name, tensor) in enumerate(TENSORS.items(), 1):
        path = folder / f"{stem}-{number:05}-of-00002{suffix}"
        save_file({name: tensor}, path) if suffix == ".safetensors" else torch.save({name: tensor}, path)
    weight_map = {"b": f"{stem}-00002-of-00002{suffix}", "a": f"{stem}-00001-of-00002{suffix}"}
    (folder / f"{stem}{suffix}.index.json").write_text(json.dumps({"weight_map": weight_map}))


def equal(read: dict[str, Tensor]) -> bool:
    return read.keys() == TENSORS.keys() and all(torch.equal(read[name], TENSORS[name]) for name in read)


@pytest.fixture(autouse=True)
def unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local folder is no business of the hub: neither its library nor a connection is to be had."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a local folder led to a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)


def test_safer_weights_are_preferred_and_sharded_ones_count(tmp_path: Path) -> None:
    write_shards(tmp_path)
    write_shards(tmp_path, ".bin")
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    pickled_shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    for name in ("model", "open_clip_model", "open_clip_pytorch_model"):
        (tmp_path / f"{name}.safetensors").touch()
    for name in ("pytorch_model.bin", "open_clip_pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"):
        (tmp_path / name).touch()
    for preferred, deciding in [
        (["model.safetensors"], "model.safetensors"),
        (shards, "model.safetensors.index.json"),
        (["open_clip_model.safetensors"], "open_clip_model.safetensors"),
        (["open_clip_pytorch_model.safetensors"], "open_clip_pytorch_model.safetensors"),
        (["pytorch_model.bin"], "pytorch_model.bin"),
        (pickled_shards, "pytorch_model.bin.index.json"),
        (["open_clip_pytorch_model.bin"], "open_clip_pytorch_model.bin"),
    ]:
        assert [path.name for path in find_checkpoint(tmp_path).weights] == preferred
        (tmp_path / deciding).unlink()
    text = complaint(lambda: find_checkpoint(tmp_path))
    assert str(tmp_path) in text
    assert "model.safetensors" in text
    assert "pytorch_model.bin" in text


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_weights_are_read_whole_or_in_shards(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "sharded").mkdir()
    write_shards(tmp_path / "sharded", suffix)
    if suffix == ".bin":
        torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    else:
        save_file(TENSORS, tmp_path / "model.safetensors")
    assert equal(load_weights(find_checkpoint(tmp_path)))
    assert equal(load_weights(find_checkpoint(str(tmp_path / "sharded"))))


def test_missing_shard_is_named_before_anything_is_read(tmp_path: Path) -> None:
    write_shards(tmp_path)
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")  # no reason to fall back on it in silence
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors" in complaint(lambda: find_checkpoint(tmp_path))


@pytest.mark.parametrize("listed", [{"a": "../model.safetensors"}, {"a": "/etc/hostname"}, {"a": 1}, {}, ["a"], None])
def test_index_lists_files_beside_it_and_nothing_else(tmp_path: Path, listed: object) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    save_file(TENSORS, tmp_path / "model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    assert "model.safetensors.index.json" in complaint(lambda: find_checkpoint(folder))


def test_revision_is_the_content_of_weights_and_configuration(tmp_path: Path) -> None:
    write_shards(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    files = (*sorted(tmp_path.glob("*.safetensors")), tmp_path / "config.json")
    content = b"".join(path.name.encode() + path.read_bytes() for path in files)
    revision = find_checkpoint(tmp_path).revision
    assert revision == f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"
    elsewhere = tmp_path.rename(tmp_path.with_name("elsewhere"))
    assert find_checkpoint(elsewhere).revision == revision
    save_file({"b": TENSORS["b"] + 1}, elsewhere / "model-00002-of-00002.safetensors")
    assert find_checkpoint(elsewhere).revision != revision


def test_revision_is_computed_when_asked_for_and_once(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    asked, unasked = find_checkpoint(tmp_path), find_checkpoint(tmp_path)
    revision = asked.revision
    (tmp_path / "model.safetensors").unlink()
    assert asked.revision == revision
    assert str(tmp_path / "model.safetensors") in complaint(lambda: unasked.revision)


def test_snapshot_in_a_hub_cache_has_the_commit_as_revision(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--owner--name" / "snapshots" / ("c0ffee" * 7)[:40]
    inner = snapshot / "tower"
    inner.mkdir(parents=True)
    for folder in (snapshot, inner):
        save_file(TENSORS, folder / "model.safetensors")
    (tmp_path / "link").symlink_to(snapshot)
    for folder in (snapshot, inner, tmp_path / "link"):
        found = find_checkpoint(folder)
        assert (found.repository, found.revision) == ("owner/name", snapshot.name)
        assert found.source == str(folder)
    plain = tmp_path / "models--owner--name"
    save_file(TENSORS, plain / "model.safetensors")
    assert find_checkpoint(plain).repository is None
    assert find_checkpoint(plain).revision.startswith("sha256:")


@pytest.mark.parametrize(
    "source",
    ["./model", "/no/such/model", "~/no/such", "~nobody-here/model", "a/b/c", "model", "owner/name@v/../../x", ""],
)
def test_what_is_neither_folder_nor_hub_name_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_file(TENSORS, tmp_path / "model.safetensors")  # "" is not the current folder
    text = complaint(lambda: find_checkpoint(source))
    assert text.startswith(f"no folder {source!r}")
    assert "owner/name" in text


def test_path_is_never_taken_for_a_hub_name_and_a_folder_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no folder 'owner/name'" in complaint(lambda: find_checkpoint(Path("owner/name")))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    save_file(TENSORS, tmp_path / "owner" / "name" / "model.safetensors")
    assert find_checkpoint("owner/name").folder.samefile(tmp_path / "owner" / "name")
    assert "is a file" in complaint(lambda: find_checkpoint("owner/name/model.safetensors"))


def test_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save_file(TENSORS, tmp_path / "model.safetensors")
    assert find_checkpoint("~").folder == tmp_path


def test_truncated_safetensors_are_named_and_nobody_is_told_to_delete_what_a_link_points_to(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(save(TENSORS)[:-1])
    (tmp_path / "model.safetensors").symlink_to(blob)
    text = complaint(lambda: load_weights(find_checkpoint(tmp_path)))
    assert str(tmp_path / "model.safetensors") in text
    assert "delete" not in text
    assert str(blob) not in text
    assert "put a whole copy in its place" in text


def test_damaged_files_of_the_hubs_cache_are_fetched_again(tmp_path: Path) -> None:
    cache = tmp_path / "models--owner--name"
    blob, snapshot = cache / "blobs/0123", cache / "snapshots/abcd"
    blob.parent.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    blob.write_bytes(save(TENSORS)[:-1])
    (snapshot / "model.safetensors").symlink_to(blob)
    text = complaint(lambda: load_weights(find_checkpoint(snapshot)))
    assert "hf download owner/name --force-download" in text


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ({"a": torch.tensor([1.0, float("nan")]), "b": torch.ones(2, 2)}, "a holds values that are no finite numbers"),
        ({"a": torch.tensor([1.0, float("inf")])}, "a holds values that are no finite numbers"),
        ({"a": torch.ones(3), "b": torch.zeros(2, 2)}, "holds nothing but zeros"),
        ({"a": torch.ones(3, 4, dtype=torch.int8), "a.scale": torch.ones(7)}, "the scales of a do not fit it"),
    ],
)
def test_weights_that_cannot_be_any_are_told(tensors: dict[str, torch.Tensor], expected: str, tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "model.safetensors")
    text = complaint(lambda: load_weights(find_checkpoint(tmp_path)))
    assert expected in text
    assert str(tmp_path) in text


def test_large_finite_numbers_are_weights(tmp_path: Path) -> None:
    save_file({"a": torch.full((4, 4), 3e38)}, tmp_path / "model.safetensors")  # their sum is not finite
    assert load_weights(find_checkpoint(tmp_path))["a"].shape == (4, 4)


def test_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    for save_trap in (torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2))):
        save_trap({"a": TENSORS["a"], "b": trap}, tmp_path / "pytorch_model.bin")
        text = complaint(lambda: load_weights(find_checkpoint(tmp_path)))
        assert str(tmp_path / "pytorch_model.bin") in text
        assert not trap.path.exists()
    pickle.loads(pickle.dumps(trap))
    assert trap.path.exists()  # the trap works, so it was not sprung


def test_pickle_is_not_touched_beside_safetensors(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    torch.save(Trap(tmp_path / "sprung"), tmp_path / "pytorch_model.bin")
    assert equal(load_weights(find_checkpoint(tmp_path)))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [[TENSORS["a"]], {"state_dict": TENSORS}, TENSORS["a"]])
def test_pickle_of_anything_but_named_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "pytorch_model.bin")
    assert "pytorch_model.bin" in complaint(lambda: load_weights(find_checkpoint(tmp_path)))


def test_truncated_pickle_and_absent_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save(TENSORS, path)
    path.write_bytes(path.read_bytes()[:-50])
    assert str(path) in complaint(lambda: load_weights(find_checkpoint(tmp_path)))
    absent = Checkpoint("somewhere", tmp_path, None, (tmp_path / "model.safetensors",))
    assert str(tmp_path / "model.safetensors") in complaint(lambda: load_weights(absent))


def test_config_is_read_or_the_file_named(tmp_path: Path) -> None:
    checkpoint = Checkpoint("owner/name", tmp_path, None, ())
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    (tmp_path / "preprocessor_config.json").write_text('{"size": "größe"}', encoding="utf-8")
    assert read_config(checkpoint) == {"model_type": "clip"}
    assert read_config(checkpoint, "preprocessor_config.json") == {"size": "größe"}
    text = complaint(lambda: read_config(checkpoint, "feedseg.json"))
    assert "owner/name" in text
    assert "feedseg.json" in text
    for content in (b'{"model_type": "cl', b"", b"[1]", b'{"size": "gr\xf6\xdfe"}'):
        (tmp_path / "config.json").write_bytes(content)
        assert str(tmp_path / "config.json") in complaint(lambda: read_config(checkpoint))
