"""requirements/*.lock hold what pyproject.toml asks for, by hash, with nothing of one computer and nothing of CUDA."""

from __future__ import annotations

import re
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [Requirement(line) for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]]
OF_CUDA = re.compile(r"^(nvidia|cuda|triton|torch\b)", re.M)
PIN = re.compile(r"^([\w.-]+)==(\S+)((?: ;[^\\\n]*)?)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n", re.M)


def pins(name: str) -> dict[str, list[Version]]:
    """The versions of each package that a lock holds: several where they differ by Python or system."""
    found: dict[str, list[Version]] = {}
    for package, version, *_ in PIN.findall((ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(package), []).append(Version(version))
    return found


@pytest.mark.parametrize("name", ["dev", "oldest"])
def test_every_line_is_a_version_with_its_hashes(name: str) -> None:
    text = (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")
    rest = PIN.sub("", text)
    assert all(line.startswith("#") for line in rest.splitlines()), rest
    assert "/" not in text
    assert not OF_CUDA.search(text)


@pytest.mark.parametrize("name", ["dev", "oldest"])
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.name)
def test_what_the_project_asks_for_is_locked(name: str, asked: Requirement) -> None:
    if asked.name == "torch":
        return  # each computer has its own; the next test
    versions = pins(name).get(canonicalize_name(asked.name), [])
    assert versions, f"{asked.name} is not in requirements/{name}.lock: `make lock`"
    assert all(asked.specifier.contains(version, prereleases=True) for version in versions)


def test_the_oldest_torch_that_is_tried_is_the_oldest_that_is_allowed() -> None:
    (torch,) = (asked for asked in ASKED if asked.name == "torch")
    (least,) = (part.version for part in torch.specifier if part.operator == ">=")
    (tried,) = re.findall(r"^OLDEST_TORCH \?= torch==(\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert Version(tried) == Version(least)


def test_the_oldest_are_older() -> None:
    """Most direct dependencies stand at the bound itself; what others of them need may lift one."""
    oldest = pins("oldest")
    bounds = [
        Version(part.version) in oldest[canonicalize_name(asked.name)]
        for asked in ASKED
        for part in asked.specifier
        if part.operator == ">=" and asked.name != "torch"
    ]
    assert sum(bounds) > 0.7 * len(bounds)
