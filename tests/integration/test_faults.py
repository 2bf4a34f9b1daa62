"""A run that a fault ends leaves whole files and nothing else, and goes on to the bytes of an undisturbed one."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
IMAGES = 12
FAULTY = """
import os, signal, time
from pathlib import Path
from feedseg.io.writers.base import Writer

class Faulty(Writer):
    name, suffix, description = "faulty", ".faulty.txt", "what ends a process once, where a file says so"

    def encode(self, result):
        said = Path(__file__).with_name(Path(result.source).name)
        what = said.read_text() if said.exists() else ""
        said.unlink(missing_ok=True)
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hang":
            time.sleep(1000)
        return result.source.encode()
"""


@pytest.fixture(scope="module")
def killed() -> Any:
    """The program of the kills, whose drawn scenes and comparison serve here too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        return importlib.import_module("killed")


@pytest.fixture(scope="module")
def shared(killed: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, what a run made of them that nothing happened to, and the cache of its text."""
    folder = tmp_path_factory.mktemp("faults")
    killed.draw(folder / "images", IMAGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEEDSEG_CACHE", str(folder / "cache"))
        subprocess.run(killed.command("undisturbed", 1), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture
def folder(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, for runs with the same cache, which makes them quicker."""
    monkeypatch.setenv("FEEDSEG_CACHE", str(shared / "cache"))
    return shared


def _goes_on(killed: Any, folder: Path, out: str) -> None:
    """Fails unless what is there is right, and the same command makes the rest."""
    undisturbed = killed.files(folder / "undisturbed")
    assert killed.files(folder / out).items() <= undisturbed.items()
    assert killed.temporaries(folder / out) == []
    subprocess.run(killed.command(out, 1), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    assert killed.files(folder / out) == undisturbed


def _running(group: int) -> list[str]:
    """The processes of a group, without those that have ended and wait for init to notice."""
    told = subprocess.run(["ps", "-e", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in told.splitlines()]
    return [" ".join(line) for line in lines if line[0] == str(group) and not line[1].startswith("Z")]


def _left_over(group: int) -> list[str]:
    """Those that are still there after a while, which is more than ending takes."""
    end = time.monotonic() + 30
    while (running := _running(group)) and time.monotonic() < end:
        time.sleep(0.1)
    return running


def test_a_signal_to_all_processes_of_a_run_leaves_none_and_no_half(killed: Any, folder: Path) -> None:
    number, code = signal.SIGTERM, 143
    out = f"signal-{code}"
    process = subprocess.Popen(
        killed.command(out, 2), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    while process.poll() is None and not list((folder / out).glob("*.json")):  # until it has begun to write
        killed._wait(process, 0.005)
    os.killpg(process.pid, number)
    _, told = process.communicate(timeout=100)
    assert process.returncode == code, told.decode()
    assert b"Traceback" not in told
    assert _left_over(process.pid) == []
    _goes_on(killed, folder, out)


def test_a_limit_of_file_sizes_ends_a_run_in_one_line_and_it_goes_on(killed: Any, folder: Path) -> None:
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)); "
    limited += "runpy.run_module('feedseg', run_name='__main__', alter_sys=True)"
    arguments = killed.command("limited", 1)[3:]
    ended = subprocess.run(
        [sys.executable, "-c", limited, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert re.search(
        r"^feedseg: cannot write limited/\S+: File too large;.*the same command goes on$", ended.stderr, re.M
    )
    _goes_on(killed, folder, "limited")


def test_a_process_that_dies_or_hangs_is_replaced_and_nothing_is_missing(
    killed: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faulty_writer.py").write_text(FAULTY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    for name, what in (("002.png", "kill"), ("003.png", "hang")):  # of two processes
        (tmp_path / name).write_text(what)
    command = [*killed.command("faulty", 2), "--format", "json", "--format", "faulty_writer:Faulty"]
    process = subprocess.Popen(
        [*command, "--give-up-after", "3"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    assert "Traceback" not in told
    told = " ".join(told.split())
    assert "worker 1/2: ended early (exit code -9); another one goes on" in told
    assert "worker 2/2: was ended after 3 s on one image; another one goes on" in told
    assert _left_over(process.pid) == []
    assert killed.temporaries(folder / "faulty") == []
    made, undisturbed = killed.files(folder / "faulty"), killed.files(folder / "undisturbed")
    assert len(made) == 2 * IMAGES
    assert {name for name, content in made.items() if undisturbed.get(name) != content} == {
        f"{number:03}.faulty.txt" for number in range(IMAGES)
    }
