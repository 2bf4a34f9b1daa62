"""Journals: nothing that ends a program can spoil them, and none is mixed with results made otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from feedseg.engine.journal import FORMAT, JournalError, JournalFolder, Record
from feedseg.engine.shards import Shard
from feedseg.errors import FeedsegError

FINGERPRINT = {"settings": {"host": "clip", "window": [3, 4]}, "words": "abc"}


@pytest.fixture
def journals(tmp_path: Path) -> JournalFolder:
    return JournalFolder(tmp_path, "images")


def write(journals: JournalFolder, *items: str, shard: Shard | None = None) -> Path:
    with journals.open(FINGERPRINT, shard) as journal:
        for item in items:
            journal.append(Record(item, {"length": len(item)}))
    return journal.path


def items(journals: JournalFolder) -> list[str]:
    return [record.item for _, record in journals.records()]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    journals = JournalFolder(tmp_path / "new", "images")
    records = [Record({"name": "ümlaut", "sizes": [1]}, {"a": [1, 2]}), Record("b", error="broken"), Record("c", {})]
    with journals.open(FINGERPRINT) as journal:
        for record in records:
            journal.append(record)
    assert [record for _, record in journals.records()] == records
    assert journals.finished() == {records[0].key, records[2].key}
    assert records[0].key == Record({"sizes": [1], "name": "ümlaut"}).key


def test_cut_off_anywhere_it_loses_the_last_line_at_most(tmp_path: Path) -> None:
    names = ["a", "bb", "ccc"]
    whole = write(JournalFolder(tmp_path / "whole", "images"), *names).read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    journals = JournalFolder(tmp_path / "cut", "images")
    path = tmp_path / "cut" / "images.jsonl"
    path.parent.mkdir()
    for length in {0, 1, *ends, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1]), ends[0] // 2, ends[2] - 9}:
        path.write_bytes(whole[:length])
        kept = names[: max(0, sum(end <= length for end in ends) - 1)]
        assert items(journals) == kept
        write(journals, *(name for name in names if name not in kept))
        assert path.read_bytes() == whole


def test_shards_write_apart_and_are_read_together(journals: JournalFolder) -> None:
    assert write(journals, "a", "bb", shard=Shard(1, 2)).name == "images.1-of-2.jsonl"
    write(journals, "ccc", "a", shard=Shard(2, 2))
    assert write(journals, "dddd", shard=Shard(1, 1)).name == "images.jsonl"
    assert items(journals) == ["a", "bb", "ccc", "a", "dddd"]
    assert len(journals.finished()) == 4


def test_results_made_otherwise_are_refused_with_what_differs(journals: JournalFolder) -> None:
    path = write(journals, "a")
    other = {"settings": {"host": "sclip", "window": [3, 4]}, "words": "abc", "new": 1}
    with pytest.raises(FeedsegError) as refused:
        journals.open(other, Shard(2, 3))
    text = str(refused.value)
    assert "settings.host was clip, now sclip; new was absent, now 1" in text
    assert "--out" in text
    assert str(path) in text
    assert journals.files == [path]
    with pytest.raises(FeedsegError, match="and 8 more"):
        journals.check({str(index): index for index in range(9)})


@pytest.mark.parametrize(
    "damage",
    [
        *(b"nonsense\n", b'{"journal": 1}\n', b"[1]\n", b"\xff\xfe\n", b"5\n", b"null\n"),
        *(b'{"journal": %d, "fingerprint": 5}\n' % FORMAT, b'{"item": 5}\n', b'{"item": "c", "result": 5}\n'),
        *(b'{"result": {}}\n', b'{"item": "c", "error": 5}\n'),
    ],
)
def test_damage_is_told_and_never_passed_over(journals: JournalFolder, damage: bytes) -> None:
    path = write(journals, "a", "bb")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([damage, *lines[1:]]))
    with pytest.raises(FeedsegError, match=r"images\.jsonl is damaged"):
        journals.open(FINGERPRINT)
    path.write_bytes(b"".join([*lines[:1], damage, *lines[1:]]))
    for read in (journals.finished, lambda: items(journals)):
        with pytest.raises(FeedsegError, match=r"images\.jsonl is damaged"):
            read()


def test_a_journal_of_another_format_is_not_damaged_but_foreign(journals: JournalFolder) -> None:
    (journals.folder / "images.jsonl").write_text('{"journal": 99, "fingerprint": {}}\n')
    with pytest.raises(FeedsegError, match="another version"):
        journals.open(FINGERPRINT)


def test_only_one_process_writes_a_journal(journals: JournalFolder) -> None:
    with journals.open(FINGERPRINT), pytest.raises(FeedsegError, match="by another process"):
        journals.open(FINGERPRINT)
    write(journals, "a")  # it is free again
    # and so it is after a process that had no time to let go of it
    code = (
        "import json, os, sys; from pathlib import Path; from feedseg.engine.journal import JournalFolder\n"
        "journal = JournalFolder(Path(sys.argv[1]), 'images').open(json.loads(sys.argv[2]))\n"
        "print('open', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(journals.folder), json.dumps(FINGERPRINT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(FeedsegError, match="by another process"):
            journals.open(FINGERPRINT)
        other.kill()
    write(journals, "bb")
    assert items(journals) == ["a", "bb"]


def test_what_cannot_be_written_is_told_in_one_line(
    journals: JournalFolder, file_size_limit: Callable[[int], None]
) -> None:
    with journals.open(FINGERPRINT) as journal:
        journal.append(Record("a", {}))
        file_size_limit(journal.path.stat().st_size)
        with pytest.raises(JournalError, match=r"images\.jsonl: File too large"):
            journal.append(Record("b", {}))
    (journals.folder / "taken").touch()
    with pytest.raises(FeedsegError, match="cannot write"):
        JournalFolder(journals.folder / "taken", "images").open(FINGERPRINT)
