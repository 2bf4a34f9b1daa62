"""A table in parts: what is done is what its parts hold, whatever ended the runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fsspec
import pytest

from feedseg.engine.journal import JournalError
from feedseg.engine.parts import ABOUT, DRIVER, Parts
from feedseg.errors import FeedsegError
from feedseg.io.store import FolderStore, RemoteStore, Store, store_at
from feedseg.io.table import schema

dataset = pytest.importorskip("pyarrow.dataset")
MADE = {"words": "cat"}


def row(key: str, stem: str | None = None) -> dict[str, Any]:
    return dict.fromkeys(schema().names) | {"key": key, "stem": stem}


@pytest.fixture(params=["folder", "address"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "table")
        return
    yield RemoteStore(f"memory://{tmp_path.name}/table")
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def parts_of(store: Store) -> list[str]:
    return [name for name in store.names() if name.startswith("part-")]


def test_rows_are_written_in_parts_and_known_to_the_next_run(store: Store) -> None:
    with Parts.claim(store, MADE, rows=2) as parts:
        for key in "abc":
            parts.add(row(key, f"of-{key}"))
        assert len(parts_of(store)) == 1
    assert len(parts_of(store)) == parts.written == 2
    with Parts.claim(store, MADE, rows=2) as parts:
        assert ["a" in parts, "c" in parts, "d" in parts, len(parts)] == [True, True, False, 3]
        assert parts.stems == {key: f"of-{key}" for key in "abc"}
        parts.add(row("d"))
    assert parts.written == 1
    assert len(parts_of(store)) == 3


def test_a_part_is_called_by_what_it_holds(tmp_path: Path) -> None:
    for name in ("one", "other"):
        with Parts.claim(FolderStore(tmp_path / name), MADE) as parts:
            parts.add(row("a"))
    assert parts_of(FolderStore(tmp_path / "one")) == parts_of(FolderStore(tmp_path / "other"))


def test_rows_wait_a_minute_at_most_for_others(tmp_path: Path) -> None:
    now = 0.0
    store = FolderStore(tmp_path)
    with Parts.claim(store, MADE, clock=lambda: now) as parts:
        parts.add(row("a"))
        now = 59.0
        parts.add(row("b"))
        assert parts_of(store) == []
        now = 61.0
        parts.add(row("c"))
        assert len(parts_of(store)) == 1


def test_what_was_made_otherwise_stays_unless_it_is_to_be_replaced(store: Store) -> None:
    with Parts.claim(store, MADE) as parts:
        parts.add(row("a"))
    with (
        pytest.raises(
            FeedsegError, match=r"made otherwise: words was cat, now dog; give another --out, or --overwrite"
        ),
        Parts.claim(store, {"words": "dog"}),
    ):
        pass
    assert len(parts_of(store)) == 1
    with Parts.claim(store, {"words": "dog"}, overwrite=True) as parts:
        assert "a" not in parts
    assert parts_of(store) == []


def test_a_place_that_holds_no_rows_yet_is_free(store: Store) -> None:
    with Parts.claim(store, MADE):
        pass
    with Parts.claim(store, {"words": "dog"}):
        pass
    assert json.loads(store.read(ABOUT))["fingerprint"] == {"words": "dog"}


def test_damage_is_told(store: Store) -> None:
    with Parts.claim(store, MADE) as parts:
        parts.add(row("a"))
    (part,) = parts_of(store)
    content = store.read(part)
    store.write(part, content[:-30])
    with pytest.raises(FeedsegError, match=rf"{part} is damaged .*: delete it, and what it holds is computed again"):
        Parts.claim(store, MADE).__enter__()
    store.write(part, content)
    for about in (b"{", b"[]", b'{"table": 1}', b'{"table": 1, "fingerprint": 3}', b"\xff"):
        store.write(ABOUT, about)
        with pytest.raises(FeedsegError, match=rf"{ABOUT} is damaged: give another --out, or --overwrite"):
            Parts.claim(store, MADE).__enter__()
    store.write(ABOUT, b'{"table": 2, "fingerprint": {}}')
    with pytest.raises(FeedsegError, match="was written by another version of feedseg"):
        Parts.claim(store, MADE).__enter__()
    store.remove(ABOUT)
    with pytest.raises(FeedsegError, match=f"holds parts of a table without {ABOUT}"):
        Parts.claim(store, MADE).__enter__()


def test_a_folder_is_for_one_process(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from feedseg.engine.parts import Parts; "
        "from feedseg.io.store import FolderStore; Parts.claim(FolderStore(Path(sys.argv[1])), {}).__enter__()"
    )
    with Parts.claim(FolderStore(tmp_path), MADE):
        other = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    reason = f"{tmp_path} is being written by another run: wait until it has ended, or give another --out"
    assert other.stderr.splitlines()[-1].endswith(reason)


def test_in_object_storage_the_last_to_come_goes_on(tmp_path: Path) -> None:
    store = RemoteStore(f"memory://{tmp_path.name}/table")
    with ExitStack() as stack:
        first = stack.enter_context(Parts.claim(store, MADE, rows=1))
        first.add(row("a"))
        second = stack.enter_context(Parts.claim(store, MADE, rows=1))
        assert "a" in second
        second.add(row("b"))
        with pytest.raises(JournalError, match="another run has begun to write into memory://"):
            first.add(row("b"))
    assert len(parts_of(store)) == 2
    assert DRIVER in store.names()


def test_a_full_disk_ends_a_run_and_loses_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    with Parts.claim(store, MADE, rows=1) as parts:
        parts.add(row("a"))

        def full(*_: object) -> None:
            raise FeedsegError("cannot write part: No space left on device")

        monkeypatch.setattr(store, "write", full)
        with pytest.raises(JournalError, match="No space left on device"):
            parts.add(row("b"))
    assert len(parts_of(store)) == 1
    with Parts.claim(FolderStore(tmp_path), MADE) as parts:
        assert ["a" in parts, "b" in parts] == [True, False]


def test_paths_are_folders_and_addresses_are_not(tmp_path: Path) -> None:
    assert isinstance(store_at(str(tmp_path)), FolderStore)
    assert isinstance(store_at("memory://a/b/"), RemoteStore)
    assert store_at("memory://user:secret@host/b/").name == "memory://host/b"
    with pytest.raises(FeedsegError, match="nosuch://b cannot be reached by nosuch"):
        store_at("nosuch://b")
