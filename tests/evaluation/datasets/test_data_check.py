"""`feedseg data check`: a sound data set passes, and every usual mistake is found and explained."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedseg import FeedsegError
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.datasets.check import Report, check
from feedseg.evaluation.datasets.check import examine as examine_before_measuring
from tiny_datasets import LAYOUTS, draw, draw_detail, save_mask, save_picture, values_with


def examine(name: str, root: Path, thorough: bool = False) -> Report:
    """Check a benchmark that has three images."""
    return check(replace(load_benchmark(name, root), count=3), root, thorough)


def problems(report: Report) -> str:
    """All problems with what to do, a line each."""
    return "\n".join(f"{one.text} → {one.advice}" for one in report.findings if one.is_problem)


def notes(report: Report) -> str:
    return "\n".join(one.text for one in report.findings if not one.is_problem)


def mask(name: str, root: Path, index: int = 0) -> Path:
    return root / LAYOUTS[name].masks.format(LAYOUTS[name].ids[index])


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_sound_data_set_passes(name, thorough, tmp_path):
    root, _ = draw(name, tmp_path)
    report = examine(name, root, thorough)
    assert (problems(report), report.passed) == ("", True)
    assert (report.images, report.masks_read) == (3, 3)
    assert report.values == tuple(sorted(LAYOUTS[name].meaning))


def test_a_count_that_is_not_the_published_one_is_noted(tmp_path):
    root, _ = draw("voc21", tmp_path)
    report = check(load_benchmark("voc21"), root)
    assert report.passed  # it can be measured, and evaluate says the same
    (finding,) = report.findings
    assert finding.text == "3 images instead of 1449: results cannot be compared with published ones"
    assert "VOCtrainval_11-May-2012.tar" in finding.advice


def test_a_wrong_root_is_put_right(tmp_path):
    root, _ = draw("voc21", tmp_path)
    for wrong in (tmp_path, root.parent, root / "JPEGImages"):
        report = examine("voc21", wrong)
        assert problems(report) == f"{wrong} is not the root of voc21 → give {root} instead"
    with pytest.raises(FeedsegError, match="is not a folder"):
        examine("voc21", tmp_path / "nowhere")


def test_a_missing_split_is_a_problem(tmp_path):
    root, _ = draw("voc21", tmp_path)
    (root / "ImageSets/Segmentation/val.txt").unlink()
    report = examine("voc21", root)
    assert "val.txt, is missing → download VOCtrainval_11-May-2012.tar" in problems(report)


def test_missing_images_and_masks_are_counted(tmp_path):
    root, _ = draw("voc21", tmp_path)
    for one in LAYOUTS["voc21"].ids[:2]:
        (root / f"JPEGImages/{one}.jpg").unlink()
    mask("voc21", root, 2).unlink()
    report = examine("voc21", root)
    assert f"2 images missing, as {root}/JPEGImages/2007_000033.jpg" in problems(report)
    assert f"1 mask missing, as {root}/SegmentationClass/2008_000002.png" in problems(report)
    assert report.masks_read == 0


def test_masks_without_an_image_are_noted(tmp_path):
    root, _ = draw("ade20k", tmp_path)
    (root / "images/validation/ADE_val_00000002.jpg").unlink()
    report = examine("ade20k", root)
    assert "2 images instead of 3" in notes(report)
    assert f"1 mask without an image, as {root}/annotations/validation/ADE_val_00000002.png" in notes(report)


def test_sizes_that_differ_are_a_problem(tmp_path):
    root, _ = draw("voc21", tmp_path)
    save_mask(mask("voc21", root), np.zeros((12, 9)), "P")
    save_mask(mask("voc21", root, 1), np.zeros((8, 8)), "P")
    report = examine("voc21", root)
    assert "has 12 × 9 pixels, its mask" in problems(report)
    assert "turned" in problems(report)
    assert "(and 1 more like it)" in problems(report)


def test_unreadable_files_are_a_problem(tmp_path):
    root, _ = draw("voc21", tmp_path)
    mask("voc21", root).write_text("no image")
    assert f"{mask('voc21', root)} is not an image in a known format" in problems(examine("voc21", root))


@pytest.mark.parametrize("thorough", [False, True])
def test_a_truncated_image_is_found_when_decoded(thorough, tmp_path):
    root, _ = draw("voc21", tmp_path)
    image = root / "JPEGImages/2007_000033.jpg"
    save_picture(image, size=(90, 120))
    save_mask(mask("voc21", root), np.ones((90, 120)), "P")
    image.write_bytes(image.read_bytes()[:2000])
    assert (f"{image} cannot be read" in problems(examine("voc21", root, thorough))) == thorough


def test_the_values_of_all_masks_are_read(tmp_path):
    text = 'images = "{id}.jpg"\nmasks = "{id}.png"\nclasses = ["a", "b"]\n'
    (tmp_path / "mine.toml").write_text(text)
    for index in range(130):
        save_picture(tmp_path / f"{index:03d}.jpg", size=(2, 2))
        save_mask(tmp_path / f"{index:03d}.png", np.array([[0, 1], [0, 1]]))
    benchmark = load_benchmark(tmp_path / "mine.toml")
    steps = []
    assert check(benchmark, tmp_path, advance=lambda done, total: steps.append((done, total))).masks_read == 130
    assert steps == [(step, 130) for step in range(1, 131)]
    assert examine_before_measuring(benchmark, tmp_path, limit=None).masks_read == 130
    assert examine_before_measuring(benchmark, tmp_path, limit=10).masks_read == 102  # 100 of all, and 2 of these 10


def labelids(root: Path) -> None:
    for index in range(3):
        save_mask(mask("cityscapes", root, index), values_with((7, 11, 26, 33)))


def no_trainids(root: Path) -> None:
    for index in range(3):
        path = mask("cityscapes", root, index)
        path.rename(path.with_name(path.name.replace("TrainIds", "Ids")))


def unconverted_context(root: Path) -> None:
    save_mask(mask("context60", root), values_with((2, 113, 220)))


def context_json_only(root: Path) -> None:
    shutil.rmtree(root / "SegmentationClassContext")
    draw_detail(root / "trainval_merged.json", {"2007_000033": []})


def context_nothing(root: Path) -> None:
    shutil.rmtree(root / "SegmentationClassContext")


def raw_stuff_values(root: Path) -> None:
    save_mask(mask("coco-stuff", root), values_with((0, 90, 181, 255)))


def raw_stuff_only(root: Path) -> None:
    for path in (root / "annotations/val2017").iterdir():
        path.rename(path.with_name(path.name.replace("_labelTrainIds", "")))


def stuff_as_objects(root: Path) -> None:
    save_mask(mask("coco-object", root), values_with((0, 81, 170)))


def objects_with_255(root: Path) -> None:
    save_mask(mask("coco-object", root), values_with((0, 80, 255)))


def no_objects(root: Path) -> None:
    shutil.rmtree(root / "annotations")


def lowered_ade(root: Path) -> None:
    save_mask(mask("ade20k", root), values_with((0, 149, 255)))


def lowered_ade_twice(root: Path) -> None:
    save_mask(mask("ade20k", root), values_with((1, 148, 254, 255)))


def full_ade(root: Path) -> None:
    save_mask(mask("ade20k", root), values_with((0, 300, 2978)), "I;16")


def colours(root: Path) -> None:
    for index in range(3):
        with Image.open(mask("voc21", root, index)) as image:
            coloured = image.convert("RGB")
        coloured.save(mask("voc21", root, index))


def grey_colours(root: Path) -> None:
    with Image.open(mask("voc21", root)) as image:
        grey = image.convert("RGB").convert("L")
    grey.save(mask("voc21", root))


def nothing_in_masks(root: Path) -> None:
    for index in range(3):
        save_mask(mask("voc21", root, index), np.zeros((9, 12)), "P")


@pytest.mark.parametrize(
    ("name", "mistake", "expected"),
    [
        ("cityscapes", labelids, ["holds the values 26, 33, but", "(3 masks do)", "labelIds, not labelTrainIds"]),
        ("cityscapes", labelids, ["feedseg data prepare cityscapes SOURCE OUT"]),
        ("cityscapes", no_trainids, ["3 masks missing", "feedseg data prepare cityscapes {root} {root}"]),
        ("context60", unconverted_context, ["not converted to 59 classes", "feedseg data prepare context"]),
        ("context60", context_json_only, ["not converted yet: feedseg data prepare context {root} {root}"]),
        ("context59", context_nothing, ["3 masks missing", "prepare context SOURCE {root}", "trainval_merged.json"]),
        ("coco-stuff", raw_stuff_values, ["holds the value 181, but", "pixel maps as downloaded, not training ids"]),
        ("coco-stuff", raw_stuff_only, ["3 masks missing", "as downloaded only: feedseg data prepare coco-stuff"]),
        ("coco-object", stuff_as_objects, ["masks of COCO-Stuff", "feedseg data prepare coco-object SOURCE OUT"]),
        ("coco-object", objects_with_255, ["255 occurs", "unlabelled pixels are background"]),
        ("coco-object", no_objects, ["3 masks missing", "feedseg data prepare coco-object SOURCE {root}"]),
        ("ade20k", lowered_ade, ["255 occurs", "lowered by one already"]),
        ("ade20k", lowered_ade_twice, ["holds the value 254", "lowered by one already"]),
        ("ade20k", full_ade, ["holds the values 300, 2978", "ADE20K in full"]),
        ("voc21", colours, ["holds colours (RGB) instead of a class number", "(and 2 more like it)"]),
        ("voc21", grey_colours, ["turned colours to grey"]),
        ("voc21", nothing_in_masks, ["3 masks of 3 without any class"]),
    ],
)
def test_a_usual_mistake_is_found_and_explained(
    name: str, mistake: Callable[[Path], None], expected: list[str], tmp_path: Path
) -> None:
    root, _ = draw(name, tmp_path)
    assert examine(name, root).passed
    mistake(root)
    found = problems(examine(name, root))
    for text in expected:
        assert text.format(root=root) in found


def test_some_empty_masks_are_noted(tmp_path):
    root, _ = draw("coco-object", tmp_path)
    save_mask(mask("coco-object", root), np.zeros((9, 12)))
    report = examine("coco-object", root)
    assert report.passed
    assert "1 mask of 3 without any class, as " in notes(report)


def test_an_exif_orientation_is_noted(tmp_path):
    root, _ = draw("ade20k", tmp_path)
    save_picture(root / "images/validation/ADE_val_00000003.jpg", orientation=3)
    report = examine("ade20k", root)
    assert report.passed
    assert f"1 image with an EXIF orientation, read as stored, as that of {mask('ade20k', root, 2)}" in notes(report)


def test_classes_in_no_mask_are_noted_when_all_were_read(tmp_path):
    root, _ = draw("cityscapes", tmp_path)
    assert "16 classes in no mask: sidewalk, building, wall, " in notes(examine("cityscapes", root, thorough=True))
    assert "classes in no mask" not in notes(examine("cityscapes", root))
