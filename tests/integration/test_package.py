"""What people install: both distributions are built, looked into, and tried in an environment of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Callable
from email.parser import Parser
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

import no_network
from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_PYTHON = {"__pycache__"}

pytestmark = pytest.mark.skipif(not find_spec("build"), reason="needs `build`, of the extra dev")


def run(*command: str | Path, folder: Path) -> str:
    """What a command printed; nothing of the checkout is in its path, and it reaches no other computer."""
    variables = os.environ | {"PYTHONPATH": str(no_network.CHILD), "FEEDSEG_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=variables, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("package")
    checkout = folder / "checkout"
    ignored = shutil.ignore_patterns(*OF_PYTHON, "*.egg-info")
    shutil.copytree(ROOT / "src", checkout / "src", ignore=ignored)
    shutil.copytree(ROOT / "tests", checkout / "tests", ignore=ignored)  # to see that it stays out
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, checkout)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", checkout, folder=folder)
    (source,) = (folder / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "dist").glob("*.whl")
    return source, wheel


@pytest.fixture(scope="module")
def installed(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """`installed(program, …)`: what a program printed, in an environment of the wheel and, by a path, what it needs.

    The path gives modules only: the checkout's own installation, which is a path as well, is not followed.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", python(folder)]
    run(*pip, "install", "--no-index", "--no-deps", distributions[1], folder=folder)
    where = run(python(folder), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(where, "dependencies.pth").write_text("\n".join(sorted(ours)), encoding="utf-8")
    return lambda program, *arguments: run(python(folder).with_name(program), *arguments, folder=folder)


def python(folder: Path) -> Path:
    """The interpreter of the environment; pip's `feedseg` lies beside it."""
    return folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"


def in_the_checkout() -> set[str]:
    """The package's files, by what lies in the folder."""
    source = ROOT / "src"
    files = (path.relative_to(source) for path in source.glob("feedseg/**/*") if path.is_file())
    return {path.as_posix() for path in files if not OF_PYTHON & set(path.parts)}


def test_the_wheel_is_the_package_whole_and_nothing_else(distributions: tuple[Path, Path]) -> None:
    """It was built from the source distribution, which therefore holds all that is needed."""
    with ZipFile(distributions[1]) as wheel:
        files = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert files == in_the_checkout()
        assert {"feedseg/py.typed", "feedseg/models/photo/NOTICE"} <= files
        assert all(wheel.read(name) == (ROOT / "src" / name).read_bytes() for name in files)


def test_the_source_distribution_is_the_package_and_its_licence(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as archive:
        files = {member.name.split("/", 1)[1] for member in archive.getmembers() if member.isfile()}
    sources = {f"src/{name}" for name in in_the_checkout()}
    made = {name for name in files if name.startswith("src/feedseg.egg-info/")} | {"PKG-INFO", "setup.cfg"}
    assert files - made == sources | {"pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"}


def test_the_metadata_is_the_projects(distributions: tuple[Path, Path]) -> None:
    with ZipFile(distributions[1]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(wheel.read(name).decode())
    assert metadata["Version"] == PROJECT["version"]
    assert f"\nversion: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(needed) == len(PROJECT["dependencies"])
    assert metadata.get_all("License-File") == ["LICENSE"]


def test_the_wheel_works_where_only_it_is_installed(installed: Callable[..., str]) -> None:
    program = "import feedseg, json, sys; print(json.dumps([feedseg.__file__, sys.prefix]))"
    file, prefix = json.loads(installed("python", "-c", program))
    assert Path(file).is_relative_to(prefix)
    assert installed("feedseg", "--version").split() == ["feedseg", PROJECT["version"]]
    assert "mIoU" in installed("feedseg", "evaluate", "scenes", "--model", "mini", "--limit", "1")
