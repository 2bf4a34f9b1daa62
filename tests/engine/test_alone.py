"""One process at a time in a folder, and nothing left of those that were killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from feedseg.engine.alone import fellow_writer, sole_writer
from feedseg.errors import FeedsegError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
LEFT = f".feedseg-{'a' * 16}.png"


def test_what_a_killed_process_left_is_gone_and_a_second_process_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "deep").mkdir(parents=True)
    (out / "deep" / LEFT).write_bytes(b"half")
    other = "import sys; from pathlib import Path; from feedseg.engine.alone import sole_writer\n"
    other += "with sole_writer(Path(sys.argv[1]), []): print('in', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", other, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(FeedsegError, match="another process is writing into"), sole_writer(out, [out / "deep"]):
            pass
        assert (out / "deep" / LEFT).exists()  # it may be the other's
        process.kill()
    with sole_writer(out, [out / "deep"]):  # a dead process keeps nobody out
        assert not (out / "deep" / LEFT).exists()
    assert [path.name for path in out.iterdir()] == ["deep"]


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(FeedsegError, match="cannot write"), sole_writer(tmp_path / "out", []):
        pass


def test_a_run_has_fellows_and_keeps_a_sole_writer_out(tmp_path: Path) -> None:
    (tmp_path / LEFT).write_bytes(b"half")
    told = "another process is writing into"
    with fellow_writer(tmp_path), fellow_writer(tmp_path):
        with pytest.raises(FeedsegError, match=told), sole_writer(tmp_path, [tmp_path]):
            pass
        assert (tmp_path / LEFT).exists()  # it may be one of theirs
    with sole_writer(tmp_path, []), pytest.raises(FeedsegError, match=told), fellow_writer(tmp_path):
        pass
