"""Samples: every data set's layout is read as computed by hand, and every broken file is named."""

import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from feedseg import FeedsegError
from feedseg.apps.cli.main import main
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS, Benchmark, load_benchmark
from feedseg.evaluation.datasets.masks import MaskValues, read_mask
from feedseg.evaluation.datasets.samples import IGNORED, find_samples, read_stored
from feedseg.evaluation.datasets.scenes import SEED, SIZE
from feedseg.evaluation.protocols.protocol import load_protocol
from feedseg.evaluation.scenes import HELD_OUT
from feedseg.evaluation.toml_files import PUBLISHED, read_toml
from paths import ROOT
from tiny_datasets import HEIGHT, LAYOUTS, WIDTH, draw, save_mask, save_picture, values_with

OWN = 'images = "photos/{id}.jpg"\nmasks = "masks/{id}.png"\nclasses = ["cat", "sofa", "rug"]\n'


def own(folder: Path, more: str = "") -> Benchmark:
    """A data set of one's own."""
    (folder / "mine.toml").write_text(OWN + more)
    return load_benchmark(folder / "mine.toml")


def add(folder: Path, name: str, values: np.ndarray, mode: str = "L") -> Path:
    """An image and its mask."""
    save_picture(folder / f"photos/{name}.jpg", size=(values.shape[0], values.shape[1]))
    return save_mask(folder / f"masks/{name}.png", values, mode)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_read_as_by_hand(name, tmp_path):
    root, masks = draw(name, tmp_path)
    layout = LAYOUTS[name]
    samples = find_samples(load_benchmark(name, root), root)
    assert [sample.name for sample in samples] == list(layout.ids)
    for sample in pickle.loads(pickle.dumps(samples)):
        image, truth = sample.read()
        assert image.pixels.shape == (HEIGHT, WIDTH, 3)
        assert truth.shape == (HEIGHT, WIDTH)
        assert truth.dtype == np.int32
        expected = [[layout.meaning[int(value)] for value in row] for row in masks[sample.name]]
        assert truth.tolist() == expected


def test_every_benchmark_with_files_has_a_layout():
    assert {*LAYOUTS, "scenes"} == set(BENCHMARKS)


def test_images_are_those_of_the_same_name(tmp_path):
    root, _ = draw("voc21", tmp_path)
    for sample in find_samples(load_benchmark("voc21"), root):
        image, _ = sample.read()
        with Image.open(root / f"JPEGImages/{sample.name}.jpg") as file:
            assert np.array_equal(image.pixels, np.array(file.convert("RGB")))
        assert image.source == str(root / f"JPEGImages/{sample.name}.jpg")


def test_a_limit_takes_the_first(tmp_path):
    root, _ = draw("voc21", tmp_path)
    samples = find_samples(load_benchmark("voc21"), root, limit=2)
    assert [sample.name for sample in samples] == list(LAYOUTS["voc21"].ids[:2])
    with pytest.raises(FeedsegError, match="at least one"):
        find_samples(load_benchmark("voc21"), root, limit=0)


def test_a_folder_of_ones_own(tmp_path):
    benchmark = own(tmp_path, "ignore_index = 255")
    add(tmp_path, "b", np.array([[0, 1], [2, 255]]))
    add(tmp_path, "inner/a", np.array([[2, 2, 0]]))
    first, second = find_samples(benchmark, None)
    assert (first.name, second.name) == ("b", "inner/a")
    assert first.read()[1].tolist() == [[0, 1], [2, IGNORED]]
    assert second.read()[1].tolist() == [[2, 2, 0]]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "photos").rename(tmp_path / "elsewhere/photos")
    (tmp_path / "masks").rename(tmp_path / "elsewhere/masks")
    assert len(find_samples(benchmark, tmp_path / "elsewhere")) == 2


def test_images_and_masks_in_one_folder_are_told_apart(tmp_path):
    text = 'images = "{id}.png"\nmasks = "{id}_mask.png"\nclasses = ["cat", "sofa"]\n'
    (tmp_path / "mine.toml").write_text(text)
    for name in ("a", "b"):
        save_picture(tmp_path / f"{name}.png")
        save_mask(tmp_path / f"{name}_mask.png", values_with((0, 1)))
    assert [sample.name for sample in find_samples(load_benchmark(tmp_path / "mine.toml"), None)] == ["a", "b"]


def test_the_background_of_ones_own_is_label_0(tmp_path):
    benchmark = own(tmp_path, 'background = ["wall"]')
    add(tmp_path, "a", np.array([[0, 1, 2, 3]]))
    (sample,) = find_samples(benchmark, None)
    assert sample.read()[1].tolist() == [[0, 1, 2, 3]]
    assert benchmark.vocabulary().names == ("background", "cat", "sofa", "rug")


