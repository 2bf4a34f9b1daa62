"""`feedseg doctor`: what this installation consists of, and whether it computes what it should."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import as_file, files
from pathlib import Path

import torch
from huggingface_hub import constants

from feedseg.apps.cli.console import complain, console, facts, plain_table, show, write
from feedseg.engine.outcomes import explain
from feedseg.errors import FeedsegError
from feedseg.evaluation.vectors.compare import compare_folder
from feedseg.vision.devices import choose_device, choose_dtype
from feedseg.vision.text.cache import cache_folder
from feedseg.weights.catalog import CARDS
from feedseg.weights.hub import cached_revision

PACKAGES = ("feedseg", "torch", "transformers", "huggingface_hub", "safetensors", "tokenizers", "numpy", "pillow")
VECTOR = "evaluation/vectors"  # in the package


def examine() -> int:
    """Versions, devices, caches, and a check with the vector that the package carries; the exit code."""
    device = choose_device(None)
    dtype = str(choose_dtype(None, device)).removeprefix("torch.")
    here = [name for name, card in CARDS.items() if card.is_bundled or cached_revision(card.repository)]
    rows = [
        ("python", f"{platform.python_version()} on {platform.platform()}"),
        *((package, _version(package)) for package in PACKAGES),
        *_devices(),
        ("used by default", f"{device}, {dtype}"),
        ("hub's cache", constants.HF_HUB_CACHE + (" (offline)" if constants.HF_HUB_OFFLINE else "")),
        ("words' cache", str(cache_folder() or "none: there is no home folder")),
        ("models here", ", ".join(here) or "none of the catalog; see `feedseg models`"),
    ]
    show(console(), facts(rows))
    with as_file(files("feedseg").joinpath(VECTOR)) as folder:
        return compare_with(folder)


def compare_with(folder: Path) -> int:
    """Print how far every tensor is from the reference vectors in a folder; 1 if one is too far or there are none."""
    screen = console()
    table = plain_table("file", "tensor", "shape", "deviation", "", "")
    table.columns[3].justify = "right"
    for column in table.columns[:-1]:
        column.no_wrap = True
    compared = failed = 0
    broken: str | None = None
    try:
        for one in compare_folder(folder):
            compared += 1
            failed += not one.passed
            deviation = "-" if one.deviation is None else f"{one.deviation:.2e}"
            shape = "×".join(map(str, one.shape))
            name = one.file.removesuffix(".safetensors")
            table.add_row(name, one.tensor, shape, deviation, "ok" if one.passed else "TOO FAR", one.remark)
    except FeedsegError as error:
        broken = str(error)
    except Exception as error:
        broken = f"{folder}: {explain(error)}"
    if compared:
        show(screen, table)
    if broken:
        complain(broken)
    write(f"{compared} tensors, {failed} too far")
    return 1 if failed or broken or not compared else 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> list[tuple[str, str]]:
    found = [("cpu", f"{torch.get_num_threads()} of {os.cpu_count()} processors")]
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        found.append((f"cuda:{index}", f"{about.name}, {about.total_memory / 2**30:.0f} GiB"))
    if torch.backends.mps.is_available():
        found.append(("mps", "Apple"))
    return found
