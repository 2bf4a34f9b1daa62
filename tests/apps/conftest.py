"""The commands in this process, a tiny random model saved as a user would have it, and files to give them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny_models
from feedseg.apps.cli.main import main
from feedseg.evaluation.report import images as report_images
from measuring import QUICK, write_dataset

WORDS = "cat; kitten, sofa, rug"
SMALL = ("--host", "clip", "--device", "cpu", "--short-side", "32", "--window", "32", "--stride", "16")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths mean a folder of the test's own; COLUMNS is what a narrow terminal has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FEEDSEG_DEBUG", raising=False)
    monkeypatch.setattr(report_images, "EACH", 0)  # drawing takes longer than all else; test_report has images


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random CLIP."""
    folder = tmp_path_factory.mktemp("clip")
    tiny_models.save_clip(folder)
    return folder


@pytest.fixture
def words() -> str:
    """What --labels is given."""
    return WORDS


@pytest.fixture
def small() -> tuple[str, ...]:
    """Options for sizes that suit the tiny model."""
    return SMALL


@pytest.fixture
def segment(model: Path) -> Callable[..., int]:
    """`segment(*arguments, words=…)`: `feedseg segment` with the tiny model; the exit code."""

    def run(*arguments: object, words: str = WORDS) -> int:
        return main(["segment", "--labels", words, "--model", str(model), *SMALL, *map(str, arguments)])

    return run


@pytest.fixture(scope="session")
def draw() -> Callable[..., Path]:
    """`draw(path, seed=0, size=(40, 30))`: an image file of noise, which may be of a format that loses some of it."""

    def draw_image(path: Path | str, seed: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = size
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return draw_image


@pytest.fixture(scope="session")
def files() -> Callable[[Path | str], list[str]]:
    """`files(folder)`: every file below it by its path in it, but for what runs note for themselves."""

    def below(folder: Path | str) -> list[str]:
        return sorted(
            str(path.relative_to(folder))
            for path in Path(folder).rglob("*")
            if path.is_file() and ".feedseg" not in path.parts
        )

    return below


@pytest.fixture(scope="session")
def results_of() -> Callable[..., list[str]]:
    """`results_of(*stems)`: the files that `feedseg segment` writes."""

    def names(*stems: str) -> list[str]:
        return sorted(f"{stem}.{end}" for stem in stems for end in ("labels.json", "labels.png", "overlay.jpg"))

    return names


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """`complaint()`: the one line on stderr, nothing being on stdout."""

    def one_line() -> str:
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("feedseg: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        assert "Traceback" not in err
        return err

    return one_line


@pytest.fixture(scope="session")
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`python(*arguments, **environment)`: the interpreter in a process of its own."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "COLUMNS": "80"} | environment
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return run


@pytest.fixture(scope="session")
def evaluate() -> Callable[..., int]:
    """`evaluate(*arguments)`: `feedseg evaluate` with the toy model; the exit code."""
    return lambda *arguments: main(["evaluate", *QUICK, *map(str, arguments)])


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TOML file of four drawn scenes."""
    return write_dataset(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def undisturbed(dataset: Path, evaluate: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journals' folder of an evaluation that nothing has happened to."""
    out = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_images, "EACH", 0)
        assert evaluate("--dataset", dataset, "--out", out) == 0
    return out / "mine"


OWN = '''
"""A host, a proxy, feedbacks and a refiner of one's own."""

from dataclasses import dataclass

from feedseg.decode.refiners.base import Refiner
from feedseg.decode.refiners.small_areas import SmallAreas
from feedseg.vision.feedback.fsa import FSAFeedback
from feedseg.vision.hosts.naclip import HOST as NACLIP
from feedseg.vision.hosts.naclip import Naclip


@dataclass(frozen=True)
class Wide(Naclip):
    name = "wide"
    protocol = "naclip"


@dataclass(frozen=True)
class Sharp(FSAFeedback):
    sharpness: float = 5.0


class Grow(SmallAreas):
    pass


def grey(windows):
    import torch

    return torch.nn.functional.avg_pool2d(windows, 8)
'''


@pytest.fixture
def own(tmp_path: Path) -> str:
    """The name of a module in the current directory with plug-ins of one's own."""
    (tmp_path / "plugins_of_a_test.py").write_text(OWN)
    return "plugins_of_a_test"