def test_a_mask_of_one_bit_is_read(tmp_path):
    benchmark = own(tmp_path)
    save_picture(tmp_path / "photos/a.jpg", size=(1, 3))
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.array([[True, False, True]])).save(tmp_path / "masks/a.png")
    assert find_samples(benchmark, None)[0].read()[1].tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_read(suffix, tmp_path):
    values = np.array([[0, 300], [65535, 256]], np.uint16)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(values).save(path)
    assert read_mask(path).tolist() == values.tolist()
    assert read_mask(path).dtype == np.uint16


def test_16_bits_are_read_in_the_other_byte_order(tmp_path):
    # A TIFF by hand: big-endian header, eight entries, a strip of 1 × 2 pixels of 16 bits.
    entries = [(256, 2), (257, 1), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (279, 4)]
    content = b"MM\x00\x2a" + (12).to_bytes(4, "big") + (300).to_bytes(2, "big") + (7).to_bytes(2, "big")
    content += len(entries).to_bytes(2, "big")
    for tag, value in entries:
        content += (
            tag.to_bytes(2, "big") + b"\x00\x03" + (1).to_bytes(4, "big") + value.to_bytes(2, "big") + b"\x00\x00"
        )
    (tmp_path / "a.tif").write_bytes(content + bytes(4))
    assert read_mask(tmp_path / "a.tif").tolist() == [[300, 7]]


def test_an_image_is_read_as_stored(tmp_path):
    path = save_picture(tmp_path / "photos/a.png", size=(2, 3), orientation=6)
    assert read_stored(path).size == (2, 3)
    straight = save_picture(tmp_path / "photos/b.png", size=(2, 3))
    assert np.array_equal(read_stored(path).pixels, read_stored(straight).pixels)


def break_value(mask: Path) -> None:
    save_mask(mask, np.array([[0, 1, 9]]))


def break_colours(mask: Path) -> None:
    Image.fromarray(np.zeros((1, 3, 3), np.uint8)).save(mask)


def break_size(mask: Path) -> None:
    save_mask(mask, np.array([[0], [1], [2]]))


def break_content(mask: Path) -> None:
    mask.write_bytes(mask.read_bytes()[:45])


