"""`feedseg convert`, and the formats and regions of `feedseg segment`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedseg.apps.cli.main import main
from feedseg.engine.alone import sole_writer
from feedseg.engine.results_folder import journals_of
from feedseg.io.results import read_result


@pytest.fixture
def results(segment, draw, capsys: pytest.CaptureFixture[str]) -> Path:
    """Two saved results."""
    draw("photos/a.png")
    draw("photos/x/b.png", 1)
    assert segment("photos", "--out", "out") == 0
    capsys.readouterr()
    return Path("out")


def test_what_is_converted_is_what_segmenting_gives(
    results: Path, segment, files, capsys: pytest.CaptureFixture[str]
) -> None:
    formats = ("masks", "cutouts", "geojson", "yolo", "cvat", "label-studio", "csv", "coco-polygons", "overlay")
    options = [part for name in formats for part in ("--format", name)]
    assert segment("photos", "--out", "both", *options) == 0
    assert "both/coco-polygons.json" in capsys.readouterr().out
    assert main(["convert", str(results), *options, "--out", "converted"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "2 results → converted" in out
    assert "converted/cvat.zip" in out
    assert files("converted") == files("both")
    for name in files("both"):
        assert Path("converted", name).read_bytes() == Path("both", name).read_bytes(), name


def test_beside_the_results_these_are_left_alone(results: Path, files) -> None:
    before = {name: (results / name).read_bytes() for name in files(results)}
    assert main(["convert", "out", "--format", "geojson", "--format", "csv", "--format", "json"]) == 0
    assert {name: (results / name).read_bytes() for name in before} == before
    assert sorted({*files(results)} - {*before}) == ["a.geojson", "results.csv", "x/b.geojson"]


def test_bad_results_are_counted_and_do_not_stop_the_rest(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "a.labels.png").unlink()
    assert main(["convert", "out", "--format", "coco-polygons"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("feedseg: out/a.labels.png is missing")
    assert err.count("\n") == 1
    assert "1 result → out" in out
    assert [image["file_name"] for image in json.loads((results / "coco-polygons.json").read_text())["images"]] == [
        "b.png"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_converting_and_segmenting_keep_each_other_out(results: Path, segment, files, complaint) -> None:
    before = files("out")
    fingerprint = json.loads(journals_of(results).path().read_text().splitlines()[0])["fingerprint"]
    with journals_of(results).open(fingerprint):
        for out in ("out", "elsewhere"):
            assert main(["convert", "out", "--format", "coco", "--out", out]) == 2
            assert "feedseg segment is writing into out" in complaint()
    with sole_writer(results, []):
        for words in ("cat; kitten, sofa, rug", "cat, dog"):
            assert segment("photos", "--out", "out", "--overwrite", words=words) == 2
            assert "another process is writing into out" in complaint()
    assert files("out") == before
    assert main(["convert", "out", "--format", "coco"]) == 0


def test_an_image_that_is_gone_is_the_failure_of_its_result(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos/a.png").unlink()
    assert main(["convert", "out", "--format", "cutouts"]) == 1
    assert "photos/a.png, which out/a.labels.json was made from, is not there" in capsys.readouterr().err
    assert list(results.glob("x/*.cutout.png"))


def test_an_export_that_cannot_be_made_ends_in_a_line(
    results: Path, segment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment("photos", "--out", "out/other", words="dog, grass") == 0
    capsys.readouterr()
    assert main(["convert", "out", "--format", "coco-polygons", "--format", "geojson"]) == 1
    out, err = capsys.readouterr()
    assert "4 results → out" in out
    assert "labels.json has other classes than" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", "a cat on a sofa\n"), ("a.geojson", '{"type":"FeatureCollection","features":[]}')],
)
def test_files_that_others_name_alike_are_not_replaced(
    results: Path, name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Captions, for example: the record beside them says nothing of them."""
    (results / name).write_text(content)
    formats = ["--format", "yolo", "--format", "geojson"]
    assert main(["convert", "out", *formats]) == 1
    assert (results / name).read_text() == content
    assert f"out/{name} is there and was not written by feedseg" in capsys.readouterr().err
    assert {"b.txt", "b.geojson"} <= {path.name for path in (results / "x").iterdir()}
    (results / name).unlink()
    assert main(["convert", "out", *formats]) == 0
    assert main(["convert", "out", *formats]) == 0


