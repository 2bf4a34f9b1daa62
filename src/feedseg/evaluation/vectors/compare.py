"""Comparing this installation with reference vectors: every tensor, computed by the code that users run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from feedseg.decode.labels import label_image
from feedseg.decode.logits import LogitsBuffer
from feedseg.decode.scores import ClassScores
from feedseg.errors import FeedsegError
from feedseg.settings import Settings
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.feedback.affinity import divergences, prune, similarities
from feedseg.vision.feedback.fsa import FSAFeedback
from feedseg.vision.hosts import HOSTS
from feedseg.vision.hosts.attention import self_self_attention
from feedseg.vision.hosts.base import Host
from feedseg.vision.ops import normalised
from feedseg.vision.proxies.base import IMAGENET_MEAN, IMAGENET_STD, FunctionProxy
from feedseg.vision.towers.base import TowerOutput
from feedseg.vision.towers.clip import CLIP_MEAN, CLIP_STD, ClipTower
from feedseg.weights.modules import build_module
from feedseg.weights.openclip import translated_vision_weights

ABSOLUTE = RELATIVE = 1e-4
LABELS_AGREE = 0.999
OUTPUTS = ("out.", "step.", "logits.", "labels.")


@dataclass(frozen=True)
class KeyKey(Host):
    """softmax(k kᵀ / √d): NACLIP without its Gaussian."""

    name = "kk"

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        return self_self_attention(output.last.key, output.last.prefix)


def _hosts() -> dict[str, Host]:
    """The hosts without proxy, as the vectors call them."""
    hosts = {name: HOSTS.load(name) for name in HOSTS.names()}
    every = hosts | {"vanilla": hosts["clip"], "kk": KeyKey()}
    return {name: host for name, host in every.items() if not host.uses_proxy}


@dataclass(frozen=True)
class Comparison:
    """How far one tensor is from its reference."""

    file: str
    tensor: str
    shape: tuple[int, ...]
    deviation: (
        float | None
    )  # the largest absolute one; of labels the fraction of pixels that differ; None: not computed
    passed: bool
    remark: str = ""


@dataclass(frozen=True)
class VectorFile:
    """A safetensors file with its metadata; values of the metadata are JSON where they parse as such."""

    name: str
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> VectorFile:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata = {key: _parsed(value) for key, value in (file.metadata() or {}).items()}
                return cls(path.name, {key: file.get_tensor(key) for key in file.keys()}, metadata)  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise FeedsegError(f"{path} is no vector file: {error}") from error

    @property
    def outputs(self) -> list[str]:
        """The names of what is to be computed; `step.probs` is what the other steps start from."""
        return [name for name in self.tensors if name.startswith(OUTPUTS) and name != "step.probs"]


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def compare_folder(folder: Path) -> Iterator[Comparison]:
    """Compare with every vector in a folder: `fsa_X`, `base_X` and `segment_X.safetensors`, X naming the tower.

    Raises:
        FeedsegError: no such folder, no vectors in it, a file that cannot be read, a tower that is not there.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise FeedsegError(f"{folder} is no folder with reference vectors (*.safetensors)")
    for path in paths:
        file = VectorFile.read(path)
        kind, _, case = path.stem.partition("_")
        compute = {"fsa": _feedback_values, "base": _base_values, "segment": _segment_values}.get(kind)
        if compute is None:
            raise FeedsegError(f"{path} is none of fsa_*, base_* and segment_*.safetensors")
        tower_file = file
        if kind != "fsa":
            home = folder / f"fsa_{file.metadata.get('case', case)}.safetensors"
            if not home.is_file():
                raise FeedsegError(f"{path} needs the tower in {home.name}, which is not there")
            tower_file = VectorFile.read(home)
        with torch.inference_mode():
            values = compute(file, tower_file)
            yield from compare(file, values)


def compare(file: VectorFile, values: Mapping[str, Callable[[], Tensor]]) -> Iterator[Comparison]:
    """Compare every output in the file with the value computed for it; an output nobody computes fails."""
    for name in file.outputs:
        expected = file.tensors[name]
        shape = tuple(expected.shape)
        if name not in values:
            yield Comparison(file.name, name, shape, None, False, "unknown to this version")
            continue
        actual = values[name]()
        if actual.shape != expected.shape:
            yield Comparison(file.name, name, shape, None, False, f"computed as {tuple(actual.shape)}")
        elif name.startswith("labels."):
            differing = (actual != expected).float().mean().item()
            yield Comparison(file.name, name, shape, differing, differing <= 1 - LABELS_AGREE, "of the pixels")
        else:
            difference, passed = deviation(actual.double(), expected.double())
            yield Comparison(file.name, name, shape, difference, passed)


def deviation(actual: Tensor, expected: Tensor) -> tuple[float, bool]:
    """The largest absolute difference, and whether all are within tolerance; infinities must be at the same indices."""
    infinite = torch.isinf(expected)
    if not torch.equal(torch.where(infinite, actual, 0.0), torch.where(infinite, expected, 0.0)):
        return float("inf"), False
    difference = (actual - expected).masked_fill(infinite, 0.0).abs()
    passed = bool((difference <= ABSOLUTE + RELATIVE * expected.masked_fill(infinite, 0.0).abs()).all())
    return difference.max().item(), passed


