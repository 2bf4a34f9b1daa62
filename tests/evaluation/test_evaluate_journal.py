"""Journals: nothing that ends a program can spoil them, and none is mixed with numbers made otherwise."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedseg.engine.journal import Failed, Journal, Measured, Share, measured_already, read_journals, sparse, total
from feedseg.errors import FeedsegError

FINGERPRINT = {"settings": {"host": "clip", "window": [3, 4]}, "words": "abc"}


def measured(name: str, seed: int = 0, classes: int = 5) -> Measured:
    confusion = np.random.default_rng(seed).integers(0, 3, (classes, classes))
    boundaries = np.array([[1, 5, 4, 3, 2]])
    return Measured(
        name, (9, 5), {"without": sparse(confusion)}, {"without": boundaries}, {"open": 0.5, "without": 0.25}, 7
    )


def write(folder: Path, *names: str, share: Share | None = None) -> Path:
    with Journal(folder, share or Share(), FINGERPRINT) as journal:
        for name in names:
            journal.add(measured(name, len(name)))
    return journal.path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    one = measured("a/1", 3)
    with Journal(tmp_path / "new", Share(), FINGERPRINT) as journal:
        journal.add(one)
        journal.add(Failed("ümlaut", (), "broken"))
    contents = read_journals(tmp_path / "new")
    assert contents.measured["a/1", (9, 5)].to_json() == one.to_json()
    assert contents.failed == {("ümlaut", ()): Failed("ümlaut", (), "broken")}
    assert measured_already(tmp_path / "new") == {("a/1", (9, 5))}


def test_a_failure_is_forgotten_once_the_picture_is_measured(tmp_path: Path) -> None:
    with Journal(tmp_path, Share(), FINGERPRINT) as journal:
        journal.add(Failed("a", (9, 5), "broken"))
        journal.add(Failed("b", (9, 5), "broken"))
    write(tmp_path, "a")
    assert read_journals(tmp_path).failed == {("b", (9, 5)): Failed("b", (9, 5), "broken")}


def test_cut_off_anywhere_it_loses_the_last_picture_at_most(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", "a", "bb", "ccc").read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    journal = tmp_path / "cut" / "pictures.jsonl"
    journal.parent.mkdir()
    for length in {0, 1, *ends, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1]), ends[0] // 2, ends[2] - 9}:
        journal.write_bytes(whole[:length])
        kept = ["a", "bb", "ccc"][: max(0, sum(end <= length for end in ends) - 1)]
        assert measured_already(journal.parent) == {(name, (9, 5)) for name in kept}
        write(journal.parent, *(name for name in ("a", "bb", "ccc") if name not in kept))
        assert journal.read_bytes() == whole


def test_shares_are_merged_and_what_two_have_counts_once(tmp_path: Path) -> None:
    write(tmp_path, "a", "bb", share=Share(1, 2))
    write(tmp_path, "ccc", "a", share=Share(2, 2))
    write(tmp_path, "dddd")
    contents = read_journals(tmp_path)
    assert sorted(name for name, _ in contents.measured) == ["a", "bb", "ccc", "dddd"]
    expected = sum(np.random.default_rng(n).integers(0, 3, (5, 5)) for n in (1, 2, 3, 4))
    np.testing.assert_array_equal(total(contents.measured.values(), "without", 5), expected)


@given(st.integers(0, 40), st.integers(1, 9))
def test_shares_part_the_work(count: int, of: int) -> None:
    parts = [Share(number, of).of_samples(range(count)) for number in range(1, of + 1)]
    assert sorted(sample for part in parts for sample in part) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_numbers_made_otherwise_are_refused_with_what_differs(tmp_path: Path) -> None:
    path = write(tmp_path, "a")
    other = {"settings": {"host": "sclip", "window": [3, 4]}, "words": "abc", "new": 1}
    with pytest.raises(FeedsegError) as refused:
        Journal(tmp_path, Share(2, 3), other)
    text = str(refused.value)
    assert "settings.host was clip, now sclip; new was absent, now 1" in text
    assert "--out" in text
    assert str(path) in text
    assert sorted(tmp_path.iterdir()) == [path]
    many = {str(index): index for index in range(9)}
    with pytest.raises(FeedsegError, match="and 8 more"):
        Journal(tmp_path, Share(), many)


@pytest.mark.parametrize(
    "damage",
    [
        *(b"nonsense\n", b'{"journal": 1}\n', b"[1]\n", b"\xff\xfe\n", b"5\n", b"null\n"),
        *(b'{"journal": 2, "fingerprint": 5}\n', b'{"name": 5, "sizes": []}\n', b'{"name": "c", "sizes": 5}\n'),
        *(b'{"name": "c", "sizes": ["9"], "error": "broken"}\n', b'{"name": "c", "sizes": [], "error": 5}\n'),
    ],
)
def test_damage_is_told_and_never_passed_over(tmp_path: Path, damage: bytes) -> None:
    path = write(tmp_path, "a", "bb")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([damage, *lines[1:]]))
    with pytest.raises(FeedsegError, match=r"pictures\.jsonl is damaged"):
        Journal(tmp_path, Share(), FINGERPRINT)
    path.write_bytes(b"".join([*lines[:1], damage, *lines[1:]]))
    for read in (read_journals, measured_already):
        with pytest.raises(FeedsegError, match=r"pictures\.jsonl is damaged"):
            read(tmp_path)


def test_rows_that_are_none_are_damage_too(tmp_path: Path) -> None:
    path = write(tmp_path, "a")
    for rows in ('{"without":[[1,2]]}', '{"without":[[1e400,1,1]]}', '{"without":[[1,1,1' + 30 * "0" + "]]}", "[5]"):
        line = f'{{"name":"c","sizes":[],"pixels":{rows},"boundaries":{{}},"seconds":{{}},"memory":null}}\n'
        (tmp_path / "pictures.1-of-2.jsonl").write_bytes(path.read_bytes().splitlines(keepends=True)[0] + line.encode())
        with pytest.raises(FeedsegError, match=r"1-of-2\.jsonl is damaged"):
            read_journals(tmp_path)


def test_a_picture_of_the_same_name_and_another_size_is_another_one(tmp_path: Path) -> None:
    write(tmp_path, "a")
    other = replace(measured("a", 9), sizes=(9, 6))
    with Journal(tmp_path, Share(), FINGERPRINT) as journal:
        journal.add(Failed("a", (9, 6), "broken"))
        assert [*read_journals(tmp_path).failed] == [("a", (9, 6))]
        journal.add(other)
    contents = read_journals(tmp_path)
    assert not contents.failed
    assert contents.measured["a", (9, 6)].to_json() == other.to_json()
    assert contents.measured["a", (9, 5)].to_json() == measured("a", 1).to_json()


def test_a_journal_of_another_format_is_not_damaged_but_foreign(tmp_path: Path) -> None:
    (tmp_path / "pictures.jsonl").write_text('{"journal": 99, "fingerprint": {}}\n')
    with pytest.raises(FeedsegError, match="another version"):
        Journal(tmp_path, Share(), FINGERPRINT)


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked on Windows")
def test_only_one_process_writes_a_journal(tmp_path: Path) -> None:
    with Journal(tmp_path, Share(), FINGERPRINT), pytest.raises(FeedsegError, match="by another process"):
        Journal(tmp_path, Share(), FINGERPRINT)
    write(tmp_path, "a")  # it is free again
    # and even a process that had no time to let go of it does
    code = (
        "import json, os, sys; from pathlib import Path; from feedseg.engine.journal import *\n"
        "journal = Journal(Path(sys.argv[1]), Share(), json.loads(sys.argv[2]))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path), json.dumps(FINGERPRINT)], check=False)
    assert killed.returncode == -9
    write(tmp_path, "bb")
    assert measured_already(tmp_path) == {("a", (9, 5)), ("bb", (9, 5))}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    with Journal(tmp_path, Share(), FINGERPRINT) as journal:
        journal._file.close()
        journal._file = Path("/dev/full").open("r+b")  # noqa: SIM115 -- the journal closes it
        with pytest.raises(FeedsegError, match=r"pictures\.jsonl: No space left"):
            journal.add(Failed("a", (9, 5), "broken"))