def break_format(mask: Path) -> None:
    mask.write_text("no image")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_value, "holds the value 9, but classes have 0 to 2"),
        (break_colours, "holds colours (RGB)"),
        (break_size, "has 3 × 1 pixels, its mask"),
        (break_size, "turned"),
        (break_content, "cannot be read"),
        (break_format, "is not an image in a known format"),
        (Path.unlink, "does not exist"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(damage: Callable[[Path], None], message, tmp_path):
    mask = add(tmp_path, "a", np.array([[0, 1, 2]]))
    (sample,) = find_samples(own(tmp_path), None)
    sample.read()
    damage(mask)
    with pytest.raises(FeedsegError) as error:
        sample.read()
    assert message in str(error.value)
    assert str(mask) in str(error.value)


def test_an_image_that_cannot_be_used_is_named(tmp_path):
    add(tmp_path, "a", values_with((0, 1)))
    (sample,) = find_samples(own(tmp_path), None)
    image = tmp_path / "photos/a.jpg"
    image.write_bytes(image.read_bytes()[:400])
    with pytest.raises(FeedsegError, match=str(image)):
        sample.read()


def test_255_without_a_meaning_says_how_to_give_it_one(tmp_path):
    add(tmp_path, "a", np.array([[0, 255]]))
    with pytest.raises(FeedsegError, match=r"value 255.*give ignore_index"):
        find_samples(own(tmp_path), None)[0].read()


def test_what_is_missing_is_named_with_what_to_do(tmp_path):
    root, _ = draw("voc21", tmp_path)
    benchmark = load_benchmark("voc21")
    (root / "SegmentationClass/2008_000002.png").unlink()
    with pytest.raises(FeedsegError, match=r"1 mask missing, as .*2008_000002\.png → download .*; `feedseg data"):
        find_samples(benchmark, root)
    (root / "JPEGImages/2011_003271.jpg").unlink()
    with pytest.raises(FeedsegError, match=r"1 image missing, as .*2011_003271\.jpg → download .*; `feedseg"):
        find_samples(benchmark, root)
    assert len(find_samples(benchmark, root, limit=1)) == 1
    split = root / "ImageSets/Segmentation/val.txt"
    for text, message in (("", "is empty"), ("a\nb\na\n", "has a more than once")):
        split.write_text(text)
        with pytest.raises(FeedsegError, match=f"val.txt, {message}"):
            find_samples(benchmark, root)
    split.unlink()
    with pytest.raises(FeedsegError, match=r"val\.txt, is missing; `feedseg data check"):
        find_samples(benchmark, root)


@pytest.mark.parametrize("name", ["voc21", "coco-stuff", "cityscapes", "ade20k"])
def test_a_wrong_root_is_put_right(name, tmp_path):
    root, _ = draw(name, tmp_path)
    benchmark = load_benchmark(name)
    for wrong in (tmp_path, root.parent, *(child for child in root.iterdir() if child.is_dir())):
        if wrong != root:
            with pytest.raises(FeedsegError, match=f"is not the root of {name}: {root} is"):
                find_samples(benchmark, wrong)


def test_without_a_root_there_is_advice(tmp_path):
    with pytest.raises(FeedsegError, match="usually called VOCdevkit/VOC2012"):
        find_samples(load_benchmark("voc21"), None)
    with pytest.raises(FeedsegError, match="is not a folder"):
        find_samples(load_benchmark("voc21"), tmp_path / "nowhere")
    with pytest.raises(FeedsegError, match="no images"):
        find_samples(own(tmp_path), None)


def test_scenes_are_drawn_the_same_every_time():
    benchmark = load_benchmark("scenes")
    samples = find_samples(benchmark, None)
    assert len(samples) == 500
    names = benchmark.vocabulary().names
    patterns = {pattern for _, pattern in HELD_OUT}
    for sample in samples[:6]:
        image, truth = sample.read()
        again, same = pickle.loads(pickle.dumps(sample)).read()
        assert np.array_equal(image.pixels, again.pixels)
        assert np.array_equal(truth, same)
        assert image.size == truth.shape == (SIZE, SIZE)
        assert truth.dtype == np.int32
        shown = {names[label] for label in np.unique(truth)}
        assert len(shown - patterns) == 1  # the background
    assert len({sample.read()[0].pixels.tobytes() for sample in samples[:6]}) == 6


def test_scenes_are_those_that_are_reported(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    evaluate = pytest.importorskip("research.mini.evaluate")
    assert (evaluate.REPORTED, evaluate.SIZE) == (SEED, SIZE)
    (task,) = [task for task in evaluate.TASKS if task.name == "patterns"]
    benchmark = load_benchmark("scenes")
    assert benchmark.vocabulary() == task.vocabulary
    scene = evaluate.draw_scene(np.random.default_rng((SEED, 3)), SIZE, (2, 4), HELD_OUT)
    image, target = find_samples(benchmark, None)[3].read()
    assert np.array_equal(image.pixels, scene.image)
    assert np.array_equal(target, task.target(scene))


@given(
    st.integers(1, 300),
    st.booleans(),
    st.sampled_from([None, 255, 65535]),
    st.lists(st.integers(0, 65535), min_size=1, max_size=30),
)
def test_values_have_one_meaning_each(labels, zero_is_ignored, ignore_index, values):
    """The rule, pixel by pixel: 0 may be ignored and lower all others; one value may be ignored; others are unknown."""
    meaning = MaskValues(labels, zero_is_ignored, ignore_index)
    array = np.array([values], np.uint16)
    truth, unknown = meaning.target(array)[0].tolist(), set(meaning.unknown(array))
    for value, label in zip(values, truth, strict=True):
        lowered = value - 1 if zero_is_ignored else value
        if 0 <= lowered < labels:
            assert label == lowered
            assert value not in unknown
        else:
            assert label == IGNORED
            assert (value in unknown) == (value != ignore_index and not (zero_is_ignored and value == 0))


def test_a_benchmark_with_other_counts_is_read_all_the_same(tmp_path):
    root, _ = draw("voc21", tmp_path)
    assert len(find_samples(replace(load_benchmark("voc21"), count=99), root)) == 3


DOCUMENTATION = ROOT / "docs/datasets.md"
TOML = re.findall(r"```toml\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.S)


def test_the_documentations_data_set_is_read_and_checked(tmp_path, capsys):
    (tmp_path / "my-data.toml").write_text(TOML[0])
    add(tmp_path, "a", np.array([[0, 1, 2, 3, 255]]))
    benchmark = load_benchmark(tmp_path / "my-data.toml")
    assert benchmark.vocabulary(0.1).names == ("background", "cat", "sofa", "rug")
    assert find_samples(benchmark, None)[0].read()[1].tolist() == [[0, 1, 2, 3, IGNORED]]
    assert main(["data", "check", str(tmp_path / "my-data.toml")]) == 0
    assert "all is well" in capsys.readouterr().out


def test_the_documentations_protocol_changes_what_it_says(tmp_path):
    (tmp_path / "finer.toml").write_text(TOML[1])
    fsa, finer = (load_protocol(name, "voc21", "clip") for name in ("fsa", str(tmp_path / "finer.toml")))
    assert (finer.settings, finer.threshold) == (replace(fsa.settings, short_side=448), 0.25)
    assert len(TOML) == 2


def test_the_documentation_names_every_benchmark_its_root_and_its_count():
    text = DOCUMENTATION.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for name, layout in LAYOUTS.items():
        (row,) = [row for row in rows if f"`{name}`" in row]
        assert f"`{layout.root}`" in row
        assert f"| {load_benchmark_count(name)} |" in row
    for key in (
        "images",
        "masks",
        "classes",
        "names",
        "background",
        "ignore_index",
        "zero_is_ignored",
        "values",
        "split",
    ):
        assert any(f"`{key}`" in row.split("|")[1] for row in rows)


def load_benchmark_count(name: str) -> int:
    return read_toml(PUBLISHED / f"{name}.toml")["count"]