def test_regions_are_cleaned_into_another_folder(results: Path, complaint) -> None:
    assert main(["convert", "out", "--format", "labels", "--min-area", "20%", "--out", "cleaned"]) == 0
    before, after = (read_result(Path(folder, "a.labels.json")) for folder in (results, "cleaned"))
    np.testing.assert_array_equal(after.labels, before.with_regions(min_area="20%").labels)
    assert main(["convert", "out", "--format", "labels", "--fill-holes", "--out", "./out"]) == 2


def test_separate_objects_in_exports(results: Path) -> None:
    counts = []
    for options in ([], ["--connected"]):
        assert main(["convert", "out", "--format", "coco-polygons", *options]) == 0
        counts.append(len(json.loads((results / "coco-polygons.json").read_text())["annotations"]))
    assert counts[0] < counts[1]


def test_results_that_are_left_out(segment, draw, files, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    assert segment("a.png", "--only-without", "cat", "--only-without", "sofa", "--only-without", "rug") == 0
    out = capsys.readouterr().out
    assert "left out" in out
    assert files("feedseg-out") == []
    assert segment("a.png", "--min-area", "100%", "--format", "labels", "--only-with", "cat", "--json") == 0
    about = json.loads(capsys.readouterr().out)
    found = [one["name"] for one in about["classes"] if one["pixels"]]
    assert len(found) == 1
    assert bool(about["files"]) == (found == ["cat"])


def test_a_persons_file_is_not_replaced(segment, draw) -> None:
    """The case `own_files`: labels of a person's own beside the photographs, and the results go there."""
    draw("photos/cat.jpg")
    draw("photos/dog.jpg")
    Path("photos/cat.labels.png").write_bytes(b"a person's")
    assert segment("photos", "--out", "photos") == 0
    assert Path("photos/cat.labels.png").read_bytes() == b"a person's"
    assert not Path("photos/cat.labels.json").exists()
    assert Path("photos/cat.jpg.labels.json").exists()
    assert Path("photos/dog.labels.json").exists()


BAD_USE = {
    "no format": (["convert", "out"], "say which formats"),
    "no such format": (["convert", "out", "--format", "coko"], "did you mean coco"),
    "no such folder": (["convert", "nowhere", "--format", "csv"], "nowhere is not there"),
    "no results": (["convert", "empty", "--format", "csv"], "empty has no results"),
    "no such class": (["convert", "out", "--format", "csv", "--only-with", "cats"], "did you mean cat?"),
    "no such area": (["convert", "out", "--format", "csv", "--min-area", "big"], "a number of pixels or a percentage"),
    "only while segmenting": (["convert", "out", "--format", "scores"], "use feedseg segment --format"),
    "somebody else's": (["convert", "out", "--format", "csv"], "was not written by feedseg"),
    "in place": (["convert", "out", "--format", "csv", "--fill-holes"], "would change the labels in out"),
}


@pytest.mark.parametrize(("arguments", "expected"), BAD_USE.values(), ids=BAD_USE)
def test_bad_use_is_one_line(arguments: list[str], expected: str, results: Path, files, complaint) -> None:
    Path("empty").mkdir()
    (results / "results.csv").write_text("a,b\n")
    before = files(".")
    assert main(arguments) == 2
    assert expected in complaint()
    assert files(".") == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--format", "coko"), "did you mean coco"),
        (("--only-with", "cats"), "did you mean cat?"),
        (("--min-area", "200%"), "up to 100%"),
    ],
)
def test_bad_use_of_segment_is_known_before_a_model_is_loaded(options, expected: str, draw, complaint) -> None:
    draw("a.png")
    assert main(["segment", "a.png", "--labels", "cat, sofa", "--model", "nosuch", *options]) == 2
    assert expected in complaint()


def test_every_format_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name in ("labels", "masks", "geojson", "coco-polygons", "label-studio", "parquet"):
        assert name in text


def test_nothing_heavy_is_imported(python, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    program = (
        "import sys; from feedseg.apps.cli.main import main; "
        "code = main(['convert', 'nowhere', '--format', 'coco-polygons']); "
        "sys.exit(9 if {'torch', 'transformers', 'pyarrow'} & {*sys.modules} else code)"
    )
    assert python("-c", program).returncode == 2
