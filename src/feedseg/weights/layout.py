"""How the files of a model are called, and which of them hold its weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from feedseg.errors import FeedsegError, first_line
from feedseg.json_files import read_json_file

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
INDEX = ".index.json"


def weights_in(folder: Path) -> tuple[Path, ...]:
    """The preferred set of weights in a folder, () if it has none.

    Raises:
        FeedsegError: shards are missing, or their index is of no use.
    """
    name = next((name for name in weight_names(folder) if (folder / name).is_file()), None)
    if name is None:
        return ()
    if not name.endswith(INDEX):
        return (folder / name,)
    shards = tuple(folder / shard for shard in shards_of(folder / name))
    for shard in shards:
        if not shard.is_file():
            raise FeedsegError(f"{folder} lacks {shard.name}, which {name} lists: fetch the model again")
    return shards


def weight_names(folder: Path) -> list[str]:
    """The names that weights may have, the preferred ones first: OpenCLIP's where only its configuration is a CLIP's.

    Some repositories hold OpenCLIP's files beside another library's image tower under the plain names.
    """
    if not (folder / "open_clip_config.json").is_file():
        return list(WEIGHTS)
    config = folder / "config.json"
    if config.is_file() and read_json(config).get("model_type") == "clip":
        return list(WEIGHTS)
    return sorted(WEIGHTS, key=lambda name: not name.startswith("open_clip"))


def shards_of(index: Path) -> list[str]:
    """The file names that an index of sharded weights lists."""
    weight_map = read_json(index).get("weight_map")
    names = set(weight_map.values()) if isinstance(weight_map, dict) else set()
    if not names or not all(isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name) for name in names):
        raise FeedsegError(f"{index} does not list files beside it: {replace_advice(index)}")
    return sorted(names)


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_json_file(path)
    except (OSError, ValueError) as error:  # a wrong encoding is a ValueError too
        raise FeedsegError(f"{path} is not readable JSON ({first_line(error)}): {replace_advice(path)}") from error
    if not isinstance(content, dict):
        raise FeedsegError(f"{path} holds no JSON object: {replace_advice(path)}")
    return content


def replace_advice(path: Path) -> str:
    """The advice for a damaged file, which never is to delete what a link points to: others may use it too."""
    parts = path.absolute().parts
    if path.is_symlink() and "snapshots" in parts and path.resolve().parent.name == "blobs":  # in the hub's cache
        folder = parts[parts.index("snapshots") - 1]
        return f"fetch it again: hf download {folder.removeprefix('models--').replace('--', '/')} --force-download"
    return "put a whole copy in its place"
