"""Nothing goes over the network: not in the tests, not at import, not with what is bundled."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import no_network
from paths import ROOT

ELSEWHERE = "192.0.2.1"  # set aside for documentation (RFC 5737): nobody's address
IMPORT = ["-c", "import feedseg; feedseg.Segmenter, feedseg.Vocabulary"]
PHOTO = ROOT / "src/feedseg/models/photographs/chelsea.jpg"
COMMANDS = {
    "import": IMPORT,
    "help": ["-m", "feedseg", "--help"],
    "models": ["-m", "feedseg", "models"],
}
SEGMENT = ["-m", "feedseg", "segment", str(PHOTO), "--labels", "cat, blanket", "--short-side", "112"]


def child(
    arguments: list[str], folder: Path, *before: str, **environment: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """How a Python process ended, started in a folder of its own, and the computers that it asked for."""
    log = folder / "asked"
    variables = os.environ | {"HF_HOME": str(folder / "hub"), no_network.LOG: str(log)} | environment
    variables.pop("HF_HUB_OFFLINE", None)
    command = [*before, sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)
    return done, log.read_text().splitlines() if log.exists() else []


@pytest.mark.parametrize("host", [ELSEWHERE, "example.com", "2001:db8::1"])
def test_tests_cannot_reach_another_computer(host: str) -> None:
    with pytest.raises(no_network.NetworkUsedError, match=host), socket.create_connection((host, 80), timeout=1):
        pass
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as own:
        for call in (own.connect, own.connect_ex, lambda address: own.sendto(b"", address)):
            with pytest.raises(no_network.NetworkUsedError):
                call((host, 80))


def test_tests_reach_this_computer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name in ("127.0.0.1", "localhost"):
            socket.create_connection((name, server.getsockname()[1]), timeout=5).close()


def test_processes_that_tests_start_are_blocked_too_and_what_they_catch_is_told(tmp_path: Path) -> None:
    program = f"import socket\ntry: socket.create_connection(('{ELSEWHERE}', 80))\nexcept Exception: print('caught')"
    done, asked = child(["-c", program], tmp_path)
    assert (done.stdout, asked) == ("caught\n", [ELSEWHERE]), done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_asked_for(name: str, tmp_path: Path) -> None:
    done, asked = child(COMMANDS[name], tmp_path)
    assert (done.returncode, asked) == (0, []), done.stderr


def test_photographs_are_segmented_without_a_network(tmp_path: Path) -> None:
    """Where the kernel lets us, in a namespace without interfaces: that holds code in other languages as well."""
    alone = ("unshare", "--map-root-user", "--net")
    possible = (
        shutil.which("unshare") and not subprocess.run([*alone, "true"], capture_output=True, check=False).returncode
    )
    done, asked = child(SEGMENT, tmp_path, *(alone if possible else ()))
    assert (done.returncode, asked) == (0, []), done.stderr
    assert list((tmp_path / "feedseg-out").glob("chelsea.*"))
