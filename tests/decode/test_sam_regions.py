"""Regions from SAM and SAM 2 against transformers' models and processor, on tiny random checkpoints."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torch.nn.functional import interpolate
from torch.testing import assert_close

import tiny_models
from feedseg import FeedsegError, Segmenter
from feedseg.arguments import chosen_refiners, described_part
from feedseg.decode import sam_regions
from feedseg.decode.labels import label_image
from feedseg.decode.refiners.region_vote import RegionVote
from feedseg.decode.sam_regions import IMAGENET_MEAN, IMAGENET_STD, SamRegions, opened
from feedseg.io.images import RgbImage

SIDE, POINTS, SIZE = 64, 3, (40, 61)
# Random weights are unsure of everything: bounds that part of their masks passes.
LOOSE: dict[str, dict[str, float]] = {
    "sam": {"least_iou": 0.07, "least_stability": 0.52, "offset": 0.001, "most_overlap": 1.0},
    "sam2": {"least_iou": 0.531, "least_stability": 0.62, "offset": 0.01, "most_overlap": 1.0},
}
SAVE: dict[str, Callable[[Path], Any]] = {"sam": tiny_models.save_sam, "sam2": tiny_models.save_sam2}


def processor() -> Any:
    """transformers' own preprocessing and selection of masks, for SAM."""
    sides = {"height": SIDE, "width": SIDE}
    return transformers.SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size=sides)


