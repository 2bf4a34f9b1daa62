"""The benchmark programs run, count rightly, and the pages on performance say what their committed figures say."""

import importlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
import torch
from torch.nn.functional import normalize

import reference
from paths import ROOT

FOLDER = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def module():
    """Imports a module of the benchmarks, which import each other by their bare names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module


@pytest.fixture(scope="module")
def committed(module):
    return json.loads(module("bench").RESULTS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pages(module):
    """The text of every page that bench.py writes tables into."""
    return [page.read_text(encoding="utf-8") for page in module("bench").PAGES]


def test_the_pages_are_made_from_the_committed_figures(module, committed, pages):
    bench = module("bench")
    for page in pages:
        assert module("page").rendered(page, bench.sections(committed)) == page
    assert bench.PLOT.read_text(encoding="utf-8") == module("growth").growth_chart(committed["parts"]["growth"])


def test_every_part_is_committed_and_on_one_page(module, committed, pages):
    bench = module("bench")
    assert list(committed["parts"]) == list(bench.PARTS)
    assert sorted(name for page in pages for name in module("page").names(page)) == sorted(
        ["ratios", "machine", *bench.PARTS]
    )


def test_ratios_on_the_pages_are_the_figures(committed, pages):
    text = "\n".join(pages)
    shared = committed["parts"]["direct"]["attentions"]["shared"]
    faster = shared["direct"]["seconds"]["median"] / shared["feedseg"]["seconds"]["median"]
    assert f"| shared | ratio | {faster:.1f} | {shared['direct']['bytes'] / shared['feedseg']['bytes']:.1f} |" in text
    dino = committed["parts"]["added"]["DINO ViT-B/8"]
    adds = 100 * dino["feedback"]["20 words"]["median"] / dino["window"]["median"]
    reached = "yes" if adds <= 10 else "no"
    assert f"| feedback adds to a window with DINO ViT-B/8, 20 words | {adds:.3g} % | ≤ 10 | {reached} |" in text


def test_the_whole_program_runs(module, tmp_path):
    file = tmp_path / "figures.json"
    command = [sys.executable, FOLDER / "bench.py", "--quick", "--threads", "1", "--json", file]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    content = json.loads(file.read_text(encoding="utf-8"))
    bench = module("bench")
    assert list(content["parts"]) == [name for name, part in bench.PARTS.items() if part.can_be_quick]
    for name, section in bench.sections(content).items():
        assert section.startswith("#"), name
        assert "nan" not in section, name
    ET.fromstring(module("growth").growth_chart(content["parts"]["growth"]))


def test_two_checkouts_are_timed_in_turn(tmp_path):
    """Here the same one twice, so that all labels are equal."""
    file = tmp_path / "figures.json"
    sizes = ("--cases", "mini", "--repeats", "2", "--processes", "0", "--feedback", "paper")
    command = [sys.executable, FOLDER / "against.py", ROOT / "src", ROOT / "src", *sizes, "--json", file]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(file.read_text(encoding="utf-8"))
    of = found["mini, paper"]
    assert of["equal"] == 1
    assert [len(peaks) for peaks in of["bytes"]] == [1, 1]
    assert all(old > 0 and new > 0 for pairs in of["seconds"].values() for old, new in pairs)


def test_a_checkout_that_is_not_the_one_asked_for_is_refused(tmp_path):
    """The worker says so if another feedseg than the one of its folder is imported."""
    command = [sys.executable, FOLDER / "against_worker.py", tmp_path, tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "feedseg was imported from" in ended.stderr


@pytest.mark.parametrize("heads", [0, 12])
def test_what_is_timed_is_the_method(module, heads):
    feedback = module("feedback")
    given = feedback.inputs(40, 9, heads)
    attention, values, projection, text = given
    by_head = values[0].unflatten(-1, (max(heads, 1), -1)).transpose(0, 1)
    weights = attention[0] if heads else attention
    expected, decided = reference.refined_embeddings(
        weights, by_head, lambda attended: attended @ projection, text, 0, (20.0, 35.0, 0.45, 3.0), margin=1e-6
    )
    assert decided
    for method in feedback.METHODS.values():
        torch.testing.assert_close(method(*given), normalize(expected, dim=-1), atol=2e-5, rtol=0)


def test_operations_are_those_of_a_transformer(module):
    tower = module("random_models").random_segmenter(host="clip", tiny=True).model.tower
    with torch.inference_mode():
        counted = module("window").operations(lambda: tower.encode(torch.rand(1, 3, 48, 64)))
    patches, width, hidden, blocks = 12, 32, 64, 1  # two blocks, the last of which is not run
    tokens = patches + 1
    of_block = 2 * tokens * width * (4 * width + 2 * hidden) + 4 * tokens**2 * width
    assert counted == blocks * of_block + 2 * patches * 3 * 16**2 * width


def test_alternatives_are_timed_in_turn(module):
    called = []
    works = {name: lambda name=name: called.append(name) for name in "ab"}
    times = module("timing").in_turn(works, 2, "cpu")
    assert called == list("ababab")
    assert all(of["repeats"] == 2 and of["least"] <= of["median"] <= of["most"] for of in times.values())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is that of the whole process")
def test_memory_that_was_freed_counts(module):
    memory = module("timing").Memory("cpu")
    torch.ones(50_000_000).sum()
    assert 195e6 <= memory.added < 220e6  # Linux counts pages in batches


def test_the_exponent_of_a_power_is_found(module):
    line = {f"{size}": {"median": 3e-5 * size**1.5} for size in (10, 20, 70)}
    assert module("growth").exponent(line) == pytest.approx(1.5)


def test_a_point_lies_where_its_logarithm_says(module):
    charts = module("charts")
    points = [(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 10.0, 10.0), (100.0, 100.0, 100.0, 100.0)]
    svg = ET.fromstring(charts.chart("t", [charts.Panel("x", [charts.Line("a < b", "#0072B2", points)])]))
    circles = svg.findall(".//{http://www.w3.org/2000/svg}circle")
    (x0, y0), (x1, y1), (x2, y2) = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in circles]
    assert (x1, y1) == (pytest.approx((x0 + x2) / 2, abs=0.1), pytest.approx((y0 + y2) / 2, abs=0.1))
    assert x0 < x2
    assert y0 > y2


def test_the_speeds_leave_out_windows_and_patches(module):
    """An image of 336 × 448 pixels is two windows of the protocol, on a grid of 8 pixels; one, on a coarser one."""
    speeds = module("speeds")
    found = speeds.measure("ViT-B/16", 1, tiny=True)
    counts = {one.speed: (one.windows, one.patches) for one in found}
    assert counts == {"protocol": (2, 2 * 42 * 42), "fast": (1, 42 * 56), "fastest": (1, 34 * 46)}
    text = speeds.table(found).markdown()
    assert "| fastest | 1 | 1,564 |" in text
    assert text.count("\n| ") == 5
