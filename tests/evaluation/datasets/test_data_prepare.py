"""`feedseg data prepare`: masks come out as the tables say, nothing that exists is touched, and runs can be resumed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from feedseg import FeedsegError
from feedseg.engine.outcomes import Done, Failed, Outcome
from feedseg.evaluation.datasets import prepare as prepare_module
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.datasets.check import check
from feedseg.evaluation.datasets.masks import read_mask
from feedseg.evaluation.datasets.prepare import OTHER, Job, plan, run, value_table
from feedseg.evaluation.datasets.prepare_context import category_ids
from feedseg.evaluation.datasets.prepare_rle import decode_mask, decompressed
from feedseg.evaluation.datasets.samples import find_samples
from tiny_datasets import HEIGHT, WIDTH, draw_detail, draw_raw, save_mask, save_picture

# By hand: what the values of `tiny_datasets.RAW_COCO` and `RAW_CITY` become.
EXPECTED = {
    "coco-stuff": {0: 0, 10: 10, 12: 11, 89: 79, 91: 80, 181: 170, 255: 255},
    "coco-object": {0: 1, 10: 11, 12: 12, 89: 80, 91: 0, 181: 0, 255: 0},
    "cityscapes": {0: 255, 1: 255, 7: 0, 11: 2, 26: 13, 33: 18},
}
TARGETS = {
    "coco-stuff": "annotations/val2017/{}_labelTrainIds.png",
    "coco-object": "annotations/val2017/{}_instanceTrainIds.png",
    "cityscapes": "gtFine/val/{}_gtFine_labelTrainIds.png",
}


def prepare(name: str, source: Path, out: Path, workers: int = 1) -> list[Outcome[Job, bool]]:
    """What became of every file; in order with one worker."""
    outcomes: list[Outcome[Job, bool]] = []
    totals = run(plan(name, source, out), workers, outcomes.append)
    assert not totals.missing
    return outcomes


def failures(outcomes: list[Outcome[Job, bool]]) -> list[str]:
    return [outcome.reason for outcome in outcomes if isinstance(outcome, Failed)]


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file in a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", EXPECTED)
def test_values_become_what_they_are_by_hand(name, workers, tmp_path):
    source, out = tmp_path / "download", tmp_path / "root"
    originals = draw_raw(name, source)
    before = snapshot(source)
    outcomes = prepare(name, source, out, workers)
    assert len(outcomes) == 3
    assert failures(outcomes) == []
    for one, path in originals.items():
        with Image.open(path) as image:
            expected = [[EXPECTED[name][int(value)] for value in row] for row in np.asarray(image)]
        assert read_mask(out / TARGETS[name].format(one)).tolist() == expected
    assert snapshot(source) == before
    assert len(snapshot(out)) == 3


def test_cityscapes_ids_are_the_official_ones():
    """The 19 classes by labelId, from the table of the data set's paper and scripts."""
    counted = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    official = {value: label for label, value in enumerate(counted)}
    table = value_table("cityscapes")
    for value in range(256):
        assert table[value] == (OTHER if value > 33 else official.get(value, 255))
    names = [words[0] for words in load_benchmark("cityscapes").classes]
    assert {value: names[label] for value, label in official.items() if value in (7, 19, 23, 26, 33)} == {
        7: "road",
        19: "trafficlight",
        23: "sky",
        26: "car",
        33: "bicycle",
    }


def test_classes_of_coco_stuff_are_those_of_the_category_ids():
    names = [words[0] for words in load_benchmark("coco-stuff").classes]
    objects = [words[0] for words in load_benchmark("coco-object").classes]
    stuff, things = value_table("coco-stuff"), value_table("coco-object")
    # stored values are COCO's category ids less one: 1 person, 13 stop sign, 90 toothbrush, 92 banner, 182 wood
    assert [names[stuff[value]] for value in (0, 12, 89, 91, 181)] == [
        *("person", "stopsign", "toothbrush", "banner", "wood"),
    ]
    assert [objects[things[value] - 1] for value in (0, 12, 89)] == ["person", "stop sign", "toothbrush"]


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_prepared_passes_the_check_and_is_read(name, tmp_path):
    benchmark = load_benchmark(name)
    originals = draw_raw(name, tmp_path)
    prepare(name, tmp_path, tmp_path)  # beside the originals
    for one in originals:
        save_picture(benchmark.image(tmp_path, one))
    report = check(benchmark, tmp_path)
    assert report.passed
    assert [finding.text for finding in report.findings] == [
        f"3 images instead of {benchmark.count}: results cannot be compared with published ones"
    ]
    assert [sample.name for sample in find_samples(benchmark, tmp_path)] == sorted(originals)


