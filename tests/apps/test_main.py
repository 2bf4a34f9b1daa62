"""What all commands have in common: help, errors in one line, nothing heavy before it is needed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from feedseg.apps.cli import run_segment
from feedseg.apps.cli.main import main


def test_a_defect_is_one_line_and_a_traceback_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], segment, draw, complaint
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect\nof the program")

    draw("a.png")
    monkeypatch.setattr(run_segment, "load_segmenter", broken)
    assert segment("a.png") == 1
    assert "unexpected ZeroDivisionError: a defect of the program; run with FEEDSEG_DEBUG=1" in complaint()
    monkeypatch.setenv("FEEDSEG_DEBUG", "1")
    assert segment("a.png") == 1
    assert "Traceback" in capsys.readouterr().err


def test_too_little_memory_for_the_model(monkeypatch: pytest.MonkeyPatch, segment, draw, complaint) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    draw("a.png")
    monkeypatch.setattr(run_segment, "load_segmenter", full)
    assert segment("a.png") == 2
    assert "--device cpu" in complaint()


@pytest.mark.parametrize("arguments", [["nosuch"], ["--nosuch"], ["models", "more"], ["doctor", "--vectors", "nosuch"]])
def test_bad_commands_are_one_line(arguments: list[str], complaint) -> None:
    assert main(arguments) == 2
    assert arguments[-1] in complaint()


@pytest.mark.parametrize(
    "command", [[], *([name, "--help-all"] for name in ("segment", "evaluate", "sweep")), ["models"], ["doctor"]]
)
def test_help_fits_80_columns(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command if "--help-all" in command else [*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    if "segment" in command:
        options = """--labels --background --no-background --vocabulary --threshold --model --host --proxy --feedback
            --device --short-side --window --stride --out --json --class-token --no-class-token --residual --no-residual
            --dtype --batch-size --help --overwrite --workers --shards --shard --allow-urls --max-bytes --max-pixels"""
        for option in options.split():
            assert f" {option} " in out, option
        for panel in ("What to look for", "Model", "Image size", "Output", "Examples"):
            assert panel in out


def test_what_most_people_need_is_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """80 columns, some 40 lines; in a process whose --help-all was asked for before, too."""
    for _ in range(2):
        assert main(["segment", "--help"]) == 0
        lines = capsys.readouterr().out.strip().splitlines()
        assert len(lines) <= 44
        assert max(map(len, lines)) <= 80
        text = "\n".join(lines)
        for option in ("--labels", "--background", "--out", "--overwrite", "--help-all"):
            assert f" {option} " in text
        assert "--class-token" not in text
        assert main(["segment", "--help-all"]) == 0
        assert "--class-token" in capsys.readouterr().out


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "segment" in capsys.readouterr().out


def test_help_imports_nothing_heavy(python) -> None:
    program = (
        "import sys; from feedseg.apps.cli.main import main; code = main(['segment', '--help']); "
        "print(sorted({'torch', 'transformers', 'numpy', 'PIL', 'huggingface_hub'} & sys.modules.keys()), code)"
    )
    done = python("-c", program)
    assert done.stdout.endswith("[] 0\n"), done.stdout
    assert done.stderr == ""


def test_the_module_is_the_program(python) -> None:
    done = python("-m", "feedseg", "--version")
    assert done.stdout.startswith("feedseg ")
    assert done.returncode == 0
    done = python("-m", "feedseg", "nosuch")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_first_result_imports_no_more_than_it_needs(tmp_path: Path, draw, python) -> None:
    """And the collector of cycles looks for nothing in what was imported."""
    image = draw(tmp_path / "a.png")
    arguments = ["segment", str(image), "--labels", "cat", "--model", "photo", "--out", str(tmp_path / "out")]
    heavy = "{'transformers', 'torchvision', 'scipy', 'skimage', 'matplotlib', 'pandas', 'pyarrow', 'ray'}"
    program = (
        f"import gc, sys; from feedseg.apps.cli.main import main; code = main({arguments!r}); "
        f"print(code, gc.isenabled(), gc.get_freeze_count(), {heavy} & {{*sys.modules}} or None)"
    )
    done = python("-c", program, FEEDSEG_CACHE=str(tmp_path / "cache"))
    code, enabled, frozen, more = done.stdout.splitlines()[-1].split(maxsplit=3)
    assert (code, enabled, more) == ("0", "True", "None")
    assert int(frozen) > 100_000


def test_without_network_the_error_says_how_to_bring_weights(tmp_path: Path, draw, python, words) -> None:
    draw(tmp_path / "a.png")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "nothing")}
    done = python(
        "-m", "feedseg", "segment", str(tmp_path / "a.png"), "--labels", words, "--model", "vit-b-16", **offline
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("feedseg: openai/clip-vit-base-patch16 ")
    assert "--model FOLDER" in done.stderr
    assert "HF_HOME" in done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_it_is_ending_changes_no_exit_code(name: str) -> None:
    late = "import os, signal\nclass Late:\n    def __del__(self, kill=os.kill, process=os.getpid()):\n        "
    late += f"kill(process, {int(getattr(signal, name))})\n"  # when the interpreter takes itself apart
    late += "signal.late = Late()\nfrom feedseg.apps.cli.main import entry\nentry()"
    ended = subprocess.run([sys.executable, "-c", late, "--version"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    assert ended.stdout.startswith("feedseg ")


def test_too_many_open_files_are_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complaint: Callable[[], str]
) -> None:
    def fails(_: Path) -> list[Path]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("feedseg.io.results.find_results", fails)
    assert main(["convert", str(tmp_path), "--format", "coco"]) == 2
    assert "Too many open files: raise the limit" in complaint()
