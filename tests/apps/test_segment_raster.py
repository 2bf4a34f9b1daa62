"""`feedseg segment scene.tif` from end to end, on a tiny random model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.apps.cli.main import main
from feedseg.engine import raster as engine
from feedseg.engine.raster_bands import label_bands
from feedseg.io.raster.geojson import write_geojson
from tiny_rasters import patches, write_raster

rasterio = pytest.importorskip("rasterio")
Run = Callable[..., int]
SIZES = ("--window", "32", "--stride", "16")
LABELS = ("labels.tif", "labels.tif.aux.xml", "overlay.jpg", "raster.json")
DIES = """
import os, signal, sys
from feedseg.apps.cli.main import main
from feedseg.engine.raster_parts import RasterParts

write = RasterParts.write
RasterParts.write = lambda self, band: os.kill(os.getpid(), signal.SIGKILL) if band.number == 2 else write(self, band)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def raster(model: Path) -> Run:
    """`raster(*arguments, words=…)`: `feedseg segment` without options of whole images; the exit code."""

    def run(*arguments: object, words: str = "cat; kitten, sofa, rug") -> int:
        options = ("--labels", words, "--model", str(model), "--host", "clip", "--device", "cpu")
        options += () if "--window" in arguments else SIZES
        return main(["segment", *options, *map(str, arguments)])

    return run


def of(stem: str) -> list[str]:
    return [f"{stem}.{end}" for end in LABELS]


