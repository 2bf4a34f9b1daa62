"""The report against the journal, recomputed with scikit-learn, and as a page."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import sklearn.metrics
from PIL import Image

from feedseg.evaluation.metrics import ranking
from feedseg.evaluation.metrics.bootstrap import Interval
from feedseg.evaluation.report.html import html_table
from feedseg.evaluation.report.panels import class_map
from feedseg.evaluation.report.plot import Mark, interval_plot
from feedseg.evaluation.report.published import card_of, published_for
from feedseg.evaluation.report.tables import Table, points, signed
from measuring import CLASSES, journal_lines, write_dataset

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ZERO: Any = 0.0  # scikit-learn's own annotation says that it is text


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, evaluate) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "EACH", 1)
        evaluate(write_dataset(folder / "photos", 5), folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def report(out: Path) -> dict[str, Any]:
    return json.loads((out / "report.json").read_text())["benchmarks"][0]


def pairs(out: Path, variant: str, name: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True classes, labels and how many pixels have them, of all images or one, straight from the journal."""
    rows = [
        row for line in journal_lines(out / "mine") if name in (None, line["name"]) for row in line["pixels"][variant]
    ]
    target, pred, count = np.array(rows).T
    return target, pred, count


def jaccard(target: np.ndarray, pred: np.ndarray, count: np.ndarray, labels: list[int], **options: Any) -> Any:
    return sklearn.metrics.jaccard_score(
        target, pred, labels=labels, sample_weight=count, zero_division=ZERO, **{"average": "macro", **options}
    )


