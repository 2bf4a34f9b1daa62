"""Benchmarks, protocols and published numbers: as the reference has them, and every way to write one's own wrongly."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from feedseg import FeedsegError, Settings
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS, load_benchmark, read_names
from feedseg.evaluation.datasets.prepare import OTHER, value_table
from feedseg.evaluation.protocols.protocol import PROTOCOLS, load_protocol
from feedseg.evaluation.report.published import published
from feedseg.evaluation.scenes import BACKGROUNDS, PATTERNS
from feedseg.vision.feedback.fsa import SHARPNESS_BY_PROXY, SHARPNESS_BY_WIDTH, FSAFeedback
from feedseg.vision.hosts import HOSTS
from feedseg.vision.text.templates import default_templates
from feedseg.weights.catalog import CARDS
from paths import SHARED

REFERENCE = SHARED / "protocol/benchmarks.json"
PAPERS = BENCHMARKS[:8]


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    if not REFERENCE.is_file():
        pytest.skip("the reference protocols (shared/protocol/benchmarks.json) are not beside this checkout")
    return json.loads(REFERENCE.read_text(encoding="utf-8"))


def underscored(name: str) -> str:
    return name.replace("-", "_")


def test_the_benchmarks_are_the_references(reference):
    assert [underscored(name) for name in PAPERS] == reference["published"]["order"]
    assert {underscored(name) for name in PAPERS} == set(reference["benchmarks"])


@pytest.mark.parametrize("name", PAPERS)
def test_a_benchmark_is_the_references(name, reference):
    benchmark, expected = load_benchmark(name), reference["benchmarks"][underscored(name)]
    classes = [tuple(words) for words in expected["classes"]]
    assert bool(benchmark.background) == expected["has_background"]
    assert [*([benchmark.background] if benchmark.background else []), *benchmark.classes] == classes
    for ours, theirs in (
        (benchmark.name, name),
        (benchmark.title, expected["title"]),
        (benchmark.images, expected["images"]),
        (benchmark.masks, expected["masks"]),
        (benchmark.split, expected["split"]),
        (benchmark.count, expected["num_images"]),
        (benchmark.zero_is_ignored, expected["zero_is_ignored"]),
        (benchmark.ignore_index, expected["ignore_index"]),
        (benchmark.root_hint, expected["root_hint"]),
    ):
        assert ours == theirs


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_is_the_references(protocol, name, reference):
    ours = load_protocol(protocol, name, "clip")
    expected = reference["protocols"][ours.name][underscored(name)]
    assert set(expected) <= {
        *("logit_scale", "prob_thd", "slide_crop", "slide_stride", "max_long_side", "short_side", "area_thd")
    }
    assert ours.settings.short_side == expected["short_side"]
    assert ours.settings.max_long_side == expected["max_long_side"]
    assert (ours.settings.window or 0) == expected["slide_crop"]
    assert ours.settings.stride == expected["slide_stride"]
    assert ours.settings.logit_scale == expected["logit_scale"]
    assert ours.threshold == expected["prob_thd"]
    assert ours.smallest_area == expected.get("area_thd")


def test_all_protocols_of_the_reference_are_there(reference):
    assert {load_protocol(name, "voc21", "clip").name for name in PROTOCOLS} == set(reference["protocols"])


@pytest.mark.parametrize("name", PAPERS)
def test_published_numbers_are_the_references(name, reference):
    column = 2 + reference["published"]["order"].index(underscored(name))
    expected = [(row[0], row[1], row[column]) for row in reference["published"]["rows"]]
    found = [row for row in published(name) if not row.feedback]
    assert [(row.model, " ".join(filter(None, (row.host, row.proxy))), row.miou) for row in found] == expected


def test_pixel_values_templates_and_sharpness_are_the_references(reference):
    mapping = {int(value): label for value, label in reference["coco_stuff_pixel_value_to_train_id"].items()}
    stuff, things = value_table("coco-stuff"), value_table("coco-object")
    assert {value: label for value, label in enumerate(stuff) if label != OTHER} == mapping
    for value, label in mapping.items():
        assert things[value] == (label + 1 if value <= 90 else 0)
    assert list(default_templates()) == reference["prompt_templates"]
    defaults = reference["lambda_defaults"]
    by_tower = defaults["dino, dinov2, sam proxies"]
    assert by_tower["ViT-B/16"] == by_tower["ViT-L/14"] == FSAFeedback().sharpness
    assert {1280: by_tower["ViT-H/14"]} == SHARPNESS_BY_WIDTH
    assert {"vit_mae": defaults["mae proxy"]} == SHARPNESS_BY_PROXY


def test_nothing_is_published_of_other_benchmarks():
    assert published("scenes") == published("mine") == []


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in ("ade20k-847", "context459")])
def test_names_follow_the_labels(name):
    benchmark = load_benchmark(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # also for "bed", which coco-object has in the background and as a class
        names = benchmark.vocabulary().names
    assert len(names) == benchmark.labels
    assert names[-1] == benchmark.classes[-1][0]
    assert (names[0] == "background") == bool(benchmark.background)
    assert benchmark.source


def test_a_threshold_needs_a_background():
    assert load_benchmark("voc21").vocabulary(0.2).threshold == 0.2
    with pytest.raises(FeedsegError, match="no background"):
        load_benchmark("voc20").vocabulary(0.2)


def test_scenes_ask_for_what_scenes_show():
    assert load_benchmark("scenes").classes == tuple((word,) for word in (*PATTERNS, *BACKGROUNDS))


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "host"])
def test_scenes_are_seen_as_the_bundled_model_sees_images(protocol):
    ours = load_protocol(protocol, "scenes", "clip").settings
    own = CARDS["mini"].settings
    theirs = load_protocol(protocol, "mine", "clip")
    scale = " and scale" if ours.logit_scale != theirs.settings.logit_scale else ""
    assert load_protocol(protocol, "scenes", "clip").name == f"{theirs.name}, with sizes{scale} for mini"
    assert own is not None
    assert (ours.short_side, ours.window, ours.logit_scale) == (own.short_side, own.window, own.logit_scale)


def test_every_host_has_a_protocol_of_its_own():
    names = {host: load_protocol("host", "voc21", host).name for host in HOSTS.names()}
    assert names == {
        "clip": "ProxyCLIP",
        "maskclip": "ProxyCLIP",
        "proxyclip": "ProxyCLIP",
        "sclip": "SCLIP",
        "clearclip": "ClearCLIP",
        "naclip": "NACLIP",
        "cliper": "NACLIP",
        "gem": "NACLIP",
        "sc-clip": "SCLIP",
        "pearl": "NACLIP",
        "resclip": "NACLIP",
        "corrclip": "ProxyCLIP",
    }


OWN = """
images = "photos/{id}.jpg"
masks = "masks/{id}.png"
classes = ["cat; kitten", "sofa"]
"""


def write(tmp_path: Path, text: str, name: str = "mine.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_few_lines_are_a_benchmark(tmp_path):
    benchmark = load_benchmark(write(tmp_path, OWN))
    assert (benchmark.name, benchmark.classes, benchmark.background) == ("mine", (("cat", "kitten"), ("sofa",)), ())
    assert (benchmark.split, benchmark.count, benchmark.zero_is_ignored, benchmark.ignore_index) == (
        *(None, None, False, None),
    )


def test_every_key_of_a_benchmark_is_read(tmp_path):
    text = (
        OWN
        + """