def vector_tower(file: VectorFile) -> ClipTower:
    """The vision tower whose weights a vector file holds, in OpenCLIP's naming under `weights.`."""
    from transformers import CLIPVisionConfig

    weights = {
        name.removeprefix("weights."): value for name, value in file.tensors.items() if name.startswith("weights.")
    }
    about = file.metadata
    config = CLIPVisionConfig(
        hidden_size=about["width"],
        intermediate_size=int(about["width"] * about["mlp_ratio"]),
        projection_dim=about["dim"],
        num_hidden_layers=about["layers"],
        num_attention_heads=about["heads"],
        image_size=about["image_size"],
        patch_size=about["patch"],
        hidden_act=about["act"],
    )
    module = build_module("CLIPVisionModelWithProjection", config, translated_vision_weights(weights), file.name)
    projection: nn.Linear = module.visual_projection
    return ClipTower(module.vision_model, projection, CLIP_MEAN, CLIP_STD)


def _pixels(image: Tensor) -> Tensor:
    """RGB in [0, 1] from a normalised image: (…, 3, height, width)."""
    return image * torch.tensor(CLIP_STD)[:, None, None] + torch.tensor(CLIP_MEAN)[:, None, None]


def _feedback_values(file: VectorFile, tower_file: VectorFile) -> dict[str, Callable[[], Tensor]]:
    tower, tensors = vector_tower(tower_file), file.tensors
    text, pixels = tensors["text"], _pixels(tensors["image"])
    feedback = FSAFeedback(sharpness=float(file.metadata["lam"]))
    proxy = FunctionProxy(lambda _: tensors["proxy"])
    (host,) = WindowEncoder(tower, HOSTS.load("proxyclip"), proxy)(pixels)
    (plain,) = WindowEncoder(tower, HOSTS.load("clip"), residual=True)(pixels)
    values: dict[str, Callable[[], Tensor]] = {
        "out.plain": lambda: plain.embeddings(text, None),
        "out.proxyclip": lambda: host.embeddings(text, None),
        "out.proxyclip_fsa": lambda: host.embeddings(text, feedback),
        "step.kl": lambda: divergences(tensors["step.probs"].log()),
        "step.similarity": lambda: similarities(divergences(tensors["step.probs"].log())),
    }
    for name in file.outputs:
        if name.startswith("step.pruned_p"):
            keep = float("0." + name.removeprefix("step.pruned_p").removeprefix("0"))
            values[name] = lambda keep=keep: prune(similarities(divergences(tensors["step.probs"].log())), keep)
    return values


def _base_values(file: VectorFile, tower_file: VectorFile) -> dict[str, Callable[[], Tensor]]:
    tower, pixels = vector_tower(tower_file), _pixels(tower_file.tensors["image"])
    values: dict[str, Callable[[], Tensor]] = {}
    for name, host in _hosts().items():
        for label, residual in (("residual", True), ("no_residual", False)):
            key = f"out.{name}.{label}"
            if key in file.tensors:
                (window,) = WindowEncoder(tower, host, residual=residual)(pixels)
                values[key] = lambda window=window: window.first
    return values


def _segment_values(file: VectorFile, tower_file: VectorFile) -> dict[str, Callable[[], Tensor]]:
    tensors, about = file.tensors, file.metadata
    tower = vector_tower(tower_file)
    weight = tensors["proxy.weight"]
    stride = weight.shape[-1]
    proxy = FunctionProxy(
        lambda windows: conv2d(normalised(windows, IMAGENET_MEAN, IMAGENET_STD), weight, stride=stride),
        int(about.get("pad_multiple", stride)),
    )
    class_of = tensors["query_to_class"].tolist()
    pixels = _pixels(tensors["image"][0])
    working = (pixels.shape[-2], pixels.shape[-1])
    settings = Settings(window=int(about["crop"]), stride=int(about["stride"]), logit_scale=float(about["logit_scale"]))
    windows = list(WindowEncoder(tower, HOSTS.load("proxyclip"), proxy).encode_images([pixels], settings, 4))
    height, width = about["ori_shape"]
    values: dict[str, Callable[[], Tensor]] = {}
    for kind, feedback in (("fsa", FSAFeedback(sharpness=float(about["lambda"]))), ("off", None)):
        buffer = LogitsBuffer(working, len(windows))
        for _, placement, window in windows:
            buffer.add(window.logits(tensors["text"], feedback), placement)
        stitched = buffer.stitched((height, width))
        values[f"logits.{kind}"] = lambda stitched=stitched: stitched.rows(slice(0, height)).clone()[None]
        for name in file.outputs:
            if name.startswith(f"labels.{kind}.thd"):
                threshold = float(name.removeprefix(f"labels.{kind}.thd"))
                scores = ClassScores(stitched, tuple(class_of), max(class_of) + 1, settings.logit_scale, "words")
                values[name] = lambda scores=scores, threshold=threshold: torch.from_numpy(
                    label_image(scores, threshold)[0].copy()  # which torch may write to
                )[None]
    return values