def transformers_masks(kind: str, model: Any, pixels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits at the image's size, (M, height, width), and scores, one prompt after the other."""
    own, size = processor(), (pixels.shape[0], pixels.shape[1])
    if kind == "sam":
        inputs = own(images=pixels, return_tensors="pt")
        _, grid, _, _ = own.generate_crop_boxes(Image.fromarray(pixels), SIDE, points_per_crop=POINTS)
        points = grid[0, :, 0].float()
    else:
        shown = np.array(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        normal = (shown / 255 - IMAGENET_MEAN) / IMAGENET_STD
        inputs = {"pixel_values": torch.tensor(normal, dtype=torch.float32).permute(2, 0, 1)[None]}
        points = torch.tensor([(x, y) for y in range(POINTS) for x in range(POINTS)])
        points = (points + 0.5) / POINTS * SIDE
    logits, scores = [], []
    for point in points:
        with torch.inference_mode():
            found = model(pixel_values=inputs["pixel_values"], input_points=point[None, None, None])
        if kind == "sam":
            sizes = inputs["original_sizes"], inputs["reshaped_input_sizes"]
            (large,) = own.post_process_masks(found.pred_masks, *sizes, binarize=False)
        else:
            large = interpolate(found.pred_masks[0], size, mode="bilinear", align_corners=False)
        logits.append(large[0])
        scores.append(found.iou_scores[0, 0])
    return torch.cat(logits), torch.cat(scores)


def transformers_kept(logits: torch.Tensor, scores: torch.Tensor, bounds: dict[str, float]) -> list[np.ndarray]:
    """The masks that transformers' generator keeps before it looks for overlaps."""
    size = (logits.shape[1], logits.shape[2])
    box = np.array([0, 0, size[1], size[0]])
    rle, *_ = processor().filter_masks(
        logits[:, None],
        scores[:, None],
        size,
        box,
        pred_iou_thresh=bounds["least_iou"],
        stability_score_thresh=bounds["least_stability"],
        stability_score_offset=bounds["offset"],
    )
    kept = []
    for one in rle:
        flat = np.repeat(np.arange(len(one["counts"])) % 2 == 1, one["counts"])
        kept.append(flat.reshape(size[1], size[0]).T)
    return kept


def smallest(masks: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """For each pixel the area of the smallest mask that it is in, 0 where there is none."""
    areas = np.full(size, np.inf)
    for mask in masks:
        areas[mask] = np.minimum(areas[mask], mask.sum())
    return np.where(np.isinf(areas), 0, areas)


@pytest.mark.parametrize("kind", SAVE)
def test_regions_are_the_smallest_of_transformers_masks(tmp_path, kind, some_pixels) -> None:
    model, pixels = SAVE[kind](tmp_path), some_pixels(SIZE)
    regions = SamRegions.load(tmp_path, points=POINTS, **LOOSE[kind])
    sam = opened(regions.source, regions.revision, "cpu")
    expected, expected_scores = transformers_masks(kind, model, pixels)
    with torch.inference_mode():
        logits, scores = map(torch.cat, zip(*sam.prompted(pixels, POINTS), strict=True))
        large = sam.enlarged(logits, SIZE)
    assert_close(scores, expected_scores, atol=1e-5, rtol=1e-4)
    assert_close(large, expected, atol=1e-5, rtol=1e-3)
    kept = transformers_kept(large, scores, LOOSE[kind])
    assert 0 < len(kept) < len(scores)
    found = regions(pixels)
    areas = smallest(kept, SIZE)
    np.testing.assert_array_equal(found >= 0, areas > 0)
    for number in np.unique(found[found >= 0]):
        assert len(np.unique(areas[found == number])) == 1, "a region is of one mask"
    assert len(np.unique(areas[areas > 0])) <= len(np.unique(found[found >= 0]))


class Discs:
    """In place of a model: masks that are discs, some of them twice, some unsteady."""

    CENTRES = ((20, 20, 15, 0.99), (20, 21, 15, 0.95), (22, 20, 6, 0.97), (30, 50, 8, 0.9), (10, 45, 7, 0.5))

    def prompted(self, pixels: np.ndarray, points: int) -> Any:
        y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
        for down, right, radius, score in self.CENTRES:
            logits = 4.0 * (radius - np.hypot(y - down, x - right))
            unsteady = logits / 40  # with the threshold it changes much
            yield torch.tensor(np.stack((logits, unsteady)), dtype=torch.float32), torch.tensor((score, score))

    def enlarged(self, logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return logits


def test_of_masks_that_say_the_same_the_surest_stays(monkeypatch, some_pixels) -> None:
    monkeypatch.setattr(sam_regions, "opened", lambda *_: Discs())
    monkeypatch.setattr(sam_regions, "CHUNK_ELEMENTS", 1)
    pixels = some_pixels((40, 60))
    bounds = {"least_iou": 0.88, "least_stability": 0.8, "offset": 1.0}
    found = SamRegions("discs", "1", 32, **bounds)(pixels)
    y, x = np.mgrid[:40, :60]
    (large, small, apart) = (
        np.hypot(y - down, x - right) < radius for down, right, radius, _ in (Discs.CENTRES[i] for i in (0, 2, 3))
    )
    expected = np.full((40, 60), -1)
    expected[large], expected[apart], expected[small] = 0, 1, 2  # from the largest to the smallest
    np.testing.assert_array_equal(found, expected)
    logits, scores = map(torch.cat, zip(*Discs().prompted(pixels, 0), strict=True))
    kept = transformers_kept(logits, scores, bounds)
    assert [mask.sum() for mask in kept] == [mask.sum() for mask in (large, large, small, apart)]


def test_nothing_found_is_no_region(tmp_path, some_pixels, some_scores) -> None:
    tiny_models.save_sam2(tmp_path)
    regions = SamRegions.load(tmp_path, points=2, least_iou=1.0)
    assert (regions(some_pixels(SIZE)) == -1).all()
    scores = some_scores(3, SIZE)
    voted = RegionVote(regions)(scores, RgbImage(some_pixels(SIZE)))
    np.testing.assert_array_equal(label_image(voted)[0], label_image(scores)[0])


@torch.inference_mode()
@pytest.mark.parametrize("kind", SAVE)
def test_every_region_votes(tmp_path, kind, some_pixels, some_scores) -> None:
    SAVE[kind](tmp_path)
    regions, pixels = SamRegions.load(tmp_path, points=POINTS, **LOOSE[kind]), some_pixels(SIZE)
    scores, numbers = some_scores(3, SIZE), regions(pixels)
    before, after = label_image(scores)[0], label_image(RegionVote(regions)(scores, RgbImage(pixels)))[0]
    for number in np.unique(numbers):
        inside = numbers == number
        votes = Counter(before[inside].tolist())
        winner = min(votes, key=lambda label: (-votes[label], label))
        np.testing.assert_array_equal(after[inside], before[inside] if number < 0 else winner)


def test_a_folder_behind_the_name_in_a_whole_segmentation(tmp_path, some_pixels) -> None:
    tiny_models.save_sam(tmp_path)
    result = Segmenter.load("mini")(some_pixels((32, 48)), "striped, dotted", refiners=[f"region-vote:{tmp_path}"])
    (described,) = result.settings["refiners"]
    assert described["kind"] == "RegionVote"
    assert described["regions"]["source"] == str(tmp_path)
    assert described["regions"]["revision"].startswith("sha256:")
    json.dumps(described)


def test_no_weights_travel_to_other_processes(tmp_path) -> None:
    tiny_models.save_sam(tmp_path)
    (refiner,) = chosen_refiners([f"region-vote:{tmp_path}"])
    assert len(pickle.dumps(refiner)) < 1000
    assert described_part(pickle.loads(pickle.dumps(refiner))) == described_part(refiner)


def test_the_video_models_files_will_do(tmp_path, some_pixels) -> None:
    """The hub's SAM 2 repositories say that they are of the model for videos."""
    tiny_models.save_sam2(tmp_path)
    path, pixels = tmp_path / "config.json", some_pixels(SIZE)
    expected = SamRegions.load(tmp_path, points=2, **LOOSE["sam2"])(pixels)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "sam2_video"}))
    sam_regions._revision.cache_clear()
    np.testing.assert_array_equal(SamRegions.load(tmp_path, points=2, **LOOSE["sam2"])(pixels), expected)


def test_what_cannot_be_used_is_told(tmp_path) -> None:
    tiny_models.save_proxy(tmp_path / "dino", "dino")
    (tmp_path / "empty").mkdir()
    for text, told in (
        (f"region-vote:{tmp_path}/dino", "is a 'vit' model: the region vote takes a SAM or SAM 2"),
        (f"region-vote:{tmp_path}/empty", "has no weights"),
        (f"region-vote:{tmp_path}/nothing", "give a folder, or a hub model"),
        ("region-vote:", "give a folder, or a hub model"),
        ("pamr:3", "PAMR takes nothing behind its name: leave out :3"),
        ("nosuch:Name", "cannot be imported"),
    ):
        with pytest.raises(FeedsegError, match=told):
            chosen_refiners([text])


@pytest.mark.parametrize(
    "wrong", [{"points": 0}, {"least_iou": 2}, {"least_stability": -1}, {"most_overlap": "x"}, {"offset": -1}]
)
def test_wrong_constants_are_told(wrong) -> None:
    with pytest.raises(FeedsegError):
        SamRegions("sam-b", "", **wrong)


def test_weights_that_changed_are_not_mixed(tmp_path) -> None:
    tiny_models.save_sam(tmp_path)
    with pytest.raises(FeedsegError, match="has other weights now than sha256:0"):
        opened(str(tmp_path), "sha256:0", "cpu")