def test_labels_lie_on_the_rasters_grid(raster: Run, files, capsys, model: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    values = patches((90, 70))
    values[:, 50:, :30] = 0
    write_raster("scene.tif", values, nodata=0)
    formats = [text for name in ("labels", "overlay", "geojson", "geoparquet") for text in ("-f", name)]
    assert raster("scene.tif", "--no-background", "--out", "out", *formats) == 0
    assert "1 raster → out" in capsys.readouterr().out
    assert files("out") == sorted([*of("scene"), "scene.geo.parquet", "scene.geojson"])
    words, side = Vocabulary([("cat", "kitten"), "sofa", "rug"]), Settings(short_side=70, window=32, stride=16)
    segmenter = Segmenter.load(model, host="clip", device="cpu", settings=side)
    expected = segmenter(np.ascontiguousarray(values.transpose(1, 2, 0)), words).labels.copy()
    expected[50:, :30] = 255
    with rasterio.open("out/scene.labels.tif") as found, rasterio.open("scene.tif") as source:
        np.testing.assert_array_equal(found.read(1), expected)
        assert (found.crs, found.transform, found.nodata) == (source.crs, source.transform, 255)
        assert found.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        colours = found.colormap(1)
        assert json.loads(found.tags()["CLASSES"]) == ["cat", "sofa", "rug"]
    about = json.loads(Path("out/scene.raster.json").read_text("utf-8"))
    assert about["raster"]["pixels_without_data"] == 600
    assert about["raster"]["crs"] == "EPSG:32633"
    for entry in about["classes"]:
        assert entry["pixels"] == (expected == entry["index"]).sum()
        assert entry["colour"] == "#{:02x}{:02x}{:02x}".format(*colours[entry["index"]][:3])
    read = geopandas.read_file("out/scene.geojson").to_crs("EPSG:32633")
    own = geopandas.read_parquet("out/scene.geo.parquet")
    assert (own.crs, len(own)) == ("EPSG:32633", len(read))
    for entry in about["classes"]:
        assert read[read["class"] == entry["name"]].area.sum() == pytest.approx(entry["pixels"] * 100, rel=1e-5)
        assert own[own["class"] == entry["name"]].area.sum() == pytest.approx(entry["pixels"] * 100, rel=1e-12)
    before = Path("out/scene.labels.tif").stat().st_mtime_ns
    assert raster("scene.tif", "--no-background", "--out", "out", *formats) == 0
    assert "1 of 1 done before" in capsys.readouterr().out
    assert Path("out/scene.labels.tif").stat().st_mtime_ns == before


def test_overviews_have_the_most_frequent_class_and_gdal_reads_the_names(raster: Run) -> None:
    write_raster("scene.tif", patches((1100, 40)))
    assert raster("scene.tif", "--out", "out", "--format", "labels", "--stride", "32") == 0
    with rasterio.open("out/scene.labels.tif") as found:
        assert found.overviews(1) == [2, 4] or found.overviews(1) == [2]
        names = [one.text for one in _xml("out/scene.labels.tif.aux.xml").iter("Category")]
        assert names == json.loads(found.tags()["CLASSES"])
        assert {*np.unique(found.read(1, out_shape=(20, 550)))} <= {*np.unique(found.read(1))}


def _xml(path: str):
    from xml.etree import ElementTree

    return ElementTree.parse(path).getroot()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_what_was_killed_ends_as_if_it_had_not_been(raster: Run, files, model: Path, monkeypatch) -> None:
    write_raster("scene.tif", patches((50, 100)))
    formats = ("-f", "labels", "-f", "overlay", "-f", "geojson")
    assert raster("scene.tif", *formats, "--out", "whole") == 0
    options = ("--labels", "cat; kitten, sofa, rug", "--model", str(model), "--host", "clip", "--device", "cpu", *SIZES)
    command = [sys.executable, "-c", DIES, "segment", *options, "scene.tif", *formats, "--out", "out"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr
    assert files("out") == []
    computed: list[int] = []
    bands, write = label_bands, write_geojson

    def counted(*one, **more):
        for band in bands(*one, **more):
            computed.append(band.number)
            yield band

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "label_bands", counted)
    monkeypatch.setattr(engine, "write_geojson", interrupted)
    assert raster("scene.tif", *formats, "--out", "out") == 130
    assert computed == [2, 3, 4, 5]
    assert files("out") == []
    monkeypatch.setattr(engine, "write_geojson", write)
    assert raster("scene.tif", *formats, "--out", "out") == 0
    assert computed == [2, 3, 4, 5]
    assert files("out") == files("whole") == sorted([*of("scene"), "scene.geojson"])
    for name in files("out"):
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes(), name
    assert not Path("out/.feedseg/rasters").exists()


def test_which_tiffs_are_rasters(raster: Run, files, results_of, capsys) -> None:
    write_raster("in/placed.tif", patches((50, 40)))
    write_raster("in/plain.tif", patches((50, 40)), crs=None, transform=None)
    assert raster("in", "--out", "usual") == 0
    assert "1 image and 1 raster" in capsys.readouterr().out
    assert files("usual") == sorted([*of("placed"), *results_of("plain")])
    assert raster("in", "--raster", "--out", "all") == 0
    assert files("all") == sorted([*of("placed"), *of("plain")])
    assert raster("in", "--max-pixels", "1999", "--out", "large") == 0
    assert files("large") == files("all")
    assert raster("in", "--no-raster", "--out", "none") == 0
    assert not [name for name in files("none") if name.endswith(".tif")]
    for name in ("labels.tif", "raster.json"):  # what has no place gets none
        assert Path("large", f"plain.{name}").exists()
    with rasterio.open("large/plain.labels.tif") as found:
        assert found.crs is None
    capsys.readouterr()
    assert raster("in/plain.tif", "--raster", "--format", "geojson", "--out", "polygons") == 1
    assert "plain.tif does not say where on Earth it is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--format", "yolo"), "a raster is saved as labels, overlay, json, geojson, geoparquet, not as yolo"),
        (("--format", "coco"), "a raster is saved as"),
        (("--short-side", "64"), "--short-side is for whole images"),
        (("--window", "none"), "--window none is for whole images"),
        (("--refiner", "small-areas", "--min-area", "9"), "--refiner and --min-area are for whole images"),
        (("--only-with", "cat"), "--only-with is for whole images"),
        (("--bands", "9,1,1"), "has 3 bands, and --bands asks for 9"),
    ],
)
def test_what_a_raster_cannot_have_is_said(raster: Run, capsys, options: tuple[str, ...], reason: str) -> None:
    write_raster("scene.tif", patches((50, 40)))
    assert raster("scene.tif", *options, "--out", "out") == 1
    err = capsys.readouterr().err
    assert f"scene.tif: {reason}" in err or f"scene.tif {reason}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--bands", "1,2"), "--bands are three"),
        (("--stretch", "9,1"), "--stretch says"),
        (("--scale", "0"), "--scale is from"),
    ],
)
def test_wrong_options_are_refused_before_anything_starts(raster: Run, complaint, options, reason: str) -> None:
    write_raster("scene.tif", patches((50, 40)))
    assert raster("scene.tif", *options) == 2
    assert reason in complaint()


def test_a_damaged_raster_ends_nothing_else(raster: Run, files, capsys) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 90, 80), np.uint8)
    content = write_raster("in/cut.tif", noise, compress="deflate").read_bytes()
    Path("in/cut.tif").write_bytes(content[: len(content) * 2 // 3])
    write_raster("in/fine.tif", patches((50, 40)))
    assert raster("in", "--out", "out") == 1
    err = capsys.readouterr().err
    assert "cut.tif is damaged: of its rows" in err
    assert "Traceback" not in err
    assert files("out") == of("fine")


def test_without_rasterio_it_is_said_what_to_install(raster: Run, complaint, monkeypatch: pytest.MonkeyPatch) -> None:
    from feedseg.io.sources import rasters

    write_raster("scene.tif", patches((50, 40)))
    monkeypatch.setattr(rasters, "is_installed", lambda: False)
    assert raster("scene.tif") == 2
    assert "pip install 'feedseg[geo]', or --no-raster" in complaint()
    assert raster("scene.tif", "--no-raster", "--out", "out") == 0
