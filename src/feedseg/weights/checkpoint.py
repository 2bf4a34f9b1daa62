"""The files of a model, found in a local folder or on the Hugging Face hub; what they mean is known elsewhere.

A hub model whose files are in the hub's cache is used from there without any request, even if the branch has moved on
since. Where HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are set, they count.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.errors import FeedsegError, first_line
from feedseg.weights.hub import cached_snapshot, fetch, is_complete, snapshot_around, why_not_fetched
from feedseg.weights.layout import CONFIGS, TOKENIZER, WEIGHTS, read_json, replace_advice, weights_in
from feedseg.weights.quantised import dequantised

if TYPE_CHECKING:
    from torch import Tensor

_HUB_NAME = re.compile(r"(\w[\w.-]*/\w[\w.-]*)(?:@(?!.*\.\.)(\w[\w./-]*))?", re.ASCII)


@dataclass(frozen=True)
class Checkpoint:
    """The files of one model, all on this machine."""

    source: str  # what was asked for: "openai/clip-vit-base-patch16", the same with "@revision", or a folder
    folder: Path
    repository: str | None  # on the hub; None for a folder that is no snapshot in the hub's cache
    weights: tuple[Path, ...]  # in the order of loading

    @cached_property
    def revision(self) -> str:
        """The hub's commit; for a plain folder "sha256:" and 16 hex digits over weights, configuration and tokenizer.

        Raises:
            FeedsegError: one of these files cannot be read.
        """
        if snapshot := snapshot_around(self.folder):
            return snapshot[1]
        digest = hashlib.sha256()
        beside = (self.folder / name for name in (*CONFIGS, *TOKENIZER))
        for path in (*self.weights, *(path for path in beside if path.is_file())):
            digest.update(path.name.encode())
            try:
                with path.open("rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
            except OSError as error:
                raise FeedsegError(f"cannot read {path}: {error.strerror or error}") from error
        return f"sha256:{digest.hexdigest()[:16]}"


def find_checkpoint(source: str | Path, *, tokenizer: bool = False) -> Checkpoint:
    """Find a model's files, and fetch them if they are not on this machine.

    Only what is needed is fetched: configuration, one set of weights, with `tokenizer` the tokenizer's files as well.
    Of a hub repository with a manifest that is all it may name, and the checkpoint has no weights of its own.
    Whether a local folder has a tokenizer is not checked, nor whether a hub repository has one at all.

    A transfer that the server ends early goes on where it broke, in huggingface_hub 2.4 at the last whole 10 MB. What a
    reset connection or a killed process leaves of a file it fetches again from the start; finished files are kept.

    Args:
        source: an existing folder, or the hub's "owner/name" or "owner/name@revision" (branch, tag or commit).

    Raises:
        FeedsegError: there is no such folder, repository or revision, it lacks weights, or it cannot be fetched.
    """
    folder = Path(os.path.expanduser(source))  # noqa: PTH111 -- Path's own fails for a user that does not exist
    if str(source) and os.path.isdir(folder):  # noqa: PTH112 -- Path's own fails for a text that can be no path
        weights = weights_in(folder)
        if not weights:
            raise FeedsegError(f"{folder} has no weights: give a folder with one of {', '.join(WEIGHTS)}")
        repository, _ = snapshot_around(folder) or (None, None)
        return Checkpoint(str(source), folder, repository, weights)
    if os.path.isfile(folder):  # noqa: PTH113
        raise FeedsegError(f"{source} is a file: give the folder that holds the whole model")
    found = _HUB_NAME.fullmatch(source) if isinstance(source, str) else None
    if found is None:
        raise FeedsegError(
            f"no folder {str(source)[:200]!r}: give a folder, or a hub model as owner/name or owner/name@revision"
        )
    repository, revision = found[1], found[2] or "main"
    folder = cached_snapshot(repository, revision)
    if not is_complete(folder, tokenizer):
        try:
            folder = fetch(repository, revision, tokenizer)
        except FeedsegError:
            raise
        except Exception as error:  # of the hub's library, of whichever httpx it uses, of hf_xet, of the system
            raise FeedsegError(why_not_fetched(error, str(source), repository, revision)) from error
    return Checkpoint(str(source), folder, repository, weights_in(folder))


def load_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Every tensor of the checkpoint, by name, on the CPU; matrices in eight bits as fp32.

    Nothing is unpickled but tensors and plain containers.

    Raises:
        FeedsegError: a file is absent, damaged, or holds something else than tensors.
    """
    tensors: dict[str, Tensor] = {}
    for path in checkpoint.weights:
        tensors.update(_load_safetensors(path) if path.suffix == ".safetensors" else _load_pickle(path))
        _check_numbers(tensors, path)
    try:
        return dequantised(tensors)
    except FeedsegError as error:
        raise FeedsegError(f"{checkpoint.source}: {error}") from error


def read_config(checkpoint: Checkpoint, name: str = "config.json") -> dict[str, Any]:
    """One of the checkpoint's JSON files.

    Raises:
        FeedsegError: the file is absent or no JSON object.
    """
    if not (checkpoint.folder / name).is_file():
        raise FeedsegError(f"{checkpoint.source} has no {name}, and cannot be used without: give a complete model")
    return read_json(checkpoint.folder / name)


def _check_numbers(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raises FeedsegError where a weight is no finite number, or every matrix is zero."""
    matrices = [tensor for tensor in tensors.values() if tensor.dim() > 1]
    if matrices and not any(bool(tensor.any()) for tensor in matrices):
        raise FeedsegError(f"{path} holds nothing but zeros: {replace_advice(path)}")
    for name, tensor in tensors.items():
        # A sum is finite only if all are, but for an overflow, which is looked into: much quicker than asking each.
        if tensor.is_floating_point() and not (tensor.sum().isfinite() or tensor.isfinite().all()):
            raise FeedsegError(f"{path}: {name} holds values that are no finite numbers: {replace_advice(path)}")


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise FeedsegError(
            f"{path} is no whole safetensors file ({first_line(error)}): {replace_advice(path)}"
        ) from error


def _load_pickle(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged pickle raises is open-ended; torch's own text advises to trust the file
        raise FeedsegError(
            f"{path} is damaged, or holds more than weights and might run code, so it is not loaded: "
            f"{replace_advice(path)}"
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise FeedsegError(f"{path} is no plain set of named tensors: give a model with model.safetensors")
    return tensors