name = "living rooms"
title = "Living rooms"
background = ["wall", "floor"]
split = "val.txt"
count = 7
ignore_index = 255
source = "my own"
"""
    )
    benchmark = load_benchmark(write(tmp_path, text))
    assert (benchmark.name, benchmark.title, benchmark.source) == ("living rooms", "Living rooms", "my own")
    assert (benchmark.background, benchmark.split, benchmark.count) == (("wall", "floor"), "val.txt", 7)
    assert benchmark.vocabulary(0.3).names == ("background", "cat", "sofa")


def test_a_word_in_background_and_class_is_told_on_loading(tmp_path):
    with pytest.warns(UserWarning, match="'sofa' is in the background and in class 'sofa'"):
        load_benchmark(write(tmp_path, OWN + 'background = ["sofa"]'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *(
            (OWN + f"name = {name!r}", "a folder is called by the name")
            for name in ("../esc", ".", "..", "A/b", "a\\b")
        ),
        *((OWN + f"name = {name!r}", "a folder is called by the name") for name in ("a:b", "a.", "a ", ".a", "/a")),
        (OWN + "images = 3", "is not TOML"),
        (OWN + "split = 3", "split must be a text"),
        (OWN + 'split = " "', "split is empty"),
        (OWN + "count = 0", "count is at least 1"),
        (OWN + "count = true", "count must be a whole number, not True"),
        (OWN + 'ignore_index = "255"', "ignore_index must be a whole number"),
        (OWN + "ignore_index = 1", "ignore_index 1 is the value of a class; classes have 0 to 1"),
        (OWN + "ignore_index = 70000", "at most"),
        (OWN + "zero_is_ignored = 1", "zero_is_ignored must be true or false"),
        (OWN + 'zero_is_ignored = true\nbackground = ["wall"]', "not both"),
        (OWN + "ignore_indx = 255", "unknown key 'ignore_indx'; did you mean 'ignore_index'"),
        (OWN + 'names = "names.txt"', "give either classes"),
        (OWN.replace("classes", "# "), "give either classes"),
        (OWN + 'background = "wall"', "background must be a list of texts"),
        (OWN.replace('["cat; kitten", "sofa"]', "[]"), "classes must be a list of texts"),
        (OWN.replace('["cat; kitten", "sofa"]', '["cat;;kitten"]'), "an empty name in 'cat;;kitten'"),
        (OWN.replace('"sofa"', '"cat"'), "the class 'cat' is there twice"),
        (OWN.replace('"cat; kitten", ', ""), "only word"),
        (OWN.replace("photos/{id}.jpg", "photos"), "images must have {id} once"),
        (OWN.replace("masks/{id}.png", "/masks/{id}.png"), "masks is a path below the root"),
        (OWN.replace("masks/{id}.png", "../masks/{id}.png"), "masks is a path below the root"),
        (OWN.replace("masks/{id}.png", "photos/{id}.jpg"), "the same files"),
        ('masks = "{id}.png"\nclasses = ["a", "b"]', "images is missing"),
        ("drawn = true\n" + OWN, "unknown key 'drawn'"),
    ],
)
def test_a_wrong_key_or_value_is_named(text, message, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(FeedsegError) as error:
        load_benchmark(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(FeedsegError, match=r"none\.toml cannot be read: No such file"):
        load_benchmark(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes("title = 'Köln'".encode("latin-1"))
    with pytest.raises(FeedsegError, match="UTF-8"):
        load_benchmark(tmp_path / "latin.toml")
    with pytest.raises(FeedsegError, match=r"no benchmark 'voc12'.*did you mean 'voc21'"):
        load_benchmark("voc12")


def test_names_come_from_a_file_of_the_data(tmp_path):
    text = OWN.replace('classes = ["cat; kitten", "sofa"]', 'names = "lists/names.txt"')
    path = write(tmp_path, text)
    with pytest.raises(FeedsegError, match=r"lists/names\.txt, is missing"):
        load_benchmark(path)
    for root in (tmp_path, tmp_path / "data"):
        (root / "lists").mkdir(parents=True)
        write(root / "lists", f"cat, kitten\nsofa of {root.name}\n", "names.txt")
    assert load_benchmark(path).classes[1] == (f"sofa of {tmp_path.name}",)
    assert load_benchmark(path, tmp_path / "data").classes == (("cat", "kitten"), ("sofa of data",))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat\nsofa\n", ("cat", "sofa")),
        ("\ufeff1: cat\r\n2: sofa\r\n", ("cat", "sofa")),
        ("0: cat\n1:sofa", ("cat", "sofa")),
        ("1\tcat\n2\tsofa", ("cat", "sofa")),
        ("cat, kitten ; pussy\nsofa\n\n", ("cat; kitten; pussy", "sofa")),
    ],
)
def test_files_of_names(text, names, tmp_path):
    assert read_names(write(tmp_path, text)) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no names"),
        ("1: cat\nsofa", "'sofa' has no number"),
        ("1: cat\n3: sofa", "'3: sofa' is out of order"),
        ("2: cat\n3: sofa", "'2: cat' is out of order"),
    ],
)
def test_files_of_names_that_are_wrong(text, message, tmp_path):
    with pytest.raises(FeedsegError, match=message):
        read_names(write(tmp_path, text))


@pytest.mark.parametrize("name", ["ade20k-847", "context459"])
def test_names_of_the_large_benchmarks_need_the_data(name, tmp_path):
    with pytest.raises(FeedsegError, match="give its folder"):
        load_benchmark(name)
    file, count = {"ade20k-847": ("names.txt", 847), "context459": ("labels.txt", 459)}[name]
    write(tmp_path, "".join(f"thing {index}\n" for index in range(count)), file)
    assert load_benchmark(name, tmp_path).labels == count
    root = tmp_path / "all" / load_benchmark(name, tmp_path).root_hint
    root.mkdir(parents=True)
    (tmp_path / file).rename(root / file)
    assert load_benchmark(name, tmp_path / "all").labels == count
    with pytest.raises(FeedsegError, match=f"the classes' names, {tmp_path}/{file}, is missing"):
        load_benchmark(name, tmp_path)


def test_a_protocol_of_ones_own_changes_single_values(tmp_path):
    text = """
