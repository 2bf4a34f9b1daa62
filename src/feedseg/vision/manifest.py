"""A manifest: a tower without text of its own, a projection, and the words, tied together by one JSON file.

`feedseg.json`, paths relative to it and inside its folder:

- `tower`: a folder, or a hub repository as owner/name@revision;
- `projection`: safetensors with `ln_post.weight`, `ln_post.bias` (D,) and `proj` (D, E); `projection_eps`, of the norm;
- `text`: a bank of finished embeddings or a list of them; or an object with `encoder` (a folder or hub repository),
  `projection` (safetensors with `text_proj`, perhaps `text_bias`, `known.embeddings`, whose words are a JSON list in
  its metadata, and `known.residuals`), and perhaps `templates`, `residual_sharpness` and `least_similarity`;
- `mean`, `std`: of the normalisation; `licence`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from torch import Tensor
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError, first_line
from feedseg.json_files import parse_json
from feedseg.vision.model import Model, tower_families
from feedseg.vision.text import TEXT_ENCODERS
from feedseg.vision.text.bank import read_bank
from feedseg.vision.text.base import TextAlignment, TextEncoder
from feedseg.weights.checkpoint import Checkpoint, find_checkpoint, load_weights, read_config
from feedseg.weights.layout import CONFIGS, MANIFEST
from feedseg.weights.modules import channels, deviations

LONGEST_PATH = 1000  # characters


def open_manifest(folder: Path) -> Model:
    """The model that a folder's manifest describes.

    Raises:
        FeedsegError: a key is missing or wrong, or a file that it names is not usable.
    """
    source = str(folder)
    home = Checkpoint(source=source, folder=folder, repository=None, weights=())
    manifest = read_config(home, MANIFEST)
    try:
        checkpoint = _find(folder, manifest["tower"])
        projection_file = _inside(folder, manifest["projection"])
        text = manifest["text"]
        mean, std = channels(manifest["mean"], source), deviations(manifest["std"], source)
        eps = float(manifest["projection_eps"])
        if not (eps > 0 and math.isfinite(eps)):
            raise ValueError(f"projection_eps is a number above 0, not {eps}")
        if not (isinstance(text, (str, Mapping)) or (isinstance(text, list) and text)):
            raise TypeError(f"text is a bank, a list of them or an object, not {text!r}")
        used = [folder / MANIFEST, *_files(checkpoint), projection_file]
        model_type = read_config(checkpoint).get("model_type")
        families = tower_families()
        if model_type not in families:
            known = ", ".join(families)
            raise FeedsegError(f"{checkpoint.source} is a {model_type!r} model; a manifest's tower is one of {known}")
        tensors = _tensors(projection_file)
        norm = {name: tensors[f"ln_post.{name}"] for name in ("weight", "bias")}
        projection = tensors["proj"]
        if projection.dim() != 2:
            raise FeedsegError(f"{projection_file}: proj is a matrix, not {tuple(projection.shape)}")
        tower = families[model_type].open_aligned(checkpoint, norm, projection, eps, mean, std)
        described = isinstance(text, Mapping)
        encoder, size = _sentence_encoder(folder, text, used) if described else _bank(folder, text, used)
    except KeyError as error:
        raise FeedsegError(f"{folder / MANIFEST}, or a file that it names, lacks {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise FeedsegError(f"{folder / MANIFEST} holds a value of a wrong type: {first_line(error)}") from error
    if size != projection.shape[1]:
        raise FeedsegError(f"{source}: its words have {size} numbers, and its projection gives {projection.shape[1]}")
    return Model(tower, encoder, source, encoder.revision)


def _bank(folder: Path, text: Any, used: list[Path]) -> tuple[TextEncoder, int]:
    """A bank, and how many numbers its embeddings have."""
    banks = [_inside(folder, name) for name in ([text] if isinstance(text, str) else text)]
    bank = read_bank(banks, str(folder), _revision(folder, [*used, *banks]))
    return bank, bank.size


def _sentence_encoder(folder: Path, text: Mapping[str, Any], used: list[Path]) -> tuple[TextEncoder, int]:
    """A sentence encoder, and how many numbers its projected embeddings have."""
    checkpoint = _find(folder, text["encoder"], tokenizer=True)
    model_type = read_config(checkpoint).get("model_type")
    families = {
        name: family for family in map(TEXT_ENCODERS.load, TEXT_ENCODERS.names()) for name in family.model_types
    }
    if model_type not in families:
        known = ", ".join(families)
        raise FeedsegError(
            f"{checkpoint.source} is a {model_type!r} model; a manifest's text encoder is one of {known}"
        )
    file = _inside(folder, text["projection"])
    alignment = _alignment(file, text)
    if file not in used:
        used = [*used, file]
    revision = _revision(folder, [*used, *_files(checkpoint)])
    return families[model_type].open(checkpoint, alignment, revision), alignment.projection.shape[1]


def _alignment(file: Path, text: Mapping[str, Any]) -> TextAlignment:
    from safetensors import safe_open

    tensors = _tensors(file)
    projection = tensors["text_proj"].float()
    if projection.dim() != 2:
        raise FeedsegError(f"{file}: text_proj is a matrix, not {tuple(projection.shape)}")
    templates = text.get("templates", ["{}"])
    templates_fit = isinstance(templates, list) and all(
        isinstance(one, str) and one.count("{}") == 1 for one in templates
    )
    if not templates_fit or not templates:
        raise FeedsegError(f"{file.parent / MANIFEST}: templates are a list of texts with one {{}} each")
    known, words = tensors.get("known.embeddings"), ()
    if known is not None:
        with safe_open(file, framework="pt") as opened:
            words = tuple(map(str, parse_json((opened.metadata() or {})["known_words"])))
        if len(words) != len(known):
            raise FeedsegError(f"{file} has {len(words)} known words for {len(known)} embeddings")
        known = normalize(known.float(), dim=-1)
    residuals = tensors.get("known.residuals")
    if residuals is not None and (known is None or residuals.shape != (len(known), projection.shape[1])):
        raise FeedsegError(f"{file}: known.residuals {tuple(residuals.shape)} do not fit its known words and text_proj")
    bias = tensors.get("text_bias")
    return TextAlignment(
        projection,
        None if bias is None else bias.float(),
        tuple(templates),
        words,
        known,
        None if residuals is None else residuals.float(),
        _number(text, "residual_sharpness", 20.0),
        _number(text, "least_similarity", 0.0),
    )


def _number(text: Mapping[str, Any], key: str, usual: float) -> float:
    number = text.get(key, usual)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{key} is a number, not {number!r}")
    return float(number)


def _tensors(file: Path) -> dict[str, Tensor]:
    return load_weights(Checkpoint(source=str(file), folder=file.parent, repository=None, weights=(file,)))


def _find(folder: Path, name: Any, *, tokenizer: bool = False) -> Checkpoint:
    """A folder beside the manifest, or a hub repository."""
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no folder and no hub repository")
    inside = _inside(folder, name)
    return find_checkpoint(inside if inside.exists() or "/" not in name else name, tokenizer=tokenizer)


def _inside(folder: Path, name: Any) -> Path:
    """A path below the manifest's folder."""
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no path")
    path = folder / name
    parts = {*Path(name).parts, *PureWindowsPath(name).parts}  # written on Windows, ..\\x leads outside there
    outside = Path(name).is_absolute() or PureWindowsPath(name).anchor or ".." in parts
    if outside or not name or "\0" in name or len(name) > LONGEST_PATH or not _stays(folder, path):
        raise FeedsegError(f"{folder / MANIFEST} names {name[:80]!r}, which is not below its folder")
    return path


def _stays(folder: Path, path: Path) -> bool:
    """Whether no link leads out of the folder; those of the hub's cache lead to the files of the same repository."""
    whole, home = path.resolve(), folder.resolve()
    of_hub = home.parent.name == "snapshots" and whole.is_relative_to(home.parent.parent / "blobs")
    return of_hub or whole.is_relative_to(home)


def _files(checkpoint: Checkpoint) -> list[Path]:
    """Its weights, configurations and tokenizer."""
    beside = (checkpoint.folder / name for name in (*CONFIGS, "tokenizer.json"))
    return [*checkpoint.weights, *(path for path in beside if path.is_file())]


def _revision(folder: Path, files: list[Path]) -> str:
    """One revision of all that makes the numbers."""
    return Checkpoint(source=str(folder), folder=folder, repository=None, weights=tuple(files)).revision
