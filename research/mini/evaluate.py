"""Measure a saved model through feedseg itself: `python -m research.mini.evaluate FOLDER` from the repository's root.

Naming, retrieval, and segmentation by every host with and without feedback, on scenes that no training has seen and
nothing was chosen on. Intervals are 95 % bootstrap intervals over the scenes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from research.mini.model import MEAN, SIDE, STD
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, normalize
from transformers import AutoTokenizer, CLIPModel

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.evaluation.metrics.bootstrap import ImageAreas, Interval, gain_interval, iou_interval
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.scenes import BACKGROUNDS, COLOURS, COMBINATIONS, HELD_OUT, PATTERNS, TRAINED, Scene, draw_scene
from feedseg.vision.feedback.controls import HostTwice

REPORTED, SINGLE, RETRIEVAL = 11, 13, 14  # seeds of the splits
SIZE = 192  # pixels of the scenes that are segmented
HOSTS: tuple[tuple[str, Any], ...] = (
    ("clip", None),
    ("maskclip", None),
    ("sclip", None),
    ("clearclip", None),
    ("naclip", None),
    ("proxyclip", "self"),
    ("proxyclip", "statistics"),
)
COMPARED: dict[str, Any] = {"without": "none", "feedback": "paper", "control": HostTwice()}


@dataclass(frozen=True)
class Task:
    """Words to segment with, and the class of every label of a scene."""

    name: str
    vocabulary: Vocabulary
    attribute: str  # of a thing: "colour", "pattern" or "name"

    def target(self, scene: Scene) -> np.ndarray:
        """(height, width), int64: the classes of `vocabulary`."""
        words = (scene.background, *(getattr(thing, self.attribute) for thing in scene.things))
        return np.array([self.vocabulary.names.index(word) for word in words])[scene.labels]


TASKS = (
    Task("colours", Vocabulary((*COLOURS, *BACKGROUNDS)), "colour"),
    Task("patterns", Vocabulary((*PATTERNS, *BACKGROUNDS)), "pattern"),
    Task("held-out combinations", Vocabulary((*map(" ".join, HELD_OUT), *BACKGROUNDS)), "name"),
)


def statistics(images: Tensor) -> Tensor:
    """Colour, its spread and its edges in every cell of 8 px: (B, 3, h, w) to (B, 9, h/8, w/8); nothing is learnt."""
    mean = avg_pool2d(images, 8)
    spread = (avg_pool2d(images**2, 8) - mean**2).clamp(min=0).sqrt()
    across = images.diff(dim=-1, prepend=images[..., :1])
    along = images.diff(dim=-2, prepend=images[..., :1, :])
    edges = avg_pool2d(across.abs() + along.abs(), 8)
    features = torch.cat((mean, spread, edges), dim=1)
    features = features - features.mean(dim=(2, 3), keepdim=True)
    return features / features.std(dim=(2, 3), keepdim=True).clamp(min=1e-3)


def interval(values: np.ndarray, repeats: int = 1000) -> tuple[float, float, float]:
    """The mean of values (n,) and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(repeats, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(values.mean()), float(low), float(high)


@torch.inference_mode()
def embed_scenes(folder: Path, scenes: Sequence[Scene]) -> Tensor:
    """Unit embeddings of whole images, (n, E), by transformers' own forward pass."""
    clip = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(["a photo of a thing."], return_tensors="pt")
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    parts = []
    for start in range(0, len(scenes), 100):
        stack = np.stack([scene.image for scene in scenes[start : start + 100]])
        images = (torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255 - mean) / std
        parts.append(clip(input_ids=tokens["input_ids"], pixel_values=images).image_embeds)
    return normalize(torch.cat(parts), dim=-1)


def naming(folder: Path, text: Any, each: int) -> dict[str, Any]:
    """How often the right one of all 80 combinations is predicted, for images of a single object, with 80 templates."""
    pairs = [pair for pair in COMBINATIONS for _ in range(each)]
    rng = np.random.default_rng(SINGLE)
    scenes = [draw_scene(rng, SIDE, (1, 1), [pair], 1.2) for pair in pairs]
    seen = np.array([scene.things[0].visible > 0.05 for scene in scenes])
    words = text.embed([" ".join(pair) for pair in COMBINATIONS], None)
    pred = (embed_scenes(folder, scenes) @ words.T).argmax(dim=1).numpy()
    target = np.repeat(np.arange(len(COMBINATIONS)), each)
    held_out = np.array([pair in HELD_OUT for pair in pairs])
    colour, pattern = pred // len(PATTERNS) == target // len(PATTERNS), pred % len(PATTERNS) == target % len(PATTERNS)
    result: dict[str, Any] = {"images": int(seen.sum())}
    for name, subset in (("trained", ~held_out & seen), ("held out", held_out & seen)):
        for what, right in (("both", pred == target), ("colour", colour), ("pattern", pattern)):
            result[f"{name}, {what}"] = interval(right[subset].astype(np.float64))
    return result


def retrieval(folder: Path, text: Any, count: int) -> dict[str, Any]:
    """Whether the best of all captions fits a scene, and the best of all scenes a caption; captions name everything."""
    result: dict[str, Any] = {}
    for name, combinations in (("trained", TRAINED), ("held out", HELD_OUT)):
        rng = np.random.default_rng((RETRIEVAL, 0))
        scenes = [draw_scene(rng, SIDE, (1, 3), combinations) for _ in range(count)]
        captions = [scene.caption(rng, full=True) for scene in scenes]
        cosines = text.encode([one.text for one in captions]) @ embed_scenes(folder, scenes).T
        own = np.arange(count)
        result[f"{name}, scene by caption"] = interval((cosines.argmax(dim=1).numpy() == own).astype(np.float64))
        result[f"{name}, caption by scene"] = interval((cosines.argmax(dim=0).numpy() == own).astype(np.float64))
    return result


def ceiling(target: np.ndarray, classes: int, grid: int) -> np.ndarray:
    """Confusion matrix of labels that know each patch's area fraction of every class and nothing finer."""
    areas = torch.stack([torch.from_numpy(target == label).float() for label in range(classes)])[None]
    coarse = interpolate(areas, size=(grid, grid), mode="area")
    labels = interpolate(coarse, size=target.shape, mode="bilinear", align_corners=False)[0].argmax(dim=0)
    return confusion_matrix(target, labels.numpy(), classes)


def draw_split(split: int, count: int) -> list[Scene]:
    """Scenes of two to four things of held-out combinations only."""
    return [draw_scene(np.random.default_rng((split, index)), SIZE, (2, 4), HELD_OUT) for index in range(count)]


def load_host(folder: Path, host: str, proxy: Any, short_side: int) -> Segmenter:
    """A host of `HOSTS`."""
    settings = Settings(short_side=short_side, window=None)
    encoder = statistics if proxy == "statistics" else proxy
    return Segmenter.load(folder, host=host, proxy=encoder, settings=settings, device="cpu")


@torch.inference_mode()
def measure(
    segmenter: Segmenter, scenes: Sequence[Scene], feedbacks: Mapping[str, Any], tasks: Sequence[Task]
) -> dict[tuple[str, str], ImageAreas]:
    """For every task's and feedback's name the areas of all scenes."""
    found: dict[tuple[str, str], list[np.ndarray]] = {(task.name, name): [] for task in tasks for name in feedbacks}
    for scene in scenes:
        encoded = segmenter.encode(scene.image)
        for task in tasks:
            target, classes = task.target(scene), len(task.vocabulary.names)
            for name, feedback in feedbacks.items():
                pred = encoded.segment(task.vocabulary, feedback=feedback).labels
                found[task.name, name].append(confusion_matrix(target, pred, classes))
    return {key: ImageAreas.of(np.stack(confusions)) for key, confusions in found.items()}


def percent(value: Interval) -> tuple[float, float, float]:
    """An interval of mIoU in percent."""
    return 100 * value.value, 100 * value.low, 100 * value.high


def segmentation(folder: Path, count: int, short_side: int, tasks: Sequence[Task]) -> dict[str, Any]:
    """mIoU of every host and task without feedback and with it, and of the host's attention applied twice."""
    scenes = draw_split(REPORTED, count)
    result: dict[str, Any] = {"scenes": count, "short side": short_side}
    for task in tasks:
        ideal = [ceiling(task.target(scene), len(task.vocabulary.names), short_side // 8) for scene in scenes]
        result[task.name] = {"ceiling": percent(iou_interval(ImageAreas.of(np.stack(ideal))))}
    for host, proxy in HOSTS:
        found = measure(load_host(folder, host, proxy, short_side), scenes, COMPARED, tasks)
        for task in tasks:
            without, papers, control = (found[task.name, name] for name in COMPARED)
            result[task.name][host if proxy is None else f"{host}, {proxy}"] = {
                "without": percent(iou_interval(without)),
                "feedback": percent(iou_interval(papers)),
                "gain": percent(gain_interval(papers, without)),
                "gain of the control": percent(gain_interval(control, without)),
            }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="JSON file for the figures; they are printed in any case")
    parser.add_argument("--each", type=int, default=20, help="images of every combination for naming")
    parser.add_argument("--scenes", type=int, default=500, help="to segment; 0 to leave it out")
    parser.add_argument("--short-side", type=int, default=112)
    parser.add_argument("--tasks", nargs="+", choices=[task.name for task in TASKS], help="to segment; all of them")
    options = parser.parse_args()
    tasks = [task for task in TASKS if not options.tasks or task.name in options.tasks]
    torch.set_num_threads(1)  # more of them mostly wait for each other in so small a model
    text = Segmenter.load(options.folder, host="maskclip", device="cpu").model.text
    figures: dict[str, Any] = {
        "naming": naming(options.folder, text, options.each),
        "retrieval among 200": retrieval(options.folder, text, 200),
    }
    if options.scenes:
        figures["segmentation"] = segmentation(options.folder, options.scenes, options.short_side, tasks)
    shown = json.dumps(figures, indent=1, default=float)
    print(shown)
    if options.out:
        options.out.write_text(shown + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