name = "finer"
base = "sclip"
short_side = 448
window = "none"
[voc21]
window = [224, 336]
threshold = 0.25
"""
    path = str(write(tmp_path, text))
    ours, theirs = load_protocol(path, "voc21", "clip"), load_protocol("sclip", "voc21", "clip")
    assert (ours.name, ours.threshold, ours.smallest_area) == ("finer", 0.25, theirs.smallest_area)
    assert ours.settings == Settings(448, 2048, (224, 336), 112, 65.0, "words")
    assert load_protocol(path, "ade20k", "clip").settings == Settings(448, 2048, None, 112, 40.0, "words")
    assert load_protocol(path, "mine", "clip").settings == Settings(448, 2048, None, 112, 40.0, "words")


def test_a_protocol_of_ones_own_starts_from_fsa_or_the_hosts(tmp_path):
    short = load_protocol(str(write(tmp_path, "short_side = 224")), "cityscapes", "clip")
    assert short.settings == Settings(224, 2048, 224, 80, 40.0, "words")
    assert short.name == str(tmp_path / "mine.toml")
    host = load_protocol(str(write(tmp_path, 'base = "host"')), "voc21", "clearclip")
    assert host.settings == load_protocol("clearclip", "voc21", "clip").settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('base = "fas"', "no protocol 'fas'"),
        ("treshold = 0.2", "unknown key 'treshold'; did you mean 'threshold'"),
        ("[vco21]\nthreshold = 0.2", "no benchmark is called 'vco21'; did you mean 'voc21'"),
        ("[voc21]\ntreshold = 0.2", "[voc21]: unknown key 'treshold'"),
        ("threshold = 1.0", "threshold is from 0 to below 1, not 1"),
        ("smallest_area = -0.1", "smallest_area is from 0 to below 1"),
        ("window = 0", 'window is a number of pixels, [height, width] or "none" for the whole image, not 0'),
        ("window = [224, 224, 3]", "window is a number of pixels"),
        ('stride = "none"', "stride is a number of pixels"),
        ("stride = 400", "leaves gaps"),
        ("logit_scale = nan", "logit_scale is a finite number"),
        ("logit_scale = 0", "logit scale is a positive number"),
        ("logit_scale = inf", "logit_scale is a finite number"),
        ('short_side = "small"', "short_side must be a whole number"),
    ],
)
def test_a_wrong_protocol_is_told(text, message, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(FeedsegError) as error:
        load_protocol(str(path), "voc21", "clip")
    assert message in str(error.value)
    assert str(path) in str(error.value) or "base" in text


def test_slips_in_names_of_protocols_are_told():
    with pytest.raises(FeedsegError, match="did you mean 'proxyclip'"):
        load_protocol("proxyclp", "voc21", "clip")
    with pytest.raises(FeedsegError, match="there is no host 'dino'"):
        load_protocol("host", "voc21", "dino")