@pytest.mark.parametrize("variant", ["none", "paper", "control"])
def test_the_figures_are_those_of_scikit_learn(out: Path, report: dict[str, Any], variant: str) -> None:
    target, pred, count = pairs(out, variant)
    occurring = sorted({*target.tolist(), *pred.tolist()})
    figures = report["variants"][variant]
    assert figures["miou"]["value"] == pytest.approx(jaccard(target, pred, count, occurring))
    assert figures["pixel_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(target, pred, sample_weight=count))
    recalls = sklearn.metrics.recall_score(
        target, pred, labels=sorted(set(target.tolist())), average="macro", sample_weight=count, zero_division=ZERO
    )
    assert figures["mean_class_accuracy"] == pytest.approx(recalls)
    matrix = sklearn.metrics.confusion_matrix(target, pred, labels=list(range(len(CLASSES))), sample_weight=count)
    np.testing.assert_array_equal(figures["confusion"], matrix)
    by_class = [one["iou"][variant] for one in report["classes"]]
    assert [index for index, value in enumerate(by_class) if value is not None] == occurring
    expected = jaccard(target, pred, count, occurring, average=None)
    np.testing.assert_allclose([by_class[index] for index in occurring], expected)
    worst = max(
        (matrix[i, j] for i in range(len(CLASSES)) for j in range(len(CLASSES)) if i != j),
    )
    assert report["mistakes"][variant][0]["pixels"] == worst


def test_gains_are_differences_and_lie_in_their_intervals(report: dict[str, Any]) -> None:
    for variant in ("paper", "control"):
        gain = report["gains"][variant]
        difference = report["variants"][variant]["miou"]["value"] - report["variants"]["none"]["miou"]["value"]
        assert gain["value"] == pytest.approx(difference)
        assert gain["low"] <= gain["value"] <= gain["high"]


def test_every_images_figure_is_the_mean_over_its_true_classes(out: Path, report: dict[str, Any]) -> None:
    assert list(report["by_image"]) == [str(index) for index in range(5)]
    for name, figures in report["by_image"].items():
        for variant, value in figures.items():
            target, pred, count = pairs(out, variant, name)
            assert value == pytest.approx(jaccard(target, pred, count, sorted(set(target.tolist()))))


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
    assert report["seconds"].keys() == {"encode", "none", "paper", "control"}
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


def test_the_page_is_whole_holds_its_images_and_needs_nothing_else(out: Path, report: dict[str, Any]) -> None:
    content = (out / "report.html").read_text()
    page = Page()
    page.feed(content)
    assert page.open == []
    assert page.references
    for reference in page.references:
        kind, _, data = reference.partition(",")
        assert kind in ("data:image/jpeg;base64", "data:image/png;base64")
        image = Image.open(BytesIO(base64.b64decode(data)))
        image.load()
        assert max(image.size) >= 240
    assert not re.search(r"url\(|@import|<script [^>]*src|<link", content)
    for variant in ("none", "paper", "control"):
        assert f"{100 * report['variants'][variant]['miou']['value']:.1f}" in page.text
    for name in CLASSES:
        assert name in page.text
    assert "viewport" in content


def test_an_image_that_is_lost_later_costs_nothing_but_its_panel(
    tmp_path: Path, evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "EACH", 1)
    dataset, out = write_dataset(tmp_path / "photos", 2), tmp_path / "out"
    evaluate(dataset, out, 1)
    lost = tmp_path / "photos/images/0.png"
    lost.write_bytes(bytes(lost.stat().st_size))  # of its size, or it would be measured anew
    (out / "report.json").unlink()
    (out / "report.md").unlink()
    (told,) = evaluate(dataset, out).undrawn
    assert told.startswith(f"mine: 0 could not be drawn: {lost}")
    assert json.loads((out / "report.json").read_text())["benchmarks"][0]["images"]["measured"] == 2
    assert "mIoU" in (out / "report.md").read_text()
    page = Page()
    page.feed((out / "report.html").read_text())
    assert f"could not be drawn: {lost}" in page.text
    assert len(page.references) == 5  # photograph, ground truth and three variants, of the other one


def test_one_image_claims_no_interval(tmp_path: Path, evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "EACH", 0)
    out = tmp_path / "out"
    evaluate(write_dataset(tmp_path / "photos", 1), out)
    figures = json.loads((out / "report.json").read_text())["benchmarks"][0]
    assert figures["gains"]["paper"]["low"] is None
    for page in ("report.md", "report.html"):
        text = (out / page).read_text()
        assert "One image has no interval." in text
        assert "[–]" in text.replace("\\", "")
    assert "nan" not in (out / "report.html").read_text().lower().replace("nano", "")


def test_names_cannot_break_out_of_tables() -> None:
    table = Table("a <b>", ("x|y", "n"), [("<script>|*", "1.0"), ("b", "−2.0 [−3.0, +1.0]")], "1 < 2")
    assert "\\<script\\>\\|\\*" in table.markdown()
    assert "<script>" not in html_table(table)
    assert "a &lt;b&gt;" in html_table(table)
    assert table.numeric(1)
    assert not table.numeric(0)
    page = Page()
    page.feed(html_table(table))
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


def test_what_does_not_count_is_hatched_and_every_other_pixel_has_its_colour() -> None:
    rng = np.random.default_rng(0)
    for classes in (3, 300):
        colours = rng.integers(0, 256, (classes, 3), np.uint8)
        labels = rng.integers(0, classes, (240, 250))
        ignored = np.zeros(labels.shape, bool)
        ignored[:80] = True
        data = base64.b64decode(class_map(labels, colours, ignored).partition(",")[2])
        drawn = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(drawn[80:], colours[labels[80:]])
        assert len(np.unique(drawn[:80].reshape(-1, 3), axis=0)) == 2


def loaded(page: Path, tmp_path: Path) -> str:
    """A page's document after its scripts have run, as Chromium has it."""
    command = [str(CHROMIUM), "--no-sandbox", "--headless=new", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=2200,1000", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize("width", [420, 1200, 1920])
def test_the_page_is_never_wider_than_the_window(out: Path, tmp_path: Path, width: int) -> None:
    probe = "<script>document.title=[document.scrollingElement.scrollWidth,innerWidth].join()</script></body>"
    page = tmp_path / "page.html"
    frame = tmp_path / "frame.html"  # a window of its own has a least width
    page.write_text((out / "report.html").read_text().replace("</body>", probe))
    frame.write_text(
        f'<iframe src="page.html" width="{width}" height="900" style="border:0"></iframe><p id="p"></p><script>onload='
        '()=>{document.getElementById("p").textContent=document.querySelector("iframe").contentDocument.title}</script>'
    )
    dom = loaded(frame, tmp_path)
    found = re.search(r'<p id="p">(\d+),(\d+)</p>', dom)
    assert found is not None
    assert int(found[2]) == width
    assert int(found[1]) <= width


class Shown(HTMLParser):
    """The variants whose images are shown, and under which of them every row of panels stands."""

    def __init__(self) -> None:
        super().__init__()
        self.variant = ""
        self.visible: list[str] = []
        self.image = ""
        self.images: dict[str, list[str]] = {}
        self.panels: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        kind = values.get("class")
        if kind == "choice":
            self.variant = values["data-variant"] or ""
            if "hidden" not in values:
                self.visible.append(self.variant)
        elif kind == "image":
            self.image = values["data-image"] or ""
            self.images.setdefault(self.variant, []).append(self.image)
        elif kind == "panels":
            self.panels.append((self.variant, self.image))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize("variant", ["paper", "control"])
def test_the_reader_chooses_the_variant_whose_images_are_shown(out: Path, tmp_path: Path, variant: str) -> None:
    choose = (
        f'<script>const one=document.querySelector(".choose select");one.value="{variant}";'
        'one.dispatchEvent(new Event("change"))</script></body>'
    )
    page = tmp_path / "page.html"
    page.write_text((out / "report.html").read_text().replace("</body>", choose))
    shown = Shown()
    shown.feed(loaded(page, tmp_path))
    assert shown.visible == [variant]
    moved = shown.images[variant]
    assert moved
    assert [shown.panels.count((variant, name)) for name in moved] == [1] * len(moved)


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
    found = published_for("voc20", model, host, proxy)
    assert (found and found.miou) == expected
    assert published_for("mine", model, host, proxy) is None


def test_cards_are_found_by_where_weights_come_from() -> None:
    assert card_of("facebook/dino-vitb8@abc") == "dino-b8"
    assert card_of("mini") == "mini"
    assert card_of("./folder") is None
