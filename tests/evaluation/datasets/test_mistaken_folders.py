"""Folders in which every file looks right and all together do not; and right ones that look strange."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedseg import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark, load_benchmark, read_lines, read_names
from feedseg.evaluation.datasets.check import Report, check, examine
from feedseg.evaluation.datasets.prepare_survey import survey
from feedseg.evaluation.datasets.samples import find_samples
from tiny_datasets import LAYOUTS, draw, draw_raw, save_mask, save_picture

VOC_COLOURS = [  # of the values 0 to 20, as the development kit's colour map has them
    *((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)),
    *((128, 128, 128), (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0), (64, 0, 128), (192, 0, 128)),
    *((64, 128, 128), (192, 128, 128), (0, 64, 0), (128, 64, 0), (0, 192, 0), (128, 192, 0), (0, 64, 128)),
]


def problems(report: Report) -> str:
    return "\n".join(f"{one.text} → {one.advice}" for one in report.findings if one.is_problem)


def refused(benchmark: Benchmark, root: Path) -> str:
    """What check says, after seeing that a measurement is refused in the same words."""
    found = problems(check(benchmark, root))
    with pytest.raises(FeedsegError) as error:
        examine(benchmark, root)
    assert found.splitlines()[0].removesuffix(" → ") in str(error.value)
    return found


def fill(name: str, root: Path, values: tuple[int, ...]) -> Benchmark:
    """Every mask of a miniature gets these values, each in one row and column at least."""
    layout = LAYOUTS[name]
    for one in layout.ids:
        save_mask(root / layout.masks.format(one), np.resize(np.array(values), (9, 12)))
    return replace(load_benchmark(name, root), count=3)


def own(folder: Path, values: tuple[int, ...], more: str = "", classes: str = '["a", "b", "c"]') -> Benchmark:
    text = f'images = "photos/{{id}}.jpg"\nmasks = "masks/{{id}}.png"\nclasses = {classes}\n{more}'
    (folder / "mine.toml").write_text(text)
    for seed in range(2):
        save_picture(folder / f"photos/{seed}.jpg", seed)
        save_mask(folder / f"masks/{seed}.png", np.resize(np.array(values), (9, 12)))
    return load_benchmark(folder / "mine.toml")


def coloured(path: Path, values: np.ndarray, colours: Mapping[int, tuple[int, ...]]) -> None:
    image = Image.fromarray(values.astype(np.uint8))
    palette = [0] * 768
    for value, colour in colours.items():
        palette[3 * value : 3 * value + 3] = colour
    image.putpalette(palette)
    image.save(path)


def test_a_palette_that_says_otherwise_than_the_numbers_is_told(tmp_path):
    root, _ = draw("voc21", tmp_path)
    benchmark = replace(load_benchmark("voc21"), count=3)
    path = root / "SegmentationClass/2007_000033.png"
    values = np.resize(np.array([0, 1, 2]), (9, 12))
    coloured(path, values, dict(enumerate(VOC_COLOURS)))
    assert problems(check(benchmark, root)) == ""
    coloured(path, values, {1: VOC_COLOURS[15], 2: VOC_COLOURS[8]})  # numbered in the order of their coming
    assert f"{path} has the colour of person, 15, for the value 1, aeroplane (1 mask like it)" in refused(
        benchmark, root
    )


def test_grey_palettes_and_black_ones_contradict_nothing(tmp_path):
    root, _ = draw("voc21", tmp_path)
    values = np.resize(np.array([0, 7, 20, 255]), (9, 12))
    for number, colours in enumerate(({}, {value: (value,) * 3 for value in range(256)})):
        coloured(root / f"SegmentationClass/{LAYOUTS['voc21'].ids[number]}.png", values, colours)
    assert problems(check(replace(load_benchmark("voc21"), count=3), root)) == ""


@pytest.mark.parametrize("name", ["context59", "context60", "ade20k"])
def test_numbers_lowered_by_one_already_are_told(name, tmp_path):
    root, _ = draw(name, tmp_path)
    last = {"ade20k": 150}.get(name, 59)
    assert "lowered by one already" in refused(fill(name, root, (0, 1, last - 1, 255)), root)
    assert problems(check(fill(name, root, (0, 1, last)), root)) == ""
    assert problems(check(fill(name, root, (0, 1, 5)), root)) == ""  # few masks need not show the last class


def test_numbers_of_voc_lowered_by_one_are_told_where_many_masks_lack_the_last(tmp_path):
    root, _ = draw("voc20", tmp_path)
    benchmark = fill("voc20", root, (0, 4, 19, 255))
    assert problems(check(benchmark, root)) == ""  # three masks without a television are nothing strange
    ids = [f"2007_{number:06d}" for number in range(200)]
    for one in ids:
        for kind, suffix, like in (("JPEGImages", ".jpg", "2007_000033"), ("SegmentationClass", ".png", "2007_000033")):
            target = root / kind / (one + suffix)
            if not target.exists():
                target.hardlink_to(root / kind / (like + suffix))
    (root / "ImageSets/Segmentation/val.txt").write_text("\n".join(ids))
    assert "20 is in none of 200 masks: they were lowered by one" in refused(replace(benchmark, count=200), root)


def test_numbers_of_voc_lowered_by_one_are_told_in_few_masks_that_are_mostly_open(tmp_path):
    root, _ = draw("voc21", tmp_path)
    problem = "255 is the most frequent value of 3 of 3 masks: they were lowered by one"
    assert problem in refused(fill("voc21", root, (255, 255, 255, 14)), root)
    assert problems(check(fill("voc21", root, (0, 0, 0, 15, 255)), root)) == ""


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("coco-object", (0, 1, 44, 90), "COCO's category ids, 1 to 90, not training ids"),
        ("coco-stuff", (1, 100, 171, 255), "the numbers start at 1 and should start at 0"),
        ("coco-stuff", (0, 1, 18, 182), "category ids from 1, not training ids"),
        ("cityscapes", (7, 11, 24, 26), "labelIds, not labelTrainIds"),
        ("cityscapes", (7, 26000, 26001), "instanceIds, not labelTrainIds"),
        ("context60", (0, 113, 458), "not converted to 59 classes"),
        ("voc21", (0, 255), "the masks hold 0 and 255 alone: black and white"),
    ],
)
def test_numbers_of_another_list_are_told(name, values, expected, tmp_path):
    root, _ = draw(name, tmp_path)
    layout = LAYOUTS[name]
    for one in layout.ids:
        mode = "I;16" if max(values) > 255 else "L"
        save_mask(root / layout.masks.format(one), np.resize(np.array(values), (9, 12)), mode)
    assert expected in refused(replace(load_benchmark(name, root), count=3), root)


def test_own_numbers_that_start_at_one_get_the_line_to_write(tmp_path):
    benchmark = own(tmp_path, (1, 2, 3))
    assert f"start at 0: write zero_is_ignored = true in {tmp_path / 'mine.toml'}" in refused(benchmark, tmp_path)
    mended = own(tmp_path, (1, 2, 3), "zero_is_ignored = true")
    assert problems(check(mended, tmp_path)) == ""
    assert {*np.unique(find_samples(mended, None)[0].read()[1]).tolist()} == {0, 1, 2}


def test_black_and_white_masks_get_the_line_to_write(tmp_path):
    benchmark = own(tmp_path, (0, 255), "ignore_index = 255", '["other", "cat"]')
    assert f"write values = [0, 255] in {tmp_path / 'mine.toml'}, instead of ignore_index" in refused(
        benchmark, tmp_path
    )
    mended = own(tmp_path, (0, 255), "values = [0, 255]", '["other", "cat"]')
    assert problems(check(mended, tmp_path)) == ""
    assert find_samples(mended, None)[0].read()[1].tolist() == np.resize(np.array([0, 1]), (9, 12)).tolist()


def test_own_values_in_any_order_mean_what_they_say(tmp_path):
    benchmark = own(tmp_path, (7, 40, 1000), "values = [40, 7, 1000]")
    save_mask(tmp_path / "masks/0.png", np.array([[7, 40, 1000]]), "I;16")
    save_picture(tmp_path / "photos/0.jpg", size=(1, 3))
    assert find_samples(benchmark, None)[0].read()[1].tolist() == [[1, 0, 2]]


def raw(folder: Path, *files: tuple[int, ...]) -> list[Path]:
    return [save_mask(folder / f"{number}.png", np.array([values])) for number, values in enumerate(files)]


@pytest.mark.parametrize("name", ["coco-stuff", "coco-object"])
def test_maps_that_start_at_one_are_told_before_one_is_converted(name, tmp_path):
    with pytest.raises(FeedsegError, match=r"the maps start at 1, as .*2\.png with 182"):
        survey(name, raw(tmp_path, (0, 1), (1, 18), (0, 182)))
    assert survey(name, [*draw_raw(name, tmp_path / "sound").values()]) == ""
    assert "too few values to tell" in survey(name, raw(tmp_path / "few", (0, 1), (1, 18)))


def test_training_ids_of_cityscapes_are_told_before_one_is_converted(tmp_path):
    with pytest.raises(FeedsegError, match=r"labelTrainIds already, as .*1\.png with 255"):
        survey("cityscapes", raw(tmp_path, (0, 7, 18), (3, 255)))
    assert survey("cityscapes", [*draw_raw("cityscapes", tmp_path / "sound").values()]) == ""


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".JPEG", ".Jpg"])
def test_other_spellings_of_a_suffix_are_read(suffix, tmp_path):
    benchmark = own(tmp_path, (0, 1, 2))
    (tmp_path / "photos/1.jpg").rename(tmp_path / f"photos/1{suffix}")
    (tmp_path / "masks/1.png").rename(tmp_path / "masks/1.PNG")
    report = check(benchmark, tmp_path)
    assert (report.images, report.masks_read, report.findings) == (2, 2, [])
    samples = find_samples(benchmark, None)
    assert [sample.name for sample in samples] == ["0", "1"]
    assert samples[1].read()[0].size == (9, 12)


def test_a_split_finds_other_spellings_too(tmp_path):
    own(tmp_path, (0, 1, 2))
    benchmark = own(tmp_path, (0, 1, 2), 'split = "val.txt"')
    (tmp_path / "val.txt").write_bytes(b"\xef\xbb\xbf1\r\n# not yet\r\n\r\n0\r\n")
    (tmp_path / "photos/1.jpg").rename(tmp_path / "photos/1.JPG")
    assert [sample.name for sample in find_samples(benchmark, None)] == ["1", "0"]
    assert check(benchmark, tmp_path).findings == []


@pytest.mark.parametrize(("first", "second"), [("photos/1.jpg", "photos/1.JPEG"), ("masks/1.png", "masks/1.PNG")])
@pytest.mark.parametrize("split", [False, True])
def test_two_files_for_one_id_are_named(first, second, split, tmp_path):
    benchmark = own(tmp_path, (0, 1, 2), 'split = "val.txt"' if split else "")
    (tmp_path / "val.txt").write_text("0\n1\n")
    (tmp_path / second).write_bytes((tmp_path / first).read_bytes())
    for complaint in (lambda: examine(benchmark, tmp_path), lambda: find_samples(benchmark, None)):
        with pytest.raises(FeedsegError) as error:
            complaint()
        assert str(tmp_path / first) in str(error.value)
        assert str(tmp_path / second) in str(error.value)
    assert second in problems(check(benchmark, tmp_path))


def test_other_files_are_counted_and_masks_without_images_too(tmp_path):
    benchmark = own(tmp_path, (0, 1, 2))
    save_picture(tmp_path / "photos/2.png")
    save_mask(tmp_path / "masks/9.png", np.zeros((9, 12)))
    notes = " ".join(check(benchmark, tmp_path).notes)
    assert f"1 file beside the images left out (1 .png), as {tmp_path / 'photos/2.png'}" in notes
    assert f"1 mask without an image, as {tmp_path / 'masks/9.png'}" in notes


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0 plain\n1 striped\n", ("plain", "striped")),
        ("1. plain\r\n2. striped\r\n", ("plain", "striped")),
        ("0) plain\n1) striped", ("plain", "striped")),
        ("0, plain\n1, striped, lined", ("plain", "striped; lined")),
        ("# the classes\n0: plain\n# and\n1: striped", ("plain", "striped")),
        ("7 up\ncola", ("7 up", "cola")),  # a number that only one line has is a name's
        ("3 wheeler", ("3 wheeler",)),
        ("plain\rstriped\r", ("plain", "striped")),
    ],
)
def test_lists_as_people_write_them(text, names, tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes(text.encode())
    assert read_names(path) == names


def test_numbers_that_leave_gaps_are_told(tmp_path):
    (tmp_path / "names.txt").write_text("0 plain\n2 striped\n")
    with pytest.raises(FeedsegError, match="'2 striped' is out of order"):
        read_names(tmp_path / "names.txt")


def test_lines_are_read_whatever_ends_them_without_comments(tmp_path):
    (tmp_path / "val.txt").write_bytes(b"\xef\xbb\xbf# by hand\r\na\r\n\r\n  b \r\n#c\r\n")
    assert read_lines(tmp_path / "val.txt", "the list") == ["a", "b"]
    (tmp_path / "val.txt").write_bytes("a".encode("utf-16"))
    with pytest.raises(FeedsegError, match=r"the list, .*is not a text file in UTF-8"):
        read_lines(tmp_path / "val.txt", "the list")
