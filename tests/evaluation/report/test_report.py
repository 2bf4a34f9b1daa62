"""The report against the journal, recomputed with scikit-learn, and as a page."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import sklearn.metrics
from feedseg.evaluation.report.content import Chapter, card_of
from feedseg.evaluation.report.pictures import truth_overlay
from PIL import Image

from feedseg.evaluation.metrics.bootstrap import Interval
from feedseg.evaluation.report import pictures as report_pictures
from feedseg.evaluation.report.plot import Mark, interval_plot
from feedseg.evaluation.report.tables import Table, points, signed
from measuring import CLASSES, evaluate, journal_lines, write_dataset

ZERO: Any = 0.0  # scikit-learn's own annotation says that it is text


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_pictures, "EACH", 1)
        assert evaluate("--dataset", write_dataset(folder / "photos", 5), "--out", folder / "out") == 0
    return folder / "out"


@pytest.fixture(scope="module")
def report(out: Path) -> dict[str, Any]:
    return json.loads((out / "report.json").read_text())["benchmarks"][0]


def pairs(out: Path, variant: str, name: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True classes, labels and how many pixels have them, of all pictures or one, straight from the journal."""
    rows = [
        row for line in journal_lines(out / "mine") if name in (None, line["name"]) for row in line["pixels"][variant]
    ]
    true, named, count = np.array(rows).T
    return true, named, count


def jaccard(true: np.ndarray, named: np.ndarray, count: np.ndarray, labels: list[int], **options: Any) -> Any:
    return sklearn.metrics.jaccard_score(
        true, named, labels=labels, sample_weight=count, zero_division=ZERO, **{"average": "macro", **options}
    )


