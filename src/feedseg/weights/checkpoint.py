"""The files of a model, found in a local folder or on the Hugging Face hub; what they mean is known elsewhere.

A hub model whose files are in the hub's cache is used from there without any request, even if the branch has moved on
since. Where HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are set, they count.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.errors import FeedsegError, first_line
from feedseg.files import write_atomically
from feedseg.weights.quantised import dequantised

if TYPE_CHECKING:
    from torch import Tensor

CONFIGS = ("config.json", "preprocessor_config.json", "processor_config.json", "open_clip_config.json")
TOKENIZER = ("special_tokens_map.json", "tokenizer_config.json", "vocab.json", "merges.txt", "tokenizer.json")
WEIGHTS = (  # the first that a model has is taken: pickles, even if read safely, come last
    "model.safetensors",
    "model.safetensors.index.json",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "open_clip_pytorch_model.bin",
)
MANIFEST = "feedseg.json"  # ties a tower, a projection and words together: see `feedseg.vision.manifest`
_INDEX = ".index.json"
_OF_MANIFESTS = (".json", ".safetensors", ".txt")  # what a repository with a manifest is fetched for
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
        if snapshot := _snapshot_around(self.folder):
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
        weights = _weights_in(folder)
        if not weights:
            raise FeedsegError(f"{folder} has no weights: give a folder with one of {', '.join(WEIGHTS)}")
        repository, _ = _snapshot_around(folder) or (None, None)
        return Checkpoint(str(source), folder, repository, weights)
    if os.path.isfile(folder):  # noqa: PTH113
        raise FeedsegError(f"{source} is a file: give the folder that holds the whole model")
    found = _HUB_NAME.fullmatch(source) if isinstance(source, str) else None
    if found is None:
        raise FeedsegError(
            f"no folder {str(source)[:200]!r}: give a folder, or a hub model as owner/name or owner/name@revision"
        )
    repository, revision = found[1], found[2] or "main"
    folder = _cached_snapshot(repository, revision)
    if not _is_complete(folder, tokenizer):
        try:
            folder = _fetch(repository, revision, tokenizer)
        except FeedsegError:
            raise
        except Exception as error:  # of the hub's library, of whichever httpx it uses, of hf_xet, of the system
            raise FeedsegError(_explained(error, str(source), repository, revision)) from error
    return Checkpoint(str(source), folder, repository, _weights_in(folder))


def cached_revision(repository: str, revision: str | None = None) -> str | None:
    """The commit of a hub model if its configuration and weights are all in the cache, else None; makes no request."""
    folder = _cached_snapshot(repository, revision or "main")
    return folder.name if _is_complete(folder, tokenizer=False) else None


def load_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Every tensor of the checkpoint, by name, on the CPU; matrices in eight bits as fp32.

    Nothing is unpickled but tensors and plain containers.

    Raises:
        FeedsegError: a file is absent, damaged, or holds something else than tensors.
    """
    tensors: dict[str, Tensor] = {}
    for path in checkpoint.weights:
        tensors.update(_load_safetensors(path) if path.suffix == ".safetensors" else _load_pickle(path))
    return dequantised(tensors)


def read_config(checkpoint: Checkpoint, name: str = "config.json") -> dict[str, Any]:
    """One of the checkpoint's JSON files.

    Raises:
        FeedsegError: the file is absent or no JSON object.
    """
    if not (checkpoint.folder / name).is_file():
        raise FeedsegError(f"{checkpoint.source} has no {name}, and cannot be used without: give a complete model")
    return _read_json(checkpoint.folder / name)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # a wrong encoding is a ValueError too
        raise FeedsegError(f"{path} is not readable JSON ({first_line(error)}): {_replace(path)}") from error
    if not isinstance(content, dict):
        raise FeedsegError(f"{path} holds no JSON object: {_replace(path)}")
    return content


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise FeedsegError(f"{path} is no whole safetensors file ({first_line(error)}): {_replace(path)}") from error