@pytest.mark.parametrize("inner", ["", "annotations", "stuffthingmaps_trainval2017"])
def test_any_folder_of_the_download_is_a_source(inner, tmp_path):
    draw_raw("coco-stuff", tmp_path / inner)
    above = tmp_path if inner else tmp_path / "val2017"
    assert len(plan("coco-stuff", above, tmp_path / "out")) == 3


def test_what_exists_stays_and_is_no_source(tmp_path):
    originals = draw_raw("coco-stuff", tmp_path / "annotations")
    first = prepare("coco-stuff", tmp_path, tmp_path)
    before = snapshot(tmp_path)
    second = prepare("coco-stuff", tmp_path, tmp_path)
    assert first == [Done(outcome.item, False) for outcome in first]
    assert second == [Done(outcome.item, True) for outcome in second]
    assert snapshot(tmp_path) == before
    assert len(second) == len(originals)


def test_a_write_that_is_cut_off_leaves_no_file(tmp_path, monkeypatch):
    draw_raw("coco-stuff", tmp_path / "download")
    save = Image.Image.save

    def cut_off(image: Image.Image, path: Path, *arguments: Any) -> None:
        save(image, path, *arguments)
        Path(path).write_bytes(Path(path).read_bytes()[:20])
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", cut_off)
    totals = run(plan("coco-stuff", tmp_path / "download", tmp_path / "out"), 1)
    assert totals.interrupted
    assert snapshot(tmp_path / "out") == {}


def test_values_of_16_bits_are_errors_too(tmp_path):
    first, *_ = draw_raw("cityscapes", tmp_path).values()
    save_mask(first, np.array([[7, 300]]), "I;16")
    outcome, *_ = prepare("cityscapes", tmp_path, tmp_path / "out")
    assert failures([outcome]) == [f"{first} holds the value 300, which has no meaning"]


def test_an_unforeseen_error_is_a_failure_of_one_file(tmp_path, monkeypatch):
    draw_raw("coco-stuff", tmp_path)
    monkeypatch.setattr(prepare_module, "read_mask", lambda path, reader: 1 / 0)
    outcomes = prepare("coco-stuff", tmp_path, tmp_path / "out")
    assert len(failures(outcomes)) == 3
    for outcome, reason in zip(outcomes, failures(outcomes), strict=True):
        assert reason == f"{outcome.item.target} cannot be made: unexpected ZeroDivisionError: division by zero"


def columns(inside: np.ndarray) -> list[int]:
    """The runs of a mask, counted pixel by pixel down its columns."""
    runs, state = [0], False
    height, width = inside.shape
    for x in range(width):
        for y in range(height):
            if bool(inside[y, x]) != state:
                runs.append(0)
                state = not state
            runs[-1] += 1
    return runs


def compressed(runs: list[int]) -> str:
    """The runs as text, written from the description of the format: five bits a character, least significant first."""
    text = ""
    for index, run_length in enumerate(runs):
        number = run_length - runs[index - 2] if index > 2 else run_length
        while True:
            low, number = number & 31, number >> 5
            finished = number == (-1 if low & 16 else 0)
            text += chr(48 + (low if finished else low | 32))
            if finished:
                break
    return text


def test_run_lengths_by_hand():
    # two columns of three: below the first pixel of the left one, and the first of the right one
    expected = [[False, True], [True, False], [True, False]]
    assert decode_mask([1, 3, 2], (3, 2)).tolist() == expected
    assert decode_mask("132", (3, 2)).tolist() == expected
    # 16 needs its sign bit cleared by a second character; the fourth is the difference to the second
    assert decompressed("`0") == [16]
    assert decompressed("05:0") == [0, 5, 10, 5]
    assert decompressed("05:K") == [0, 5, 10, 0]
    assert decompressed("PT1") == [1024 + 128]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**81 - 1))
def test_run_lengths_are_what_they_were_made_from(height, width, bits):
    inside = np.array([[bits >> (y * width + x) & 1 for x in range(width)] for y in range(height)], bool)
    runs = columns(inside)
    assert decode_mask(runs, (height, width)).tolist() == inside.tolist()
    assert decode_mask(compressed(runs), (height, width)).tolist() == inside.tolist()


