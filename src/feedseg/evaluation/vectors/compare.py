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

from feedseg.decode.labels import label_pixels, resized_rows
from feedseg.errors import FeedsegError
from feedseg.segmenter import Segmenter
from feedseg.settings import Settings
from feedseg.vision.encode import Reader
from feedseg.vision.feedback.affinity import divergences, prune, similarities
from feedseg.vision.feedback.base import FeedbackAttention
from feedseg.vision.hosts.attention import HOSTS, Host, self_self_attention
from feedseg.vision.model import CLIP_MEAN, CLIP_STD, Model
from feedseg.vision.proxies.base import IMAGENET_MEAN, IMAGENET_STD, FunctionProxy
from feedseg.vision.text.base import TextBank
from feedseg.vision.towers.base import ClipTower, normalised
from feedseg.vocabulary import Vocabulary
from feedseg.weights.modules import build_module
from feedseg.weights.openclip import translated_vision_weights

ABSOLUTE = RELATIVE = 1e-4
LABELS_AGREE = 0.999
OUTPUTS = ("out.", "step.", "logits.", "labels.")
# hosts as the vectors call them; softmax(k kᵀ/√d) is NACLIP without its Gaussian
_KK = Host("kk", lambda block: self_self_attention(block.key, block.prefix), False, 1.0, True, False, "")
_NAMED_HOSTS: dict[str, Host] = {**HOSTS, "vanilla": HOSTS["clip"], "kk": _KK}


@dataclass(frozen=True)
class Comparison:
    """How far one tensor is from its reference."""

    file: str
    tensor: str
    shape: tuple[int, ...]
    deviation: float | None  # the largest absolute one; of labels the share of pixels that differ; None: not computed
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
    """The largest absolute difference, and whether all are within tolerance; infinities must be in the same places."""
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


def _feedback_values(file: VectorFile, tower_file: VectorFile) -> dict[str, Callable[[], Tensor]]:
    tower = vector_tower(tower_file)
    tensors = file.tensors
    feedback = FeedbackAttention(sharpness=float(file.metadata["lam"]))
    block = tower.open(tensors["image"])
    host = Reader(tower, HOSTS["proxyclip"]).read(block, tensors["proxy"])
    plain = Reader(tower, HOSTS["clip"], residual=True).read(block)
    values: dict[str, Callable[[], Tensor]] = {
        "out.plain": lambda: plain.embeddings(tensors["text"], None),
        "out.proxyclip": lambda: host.embeddings(tensors["text"], None),
        "out.proxyclip_fsa": lambda: host.embeddings(tensors["text"], feedback),
        "step.kl": lambda: divergences(tensors["step.probs"].log()),
        "step.similarity": lambda: similarities(divergences(tensors["step.probs"].log())),
    }
    for name in file.outputs:
        if name.startswith("step.pruned_p"):
            keep = float("0." + name.removeprefix("step.pruned_p").removeprefix("0"))
            values[name] = lambda keep=keep: prune(similarities(divergences(tensors["step.probs"].log())), keep)
    return values


def _base_values(file: VectorFile, tower_file: VectorFile) -> dict[str, Callable[[], Tensor]]:
    tower = vector_tower(tower_file)
    block = tower.open(tower_file.tensors["image"])
    values: dict[str, Callable[[], Tensor]] = {}
    for name, host in _NAMED_HOSTS.items():
        if host.uses_proxy:
            continue
        for label, residual in (("residual", True), ("no_residual", False)):
            reading = Reader(tower, host, residual=residual).read(block)
            values[f"out.{name}.{label}"] = lambda reading=reading: reading.first
    return values


def _segment_values(file: VectorFile, tower_file: VectorFile) -> dict[str, Callable[[], Tensor]]:
    tensors, about = file.tensors, file.metadata
    tower = vector_tower(tower_file)
    weight = tensors["proxy.weight"]
    stride = weight.shape[-1]
    proxy = FunctionProxy(
        lambda windows: conv2d(normalised(windows, IMAGENET_MEAN, IMAGENET_STD), weight, stride=stride), stride
    )
    owner = tensors["query_to_class"].tolist()
    queries = [f"query {index}" for index in range(len(owner))]
    words = [
        [query for query, label in zip(queries, owner, strict=True) if label == wanted]
        for wanted in range(max(owner) + 1)
    ]
    bank = TextBank(dict(zip(queries, tensors["text"], strict=True)), file.name, "")
    pixels = tensors["image"][0] * torch.tensor(CLIP_STD)[:, None, None] + torch.tensor(CLIP_MEAN)[:, None, None]
    settings = Settings(window=int(about["crop"]), stride=int(about["stride"]), logit_scale=float(about["logit_scale"]))
    height, width = about["ori_shape"]
    values: dict[str, Callable[[], Tensor]] = {}
    vocabulary = Vocabulary(words[1:], background=words[0])
    for kind, feedback in (("fsa", FeedbackAttention(sharpness=float(about["lambda"]))), ("off", None)):
        segmenter = Segmenter(
            Model(tower, bank, file.name, ""),
            Reader(tower, HOSTS["proxyclip"], proxy),
            feedback,
            settings,
            batch_size=4,
        )
        segmenter.multiple = int(about.get("pad_multiple", segmenter.multiple))
        (stitched,) = segmenter.stitched_logits(segmenter.open_pixels([pixels]), vocabulary)
        order = [vocabulary.queries.index(query) for query in queries]
        values[f"logits.{kind}"] = lambda stitched=stitched, order=order: resize(stitched[order], (height, width))
        for name in file.outputs:
            if name.startswith(f"labels.{kind}.thd"):
                threshold = float(name.removeprefix(f"labels.{kind}.thd"))
                values[name] = lambda stitched=stitched, threshold=threshold: _labels(
                    stitched, (height, width), vocabulary, settings.logit_scale, threshold
                )
    return values


def resize(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits (C, h, w) at the picture's size, as `label_pixels` sees them, in one strip: (1, C, height, width)."""
    return resized_rows(logits, size, slice(0, size[0]))[None]


def _labels(logits: Tensor, size: tuple[int, int], vocabulary: Vocabulary, scale: float, threshold: float) -> Tensor:
    labels, _ = label_pixels(logits, size, vocabulary.query_to_class, len(vocabulary.names), scale, threshold)
    return torch.from_numpy(labels)[None]