@pytest.mark.parametrize("variant", ["without", "feedback", "control"])
def test_the_figures_are_those_of_scikit_learn(out: Path, report: dict[str, Any], variant: str) -> None:
    true, named, count = pairs(out, variant)
    occurring = sorted({*true.tolist(), *named.tolist()})
    figures = report["variants"][variant]
    assert figures["miou"]["value"] == pytest.approx(jaccard(true, named, count, occurring))
    assert figures["pixel_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(true, named, sample_weight=count))
    recalls = sklearn.metrics.recall_score(
        true, named, labels=sorted(set(true.tolist())), average="macro", sample_weight=count, zero_division=ZERO
    )
    assert figures["mean_class_accuracy"] == pytest.approx(recalls)
    matrix = sklearn.metrics.confusion_matrix(true, named, labels=list(range(len(CLASSES))), sample_weight=count)
    np.testing.assert_array_equal(figures["confusion"], matrix)
    by_class = [one["iou"][variant] for one in report["classes"]]
    assert [index for index, value in enumerate(by_class) if value is not None] == occurring
    expected = jaccard(true, named, count, occurring, average=None)
    np.testing.assert_allclose([by_class[index] for index in occurring], expected)
    worst = max(
        (matrix[i, j] for i in range(len(CLASSES)) for j in range(len(CLASSES)) if i != j),
    )
    assert report["mistakes"][variant][0]["pixels"] == worst


def test_gains_are_differences_and_lie_in_their_intervals(report: dict[str, Any]) -> None:
    for variant in ("feedback", "control"):
        gain = report["gains"][variant]
        difference = report["variants"][variant]["miou"]["value"] - report["variants"]["without"]["miou"]["value"]
        assert gain["value"] == pytest.approx(difference)
        assert gain["low"] <= gain["value"] <= gain["high"]


def test_every_pictures_figure_is_the_mean_over_its_true_classes(out: Path, report: dict[str, Any]) -> None:
    assert list(report["by_picture"]) == [str(index) for index in range(5)]
    for name, figures in report["by_picture"].items():
        for variant, value in figures.items():
            true, named, count = pairs(out, variant, name)
            assert value == pytest.approx(jaccard(true, named, count, sorted(set(true.tolist()))))


def test_everything_that_the_numbers_depend_on_is_told(out: Path, report: dict[str, Any]) -> None:
    text = (out / "report.md").read_text()
    for fact in (
        "short side | 48",
        "protocol | FSA",
        "logit scale | 40",
        "chosen in the paper for the cosines of OpenAI",
    ):
        assert fact in text
    assert report["made_with"]["words"] in text
    assert report["made_with"]["models"]["model"].startswith("sha256:")
    assert report["made_with"]["models"]["model"] in text
    assert report["seconds"].keys() == {"open", "without", "feedback", "control"}
    assert all(value > 0 for value in report["seconds"].values())
    machine = json.loads((out / "report.json").read_text())["machine"]
    assert {"feedseg", "torch", "numpy", "processor", "device"} <= machine.keys()


class Page(HTMLParser):
    """Checks nesting, and collects what a page refers to and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("img", "meta", "rect", "path", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "path", "circle"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_holds_its_pictures_and_needs_nothing_else(out: Path, report: dict[str, Any]) -> None:
    content = (out / "report.html").read_text()
    page = Page()
    page.feed(content)
    assert page.open == []
    assert page.references
    for reference in page.references:
        kind, _, data = reference.partition(",")
        assert kind == "data:image/jpeg;base64"
        image = Image.open(BytesIO(base64.b64decode(data)))
        image.load()
        assert image.format == "JPEG"
        assert image.width >= 300
    assert not re.search(r"url\(|@import|<script|<link", content)
    for variant in ("without", "feedback", "control"):
        assert f"{100 * report['variants'][variant]['miou']['value']:.1f}" in page.text
    for name in CLASSES:
        assert name in page.text
    assert "viewport" in content


def test_a_picture_that_is_lost_later_costs_nothing_but_its_panel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, out = write_dataset(tmp_path / "photos", 2), tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_pictures, "EACH", 1)
        assert evaluate("--dataset", dataset, "--limit", 1, "--out", out) == 0
        lost = tmp_path / "photos/images/0.png"
        lost.write_bytes(bytes(lost.stat().st_size))  # or it would be measured anew
        (out / "report.json").unlink()
        (out / "report.md").unlink()
        capsys.readouterr()
        assert evaluate("--dataset", dataset, "--out", out) == 1
    told, err = capsys.readouterr()
    assert err.startswith(f"feedseg: mine: 0 could not be drawn: {lost}")
    assert err.count("\n") == 1
    assert "2 of 2 pictures" in told
    assert json.loads((out / "report.json").read_text())["benchmarks"][0]["pictures"]["measured"] == 2
    assert "mIoU" in (out / "report.md").read_text()
    page = Page()
    page.feed((out / "report.html").read_text())
    assert f"could not be drawn: {lost}" in page.text
    assert len(page.references) == 3  # truth, without and with feedback, of the other one


def test_one_picture_claims_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = write_dataset(tmp_path / "photos", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_pictures, "EACH", 0)
        assert evaluate("--dataset", dataset, "--out", tmp_path / "out") == 0
    assert "[–]" in capsys.readouterr().out
    figures = json.loads((tmp_path / "out/report.json").read_text())["benchmarks"][0]
    assert figures["gains"]["feedback"]["low"] is None
    for page in ("report.md", "report.html"):
        assert "One picture has no interval." in (tmp_path / "out" / page).read_text()
    assert "nan" not in (tmp_path / "out/report.html").read_text().lower().replace("nano", "")


def test_names_cannot_break_out_of_tables() -> None:
    table = Table("a <b>", ("x|y", "n"), [("<script>|*", "1.0"), ("b", "−2.0 [−3.0, +1.0]")], "1 < 2")
    assert "\\<script\\>\\|\\*" in table.markdown()
    assert "<script>" not in table.html()
    assert "a &lt;b&gt;" in table.html()
    assert table.numeric(1)
    assert not table.numeric(0)
    page = Page()
    page.feed(table.html())
    assert page.open == []


def test_signs() -> None:
    assert [signed(value) for value in (0.0123, -0.0123, 0.0001, -0.0001)] == ["+1.2", "−1.2", "0.0", "0.0"]
    assert points(Interval(0.01, -0.002, 0.03)) == "+1.0 [−0.2, +3.0]"
    assert points(Interval(float("nan"), float("nan"), float("nan"))) == "–"


def test_the_plot_is_xml_and_places_zero_and_values_to_scale() -> None:
    nan = float("nan")
    marks = [Mark("a & b", Interval(0.02, 0.01, 0.03)), Mark("none", Interval(nan, nan, nan)), Mark("head", None)]
    root = ElementTree.fromstring(interval_plot("<title>", "points", marks))
    space = {"s": "http://www.w3.org/2000/svg"}
    texts = [element.text for element in root.iterfind(".//s:text", space)]
    assert {"a & b", "<title>", "+2.0 [+1.0, +3.0]"} <= set(texts)
    (dot,) = root.findall(".//s:circle", space)
    lines = [element.get("d") or "" for element in root.iterfind(".//s:path", space)]
    (bar,) = [re.fullmatch(r"M([\d.]+) [\d.]+H([\d.]+)", line) for line in lines if "H" in line]
    assert bar is not None
    zero = next(
        float(re.findall(r"[\d.]+", element.get("d") or "")[0])
        for element in root.iterfind(".//s:path", space)
        if element.get("stroke") == "#20242c"
    )
    low, high, middle = float(bar[1]), float(bar[2]), float(dot.get("cx") or 0)
    assert middle - zero == pytest.approx(2 * (low - zero), abs=0.2)
    assert high - zero == pytest.approx(3 * (low - zero), abs=0.2)


def test_what_does_not_count_is_shown_as_cut_out() -> None:
    picture = np.full((80, 80, 3), 90, np.uint8)
    truth = np.zeros((80, 80), np.int32)
    truth[:, 40:] = -1
    for background in (True, False):
        drawn = np.asarray(truth_overlay(picture, truth, ("one", "two"), background))
        assert drawn[100, 600].min() > 130  # pale
        assert drawn[100, 600].mean() > drawn[100, 100].mean() + 20


class FakeSegmenter:
    """As much of a segmenter as the published number depends on."""

    def __init__(self, model: str, host: str, proxy: str | None) -> None:
        self.models = {"model": {"name": model}, **({"proxy": {"name": proxy}} if proxy else {})}
        self.reader = type("Reader", (), {"host": type("Host", (), {"name": host})})

    def provenance(self) -> dict[str, dict[str, str]]:
        return self.models


@pytest.mark.parametrize(
    ("model", "host", "proxy", "expected"),
    [
        ("openai/clip-vit-base-patch16@57c2", "maskclip", None, 74.9),
        ("openai/clip-vit-base-patch16", "proxyclip", "facebook/dino-vitb8@1", 80.3),
        ("openai/clip-vit-base-patch16", "proxyclip", "facebook/dinov2-base", None),
        ("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "proxyclip", "facebook/dino-vitb8", 83.3),
        ("openai/clip-vit-large-patch14", "sclip", None, None),
        ("mini", "maskclip", None, None),
        ("/home/someone/model", "maskclip", None, None),
    ],
)
def test_a_published_number_stands_beside_its_own_model_and_host_alone(
    model: str, host: str, proxy: str | None, expected: float | None
) -> None:
    class OfVoc20(Chapter):
        @property
        def name(self) -> str:
            return "voc20"

    bench = type("Bench", (), {"segmenter": FakeSegmenter(model, host, proxy)})
    chapter = OfVoc20(bench, [], None)  # type: ignore[arg-type]
    found = chapter.published
    assert (found and found.miou) == expected


def test_cards_are_found_by_where_weights_come_from() -> None:
    assert card_of("facebook/dino-vitb8@abc") == "dino-b8"
    assert card_of("mini") == "mini"
    assert card_of("./folder") is None