@given(st.lists(st.integers(0, 10**7), max_size=12))
def test_runs_of_any_length_are_decompressed(runs):
    assert decompressed(compressed(runs)) == runs


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2], "do not come to 2 × 3"),
        ([-1, 7], "do not come to"),
        ([[6]], "do not come to"),
        ("13 ", "' ' cannot stand"),
        ("13p", "'p' cannot stand"),
        ("13P", "ends within a number"),
        ("", "do not come to"),
    ],
)
def test_damaged_run_lengths_are_told(counts, message):
    with pytest.raises(FeedsegError, match=message):
        decode_mask(counts, (3, 2))


def region(rows: slice, columns_of_it: slice, as_text: bool = True) -> dict[str, Any]:
    """A rectangle, run-length encoded."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[rows, columns_of_it] = True
    runs = columns(inside)
    return {"size": [HEIGHT, WIDTH], "counts": compressed(runs) if as_text else runs}


def test_context_is_drawn_region_by_region(tmp_path):
    # 458 is wood, the 59th class; 2 aeroplane, the first; 284 person, the 37th. Later regions lie on top.
    wood, plane = region(slice(0, 9), slice(0, 8)), region(slice(2, 5), slice(6, 12), as_text=False)
    person = region(slice(4, 6), slice(7, 9))
    images = {"2008_000009": [(458, wood), (2, plane), (284, person)], "2008_000002": []}
    source = draw_detail(tmp_path / "trainval_merged.json", images)
    before = snapshot(tmp_path)
    out = tmp_path / "VOC2010"
    outcomes = prepare("context", source, out)
    assert len(outcomes) == 3
    assert failures(outcomes) == []
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[:, :8], expected[2:5, 6:], expected[4:6, 7:9] = 59, 1, 37
    assert read_mask(out / "SegmentationClassContext/2008_000009.png").tolist() == expected.tolist()
    assert not read_mask(out / "SegmentationClassContext/2008_000002.png").any()
    assert (out / "ImageSets/SegmentationContext/val.txt").read_text() == "2008_000002\n2008_000009\n"
    assert {name: content for name, content in snapshot(tmp_path).items() if name in before} == before
    classes = load_benchmark("context59").classes
    assert [classes[label - 1] for label in (59, 1, 37)] == [("wood",), ("aeroplane",), ("person",)]
    for name in images:
        save_picture(out / f"JPEGImages/{name}.jpg")
    _, truth = find_samples(load_benchmark("context60"), out)[1].read()
    assert truth.tolist() == expected.tolist()


def test_context_in_other_processes(tmp_path):
    draw_detail(tmp_path / "trainval_merged.json", {f"2008_{number:06d}": [] for number in range(5)})
    assert len(prepare("context", tmp_path, tmp_path / "out", workers=2)) == 6
    assert len(list((tmp_path / "out/SegmentationClassContext").iterdir())) == 5


@pytest.mark.parametrize(
    ("category", "segmentation", "message"),
    [
        (3, None, "category 3 is none of the 59 classes"),
        (2, [[0, 0, 4, 0, 4, 4]], "not run-length encoded"),
        (2, {"size": [HEIGHT, WIDTH]}, "not run-length encoded"),
        (2, {"size": [HEIGHT, WIDTH], "counts": [5]}, "do not come to 12 × 9"),
        (2, {"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]}, "the size (12, 9), the image (9, 12)"),
    ],
)
def test_a_region_that_cannot_be_used_is_named(category, segmentation, message, tmp_path):
    good = [(2, region(slice(0, 2), slice(0, 2)))]
    draw_detail(tmp_path / "trainval_merged.json", {"a": [(category, segmentation)], "b": good})
    bad, fine, split = prepare("context", tmp_path, tmp_path / "out")
    (reason,) = failures([bad, fine, split])
    assert message in reason
    assert f"{tmp_path / 'trainval_merged.json'}, image a: " in reason
    assert not bad.item.target.exists()


def test_a_category_under_another_name_is_a_warning(tmp_path):
    path = draw_detail(tmp_path / "trainval_merged.json", {"a": []})
    content = json.loads(path.read_text())
    content["categories"].append({"category_id": 308, "name": "Potted Plant"})
    path.write_text(json.dumps(content))
    prepare("context", tmp_path, tmp_path / "out")  # spaces and capitals are no other name
    content["categories"][0]["name"] = "airship"
    path.write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="calls category 2 'airship', not 'aeroplane'"):
        plan("context", tmp_path, tmp_path / "out")


def test_the_categories_of_context_are_as_many_as_its_classes_and_in_their_order():
    ids = category_ids()
    assert len(ids) == len(load_benchmark("context59").classes) == 59
    assert list(ids) == sorted(set(ids))
    assert len(load_benchmark("context60").classes) == 59