def _load_pickle(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged pickle raises is open-ended; torch's own text advises to trust the file
        raise FeedsegError(
            f"{path} is damaged, or holds more than weights and might run code, so it is not loaded: {_replace(path)}"
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise FeedsegError(f"{path} is no plain set of named tensors: give a model with model.safetensors")
    return tensors


def _replace(path: Path) -> str:
    """The advice for a damaged file: in the hub's cache the file behind the link has to go, or it is linked again."""
    return f"mend it, or delete {path.resolve()} and fetch the model again"


def _weights_in(folder: Path) -> tuple[Path, ...]:
    """The preferred set of weights in a folder, () if it has none.

    Raises:
        FeedsegError: shards are missing, or their index is of no use.
    """
    name = next((name for name in _weight_names(folder) if (folder / name).is_file()), None)
    if name is None:
        return ()
    if not name.endswith(_INDEX):
        return (folder / name,)
    shards = tuple(folder / shard for shard in _shards(folder / name))
    for shard in shards:
        if not shard.is_file():
            raise FeedsegError(f"{folder} lacks {shard.name}, which {name} lists: fetch the model again")
    return shards


def _weight_names(folder: Path) -> list[str]:
    """The names that weights may have, the preferred ones first: OpenCLIP's where only its configuration is a CLIP's.

    Some repositories hold OpenCLIP's files beside another library's image tower under the plain names.
    """
    if not (folder / "open_clip_config.json").is_file():
        return list(WEIGHTS)
    config = folder / "config.json"
    if config.is_file() and _read_json(config).get("model_type") == "clip":
        return list(WEIGHTS)
    return sorted(WEIGHTS, key=lambda name: not name.startswith("open_clip"))


def _shards(index: Path) -> list[str]:
    """The file names that an index of sharded weights lists."""
    weight_map = _read_json(index).get("weight_map")
    names = set(weight_map.values()) if isinstance(weight_map, dict) else set()
    if not names or not all(isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name) for name in names):
        raise FeedsegError(f"{index} does not list files beside it: {_replace(index)}")
    return sorted(names)


def _snapshot_around(folder: Path) -> tuple[str, str] | None:
    """Repository and commit of a folder in a hub cache, which has it in models--owner--name/snapshots/commit."""
    folder = folder.resolve()
    for inner in (folder, *folder.parents):
        home = inner.parent.parent
        if inner.parent.name == "snapshots" and home.name.startswith("models--"):
            return home.name.removeprefix("models--").replace("--", "/", 1), inner.name
    return None


def _cached_snapshot(repository: str, revision: str) -> Path:
    """Where the hub's cache has a revision, if it does."""
    from huggingface_hub.constants import HF_HUB_CACHE

    home = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    try:
        commit = (home / "refs" / revision).read_text(encoding="utf-8").strip()
    except OSError:
        commit = revision
    return home / "snapshots" / commit


def _is_complete(folder: Path, tokenizer: bool) -> bool:
    """Whether a snapshot in the cache has all that is needed; a broken link to a missing file counts as missing."""

    def has(*names: str) -> bool:
        return all((folder / name).is_file() for name in names)

    if has(MANIFEST):  # fetched last
        return True
    try:
        weights = _weights_in(folder)
    except FeedsegError:
        return False
    configured = has("config.json") or has("open_clip_config.json")
    readable = not tokenizer or has("tokenizer.json") or has("vocab.json", "merges.txt")
    return bool(weights) and configured and readable


def _fetch(repository: str, revision: str, tokenizer: bool) -> Path:
    """Bring a revision into the cache, all of it from the one commit that it is now."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT

    listing = HfApi().model_info(repository, revision=revision, timeout=HF_HUB_ETAG_TIMEOUT)
    names = {sibling.rfilename for sibling in listing.siblings or ()}
    if names.isdisjoint({*WEIGHTS, MANIFEST}):
        has = ", ".join(sorted(names)[:12]) or "nothing"
        raise FeedsegError(f"{repository} has no weights that can be used ({', '.join(WEIGHTS)}); it has {has}")

    def fetch(name: str) -> Path:
        return Path(hf_hub_download(repository, name, revision=listing.sha or revision))

    # Weights last: whenever this ends early, a snapshot that has them has all the rest. The same for a manifest.
    if MANIFEST in names:
        for name in sorted(names - {MANIFEST}):
            if name.endswith(_OF_MANIFESTS) or name.rpartition("/")[2] in ("LICENSE", "NOTICE"):
                fetch(name)
        return _recorded(fetch(MANIFEST).parent, revision)
    configs = [fetch(name) for name in (*CONFIGS, *(TOKENIZER if tokenizer else ())) if name in names]
    order = _weight_names(configs[0].parent) if configs else WEIGHTS
    weights = next(name for name in order if name in names)
    path = fetch(weights)
    for shard in _shards(path) if weights.endswith(_INDEX) else ():
        fetch(shard)
    return _recorded(path.parent, revision)


def _recorded(folder: Path, revision: str) -> Path:
    """The snapshot of a commit, which from now on is what a branch or tag stands for."""
    # The hub's library records a branch's commit only if asked by branch, which may have moved on since the listing. So
    # it is done here, in its way, once the commit is complete; where that cannot be written, the files are still good.
    if revision != folder.name:
        with suppress(FeedsegError), write_atomically(folder.parent.parent / "refs" / revision) as temporary:
            temporary.write_text(folder.name, encoding="utf-8")
    return folder


def _explained(error: BaseException, source: str, repository: str, revision: str) -> str:
    """What went wrong while fetching, and what to do about it, in one line."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__  # the hub's library says this of any failure while it looks for a file
    access = "log in with `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repository} has no revision {revision!r}: give a branch, a tag or a commit"
    if isinstance(error, errors.GatedRepoError):
        return f"{repository} is gated: accept its terms on its page of the hub, then {access}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{repository} is no folder, and no model on the hub open to you: check the name; if private, {access}"
    if isinstance(error, errors.HfHubHTTPError) and error.response.status_code in (401, 403):
        return f"the hub refuses {repository} ({first_line(error)}): {access}"
    if isinstance(error, OSError) and error.errno is not None:
        where = f"{constants.HF_HUB_CACHE} ({error.strerror})"
        return f"cannot keep {source} in {where}: make room, or set HF_HOME to another folder"
    return (
        f"{source} is not complete on this machine and could not be fetched ({first_line(error)}): "
        "connect and start again, give a folder with a copy (--model FOLDER, --proxy FOLDER), "
        "or set HF_HOME to a cache that has it"
    )
