"""Every documented benchmark as documented: from its download's layout through prepare and check to a measurement."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny_models
from feedseg import Segmenter, Vocabulary
from feedseg.apps.cli.main import main
from feedseg.engine.journal import JournalFolder
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS, load_benchmark
from feedseg.evaluation.measured import STEM, read_measurements, total
from feedseg.evaluation.metrics import ranking
from feedseg.vision.text import clip as text_clip
from tiny_datasets import HEIGHT, LAYOUTS, WIDTH, draw, draw_detail, draw_raw, save_picture

SMALL = ("--host", "clip", "--device", "cpu", "--short-side", "32", "--window", "32", "--stride", "16")
PREPARED = {"coco-stuff": "coco-stuff", "coco-object": "coco-object", "cityscapes": "cityscapes"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random CLIP that knows every benchmark's words."""
    folder = tmp_path_factory.mktemp("clip")
    published = [load_benchmark(name) for name in BENCHMARKS if name not in ("ade20k-847", "context459")]
    words = {word for one in published for words in (one.background, *one.classes) for word in words}
    parts = {part for word in words for part in re.findall(r"\w+|[^\w\s]+", word)}
    known = (*tiny_models.WORDS, *sorted(parts - {*tiny_models.WORDS}), "thing", "item", *map(str, range(847)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_models, "WORDS", known)
        patch.setattr(tiny_models, "TEXT", tiny_models.TEXT | {"vocab_size": len(known) + 4})
        tiny_models.save_clip(folder)
    return folder


def downloaded(name: str, folder: Path) -> tuple[Path, list[str]]:
    """The files as they are downloaded: the root, and the command that makes what is missing."""
    layout = LAYOUTS[name]
    root = folder / layout.root
    if name in PREPARED:
        source = folder / "download" if name != "cityscapes" else root
        for seed, one in enumerate(draw_raw(name, source)):
            save_picture(root / layout.images.format(one), seed)
        return root, ["prepare", PREPARED[name], str(source), str(root)]
    if name in ("context59", "context60"):
        rectangle = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * 6, HEIGHT * (WIDTH - 6)]}  # the left half
        for seed, one in enumerate(layout.ids):
            save_picture(root / layout.images.format(one), seed)
        draw_detail(folder / "trainval_merged.json", {one: [(2, rectangle), (458, rectangle)] for one in layout.ids})
        return root, ["prepare", "context", str(folder / "trainval_merged.json"), str(root)]
    root, _ = draw(name, folder)
    if name == "ade20k-847":  # whose list has 41 words in more than one class
        (root / "names.txt").write_text(
            "".join(f"thing {number}, item {number % 806}\n" for number in range(847)), encoding="utf-8-sig"
        )
    return root, []


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "scenes"])
def test_a_benchmark_is_prepared_checked_and_measured(
    name: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ranking, "EACH", 0)
    monkeypatch.setattr(text_clip, "default_templates", lambda: ("a photo of a {}",))  # of 80: the words are many
    root, command = downloaded(name, tmp_path)
    if command:
        assert main(["data", *command, "--workers", "1"]) == 0
    assert main(["data", "check", name, str(root)]) == 0
    assert "all is well" in capsys.readouterr().out
    assert main(["evaluate", name, "--data", str(root), "--model", str(model), *SMALL, "--feedback", "none"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    benchmark = load_benchmark(name, root)
    assert f"3 images instead of {benchmark.count}" in out.replace("\n", " ")
    report = json.loads(Path("feedseg-evaluation/report.json").read_text())["benchmarks"][0]
    assert report["images"]["measured"] == 3
    assert f" 3 images instead of {benchmark.count}: results cannot be compared" in Path(
        "feedseg-evaluation/report.md"
    ).read_text(encoding="utf-8")
    measured = read_measurements(JournalFolder(Path("feedseg-evaluation", name), STEM)).measured.values()
    assert total(measured, "none", benchmark.labels).sum() == expected_pixels(name, root)


def expected_pixels(name: str, root: Path) -> int:
    """How many pixels count, by the meaning of the masks' values that the layout has by hand."""
    pixels = 0
    for path in (root / LAYOUTS[name].masks.format(one) for one in LAYOUTS[name].ids):
        with Image.open(path) as mask:
            values = np.asarray(mask)
        zero = name in ("voc20", "context59", "ade20k")
        last = 65535 if name in ("ade20k-847", "context459") else 255
        pixels += int(((values != last) & ((values > 0) | (not zero))).sum())
    return pixels


def test_a_word_of_several_classes_gives_a_tie_to_the_first(model: Path) -> None:
    segmenter = Segmenter.load(model, host="clip", device="cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    words = Vocabulary.published(["cat; kitten", "dog", "kitten", "sofa", "dog"])
    assert words.names == ("cat", "dog", "kitten", "sofa", "dog (2)")
    labels = segmenter(pixels, words).labels
    once = segmenter(pixels, Vocabulary(["cat; kitten", "dog", "sofa"])).labels
    assert {*np.unique(labels).tolist()} <= {0, 1, 3}
    assert (labels == np.array([0, 1, 3])[once]).mean() > 0.99  # products of another size are rounded otherwise
