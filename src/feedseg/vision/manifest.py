"""A manifest: a tower without text of its own, a projection, and the words, tied together by one JSON file.

`feedseg.json`, paths relative to it: `tower` (folder), `projection` (safetensors with `ln_post.weight`, `ln_post.bias`
(D,) and `proj` (D, E)), `projection_eps`, `text` (a list of banks), `mean`, `std`, `licence`.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from feedseg.errors import FeedsegError, first_line
from feedseg.vision.model import MANIFEST, Model, tower_families
from feedseg.vision.text.bank import read_bank
from feedseg.weights.checkpoint import CONFIGS, Checkpoint, find_checkpoint, load_weights, read_config
from feedseg.weights.modules import channels, deviations


def open_manifest(folder: Path) -> Model:
    """The model that a folder's manifest describes.

    Raises:
        FeedsegError: a key is missing or wrong, or a file that it names is not usable.
    """
    source = str(folder)
    home = Checkpoint(source=source, folder=folder, repository=None, weights=())
    manifest = read_config(home, MANIFEST)
    try:
        checkpoint = find_checkpoint(folder / manifest["tower"])
        projection_file = folder / manifest["projection"]
        names = manifest["text"]
        banks = [folder / name for name in ([names] if isinstance(names, str) else names)]
        mean, std = channels(manifest["mean"], source), deviations(manifest["std"], source)
        eps = float(manifest["projection_eps"])
    except KeyError as error:
        raise FeedsegError(f"{folder / MANIFEST} lacks {error}") from error
    except (TypeError, ValueError) as error:
        raise FeedsegError(f"{folder / MANIFEST} holds something of a wrong kind: {first_line(error)}") from error
    model_type = read_config(checkpoint).get("model_type")
    families = tower_families()
    if model_type not in families:
        raise FeedsegError(
            f"{checkpoint.source} is a {model_type!r} model; a manifest's tower is one of {', '.join(families)}"
        )
    norm, projection = _alignment(projection_file)
    tower = families[model_type].open_aligned(checkpoint, norm, projection, eps, mean, std)
    bank = read_bank(banks, source, _revision(folder, checkpoint, projection_file, banks))
    if bank.size != projection.shape[1]:
        raise FeedsegError(
            f"{source}: its words have {bank.size} numbers, and its projection gives {projection.shape[1]}"
        )
    return Model(tower, bank, source, bank.revision)


def _alignment(file: Path) -> tuple[dict[str, Tensor], Tensor]:
    """Weight and bias of the layer norm, (D,), and the joint projection, (D, E)."""
    tensors = load_weights(Checkpoint(source=str(file), folder=file.parent, repository=None, weights=(file,)))
    try:
        norm = {name: tensors[f"ln_post.{name}"] for name in ("weight", "bias")}
        projection = tensors["proj"]
    except KeyError as error:
        raise FeedsegError(f"{file} does not hold ln_post.weight, ln_post.bias and proj: it lacks {error}") from error
    if projection.dim() != 2:
        raise FeedsegError(f"{file}: proj is a matrix, not {tuple(projection.shape)}")
    return norm, projection


def _revision(folder: Path, tower: Checkpoint, projection: Path, banks: list[Path]) -> str:
    """One revision of all that makes the numbers: manifest, tower with its configuration, projection and words."""
    beside = [path for name in CONFIGS if (path := tower.folder / name).is_file()]
    everything = (folder / MANIFEST, *tower.weights, *beside, projection, *banks)
    return Checkpoint(source=str(folder), folder=folder, repository=None, weights=everything).revision
